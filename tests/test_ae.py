from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import date, time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydicom.dataset import Dataset
from pydicom.uid import UID

import dicomquest
from dicomquest import (
    AE,
    AsynchronousOperationsWindowNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
    build_context,
    build_role,
    evt,
    find,
)
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    LocalProtocolError,
    QueryFailedError,
)
from dicomquest.query.options import QueryOptions
from fixtures.faces import (
    EXPLICIT,
    HOST,
    IMPLICIT,
    PATIENT_ROOT,
    QUERY,
    STUDY_ROOT,
    VERIFICATION,
    associated,
    data_set,
    names,
    patients,
    running,
    scp,
    scu,
    serving,
    statuses,
)
from fixtures.timing import LONG, MS

# Presentation contexts.


def test_requested_contexts() -> None:
    ae = AE()
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(PATIENT_ROOT, IMPLICIT)
    ae.add_requested_context(PATIENT_ROOT, [EXPLICIT, IMPLICIT])
    assert [context.abstract_syntax for context in ae.requested_contexts] == [
        VERIFICATION,
        PATIENT_ROOT,
        PATIENT_ROOT,
    ]
    assert [len(context.transfer_syntax) for context in ae.requested_contexts] == [4, 1, 2]
    ae.remove_requested_context(PATIENT_ROOT)
    assert [context.abstract_syntax for context in ae.requested_contexts] == [VERIFICATION]
    contexts = [build_context(STUDY_ROOT)]
    ae.requested_contexts = contexts
    contexts[0].add_transfer_syntax("1.2.840.10008.1.2.4.50")
    assert len(ae.requested_contexts[0].transfer_syntax) == 4


@pytest.mark.requirement("UL-023")
def test_contexts_limited_to_places_in_association() -> None:
    """An AE takes no more contexts than an association has places for."""
    ae = AE()
    for number in range(128):
        ae.add_requested_context(f"1.2.{number}")
    with pytest.raises(ValueError, match="129"):
        ae.add_requested_context("1.2.128")
    with pytest.raises(ValueError, match="166"):
        ae.requested_contexts = dicomquest.AllStoragePresentationContexts
    ae.requested_contexts = dicomquest.StoragePresentationContexts
    assert len(ae.requested_contexts) == 120


def test_supported_contexts() -> None:
    ae = AE()
    ae.add_supported_context(STUDY_ROOT, IMPLICIT)
    ae.add_supported_context(PATIENT_ROOT)
    ae.add_supported_context(STUDY_ROOT, EXPLICIT)
    assert [context.abstract_syntax for context in ae.supported_contexts] == [
        PATIENT_ROOT,
        STUDY_ROOT,
    ]
    assert ae.supported_contexts[1].transfer_syntax == [IMPLICIT, EXPLICIT]
    ae.remove_supported_context(PATIENT_ROOT)
    ae.remove_supported_context(PATIENT_ROOT)
    assert [context.abstract_syntax for context in ae.supported_contexts] == [STUDY_ROOT]
    ae.supported_contexts = dicomquest.QueryRetrievePresentationContexts
    assert len(ae.supported_contexts) == 13


@pytest.mark.parametrize("uid", ["", "PatientRoot", "1.2.", "1." * 40 + "1"])
def test_abstract_syntax_must_be_a_uid(uid: str) -> None:
    with pytest.raises(ValueError, match="no UID"):
        build_context(uid)


def test_context_needs_a_transfer_syntax() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_context(VERIFICATION, [])


@pytest.mark.parametrize(
    "transfer_syntax", [IMPLICIT, EXPLICIT, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
)
@pytest.mark.requirement("UL-025", "UL-090")
def test_queries_in_every_transfer_syntax(transfer_syntax: str) -> None:
    server, client = AE(), AE()
    server.add_supported_context(PATIENT_ROOT, transfer_syntax)
    client.add_requested_context(PATIENT_ROOT, transfer_syntax)
    with serving(lambda _: patients(3), ae=server) as port, associated(port, client) as association:
        (context,) = association.accepted_contexts
        assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["0", "1", "2"]
        # Implicit VR is always offered and accepted besides; the server's preference decides.
        assert context.transfer_syntax == [transfer_syntax]


@pytest.mark.requirement("UL-070", "UL-072")
@pytest.mark.parametrize(("ours", "theirs"), [(8, 9), (0, 0), (4096, 16382), (1 << 20, 1 << 20)])
def test_queries_under_any_maximum_length(ours: int, theirs: int) -> None:
    server, client = scp(), scu()
    server.maximum_pdu_size, client.maximum_pdu_size = theirs, ours
    with (
        serving(lambda _: patients(20), ae=server) as port,
        associated(port, client) as association,
    ):
        assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 20
        assert (association.requestor.maximum_length, association.acceptor.maximum_length) == (
            ours,
            theirs,
        )


# What is negotiated besides.


def extended(uid: str, information: bytes) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = uid
    item.service_class_application_information = information
    return item


@pytest.mark.requirement("UL-036")
def test_extended_negotiation_is_read_on_both_sides() -> None:
    """The handler answers an extended negotiation, and both sides can read it."""
    seen: list[Any] = []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        seen.append(event.app_info)
        return {UID(PATIENT_ROOT): b"\1\0", UID("1.2.3"): b"\1"}

    bindings: list[evt.Binding] = [
        (evt.EVT_SOP_EXTENDED, answer),
        (evt.EVT_ESTABLISHED, lambda event: seen.append(event.assoc.extended_negotiation)),
    ]
    offers = [extended(PATIENT_ROOT, b"\1\1\1"), extended(VERIFICATION, b"\0")]
    with serving(None, *bindings) as port, associated(port, ext_neg=offers) as association:
        assert association.extended_negotiation == {PATIENT_ROOT: b"\1\0"}
        assert association.acceptor.sop_class_extended == {PATIENT_ROOT: b"\1\0"}
        assert association.requestor.sop_class_extended == {
            PATIENT_ROOT: b"\1\1\1",
            VERIFICATION: b"\0",
        }
        assert association.send_c_echo().Status == 0x0000
    assert seen == [{PATIENT_ROOT: b"\1\1\1", VERIFICATION: b"\0"}, {PATIENT_ROOT: b"\1\0"}]


@pytest.mark.requirement("UL-036")
def test_without_handler_or_offer_no_answer() -> None:
    """Without a handler or an offer nothing is answered."""
    with (
        serving() as port,
        associated(port, ext_neg=[extended(PATIENT_ROOT, b"\1")]) as association,
    ):
        assert association.extended_negotiation == {}
    asked: list[evt.Event] = []
    with (
        serving(None, (evt.EVT_SOP_EXTENDED, asked.append)) as port,
        associated(port) as association,
    ):
        assert association.extended_negotiation == {}
    assert asked == []


def test_failing_negotiation_handler_answers_nothing() -> None:
    with (
        serving(None, (evt.EVT_SOP_EXTENDED, lambda _: 1 / 0)) as port,
        associated(port, ext_neg=[extended(PATIENT_ROOT, b"\1")]) as association,
    ):
        assert association.extended_negotiation == {}


@pytest.mark.requirement("UL-041", "UL-042", "UL-043")
def test_user_identity(caplog: pytest.LogCaptureFixture) -> None:
    def verify(event: evt.Event) -> tuple[bool, bytes | None]:
        fields = (event.user_id_type, event.primary_field, event.secondary_field)
        return fields == (2, b"marie", b"secret"), None

    def identity(passcode: bytes) -> UserIdentityNegotiation:
        return UserIdentityNegotiation(2, b"marie", passcode, positive_response_requested=True)

    with caplog.at_level("DEBUG"), serving(None, (evt.EVT_USER_ID, verify)) as port:
        with associated(port, ext_neg=[identity(b"secret")]) as association:
            assert association.send_c_echo().Status == 0x0000
        refused = scu().associate(HOST, port, ext_neg=[identity(b"guessed")])
        assert refused.is_rejected
        failure = refused.failure
        assert isinstance(failure, AssociationRejectedError)
        assert (failure.result, failure.source) == (1, 2)
        with associated(port) as anonymous:
            assert anonymous.send_c_echo().Status == 0x0000
    assert "secret" not in caplog.text
    assert "guessed" not in caplog.text
    assert "secret" not in repr(identity(b"secret"))


def test_failing_identity_handler_lets_nobody_in() -> None:
    with serving(None, (evt.EVT_USER_ID, lambda _: 1 / 0)) as port:
        assert (
            scu().associate(HOST, port, ext_neg=[UserIdentityNegotiation(1, b"marie")]).is_rejected
        )


@pytest.mark.requirement("UL-037", "UL-038", "UL-039")
def test_other_items_are_sent_and_harmless() -> None:
    server = scp()
    server.add_supported_context(PATIENT_ROOT, scu_role=True, scp_role=True)
    items = [
        AsynchronousOperationsWindowNegotiation(5, 5),
        SOPClassCommonExtendedNegotiation(PATIENT_ROOT, "1.2.840.10008.4.2", ["1.2.3"]),
        build_role(PATIENT_ROOT, scu_role=True, scp_role=True),
    ]
    with (
        serving(lambda _: patients(1), ae=server) as port,
        associated(port, ext_neg=items) as association,
    ):
        assert [context.as_scp for context in association.accepted_contexts] == [False, True]
        assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["0"]


# Servers.


def test_server_tells_address_and_associations() -> None:
    """A server tells where it listens and which associations it has."""
    with running() as server:
        assert server.server_address[0] == HOST
        with associated(server.server_address[1]):
            assert [
                association.requestor.ae_title for association in server.active_associations
            ] == ["SCU"]
        states = [server.is_running]
    assert [*states, server.is_running] == [True, False]
    server.shutdown()


def test_handlers_bind_and_unbind_while_running() -> None:
    """Handlers are bound to a running server and unbound again."""

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        return patients(1)

    with running() as server, associated(server.server_address[1]) as association:
        server.bind(evt.EVT_C_FIND, handler)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0x0000]
        server.unbind(evt.EVT_C_FIND, handler)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xC310]


def test_entity_ends_all_its_servers() -> None:
    ae = scp()
    servers = [ae.start_server((HOST, 0), block=False) for _ in range(2)]
    ae.shutdown()
    assert [server.is_running for server in servers] == [False, False]


@pytest.mark.parametrize("block", [True, False])
def test_address_that_cannot_be_had_is_os_error(block: bool) -> None:
    with socket.create_server((HOST, 0)) as taken, pytest.raises(OSError, match="in use"):
        scp().start_server(taken.getsockname(), block=block)  # type: ignore[call-overload]


def test_server_needs_something_to_support() -> None:
    with pytest.raises(LocalProtocolError, match="without supported"):
        AE().start_server((HOST, 0), block=False)


def test_blocking_server_ends_from_another_thread() -> None:
    """Another thread can end a blocking server."""
    ae = scp()
    thread = threading.Thread(target=ae.start_server, args=((HOST, 0),))
    thread.start()
    for _ in range(1000):
        if ae._servers and ae._servers[0].is_running:
            break
        thread.join(5 * MS)
    port = ae._servers[0].server_address[1]
    with associated(port) as association:
        assert association.send_c_echo().Status == 0x0000
    ae.shutdown()
    thread.join(LONG)
    assert not thread.is_alive()


BLOCKING = """
import sys
from dicomquest import AE, evt
ae = AE()
ae.add_supported_context("1.2.840.10008.1.1")
port = int(sys.argv[1])
ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: print("open", flush=True))])
print("ended")
"""


def test_interrupt_ends_blocking_server_cleanly() -> None:
    """An interrupt ends a blocking server cleanly."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", BLOCKING, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that has the tests in the background lets them, and so their children, ignore it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  it takes no lock
    ) as process:
        ae = scu()
        while not (association := ae.associate(HOST, port)).is_established:
            assert process.poll() is None
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=LONG)
        finally:
            process.kill()
    association.release()
    assert (process.returncode, out, err) == (0, b"ended\n", b"")


# TLS.


class Authority:
    """Certificates of one authority, for a server at 127.0.0.1 and for clients."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(HOST).configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_queries_over_tls(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.client_context()
    context.minimum_version = context.maximum_version = version
    with (
        serving(lambda _: patients(1000), ssl_context=authority.server_context()) as port,
        associated(port, tls_args=(context, None)) as association,
    ):
        assert isinstance(association._socket, ssl.SSLSocket)
        assert association._socket.version() == version.name.replace("_", ".")
        assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 1000


@pytest.mark.requirement("UL-122")
@pytest.mark.parametrize("hostname", [None, "pacs.example"])
def test_untrusted_certificate_aborts_association(
    authority: Authority, hostname: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """A certificate that the client does not trust gives an aborted association."""
    context = (Authority() if hostname is None else authority).client_context()
    aborted: list[evt.Event] = []
    with serving(ssl_context=authority.server_context()) as port:
        association = scu().associate(
            HOST,
            port,
            tls_args=(context, hostname),
            evt_handlers=[(evt.EVT_ABORTED, aborted.append)],
        )
        assert association.is_aborted
        assert len(aborted) == 1
        assert isinstance(association.failure, ConnectionFailedError)
        assert "certificate verify failed" in str(association.failure)
        with associated(port, tls_args=(authority.client_context(), None)) as other:
            assert other.send_c_echo().Status == 0x0000
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.requirement("UL-122")
def test_client_without_tls_gets_no_association(
    authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(ssl_context=authority.server_context()) as port:
        assert scu().associate(HOST, port).is_aborted
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.requirement("UL-122")
def test_server_without_tls_aborts_association(authority: Authority) -> None:
    """A TLS client gets an aborted association from a server without TLS."""
    with serving() as port:
        association = scu().associate(HOST, port, tls_args=(authority.client_context(), None))
    assert association.is_aborted
    assert isinstance(association.failure, ConnectionFailedError)


@pytest.mark.requirement("UL-120")
def test_tls_before_1_2_is_refused(authority: Authority) -> None:
    server, client = authority.server_context(), authority.client_context()
    old = authority.client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for context in (server, client, old):
            context.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ValueError, match="TLSv1"):
        scp().start_server((HOST, 0), block=False, ssl_context=server)
    with pytest.raises(ValueError, match="TLSv1"):
        scu().associate(HOST, 1, tls_args=(client, None))
    with (
        serving(ssl_context=authority.server_context()) as port,
        socket.create_connection((HOST, port)) as plain,
        pytest.raises(OSError, match=r"(?i)ssl|reset"),
    ):
        old.wrap_socket(plain, server_hostname=HOST)


# dicomquest.find


def studies(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    if "StudyInstanceUID" not in event.identifier:
        yield 0xC000, None
    for number in range(1000):
        yield 0xFF00, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.{number}")


def test_find() -> None:
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        assert event.assoc.requestor.ae_title == "ME"
        assert event.assoc.acceptor.ae_title == "PACS"
        return studies(event)

    item = data_set(ScheduledProcedureStepID="")
    with serving(handler) as port:
        matches = list(
            find(
                HOST, port, PatientName="CITIZEN*", StudyDate="20240101-", ModalitiesInStudy=["CT", "MR"],
                RequestAttributesSequence=[item], called_aet="PACS", calling_aet="ME",
            )
        )  # fmt: skip
    assert [match.StudyInstanceUID for match in matches] == [
        f"1.2.{number}" for number in range(1000)
    ]
    (identifier,) = asked
    assert identifier.PatientName == "CITIZEN*"
    assert list(identifier.ModalitiesInStudy) == ["CT", "MR"]
    assert "ScheduledProcedureStepID" in identifier.RequestAttributesSequence[0]
    for keyword in ("StudyTime", "AccessionNumber", "PatientID", "StudyID", "StudyInstanceUID"):
        assert identifier[keyword].is_empty


def test_find_gives_the_json_model_too() -> None:
    with serving(studies) as port:
        matches = list(find(HOST, port, as_="json"))
    assert [match["0020000D"] for match in matches] == [
        {"vr": "UI", "Value": [f"1.2.{number}"]} for number in range(1000)
    ]
    assert matches[0]["00080052"] == {"vr": "CS", "Value": ["STUDY"]}


def test_find_builds_nothing_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="as_ 'arrow': expected dataset, json"):
        find(HOST, 1, as_="arrow")  # type: ignore[call-overload]


def test_find_asks_for_no_more_than_what_is_named() -> None:
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    with serving(handler) as port:
        assert (
            list(
                find(
                    HOST, port, level="PATIENT", model="patient", PatientName="A*", PatientSex=None
                )
            )
            == []
        )
    assert {element.keyword for element in asked[0]} == {
        "QueryRetrieveLevel",
        "PatientName",
        "PatientSex",
        "PatientID",
    }


def test_find_stops_at_limit_or_when_left() -> None:
    """find() stops at its limit and when its loop is left."""
    told: list[str] = []
    released = threading.Semaphore(0)
    bindings: list[evt.Binding] = [
        (evt.EVT_RELEASED, lambda _: released.release()),
        (evt.EVT_ABORTED, lambda event: told.append(event.event.name)),
    ]
    with serving(studies, *bindings) as port:
        assert len(list(find(HOST, port, limit=3))) == 3
        matches = find(HOST, port)
        next(matches)
        matches.close()  # type: ignore[attr-defined]
        assert released.acquire(timeout=LONG)
        assert released.acquire(timeout=LONG)
    assert told == []


def test_find_offers_options() -> None:
    offered: list[Any] = []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        offered.append(event.app_info)
        return {}

    with serving(studies, (evt.EVT_SOP_EXTENDED, answer)) as port:
        assert (
            len(list(find(HOST, port, limit=1, options=QueryOptions(relational=True, fuzzy=True))))
            == 1
        )
    assert offered == [{STUDY_ROOT: b"\1\0\1"}]


@pytest.mark.requirement("QR-027", "QR-028")
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (QueryOptions(relational=True), {"level": "SERIES", "Modality": "CT"}),
        (QueryOptions(enhanced_multiframe=True), {"QueryRetrieveView": "CLASSIC"}),
    ],
)
@pytest.mark.parametrize("accepts", [False, True])
def test_find_uses_option_only_where_accepted(
    options: QueryOptions, keys: dict[str, str], accepts: bool
) -> None:
    """find() sends a query that needs an option only where the peer accepted it."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        return dict(event.app_info) if accepts else {}

    with serving(handler, (evt.EVT_SOP_EXTENDED, answer)) as port:
        matches = find(HOST, port, options=options, **keys)  # type: ignore[call-overload]
        if accepts:
            assert list(matches) == []
        else:
            with pytest.raises(
                ContextNotAcceptedError, match="did not accept what this query needs"
            ):
                list(matches)
    assert len(asked) == accepts


@pytest.mark.requirement("QR-023", "QR-024")
@pytest.mark.parametrize(("name", "charset"), [("DOE*", None), ("M\u00fcller", "ISO_IR 192")])
def test_find_adds_unique_key_and_charset(name: str, charset: str | None) -> None:
    """find() sends the unique key, and a character set where a key needs one."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    with serving(handler) as port:
        assert list(find(HOST, port, PatientName=name, StudyDate=None)) == []
    assert asked[0]["StudyInstanceUID"].is_empty
    assert asked[0].get("SpecificCharacterSet") == charset


def refusing(**settings: Any) -> AE:
    ae = scp()
    for name, value in settings.items():
        setattr(ae, name, value)
    return ae


def failing(event: evt.Event) -> Iterator[tuple[Dataset, None]]:
    yield data_set(Status=0xA900, ErrorComment="no such level", OffendingElement=0x00080052), None


def aborting(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    event.assoc.abort()
    yield from patients(1)


@pytest.mark.parametrize(
    ("handler", "ae", "error", "words"),
    [
        (
            None,
            refusing(require_called_aet=True),
            AssociationRejectedError,
            "called AE title not recognized",
        ),
        (
            None,
            refusing(supported_contexts=[build_context(VERIFICATION)]),
            ContextNotAcceptedError,
            "Study Root",
        ),
        (failing, None, QueryFailedError, "A900.*no such level"),
        (aborting, None, AssociationAbortedError, "A-ABORT"),
    ],
)
def test_find_says_why_there_is_no_answer(
    handler: Callable[[evt.Event], Any] | None,
    ae: AE | None,
    error: type[AssociationError],
    words: str,
) -> None:
    with serving(handler, ae=ae) as port, pytest.raises(error, match=words) as raised:
        list(find(HOST, port))
    if isinstance(raised.value, QueryFailedError):
        assert (raised.value.status, raised.value.element) == (0xA900, (0x00080052,))


def test_find_says_that_nobody_listens() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match=str(port)):
        next(find(HOST, port))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PatientNmae": "A"}, "PatientNmae.*did you mean PatientName"),
        ({"keys": {"00100021x": "A"}}, "00100021x"),
        ({"keys": {0x00090010: "A"}}, "no attribute of the DICOM dictionary"),
        ({"keys": {"00100020": "1"}, "PatientID": "2"}, "given twice"),
        ({"StudyDate": time(12)}, "Study Date.*no DA value"),
        ({"StudyDate": (None, date(2024, 1, 1), None)}, "pair"),
        ({"InstanceNumber": 1.5}, "whole number"),
        ({"ae_title": "A", "called_aet": "B"}, "ae_title"),
        ({"QueryRetrieveLevel": "STUDY"}, "QueryRetrieveLevel"),
        ({"level": "STUDIES"}, "STUDY, SERIES, IMAGE"),
        ({"level": "PATIENT"}, "Study Root has STUDY"),
        ({"model": "patients"}, "patient, study, psonly"),
        ({"level": "SERIES", "Modality": "CT"}, "needs StudyInstanceUID with one value"),
        (
            {"level": "SERIES", "StudyInstanceUID": "1.2\\1.3"},
            "needs StudyInstanceUID with one value",
        ),
        (
            {"level": "SERIES", "StudyInstanceUID": "1.2", "StudyDate": "20240101"},
            "StudyDate belongs to STUDY level",
        ),
        ({"InstanceAvailability": "ONLINE"}, "InstanceAvailability must not"),
        ({"TimezoneOffsetFromUTC": "Z"}, "expected \\+HHMM"),
        ({"QueryRetrieveView": "CLASSIC"}, "QueryRetrieveView"),
    ],
)
@pytest.mark.requirement("QR-020", "QR-021", "QR-022", "QR-025", "QR-026", "QR-027")
def test_find_refuses_nonsense_before_connecting(settings: dict[str, Any], words: str) -> None:
    """find() refuses arguments that make no sense before it connects."""
    with pytest.raises(ValueError, match=words):
        find(HOST, 1, **settings)


def test_find_over_tls(authority: Authority) -> None:
    with serving(studies, ssl_context=authority.server_context()) as port:
        assert len(list(find(HOST, port, limit=2, ssl_context=authority.client_context()))) == 2


# The surface.


def test_package_offers_its_names() -> None:
    for name in dicomquest.__all__:
        assert getattr(dicomquest, name) is not None
    assert set(dicomquest.__all__) <= set(dir(dicomquest))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = dicomquest.Nothing


def test_importing_package_imports_next_to_nothing() -> None:
    program = "import sys, dicomquest; print([name for name in sys.modules if name.partition('.')[0] == 'pydicom'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_debug_logger_shows_events_but_no_patient(tmp_path: Path) -> None:
    """debug_logger() shows what happens but no patient."""
    program = f"""
from dicomquest import debug_logger
debug_logger()
debug_logger()
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from fixtures.faces import *
with serving(lambda _: [(0xFF00, data_set(PatientName="CITIZEN^Jan"))]) as port, associated(port) as association:
    assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["CITIZEN^Jan"]
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.count("accepted, 2 contexts") == 1
    assert "established" in done.stderr
    assert "CITIZEN" not in done.stderr

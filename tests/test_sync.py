from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from dicomquest import AE, build_role, evt
from dicomquest.dimse.command_sets import encode_elements
from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CFindRSP,
    response_to,
)
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    LocalProtocolError,
)
from dicomquest.pdu.pdus import (
    COMMAND,
    LAST,
    AAbort,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    PresentationDataValue,
)
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, negotiate
from fixtures.faces import (
    HOST,
    IDENTIFIER,
    IMPLICIT,
    PATIENT_ROOT,
    QUERY,
    STUDY_ROOT,
    VERIFICATION,
    RawPeer,
    associated,
    data_set,
    names,
    patients,
    raw_acceptor,
    running,
    scp,
    scu,
    serving,
    statuses,
)
from fixtures.timing import LONG, MS, SHORT


def many(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """More patients than the network buffers, named by the key and a number, until a C-CANCEL."""
    for number in range(100_000):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        yield (
            0xFF00,
            data_set(
                QueryRetrieveLevel="PATIENT", PatientName=f"{event.identifier.PatientName}{number}"
            ),
        )


def pending(message_id: int) -> CFindRSP:
    return CFindRSP(message_id_being_responded_to=message_id, status=0xFF00, has_data_set=True)


def final(message_id: int, status: int = 0x0000) -> CFindRSP:
    return CFindRSP(message_id_being_responded_to=message_id, status=status)


def test_echo() -> None:
    with serving() as port, associated(port) as association:
        assert association.send_c_echo().Status == 0x0000
        assert association.send_c_echo(msg_id=65535).Status == 0x0000


@pytest.mark.requirement("UL-001")
def test_connection_closes_when_association_ends() -> None:
    """The connection is closed when the association ends."""
    closed = threading.Event()
    with (
        serving(None, (evt.EVT_CONN_CLOSE, lambda _: closed.set())) as port,
        associated(port) as association,
    ):
        association.release()
        assert association.is_released
        assert not association.is_established
        assert closed.wait(LONG)
        association.release()
        association.abort()
        assert association.is_released
        assert not association.is_aborted


def test_closed_port_is_aborted_association() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    association = scu().associate(HOST, port)
    assert association.is_aborted
    assert not association.is_established
    assert isinstance(association.failure, ConnectionFailedError)
    assert str(port) in str(association.failure)
    association.release()
    association.abort()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid", ""])
def test_host_that_is_none_is_aborted_association(host: str) -> None:
    association = scu().associate(host, 1)
    assert association.is_aborted
    assert isinstance(association.failure, ConnectionFailedError)


@pytest.mark.requirement("UL-029", "UL-030")
@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [("OTHER", "SCU", 7), ("SCP", "OTHER", 3), ("OTHER", "OTHER", 7)],
)
def test_ae_title_that_is_not_wanted_is_rejected(called: str, calling: str, reason: int) -> None:
    ae = scp()
    ae.require_called_aet = True
    ae.require_calling_aet = ["SCU"]
    client = scu()
    with serving(ae=ae) as port:
        with associated(port, client, ae_title="SCP"):
            pass
        client.ae_title = calling
        association = client.associate(HOST, port, ae_title=called)
    assert association.is_rejected
    assert not association.is_aborted
    failure = association.failure
    assert isinstance(failure, AssociationRejectedError)
    assert (failure.result, failure.source, failure.reason) == (1, 1, reason)


@pytest.mark.requirement("UL-061")
def test_unanswered_association_request() -> None:
    """An unanswered association request ends in an abort that names the request."""
    ae = scu()
    ae.acse_timeout = SHORT

    def serve(peer: RawPeer) -> None:
        peer.receive()
        assert peer.receive() == AAbort(0, 0)

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        assert association.is_aborted
        assert isinstance(association.failure, AssociationAbortedError)
        assert "A-ASSOCIATE-RQ" in str(association.failure)


@pytest.mark.requirement("UL-061")
def test_unanswered_release_request() -> None:
    """An unanswered release request ends in an abort."""
    ae = scu()
    ae.acse_timeout = SHORT

    def serve(peer: RawPeer) -> None:
        peer.accept()
        assert peer.receive() == AReleaseRQ()
        assert peer.receive() == AAbort(0, 0)

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        association.release()
        assert association.is_aborted


@pytest.mark.requirement("UL-061")
def test_silent_peer_gets_cancel_then_abort() -> None:
    """A peer that does not answer a query gets a C-CANCEL, then an A-ABORT."""
    ae = scu()
    ae.dimse_timeout = SHORT

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        assert peer.receive_command() == CCancelRQ(message_id_being_responded_to=1)
        assert peer.receive() == AAbort(0, 0)

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [None]
        assert association.is_aborted


@pytest.mark.requirement("UL-058")
@pytest.mark.parametrize("how", ["abort", "close", "reset"])
def test_association_that_is_lost_during_query(how: str) -> None:
    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        peer.send_command(pending(1), IDENTIFIER)
        if how == "abort":
            peer.send(AAbort(2, 0))
        if how == "reset":
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    told: list[str] = []
    handlers: list[evt.Binding] = [(evt.EVT_ABORTED, lambda event: told.append(event.event.name))]
    with raw_acceptor(serve) as port:
        association = scu().associate(HOST, port, evt_handlers=handlers)
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        assert statuses(responses)[-1:] == [None]
        assert association.is_aborted
        assert isinstance(association.failure, AssociationAbortedError)
        with pytest.raises(LocalProtocolError, match="aborted"):
            association.send_c_echo()
        association.release()
    assert told == ["EVT_ABORTED"]


def test_peer_closing_when_idle_has_ended_well() -> None:
    """A peer that closes while nothing is outstanding has ended well."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        peer.send_command(response_to(CEchoRQ(message_id=1), 0x0000), context_id=1)

    with raw_acceptor(serve) as port:
        association = scu().associate(HOST, port)
        assert association.send_c_echo().Status == 0x0000
        association.release()
        assert association.is_released


def test_failed_block_aborts_unanswered_releases() -> None:
    """A block that raises aborts; a block that got no answer releases."""
    with serving() as port:
        with pytest.raises(ZeroDivisionError), associated(port) as association:
            _ = 1 / 0
        assert association.is_aborted
        with pytest.raises(ContextNotAcceptedError), associated(port) as association:
            association.send_c_find(QUERY, STUDY_ROOT)
        assert association.is_released


def test_handlers_are_told_of_each_step() -> None:
    events = (
        evt.EVT_CONN_OPEN, evt.EVT_REQUESTED, evt.EVT_ACCEPTED, evt.EVT_ESTABLISHED,
        evt.EVT_RELEASED,
        evt.EVT_CONN_CLOSE,
    )  # fmt: skip
    told: list[tuple[str, bool]] = []
    bindings: list[evt.Binding] = [
        (event, lambda event: told.append((event.event.name, event.assoc.is_established)))
        for event in events
    ]
    with serving() as port, associated(port, evt_handlers=bindings):
        pass
    assert [name for name, _ in told] == [event.name for event in events]
    assert [established for _, established in told] == [False, False, True, True, False, False]


def test_unsendable_request_fails_before_connecting() -> None:
    """A request that cannot be sent is refused before there is a connection."""
    with pytest.raises(LocalProtocolError, match="AE title"):
        scu().associate(HOST, 1, ae_title="much too long a title")
    with pytest.raises(LocalProtocolError, match="0 presentation contexts"):
        AE().associate(HOST, 1)


def test_both_sides_identify_themselves() -> None:
    ae = scp()
    ae.maximum_pdu_size = 4096
    seen: list[evt.Event] = []
    with (
        serving(None, (evt.EVT_ESTABLISHED, seen.append), ae=ae) as port,
        associated(port, max_pdu=8192) as association,
    ):
        assert association.send_c_echo().Status == 0x0000
        there = seen[0].assoc
        for requestor in (association.requestor, there.requestor):
            assert (requestor.ae_title, requestor.maximum_length) == ("SCU", 8192)
            assert requestor.implementation_version_name == ae.implementation_version_name
        for acceptor in (association.acceptor, there.acceptor):
            assert (acceptor.ae_title, acceptor.maximum_length, acceptor.port) == (
                "ANY-SCP",
                4096,
                port,
            )
        assert association.requestor.port == there.requestor.port
        assert [context.abstract_syntax for context in there.accepted_contexts] == [
            "1.2.840.10008.1.1",
            PATIENT_ROOT,
        ]
        assert all(context.as_scp and not context.as_scu for context in there.accepted_contexts)


def test_accepted_and_rejected_contexts() -> None:
    ae = AE()
    ae.add_requested_context("1.2.840.10008.1.1")
    ae.add_requested_context("1.2.3", "1.2.840.10008.1.2")
    with serving() as port, associated(port, ae) as association:
        (accepted,), (rejected,) = association.accepted_contexts, association.rejected_contexts
        assert (accepted.context_id, accepted.result, accepted.transfer_syntax) == (
            1,
            0,
            ["1.2.840.10008.1.2.1"],
        )
        assert accepted.as_scu
        assert not accepted.as_scp
        assert (rejected.context_id, rejected.abstract_syntax, rejected.result) == (3, "1.2.3", 3)


def test_no_accepted_context_aborts_association() -> None:
    """An association for which the peer accepts no context is aborted, on both sides."""
    ae, there = AE(), threading.Event()
    ae.add_requested_context("1.2.3")
    told: list[evt.EventType] = []
    bindings: list[evt.Binding] = [
        (event, lambda event: told.append(event.event))
        for event in (evt.EVT_ACCEPTED, evt.EVT_ESTABLISHED, evt.EVT_ABORTED, evt.EVT_CONN_CLOSE)
    ]
    with serving(None, (evt.EVT_ABORTED, lambda _: there.set())) as port:
        association = ae.associate(HOST, port, evt_handlers=bindings)
        assert (association.is_established, association.is_aborted) == (False, True)
        assert isinstance(association.failure, ContextNotAcceptedError)
        assert "1.2.3" in str(association.failure)
        assert [context.abstract_syntax for context in association.rejected_contexts] == ["1.2.3"]
        assert there.wait(LONG)
    assert told == [evt.EVT_ACCEPTED, evt.EVT_ABORTED, evt.EVT_CONN_CLOSE]


@pytest.mark.requirement("UL-099", "QR-150")
def test_all_responses_of_a_query() -> None:
    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, data_set(PatientName="A^B")
        yield 0xFF01, data_set(PatientName="C^D")

    with serving(handler) as port, associated(port) as association:
        responses = list(association.send_c_find(QUERY, PATIENT_ROOT))
    assert statuses(responses) == [0xFF00, 0xFF01, 0x0000]
    assert names(responses) == ["A^B", "C^D"]
    assert responses[-1][1] is None


@pytest.mark.requirement("UL-057", "UL-098", "UL-099")
def test_loop_left_early_leaks_nothing() -> None:
    """A loop left early leaks nothing into the next query."""
    with serving(many) as port, associated(port) as association:
        for letter in "ABC":
            query = data_set(QueryRetrieveLevel="PATIENT", PatientName=letter)
            for count, (_, identifier) in enumerate(association.send_c_find(query, PATIENT_ROOT)):
                assert identifier is not None
                assert identifier.PatientName == f"{letter}{count}"
                if count == 300:
                    break
        assert association.send_c_echo().Status == 0x0000
        next(association.send_c_find(QUERY, PATIENT_ROOT))
        association.release()
        assert association.is_released


def test_displaced_query_ends_with_final_status() -> None:
    """The generator of a query that gave way ends with its final status."""
    with serving(many) as port, associated(port) as association:
        first = association.send_c_find(QUERY, PATIENT_ROOT)
        next(first)
        assert association.send_c_echo().Status == 0x0000
        assert statuses(first) == [0xFE00]
        assert list(first) == []


def test_query_that_is_cancelled_by_its_message_id() -> None:
    with serving(many) as port, associated(port) as association:
        responses = association.send_c_find(QUERY, PATIENT_ROOT, msg_id=7)
        next(responses)
        association.send_c_cancel(8)
        association.send_c_cancel(7, query_model=PATIENT_ROOT)
        got = statuses(responses)
        assert got[-1] == 0xFE00
        assert len(got) < 100_000


@pytest.mark.requirement("UL-099")
def test_responses_to_other_message_id_are_ignored() -> None:
    """Responses to another Message ID are no answers."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        for message_id in (2, 5, 5, 2):
            peer.send_command(pending(message_id), IDENTIFIER)
        peer.send_command(final(2))
        peer.send_command(final(5, 0xA700))
        assert peer.receive() == AReleaseRQ()
        peer.send(AReleaseRP())

    with raw_acceptor(serve) as port, associated(port) as association:
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT, msg_id=5)) == [
            0xFF00,
            0xFF00,
            0xA700,
        ]


def test_peer_ignoring_cancel_is_aborted_when_needed() -> None:
    """A peer that ignores a C-CANCEL is aborted when the association is needed."""
    ae = scu()
    ae.dimse_timeout = 4 * SHORT
    stop = threading.Event()

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        while not stop.is_set():
            try:
                peer.send_command(pending(1), IDENTIFIER)
            except OSError:
                break

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        next(association.send_c_find(QUERY, PATIENT_ROOT))
        association.release()
        stop.set()
        assert association.is_aborted


@pytest.mark.requirement("QR-151")
@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0xFE00, 0xB000, 0x0122])
def test_any_status_but_pending_ends_query(status: int) -> None:
    explained = data_set(Status=status, ErrorComment="because", OffendingElement=[0x00100010])

    def handler(event: evt.Event) -> Iterator[tuple[Dataset, None]]:
        yield explained, None

    with serving(handler) as port, associated(port) as association:
        ((got, identifier),) = association.send_c_find(QUERY, PATIENT_ROOT)
        assert identifier is None
        assert (got.Status, got.ErrorComment, got.OffendingElement) == (
            status,
            "because",
            0x00100010,
        )
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.requirement("UL-101")
def test_request_to_the_requestor_is_refused() -> None:
    def serve(peer: RawPeer) -> None:
        rq = peer.receive()
        assert isinstance(rq, AAssociateRQ)
        supported = {
            uid: SupportedSyntax((IMPLICIT,), scp_role=True) for uid in (VERIFICATION, PATIENT_ROOT)
        }
        peer.send(negotiate(rq, AcceptorPolicy(supported)))
        peer.receive_command()
        peer.send_find(9)
        refused = peer.receive_command()
        assert isinstance(refused, CFindRSP)
        assert (refused.message_id_being_responded_to, refused.status) == (9, 0x0122)
        peer.send_command(final(1))
        peer.receive()
        peer.send(AReleaseRP())

    roles = [build_role(PATIENT_ROOT, scu_role=True, scp_role=True)]
    with raw_acceptor(serve) as port, associated(port, ext_neg=roles) as association:
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0x0000]


def test_overlong_error_comment_is_taken() -> None:
    """An Error Comment longer than allowed is taken as it comes."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        comment = b"c" * 80
        values = {
            0x0100: b"\x20\x80",
            0x0120: b"\1\0",
            0x0800: b"\1\1",
            0x0900: b"\0\xc0",
            0x0902: comment,
        }
        peer.send(PDataTF((PresentationDataValue(3, COMMAND | LAST, encode_elements(values)),)))
        peer.receive()
        peer.send(AReleaseRP())

    with raw_acceptor(serve) as port, associated(port) as association:
        ((status, _),) = association.send_c_find(QUERY, PATIENT_ROOT)
        assert (status.Status, status.ErrorComment) == (0xC000, "c" * 80)


@pytest.mark.parametrize(
    "identifier", [b"\x10\x00\x10\x00\x01", b"\x10\x00\x10\x00\xff\xff\xff\x7f"]
)
def test_unreadable_match_is_counted_next_is_read(identifier: bytes) -> None:
    """A match that cannot be read is counted, and the next one is read."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        peer.send_command(pending(1), identifier)
        peer.send_command(pending(1), IDENTIFIER)
        peer.send_command(final(1))
        peer.receive()
        peer.send(AReleaseRP())

    with raw_acceptor(serve) as port, associated(port) as association:
        responses = list(association.send_c_find(QUERY, PATIENT_ROOT))
        assert statuses(responses) == [0xFF00, 0xFF00, 0x0000]
        assert [identifier is None for _, identifier in responses] == [True, False, True]


def test_text_of_any_script_round_trips() -> None:
    """Text of any script makes the way there and back."""
    text = "Yamada^Tarou=山田^太郎=やまだ^たろう"

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield (
            0xFF00,
            data_set(QueryRetrieveLevel="PATIENT", PatientName=event.identifier.PatientName),
        )

    with serving(handler) as port, associated(port) as association:
        for charset in (None, "ISO_IR 192", "ISO_IR 100", ["", "ISO 2022 IR 87"]):
            query = data_set(QueryRetrieveLevel="PATIENT", PatientName=text)
            if charset is not None:
                query.SpecificCharacterSet = charset
            assert names(association.send_c_find(query, PATIENT_ROOT)) == [text]


def test_named_charset_is_sent_even_if_not_needed() -> None:
    """The character set that a query names is sent even where no key needs it."""
    seen: list[str | None] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        seen.append(event.identifier.get("SpecificCharacterSet"))
        return [(0x0000, None)]

    query = data_set(
        QueryRetrieveLevel="PATIENT", PatientName="ASCII", SpecificCharacterSet="ISO_IR 100"
    )
    with serving(handler) as port, associated(port) as association:
        assert statuses(association.send_c_find(query, PATIENT_ROOT)) == [0x0000]
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0x0000]
    assert seen == ["ISO_IR 100", None]


def test_nagle_is_off_on_both_sides() -> None:
    with (
        running((evt.EVT_C_FIND, lambda _: patients(1))) as server,
        associated(server.server_address[1]) as association,
    ):
        (there,) = server.active_associations
        assert association._driver._socket is not None
        here = association._driver._socket._socket
        for connection in (here, there.protocol._transport.get_extra_info("socket")):
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.requirement("UL-061")
def test_peer_that_reads_nothing_is_given_up() -> None:
    ae = scu()
    ae.network_timeout = SHORT
    read_on = threading.Event()

    def serve(peer: RawPeer) -> None:
        peer.accept()
        read_on.wait(LONG)

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        huge = data_set(QueryRetrieveLevel="PATIENT", TextValue="x" * (8 << 20))
        responses = association.send_c_find(huge, PATIENT_ROOT)
        assert statuses(responses) == [None]
        assert association.is_aborted
        read_on.set()


def test_many_small_queries_are_quick() -> None:
    """Many queries on one association wait for no delayed acknowledgement (40 ms each, 8 s)."""
    with serving(lambda _: patients(1)) as port, associated(port) as association:
        import time

        started = time.monotonic()
        for _ in range(200):
            assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 1
        assert time.monotonic() - started < 4000 * MS

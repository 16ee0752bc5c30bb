"""Each limit of `serve`, over the wire: the answer beyond it, the line of the log, the observer."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import fields, replace
from types import ModuleType
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence

from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.cli.settings.limit_settings import LimitSettings
from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CFindRQ, CFindRSP
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.pdu.pdus import (
    COMMAND,
    LAST,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    PresentationDataValue,
    encode,
)
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.identifiers import encode_request
from dicomquest.services.limit_names import OF_ASSOCIATION, OF_IDENTIFIER, LimitName
from dicomquest.services.observer import Event, LimitHit
from fixtures.attacks import implicit
from fixtures.faces import HOST, IMPLICIT, PATIENT_ROOT, RQ, RawPeer, raw_requestor
from fixtures.timing import LONG
from peers import corpus

LOCAL_LIMIT = (2, 3, 2)
"""Result, source and reason of A-ASSOCIATE-RJ: transient, local limit exceeded (PS3.8 9.3.4)."""
SHORT = 0.2


class Limited:
    """A server with limits, and the limits that its observer was told of."""

    def __init__(self) -> None:
        self.port = 0
        self.hits: list[LimitName] = []
        self.hit = threading.Event()
        self.began = threading.Event()

    def tell(self, event: Event) -> None:
        if isinstance(event, LimitHit):
            self.hits.append(event.limit)
            self.hit.set()


class HeldIndex:
    """An index whose queries find nothing until they are let go, or interrupted."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def search(self, *arguments: Any, **more: Any) -> HeldCursor:
        return HeldCursor(self._index.search(*arguments, **more), self)


class HeldCursor:
    """A cursor that needs a thread, and waits there."""

    def __init__(self, cursor: Any, held: HeldIndex) -> None:
        self._cursor = cursor
        self._held = held
        self._is_interrupted = False
        self._rows: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def fetch_at_once(self, _: int) -> None:
        return None

    def fetch(self, size: int) -> Any:
        self._held.begun.release()
        assert self._held.go.wait(LONG)
        if self._is_interrupted:
            raise IndexDatabaseError("interrupted")
        return self._cursor.fetch(size)

    def interrupt(self) -> None:
        self._is_interrupted = True
        self._held.go.set()


class EndlessIndex(HeldIndex):
    """An index whose queries find the same entities again and again."""

    def search(self, *arguments: Any, **more: Any) -> HeldCursor:
        return EndlessCursor(self._index.search(*arguments, **more), self)


class EndlessCursor(HeldCursor):
    """A cursor without an end."""

    def fetch(self, size: int) -> Any:
        rows = self._cursor.fetch(size) or self._rows
        self._rows = rows
        return (rows * size)[:size]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("limited")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    with Index(folder / "index.sqlite") as made:
        made.ingest([folder / "files"])
        yield made


@contextlib.contextmanager
def limited(index: Any, **changes: Any) -> Iterator[Limited]:
    settings = replace(ServeSettings(), **changes)
    told = Limited()
    made = replace(server_settings(settings, index), observer=told)
    server = RunningServer(lambda: Server(made), (HOST, 0))
    server.start()
    told.port = server.server_address[1]
    try:
        yield told
    finally:
        server.shutdown()


def find_all(peer: RawPeer, message_id: int = 1, **keys: Any) -> CFindRSP:
    """Ask for patients, and return the final response."""
    return answer(peer, message_id, asked(PatientName="", **keys))


def asked(**keys: Any) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = "PATIENT"
    for keyword, value in keys.items():
        setattr(made, keyword, value)
    return made


def answer(peer: RawPeer, message_id: int, identifier: Dataset) -> CFindRSP:
    peer.send_find(message_id, encode_request(identifier, IMPLICIT))
    return final(peer)


def final(peer: RawPeer) -> CFindRSP:
    """Receive responses, to the final one."""
    while True:
        response = peer.receive_command()
        assert isinstance(response, CFindRSP)
        if response.status not in {0xFF00, 0xFF01}:
            return response


def rejection(port: int, title: str = "RAW") -> AAssociateRJ | None:
    """The rejection that an association of a title gets; None if it is accepted."""
    with raw_requestor(port, None) as peer:
        peer.send(replace(RQ, calling_ae_title=title))
        pdu = peer.receive()
        assert isinstance(pdu, AAssociateAC | AAssociateRJ)
        return pdu if isinstance(pdu, AAssociateRJ) else None


def test_each_limit_has_its_name_and_reason() -> None:
    """Settings, names for the log, and the names inside the layers are the same limits."""
    settings = {each.name.replace("_", "-"): each for each in fields(LimitSettings)}
    assert {name.value for name in LimitName} == settings.keys() - {
        "grace", "limit-is-success", "lockout-time",
    }  # fmt: skip
    assert all(each.metadata["reason"] for each in settings.values())
    assert {*OF_ASSOCIATION.values(), *OF_IDENTIFIER.values()} <= set(LimitName)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"max_associations": 1}, LimitName.ASSOCIATIONS),
        ({"max_associations_per_peer": 1}, LimitName.ASSOCIATIONS_OF_ADDRESS),
        ({"max_associations_per_ae": 1}, LimitName.ASSOCIATIONS_OF_TITLE),
        ({"peers": {"RAW": {"max_associations_per_ae": 1}}}, LimitName.ASSOCIATIONS_OF_TITLE),
    ],
)
@pytest.mark.requirement("UL-124")
def test_association_too_many_is_rejected(
    index: Index, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], limit: LimitName
) -> None:
    caplog.set_level("INFO")
    with limited(index, **changes) as server:
        with raw_requestor(server.port) as first:
            refused = rejection(server.port)
            assert refused is not None
            assert (refused.result, refused.source, refused.reason) == LOCAL_LIMIT
            is_by_title = limit is LimitName.ASSOCIATIONS_OF_TITLE
            assert (rejection(server.port, "OTHER") is None) is is_by_title
            assert find_all(first).status == 0
        assert set(server.hits) == {limit}
    assert f"limit {limit.value} reached" in caplog.text


def test_title_has_its_place_again(index: Index) -> None:
    with limited(index, max_associations_per_ae=1) as server:
        for _ in range(3):
            assert rejection(server.port) is None or server.hits


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"max_associations_per_peer": 9, "spare_connections": 1}, LimitName.CONNECTIONS),
        ({"spare_connections_per_peer": 1}, LimitName.CONNECTIONS_OF_ADDRESS),
    ],
)
def test_silent_connection_too_many_gives_way(
    index: Index, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], limit: LimitName
) -> None:
    with (
        limited(
            index, **{"max_associations": 1, "max_associations_per_peer": 1, **changes}
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        silent = [
            stack.enter_context(socket.create_connection((HOST, server.port), LONG))
            for _ in range(3)
        ]
        with contextlib.suppress(ConnectionResetError):
            assert silent[0].recv(1) == b""
        assert server.hit.wait(LONG)
        assert server.hits == [limit]
    assert f"({limit.value})" in caplog.text


HEADER = struct.Struct(">BxI")
BEGUN = HEADER.pack(4, 100)
LONG_PDU = HEADER.pack(4, 5000)


@pytest.mark.parametrize(
    ("changes", "said", "limit"),
    [
        ({"idle_timeout": SHORT}, b"", LimitName.IDLE_TIMEOUT),
        ({"pdu_timeout": SHORT}, BEGUN, LimitName.PDU_TIMEOUT),
        ({"max_pdu": 4096}, LONG_PDU, LimitName.PDU),
        (
            {"max_command_set": 1024},
            encode(PDataTF((PresentationDataValue(3, COMMAND, bytes(1025)),))),
            LimitName.COMMAND_SET,
        ),
        (
            {"max_waiting_requests": 1},
            b"".join(
                encode(
                    PDataTF(
                        (
                            PresentationDataValue(
                                3,
                                COMMAND | LAST,
                                encode_command(
                                    CFindRQ(message_id=number, affected_sop_class_uid=PATIENT_ROOT)
                                ),
                            ),
                            PresentationDataValue(3, LAST, b""),
                        )
                    )
                )
                for number in range(3)
            ),
            LimitName.WAITING_REQUESTS,
        ),
    ],
    ids=lambda given: given.value if isinstance(given, LimitName) else None,
)
def test_association_beyond_a_limit_is_aborted(
    index: Index,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    said: bytes,
    limit: LimitName,
) -> None:
    caplog.set_level("INFO")
    with limited(index, **changes) as server:
        with raw_requestor(server.port) as peer:
            peer.send(said)
            assert isinstance(peer.receive(), AAbort)
        assert server.hit.wait(LONG)
        assert server.hits == [limit]
    assert f"({limit.value})" in caplog.text


def test_peer_that_does_not_read_is_aborted(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with limited(EndlessIndex(index), write_timeout=SHORT) as server:
        with raw_requestor(server.port) as peer:
            peer.send_find()
            assert server.hit.wait(LONG)
        assert server.hits == [LimitName.WRITE_TIMEOUT]
    assert "(write-timeout)" in caplog.text


def test_connection_without_request_is_closed(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        limited(index, request_timeout=SHORT) as server,
        socket.create_connection((HOST, server.port), LONG) as silent,
    ):
        assert silent.recv(1) == b""
        assert server.hit.wait(LONG)
        assert server.hits == [LimitName.REQUEST_TIMEOUT]
    assert f"connection from {HOST} closed: no A-ASSOCIATE-RQ within" in caplog.text
    assert "(request-timeout)" in caplog.text


@pytest.mark.parametrize("is_rejected", [True, False])
def test_peer_that_keeps_its_connection_is_closed(
    index: Index, caplog: pytest.LogCaptureFixture, is_rejected: bool
) -> None:
    with (
        limited(index, artim_timeout=SHORT, check_aet=is_rejected) as server,
        raw_requestor(server.port, None) as peer,
    ):
        peer.send(RQ)
        assert isinstance(peer.receive(), AAssociateRJ if is_rejected else AAssociateAC)
        if not is_rejected:
            peer.send(AReleaseRQ())
            assert peer.receive() == AReleaseRP()
        assert peer.receive() is None
        assert server.hit.wait(LONG)
        assert server.hits == [LimitName.ARTIM_TIMEOUT]
    assert f"connection from {HOST} closed: the peer did not close" in caplog.text
    assert "(artim-timeout)" in caplog.text


@contextlib.contextmanager
def hooked(monkeypatch: pytest.MonkeyPatch, index: Index, **changes: Any) -> Iterator[Limited]:
    """A server whose hook believes the passcode ``right``, and holds ``slow`` until the end."""
    module, gate = ModuleType("limit_hook"), threading.Event()

    def verify(*, primary: bytes, secondary: bytes, **_: object) -> str | None:
        if secondary == b"slow":
            began.set()
            assert gate.wait(LONG)
        return primary.decode() if secondary == b"right" else None

    began = threading.Event()
    vars(module).update(verify=verify, began=began)
    monkeypatch.setitem(sys.modules, "limit_hook", module)
    monkeypatch.setattr("dicomquest.services.user_verification.PENALTY", 0)
    with limited(index, user_hook="limit_hook:verify", **changes) as server:
        server.began = began
        try:
            yield server
        finally:
            gate.set()


def as_user(name: str, passcode: str) -> AAssociateRQ:
    claim = UserIdentityRQ(2, name.encode(), passcode.encode())
    return replace(RQ, user_information=replace(RQ.user_information, user_identity_rq=claim))


def answer_to(port: int, rq: AAssociateRQ) -> tuple[int, int, int] | None:
    """The rejection of a request; None if it is accepted."""
    with raw_requestor(port, None) as peer:
        peer.send(rq)
        pdu = peer.receive()
    assert isinstance(pdu, AAssociateAC | AAssociateRJ)
    return (pdu.result, pdu.source, pdu.reason) if isinstance(pdu, AAssociateRJ) else None


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"max_verifications": 1}, LimitName.VERIFICATIONS),
        ({"max_verifications_per_peer": 1}, LimitName.VERIFICATIONS_OF_ADDRESS),
    ],
)
def test_verification_too_many_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
    index: Index,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    limit: LimitName,
) -> None:
    caplog.set_level("INFO")
    with (
        hooked(monkeypatch, index, **changes) as server,
        raw_requestor(server.port, None) as first,
    ):
        first.send(as_user("ann", "slow"))
        assert server.began.wait(LONG)
        assert answer_to(server.port, as_user("bob", "right")) == LOCAL_LIMIT
        assert server.hit.wait(LONG)
        assert server.hits == [limit]
    assert f"limit {limit.value} reached" in caplog.text


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"max_failures": 2}, LimitName.FAILURES),
        ({"max_failures_per_peer": 2}, LimitName.FAILURES_OF_ADDRESS),
    ],
)
def test_guesser_is_locked_out(
    monkeypatch: pytest.MonkeyPatch,
    index: Index,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    limit: LimitName,
) -> None:
    caplog.set_level("INFO")
    with hooked(monkeypatch, index, **changes, lockout_time=3600.0) as server:
        for _ in range(2):
            assert answer_to(server.port, as_user("ann", "wrong")) == (1, 2, 1)
        assert answer_to(server.port, as_user("ann", "right")) == LOCAL_LIMIT
        assert set(server.hits) == {limit}
        other = LOCAL_LIMIT if limit is LimitName.FAILURES_OF_ADDRESS else None
        assert answer_to(server.port, as_user("bob", "right")) == other
    assert f"is locked out for 3600 s ({limit.value})" in caplog.text
    assert f"limit {limit.value} reached" in caplog.text


def nested(depth: int) -> Dataset:
    made = asked()
    place = made
    for _ in range(depth):
        place.RequestAttributesSequence = Sequence([Dataset()])
        place = place.RequestAttributesSequence[0]
    return made


def items(count: int) -> Dataset:
    made = asked()
    made.RequestAttributesSequence = Sequence([Dataset() for _ in range(count)])
    return made


def key(tag: int, vr: str, value: Any) -> Dataset:
    made = asked()
    made[tag] = DataElement(tag, vr, value)
    return made


UIDS = [f"1.2.{number}" for number in range(65)]


@pytest.mark.parametrize(
    ("changes", "identifier", "limit"),
    [
        ({"max_identifier": 1024}, key(0x0020000D, "UI", UIDS * 3), LimitName.IDENTIFIER),
        ({"max_keys": 2}, asked(PatientName="", PatientID="", PatientSex=""), LimitName.KEYS),
        ({"max_nesting": 2}, nested(3), LimitName.NESTING),
        ({"max_items": 2}, items(3), LimitName.ITEMS),
        ({"max_text": 1024}, key(0x00324000, "LT", "x" * 1026), LimitName.TEXT),
        ({"max_values": 64}, key(0x00080060, "CS", ["CT"] * 65), LimitName.VALUES),
        ({"max_uids": 64}, key(0x0020000D, "UI", UIDS), LimitName.UIDS),
    ],
    ids=lambda given: given.value if isinstance(given, LimitName) else None,
)
def test_identifier_beyond_a_limit_is_unreadable(
    index: Index,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    identifier: Dataset,
    limit: LimitName,
) -> None:
    caplog.set_level("INFO")
    with limited(index, **changes) as server:
        with raw_requestor(server.port) as peer:
            response = answer(peer, 1, identifier)
            assert response.status == 0xC001
            assert limit.value in response.error_comment
            assert answer(peer, 2, asked(PatientName="")).status == 0
        assert server.hits == [limit]
    assert limit.value in caplog.text


@pytest.mark.parametrize(
    ("changes", "identifier", "limit"),
    [
        ({"max_wild_cards": 2}, asked(PatientName="A*B?C*"), LimitName.WILD_CARDS),
        ({"max_wild_cards": 2}, asked(PatientID="A*B?C*"), LimitName.WILD_CARDS),
        (
            {"max_values_of_all": 3},
            asked(PatientID="A\\B", PatientName="C\\D"),
            LimitName.ALL_VALUES,
        ),
    ],
    ids=["name", "id", "values"],
)
def test_keys_that_cost_too_much_do_not_match(
    index: Index,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    identifier: Dataset,
    limit: LimitName,
) -> None:
    caplog.set_level("INFO")
    with limited(index, **changes) as server:
        with raw_requestor(server.port) as peer:
            response = answer(peer, 1, identifier)
            assert response.status == 0xA900
            assert response.error_comment.startswith(f"limit {limit.value}: ")
            assert find_all(peer, 2, PatientID="A*B?").status == 0
        assert server.hits == [limit]
    assert limit.value in caplog.text


def long_keys(number: int) -> bytes:
    """An identifier of most of a megabyte: names and private creators that no other one has."""
    blocks = range(0x10, 0x40)
    long = 16_000 * b"x"
    elements = [
        implicit(0x00080052, b"PATIENT"),
        *[implicit(0x00090000 | each, b"%d %d " % (number, each) + long) for each in blocks],
        *[implicit(0x00090001 | each << 8, b"A") for each in blocks],
        implicit(0x00100010, b"%d " % number + long),
    ]
    return b"".join(elements)


def ask_long(peer: RawPeer, number: int, identifier: bytes) -> None:
    """Ask with such an identifier, in PDUs of the usual length."""
    rq = CFindRQ(message_id=number + 1, affected_sop_class_uid=PATIENT_ROOT)
    peer.send_command(rq)
    for at in range(0, len(identifier), 60_000):
        fragment = identifier[at : at + 60_000]
        control = LAST if at + 60_000 >= len(identifier) else 0
        peer.send(PDataTF((PresentationDataValue(3, control, fragment),)))
    assert final(peer).status in {0, 0xA900}


def test_keys_of_a_peer_do_not_stay_in_memory(index: Index) -> None:
    identifiers = [long_keys(number) for number in range(24)]
    with limited(index) as server, raw_requestor(server.port) as peer:
        ask_long(peer, 0, identifiers[0])
        tracemalloc.start()
        try:
            for number, identifier in enumerate(identifiers[1:], 1):
                ask_long(peer, number, identifier)
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 4 << 20


def test_find_too_many_at_a_time_is_refused(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    held = HeldIndex(index)
    with limited(held, max_finds=1) as server, raw_requestor(server.port) as first:
        first.send_find()
        assert held.begun.acquire(timeout=LONG)
        with raw_requestor(server.port) as second:
            response = find_all(second)
            assert (response.status, response.error_comment) == (
                0xA700, "limit max-finds of 1 reached"
            )  # fmt: skip
            held.go.set()
            assert final(first).status == 0
            assert find_all(second, 2).status == 0
        assert server.hits == [LimitName.FINDS]
    assert "limit max-finds of 1 reached" in caplog.text


def test_finds_of_a_title_too_often_are_refused(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rules = {"RAW": {"finds_per_second": 0.001}}
    with limited(index, peers=rules) as server:
        with raw_requestor(server.port) as peer:
            assert find_all(peer).status == 0
            response = find_all(peer, 2)
            assert (response.status, response.error_comment) == (
                0xA700, "limit finds-per-second of 0.001 reached"
            )  # fmt: skip
        with raw_requestor(server.port, replace(RQ, calling_ae_title="OTHER")) as other:
            assert [find_all(other, number).status for number in range(3)] == [0, 0, 0]
        assert server.hits == [LimitName.FIND_RATE]
    assert "limit finds-per-second of 0.001 reached" in caplog.text


def test_query_that_takes_too_long_is_ended(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    held = HeldIndex(index)
    with limited(held, query_timeout=SHORT) as server, raw_requestor(server.port) as peer:
        response = find_all(peer)
        assert (response.status, response.error_comment) == (
            0xA700, "limit query-timeout of 0.2 reached"
        )  # fmt: skip
        assert server.hits == [LimitName.QUERY_TIME]
        assert find_all(peer, 2).status == 0
    assert "limit query-timeout of 0.2 reached" in caplog.text


def test_query_within_its_time_is_answered(index: Index) -> None:
    with limited(index, query_timeout=LONG) as server, raw_requestor(server.port) as peer:
        assert find_all(peer).status == 0
        assert server.hits == []


def test_result_limit_is_a_limit(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with limited(index, result_limit=1) as server, raw_requestor(server.port) as peer:
        assert find_all(peer).status == 0xA700
        assert server.hits == [LimitName.RESULTS]
    assert "result limit 1 reached" in caplog.text

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomquest import evt
from dicomquest.aio import session_protocol
from dicomquest.aio.server import new_event_loop
from dicomquest.dimse.commands import CCancelRQ, CEchoRQ, CEchoRSP, CFindRQ, CFindRSP, CStoreRQ
from dicomquest.pdu.pdus import AAbort, AAssociateAC, AAssociateRJ, AReleaseRP, AReleaseRQ
from fixtures.faces import (
    HOST,
    PATIENT_ROOT,
    QUERY,
    RQ,
    VERIFICATION,
    associated,
    names,
    patients,
    raw_requestor,
    running,
    scp,
    scu,
    serving,
    statuses,
)
from fixtures.timing import LONG, SHORT

LIFE = (
    evt.EVT_CONN_OPEN, evt.EVT_REQUESTED, evt.EVT_ACCEPTED, evt.EVT_REJECTED,
    evt.EVT_ESTABLISHED, evt.EVT_RELEASED,
    evt.EVT_ABORTED, evt.EVT_CONN_CLOSE,
)  # fmt: skip


class Told:
    """Notes the life-cycle events of associations, from whatever thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.closed = threading.Event()
        self.bindings: list[evt.Binding] = [(event, self.note) for event in LIFE]

    def note(self, event: evt.Event) -> None:
        self.names.append(event.event.name.removeprefix("EVT_"))
        if event.event == evt.EVT_CONN_CLOSE:
            self.closed.set()


def a_generator(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    yield from patients(3)


def a_function(event: evt.Event) -> list[tuple[int, Dataset]]:
    return list(patients(3))


async def an_async_generator(event: evt.Event) -> AsyncIterator[tuple[int, Dataset]]:
    for answer in patients(3):
        await asyncio.sleep(0)
        yield answer


async def a_coroutine(event: evt.Event) -> list[tuple[int, Dataset]]:
    await asyncio.sleep(0)
    return list(patients(3))


class ACallable:
    def __call__(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        return patients(3)


class AnAsyncCallable:
    async def __call__(self, event: evt.Event) -> AsyncIterator[tuple[int, Dataset]]:
        for answer in patients(3):
            yield answer


@pytest.mark.requirement("UL-095", "QR-140", "QR-143")
@pytest.mark.parametrize(
    "handler",
    [
        a_generator, a_function, an_async_generator, a_coroutine, ACallable(),
        AnAsyncCallable(), lambda _: patients(3),
        partial(a_generator), partial(an_async_generator),
    ],
)  # fmt: skip
def test_handler_may_be(handler: Callable[[evt.Event], Any]) -> None:
    with serving(handler) as port, associated(port) as association:
        for _ in range(2):
            responses = list(association.send_c_find(QUERY, PATIENT_ROOT))
            assert names(responses) == ["0", "1", "2"]
            assert statuses(responses) == [0xFF00, 0xFF00, 0xFF00, 0x0000]


async def a_failing_coroutine(event: evt.Event) -> list[object]:
    raise OSError("no database")


async def a_failing_async_generator(event: evt.Event) -> AsyncIterator[tuple[int, Dataset]]:
    for answer in patients(1):
        yield answer
    raise OSError("no database")


def a_failing_generator(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    yield from patients(1)
    raise OSError("no database")


NO_IDENTIFIER = (0xFF00, None)
NO_DATASET = (0xFF00, {"PatientName": "A"})
NO_STATUS = (Dataset(), None)
UNENCODABLE = (
    0xFF00,
    Dataset({BaseTag(0x00280010): DataElement(0x00280010, "US", object(), already_converted=True)}),
)


@pytest.mark.requirement("QR-146", "QR-147", "QR-148")
@pytest.mark.parametrize(
    ("handler", "pending"),
    [
        (lambda _: 1 / 0, 0),
        (lambda _: 1.5, 0),
        (lambda _: [NO_IDENTIFIER], 0),
        (lambda _: [NO_DATASET], 0),
        (lambda _: [NO_STATUS], 0),
        (lambda _: [UNENCODABLE], 0),
        (lambda _: [("0x0000", None)], 0),
        (lambda _: [(0x1234, None)], 0),
        (lambda _: [*patients(2), (0xFF02, None)], 2),
        (a_failing_generator, 1),
        (a_failing_coroutine, 0),
        (a_failing_async_generator, 1),
    ],
)
def test_faulty_handler_is_failure_and_log_line(
    handler: Callable[[evt.Event], Any],
    pending: int,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A handler's mistake gives a failure status and one line in the log."""
    with (
        caplog.at_level(logging.INFO, "dicomquest"),
        serving(handler) as port,
        associated(port) as association,
    ):
        responses = list(association.send_c_find(QUERY, PATIENT_ROOT))
        assert statuses(responses) == [0xFF00] * pending + [0xC311]
        assert "handler failed" in responses[-1][0].ErrorComment
        assert association.send_c_echo().Status == 0x0000
    assert [
        record.levelname for record in caplog.records if "the handler raised" in record.message
    ] == ["ERROR"]
    assert "Traceback" not in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_without_handler_query_fails_echo_succeeds() -> None:
    """Without a handler a query fails and an echo succeeds."""
    with serving() as port, associated(port) as association:
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xC310]
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.requirement("UL-100")
@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (lambda _: 0x0000, 0x0000),
        (lambda _: None, 0x0000),
        (lambda _: 0x0122, 0x0122),
        (lambda _: 1 / 0, 0xC311),
    ],
)
def test_handler_answers_an_echo(handler: Callable[[evt.Event], Any], status: int) -> None:
    with serving(None, (evt.EVT_C_ECHO, handler)) as port, associated(port) as association:
        assert association.send_c_echo().Status == status


def test_async_handler_answers_an_echo() -> None:
    async def handler(event: evt.Event) -> int:
        await asyncio.sleep(0)
        return 0x0210 if event.message_id == 9 else 0x0000

    with serving(None, (evt.EVT_C_ECHO, handler)) as port, associated(port) as association:
        assert association.send_c_echo(9).Status == 0x0210
        assert association.send_c_echo(10).Status == 0x0000


def test_final_status_of_handler_ends_query() -> None:
    closed = threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        try:
            yield from patients(1)
            yield 0xA700, None
            yield from patients(1)
        finally:
            closed.set()

    with serving(handler) as port, associated(port) as association:
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0xA700]
        assert closed.wait(LONG)


def test_handler_keeps_to_one_thread() -> None:
    threads: list[int] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        for answer in patients(600):
            threads.append(threading.get_ident())
            yield answer

    with serving(handler) as port, associated(port) as association:
        assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 600
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_response_does_not_wait_for_the_next() -> None:
    """A response is sent although the handler takes its time for the next one."""
    go_on = threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        yield from patients(1)
        go_on.wait(LONG)
        yield from patients(1)

    with serving(handler) as port, associated(port) as association:
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        assert names([next(responses)]) == ["0"]
        go_on.set()
        assert statuses(responses) == [0xFF00, 0x0000]


@pytest.mark.requirement("UL-080")
def test_handler_sees_cancel_and_keeps_seeing_it() -> None:
    """A handler sees the C-CANCEL and goes on seeing it."""
    seen: list[tuple[bool, bool]] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for answer in patients(100_000):
            if event.is_cancelled:
                seen.append((event.is_cancelled, event.is_cancelled))
                yield 0xFE00, None
                return
            yield answer

    with serving(handler) as port, associated(port) as association:
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        next(responses)
        association.send_c_cancel(1)
        assert statuses(responses)[-1] == 0xFE00
        assert seen == [(True, True)]
        assert association.send_c_echo().Status == 0x0000


async def an_endless_async_generator(event: evt.Event) -> AsyncIterator[tuple[int, Dataset]]:
    for answer in patients(1_000_000):
        yield answer


@pytest.mark.requirement("UL-080")
@pytest.mark.parametrize("handler", [lambda _: patients(1_000_000), an_endless_async_generator])
def test_handler_that_never_looks_is_ended(handler: Callable[[evt.Event], Any]) -> None:
    """A C-CANCEL ends even a handler that never looks for it."""
    with serving(handler) as port, associated(port) as association:
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        next(responses)
        association.send_c_cancel(1)
        assert statuses(responses)[-1] == 0xFE00


def test_cancel_that_comes_with_its_request_counts() -> None:
    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield (0xFE00, None) if event.is_cancelled else (0x0000, None)

    with serving(handler) as port, raw_requestor(port) as peer:
        sent: list[bytes] = []
        sending, peer.socket = peer.socket, _Collecting(sent)  # type: ignore[assignment]
        peer.send_find(5)
        peer.send_command(CCancelRQ(message_id_being_responded_to=5))
        peer.socket = sending
        peer.send(b"".join(sent))
        response = peer.receive_command()
        assert isinstance(response, CFindRSP)
        assert response.status == 0xFE00


class _Collecting:
    """A stand-in for a socket that sends several messages in one piece."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def sendall(self, data: bytes) -> None:
        self._sent.append(data)


@pytest.mark.requirement("UL-058")
@pytest.mark.parametrize("how", ["abort", "close"])
def test_lost_association_ends_streaming_handler(how: str) -> None:
    """An association lost while responses stream ends the handler."""
    ended = threading.Event()
    told = Told()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        try:
            yield from patients(1_000_000)
        finally:
            ended.set()

    with serving(handler, *told.bindings) as port:
        with raw_requestor(port) as peer:
            peer.send_find()
            peer.receive_command()
            if how == "abort":
                peer.send(AAbort(0, 0))
        assert ended.wait(LONG)
        assert told.closed.wait(LONG)
    assert told.names[-2:] == ["ABORTED", "CONN_CLOSE"]


@pytest.mark.requirement("UL-058")
def test_loss_in_silent_search_is_told_first() -> None:
    """The loss of an association in a silent search is told before the handler ends."""
    told, go_on, started = Told(), threading.Event(), threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        started.set()
        go_on.wait(LONG)
        yield from patients(1)

    with serving(handler, *told.bindings) as port:
        with raw_requestor(port) as peer:
            peer.send_find()
            assert started.wait(LONG)
        assert told.closed.wait(LONG)
        assert told.names[-2:] == ["ABORTED", "CONN_CLOSE"]
        go_on.set()


@pytest.mark.requirement("UL-061", "QR-171")
def test_slow_reader_slows_handler_stuck_is_aborted() -> None:
    """A slow peer slows the handler; a peer that reads nothing is aborted."""
    ae, told, made = scp(), Told(), 0
    ae.network_timeout = 4 * SHORT

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        nonlocal made
        for answer in patients(10_000_000):
            answer[1].PatientComments = "x" * 5000
            made += 1
            yield answer

    with serving(handler, *told.bindings, ae=ae) as port, raw_requestor(port) as peer:
        peer.send_find()
        assert told.closed.wait(LONG)
        assert told.names[-2:] == ["ABORTED", "CONN_CLOSE"]
        assert made < 10_000


def test_release_while_streaming_ends_query_first() -> None:
    """A release request while responses stream ends the query first."""
    with serving(lambda _: patients(1_000_000)) as port, raw_requestor(port) as peer:
        peer.send_find()
        peer.receive_command()
        peer.send(AReleaseRQ())
        while (
            isinstance(response := peer.receive_command(), CFindRSP) and response.status == 0xFF00
        ):
            pass
        assert isinstance(response, CFindRSP)
        assert response.status == 0xFE00
        assert peer.receive() == AReleaseRP()


@pytest.mark.requirement("UL-011", "UL-123")
@pytest.mark.parametrize("pdu_type", [0x00, 0x08, 0x16, 0xFF])
def test_unknown_pdu_type_is_aborted(pdu_type: int, capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as port, raw_requestor(port) as peer, associated(port) as other:
        peer.send(bytes([pdu_type, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
        assert peer.receive() == AAbort(2, 1)
        assert other.send_c_echo().Status == 0x0000
    assert capfd.readouterr().err == ""


@pytest.mark.requirement("UL-015", "UL-071", "UL-106", "UL-123")
@pytest.mark.parametrize("pdu_type", [0x01, 0x04])
def test_length_of_4_gigabytes_is_aborted_at_once(pdu_type: int) -> None:
    with serving() as port, raw_requestor(port) as peer, associated(port) as other:
        peer.send(bytes([pdu_type, 0, 0xFF, 0xFF, 0xFF, 0xFF]))
        assert isinstance(peer.receive(), AAbort)
        assert other.send_c_echo().Status == 0x0000


@pytest.mark.requirement("UL-061", "UL-123")
@pytest.mark.parametrize("cut", [1, 5, 7, 40])
def test_pdu_that_is_not_completed_is_aborted(cut: int) -> None:
    ae = scp()
    ae.network_timeout = 2 * SHORT
    with serving(ae=ae) as port, raw_requestor(port) as peer:
        peer.send((b"\x04\0\0\0\1\0" + bytes(256))[:cut])
        assert isinstance(peer.receive(), AAbort)


@pytest.mark.requirement("UL-051", "UL-052")
def test_silent_peer_is_closed_others_are_served() -> None:
    """The server closes a silent peer's connection while it serves others."""
    ae = scp()
    ae.acse_timeout = 2 * SHORT
    with serving(ae=ae) as port, raw_requestor(port, None) as silent, associated(port) as other:
        assert other.send_c_echo().Status == 0x0000
        assert silent.receive() is None
        assert other.send_c_echo().Status == 0x0000


@pytest.mark.requirement("UL-053")
@pytest.mark.parametrize("ending", ["reject", "release", "abort"])
def test_peer_that_does_not_close_is_closed(ending: str) -> None:
    """A peer that does not close its connection at the end is closed."""
    ae = scp()
    ae.artim_timeout = SHORT
    ae.require_called_aet = ending == "reject"
    with serving(ae=ae) as port, raw_requestor(port, None) as peer:
        peer.send(replace(RQ, called_ae_title="OTHER") if ending == "reject" else RQ)
        assert isinstance(peer.receive(), AAssociateRJ if ending == "reject" else AAssociateAC)
        if ending == "release":
            peer.send(AReleaseRQ())
            assert peer.receive() == AReleaseRP()
        if ending == "abort":
            peer.send(b"\xff" * 6)
            assert peer.receive() == AAbort(2, 1)
        assert peer.receive() is None


def test_nagle_is_off() -> None:
    with running() as server, associated(server.server_address[1]):
        (association,) = server.active_associations
        assert association.protocol._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.skipif(session_protocol._QUICKACK is None, reason="there is no TCP_QUICKACK")
def test_only_partial_message_is_acknowledged_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP acknowledges early only while a message is incomplete."""
    set_options: list[tuple[int, ...]] = []

    class Noting:
        def setsockopt(self, *option: int) -> None:
            set_options.append(option)

    with running() as server, raw_requestor(server.server_address[1]) as peer:
        (association,) = server.active_associations
        monkeypatch.setattr(association.protocol, "_socket", Noting())
        peer.send_command(CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), context_id=1)
        assert isinstance(peer.receive_command(), CEchoRSP)
        assert set_options == []
        peer.send(b"\x05\0\0\0")
        deadline = time.monotonic() + LONG
        while not set_options and time.monotonic() < deadline:
            time.sleep(SHORT / 10)
        assert set_options == [(socket.IPPROTO_TCP, session_protocol._QUICKACK, 1)]
        peer.send(b"\0\4\0\0\0\0")
        assert peer.receive() == AReleaseRP()


@pytest.mark.requirement("UL-060")
def test_after_an_abort_nothing_is_answered() -> None:
    with serving() as port, raw_requestor(port) as peer:
        peer.send(b"\xff" * 6)
        assert peer.receive() == AAbort(2, 1)
        peer.send_command(CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), context_id=1)
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.receive() is None


@pytest.mark.requirement("UL-061")
def test_idle_association_is_aborted() -> None:
    ae = scp()
    ae.network_timeout = 2 * SHORT
    with serving(ae=ae) as port, raw_requestor(port) as peer:
        assert peer.receive() == AAbort(0, 0)


@pytest.mark.requirement("QR-170")
@pytest.mark.parametrize("identifier", [b"\x08\x00\x52\x00\xff\xff\xff\x00", b"\x08\x00\x52"])
def test_malformed_identifier_keeps_association(identifier: bytes) -> None:
    """A malformed identifier is a failure, and the association stays."""

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        assert event.identifier is not None
        yield from patients(1)

    with serving(handler) as port, raw_requestor(port) as peer:
        peer.send_find(1, identifier)
        response = peer.receive_command()
        assert isinstance(response, CFindRSP)
        assert (response.status, response.error_comment.split(":")[0]) == (0xC001, "identifier")
        peer.send_find(2)
        response = peer.receive_command()
        assert isinstance(response, CFindRSP)
        assert (response.status, response.message_id_being_responded_to) == (0xFF00, 2)


def test_request_without_identifier_is_failure() -> None:
    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        yield from patients(1 if event.identifier else 0)

    with serving(handler) as port, raw_requestor(port) as peer:
        peer.send_command(CFindRQ(message_id=1, affected_sop_class_uid=PATIENT_ROOT), b"")
        peer.send_command(CEchoRQ(message_id=2, affected_sop_class_uid=VERIFICATION), context_id=1)
        assert isinstance(peer.receive(), AAbort)


@pytest.mark.requirement("UL-101", "UL-102", "QR-153")
def test_requests_of_another_service_are_refused() -> None:
    with serving(lambda _: patients(1)) as port, raw_requestor(port) as peer:
        peer.send_command(CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), context_id=3)
        assert getattr(peer.receive_command(), "status", None) == 0x0122
        peer.send_command(
            CStoreRQ(
                message_id=2, affected_sop_class_uid=PATIENT_ROOT, affected_sop_instance_uid="1.2"
            ),
            b"\0\0",
        )
        assert getattr(peer.receive_command(), "status", None) == 0x0211
        peer.send_find(3)
        assert getattr(peer.receive_command(), "status", None) == 0xFF00


@pytest.mark.requirement("UL-033", "UL-124")
def test_associations_over_limit_are_rejected() -> None:
    """Associations over the limit are rejected until one has ended."""
    ae = scp()
    ae.maximum_associations = 2
    told = Told()
    with serving(None, *told.bindings, ae=ae) as port, associated(port):
        with associated(port) as second:
            third = scu().associate(HOST, port)
            assert third.is_rejected
            assert "local limit exceeded" in str(third.failure)
            told.closed.clear()
            second.release()
            assert told.closed.wait(LONG)
        with associated(port) as fourth:
            assert fourth.send_c_echo().Status == 0x0000
    assert told.names.count("REJECTED") == 1


@pytest.mark.requirement("UL-124")
def test_associations_over_peer_limit_are_rejected() -> None:
    """Associations of one peer over its own limit are rejected."""
    ae = scp()
    ae.maximum_associations_per_peer = 1
    with serving(ae=ae) as port, associated(port) as first:
        assert scu().associate(HOST, port).is_rejected
        with associated(port, bind_address=("127.0.0.2", 0)) as other:
            assert other.send_c_echo().Status == 0x0000
            assert first.send_c_echo().Status == 0x0000


def test_blocking_handlers_run_at_once() -> None:
    """Blocking handlers of many associations run at once."""
    everybody = threading.Barrier(20, timeout=LONG)

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        everybody.wait(LONG)
        yield from patients(1)

    with serving(handler) as port:
        associations = [scu().associate(HOST, port) for _ in range(20)]
        responses = [association.send_c_find(QUERY, PATIENT_ROOT) for association in associations]
        for each, association in zip(responses, associations, strict=True):
            assert statuses(each) == [0xFF00, 0x0000]
            association.release()


def test_handlers_are_told_of_each_step() -> None:
    told = Told()
    with serving(None, *told.bindings) as port:
        with associated(port):
            pass
        assert told.closed.wait(LONG)
    assert told.names == [
        "CONN_OPEN",
        "REQUESTED",
        "ACCEPTED",
        "ESTABLISHED",
        "RELEASED",
        "CONN_CLOSE",
    ]


def test_async_handlers_are_told_too() -> None:
    told: list[tuple[str, Any]] = []

    async def note(event: evt.Event, remark: str) -> None:
        await asyncio.sleep(0)
        told.append((remark, event.address[0]))

    with serving(None, (evt.EVT_CONN_OPEN, note, ["open"])) as port, associated(port):
        pass
    assert told == [("open", HOST)]


def test_handler_aborts_the_association() -> None:
    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        yield from patients(1)
        event.assoc.abort()
        yield from patients(1)

    with serving(handler) as port:
        association = scu().associate(HOST, port)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT))[-1] is None
        assert association.is_aborted
        assert "A-ABORT" in str(association.failure)


def test_failing_notification_handler_is_harmless() -> None:
    """A failing notification handler changes nothing."""

    def fail(event: evt.Event) -> None:
        raise ValueError(event.event.name)

    with serving(None, *[(event, fail) for event in LIFE]) as port, associated(port) as association:
        assert association.send_c_echo().Status == 0x0000


def test_shutdown_aborts_what_is_running() -> None:
    with running((evt.EVT_C_FIND, lambda _: patients(10_000_000))) as server:
        port = server.server_address[1]
        idle, busy = scu().associate(HOST, port), scu().associate(HOST, port)
        responses = busy.send_c_find(QUERY, PATIENT_ROOT)
        next(responses)
        stopping = threading.Thread(target=server.shutdown)
        stopping.start()
        assert statuses(responses)[-1] is None
        stopping.join(LONG)
        assert busy.is_aborted
        idle.release()
        assert idle.is_aborted
        assert scu().associate(HOST, port).is_aborted


def test_shutdown_lets_a_running_query_end() -> None:
    started, go_on = threading.Event(), threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        started.set()
        go_on.wait(LONG)
        yield from patients(1)

    with running((evt.EVT_C_FIND, handler)) as server:
        association = scu().associate(HOST, server.server_address[1])
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        assert started.wait(LONG)
        stopping = threading.Thread(target=server.shutdown)
        stopping.start()
        go_on.set()
        assert statuses(responses) == [0xFF00, 0x0000]
        stopping.join(LONG)
        association.release()
        assert association.is_aborted


@pytest.mark.parametrize("handler", [lambda _: patients(100_000), an_endless_async_generator])
def test_standard_event_loop_works(
    handler: Callable[[evt.Event], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop of the standard library drives the server."""
    monkeypatch.setattr("dicomquest.ae.background.new_event_loop", asyncio.new_event_loop)
    with serving(handler) as port, associated(port) as association:
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        assert names(next(responses) for _ in range(2000))[-1] == "1999"
        association.send_c_cancel(1)
        assert statuses(responses)[-1] == 0xFE00
        assert association.send_c_echo().Status == 0x0000
        association.abort()
    assert association.is_aborted


def test_uvloop_drives_server_where_installed() -> None:
    pytest.importorskip("uvloop")
    loop = new_event_loop()
    loop.close()
    assert type(loop).__module__ == "uvloop"

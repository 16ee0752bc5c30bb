"""An idle association whose peer ends it, under both faces."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import AAbort, AReleaseRP, AReleaseRQ
from dicomquest.services.life_cycle import LifeStage
from dicomquest.sync import Association
from fixtures.faces import (
    HOST,
    PATIENT_ROOT,
    QUERY,
    RawPeer,
    patients,
    raw_acceptor,
    running,
    scu,
    statuses,
)
from fixtures.timing import LONG, SHORT


def abort(peer: RawPeer) -> None:
    peer.send(AAbort(2, 0))


def release(peer: RawPeer) -> None:
    peer.send(AReleaseRQ())
    assert peer.receive() == AReleaseRP()


def close(peer: RawPeer) -> None:
    peer.socket.close()


ENDS = [
    (abort, LifeStage.ABORTED, evt.EVT_ABORTED),
    (release, LifeStage.RELEASED, evt.EVT_RELEASED),
    (close, LifeStage.RELEASED, evt.EVT_RELEASED),
]


@contextlib.contextmanager
def idle_then_ended(
    end: Callable[[RawPeer], None], *bindings: evt.Binding
) -> Iterator[Association]:
    """An association that the peer ends after its acceptance has been read."""
    is_idle = threading.Event()

    def serve(peer: RawPeer) -> None:
        peer.accept()
        assert is_idle.wait(LONG)
        end(peer)

    with raw_acceptor(serve) as port:
        association = scu().associate(HOST, port, evt_handlers=bindings)
        assert association.is_established
        is_idle.set()
        wait_for_news(association)
        yield association


def wait_for_news(association: Association) -> None:
    assert association._driver._socket is not None
    assert association._driver._socket.wait(LONG)


@pytest.mark.parametrize(("end", "stage", "event"), ENDS)
def test_flags_tell_end_of_idle_association(
    end: Callable[[RawPeer], None], stage: LifeStage, event: evt.NotificationEvent
) -> None:
    """The flags tell that the peer has ended an idle association, and handlers are told."""
    told: list[evt.EventType] = []
    bindings: list[evt.Binding] = [
        (each, lambda event: told.append(event.event))
        for each in (evt.EVT_ABORTED, evt.EVT_RELEASED, evt.EVT_CONN_CLOSE)
    ]
    with idle_then_ended(end, *bindings) as association:
        assert not association.is_established
        assert association.stage is stage
        assert (association.failure is None) is (stage is LifeStage.RELEASED)
    assert told == [event, evt.EVT_CONN_CLOSE]


@pytest.mark.parametrize("end", [abort, release, close])
def test_request_after_the_peers_end_raises(end: Callable[[RawPeer], None]) -> None:
    """A request on an association that the peer has ended raises, and answers nothing."""
    with idle_then_ended(end) as association:
        with pytest.raises(LocalProtocolError, match="associate anew"):
            association.send_c_find(QUERY, PATIENT_ROOT)
        with pytest.raises(LocalProtocolError, match="associate anew"):
            association.send_c_echo()


def test_reconnecting_loop_loses_no_query() -> None:
    """A loop that reconnects if not established gets the answer to each of its queries."""
    ae = scu()
    with running((evt.EVT_C_FIND, lambda _: patients(1))) as server:
        association = ae.associate(*server.server_address)
        for _ in range(3):
            if not association.is_established:
                association = ae.associate(*server.server_address)
            assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0x0000]
            for there in server.active_associations:
                there.abort()
            wait_for_news(association)
        assert association.is_aborted


def test_abort_after_a_loop_left_early_is_noticed() -> None:
    """The next request after a loop left early raises if the peer has aborted meanwhile."""
    with running((evt.EVT_C_FIND, lambda _: patients(2000))) as server:
        association = scu().associate(*server.server_address)
        next(association.send_c_find(QUERY, PATIENT_ROOT))
        closed = threading.Event()
        server.bind(evt.EVT_CONN_CLOSE, lambda _: closed.set())
        for there in server.active_associations:
            there.abort()
        assert closed.wait(LONG)
        with pytest.raises(LocalProtocolError):
            association.send_c_find(QUERY, PATIENT_ROOT)


def test_streaming_peer_is_not_read_ahead_by_flags() -> None:
    """Looking at the flags during a query does not read on while responses wait."""
    with running((evt.EVT_C_FIND, lambda _: patients(20_000))) as server:
        association = scu().associate(*server.server_address)
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        next(responses)
        (operation,) = association._requestor._operations.values()
        waiting = len(operation.inbox)
        assert all(association.is_established for _ in range(1000))
        assert len(operation.inbox) == waiting
        assert len(statuses(responses)) == 20_000
        association.release()


@pytest.mark.parametrize("end", [abort, release, close])
def test_async_association_notices_end_too(end: Callable[[RawPeer], None]) -> None:
    is_idle = threading.Event()

    def serve(peer: RawPeer) -> None:
        peer.accept()
        assert is_idle.wait(LONG)
        end(peer)

    async def test(port: int) -> None:
        association = await scu().associate_async(HOST, port)
        is_idle.set()
        async with asyncio.timeout(LONG):
            while association.is_established:  # noqa: ASYNC110 (nothing tells of it but the flag)
                await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="associate anew"):
            await association.send_c_echo()
        with pytest.raises(LocalProtocolError, match="associate anew"):
            await anext(association.send_c_find(QUERY, PATIENT_ROOT))
        await association.release()

    with raw_acceptor(serve) as port:
        asyncio.run(test(port))


@pytest.mark.parametrize("name", ["send_n_get", "send_n_action"])
def test_request_that_is_not_here_says_so(name: str) -> None:
    with running() as server:
        association = scu().associate(*server.server_address)
        with pytest.raises(AttributeError, match=f"no {name}: .* keep pynetdicom"):
            getattr(association, name)
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = association.nothing
        association.release()


def test_timeout_set_on_an_association_applies() -> None:
    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        peer.receive()

    with raw_acceptor(serve) as port:
        association = scu().associate(HOST, port)
        association.dimse_timeout = SHORT
        assert association.send_c_echo() == Dataset()
        assert association.is_aborted

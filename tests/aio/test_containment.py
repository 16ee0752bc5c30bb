"""Whatever a handler raises, its request fails and the server goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn

import pytest

from dicomquest import AE, SOPClassExtendedNegotiation, UserIdentityNegotiation, evt
from dicomquest.aio.containment import contained
from fixtures.faces import (
    HOST,
    PATIENT_ROOT,
    QUERY,
    associated,
    data_set,
    running,
    scu,
    statuses,
)

EXCEPTIONS = [
    SystemExit,
    KeyboardInterrupt,
    asyncio.CancelledError,
    GeneratorExit,
    BaseException,
    StopIteration,
]
NOTIFICATIONS = [
    evt.EVT_CONN_OPEN,
    evt.EVT_REQUESTED,
    evt.EVT_ACCEPTED,
    evt.EVT_ESTABLISHED,
    evt.EVT_RELEASED,
    evt.EVT_ABORTED,
    evt.EVT_CONN_CLOSE,
]

Handler = Callable[[evt.Event], Any]


def raising(kind: type[BaseException]) -> Handler:
    def handler(event: evt.Event) -> NoReturn:
        raise kind

    return handler


def raising_late(kind: type[BaseException]) -> Handler:
    def handler(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, data_set(PatientID="1")
        raise kind

    return handler


def raising_awaited(kind: type[BaseException]) -> Handler:
    async def handler(event: evt.Event) -> NoReturn:
        raise kind

    return handler


def raising_between(kind: type[BaseException]) -> Handler:
    async def handler(event: evt.Event) -> AsyncIterator[Any]:
        yield 0xFF00, data_set(PatientID="1")
        raise kind

    return handler


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("make", [raising, raising_late, raising_awaited, raising_between])
def test_query_fails_and_server_goes_on(
    kind: type[BaseException],
    make: Callable[[type[BaseException]], Handler],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.INFO, "dicomquest"),
        running((evt.EVT_C_FIND, make(kind))) as server,
    ):
        port = server.server_address[1]
        with associated(port) as association, associated(port) as other:
            for _ in range(2):
                assert statuses(association.send_c_find(QUERY, PATIENT_ROOT))[-1] == 0xC311
                assert association.send_c_echo().Status == 0x0000
                assert other.send_c_echo().Status == 0x0000
        with associated(port) as association:
            assert association.send_c_echo().Status == 0x0000
    # Python itself makes a RuntimeError of a StopIteration in a generator.
    named = "StopIteration" if kind is StopIteration else f"raised {kind.__name__}"
    assert any(named in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("make", [raising, raising_awaited])
def test_echo_fails_and_server_goes_on(
    kind: type[BaseException], make: Callable[[type[BaseException]], Handler]
) -> None:
    with (
        running((evt.EVT_C_ECHO, make(kind))) as server,
        associated(server.server_address[1]) as association,
    ):
        for _ in range(2):
            assert association.send_c_echo().Status == 0xC311


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("make", [raising, raising_awaited])
def test_notified_handler_ends_nothing(
    kind: type[BaseException],
    make: Callable[[type[BaseException]], Handler],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A notified handler that raises ends no association, and each time the log says so."""
    bindings: list[evt.Binding] = [(event, make(kind)) for event in NOTIFICATIONS]
    with caplog.at_level(logging.INFO, "dicomquest"), running(*bindings) as server:
        for _ in range(2):
            with associated(server.server_address[1]) as association:
                assert association.send_c_echo().Status == 0x0000
        scu().associate(*server.server_address).abort()
    told = [record.getMessage() for record in caplog.records if "handler raised" in record.msg]
    for event in NOTIFICATIONS:
        assert any(f": {event}: the handler raised" in line for line in told), event


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_failed_identity_handler_rejects(kind: type[BaseException]) -> None:
    identity = UserIdentityNegotiation(primary_field=b"user")
    with running((evt.EVT_USER_ID, raising(kind))) as server:
        for _ in range(2):
            association = scu().associate(*server.server_address, ext_neg=[identity])
            assert association.is_rejected
        with associated(server.server_address[1]) as association:
            assert association.send_c_echo().Status == 0x0000


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_failed_extended_handler_accepts_nothing(kind: type[BaseException]) -> None:
    offer = SOPClassExtendedNegotiation(PATIENT_ROOT, b"\1")
    with (
        running((evt.EVT_SOP_EXTENDED, raising(kind))) as server,
        associated(server.server_address[1], ext_neg=[offer]) as association,
    ):
        assert association.extended_negotiation == {}
        assert association.send_c_echo().Status == 0x0000


def test_servers_own_cancelling_passes() -> None:
    """A task that the server cancels ends, though a handler's CancelledError would not end it."""
    is_ended = False

    async def work() -> None:
        nonlocal is_ended
        with contained("a handler"):
            await asyncio.sleep(3600)
        is_ended = True

    async def test() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(test())
    assert not is_ended


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_requestors_handler_may_end_the_program(kind: type[BaseException]) -> None:
    """An exception that ends the program which asks passes; the association is aborted."""
    ended: list[evt.EventType] = []
    ae = AE()
    ae.add_requested_context(PATIENT_ROOT)
    handlers: list[evt.Binding] = [
        (evt.EVT_ESTABLISHED, raising(kind)),
        (evt.EVT_CONN_CLOSE, lambda event: ended.append(event.event)),
    ]
    with running() as server:
        with pytest.raises(kind):
            ae.associate(HOST, server.server_address[1], evt_handlers=handlers)
        assert ended == [evt.EVT_CONN_CLOSE]

"""The associations with an upstream that is dead, or stops."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from dicomquest import AE
from dicomquest.dataset.elements import DataSet
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.deadline import Deadline
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sources import UpstreamSource
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import UpstreamPool
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.scu.proposal import patience
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.ul.timers import Timeouts
from fixtures.building import data_set
from fixtures.faces import HOST, running
from fixtures.misbehaving import answering_each, hang_up, implicit, listening, say_nothing
from fixtures.timing import LONG, SHORT


def trouble(pool: UpstreamPool) -> SourceError:
    """The reason why there is no association."""

    async def take() -> SourceError:
        try:
            await pool.take(b"", Deadline(LONG))
        except SourceError as error:
            return error
        raise AssertionError("there is an association")

    return asyncio.run(take())


def dead(retry_seconds: float) -> Upstream:
    """An upstream at a port where somebody has listened until now."""
    with listening(hang_up) as port:
        pass
    return Upstream("dead", "DEAD", "127.0.0.1", port, retry_seconds=retry_seconds)


def test_dead_upstream_is_remembered() -> None:
    pool = UpstreamPool(dead(60.0))
    assert trouble(pool).kind is EndKind.UNREACHABLE
    again = trouble(pool)
    assert again.kind is EndKind.UNREACHABLE
    assert str(again).endswith("not tried again within 60 seconds")


def test_memory_of_a_dead_upstream_ends() -> None:
    pool = UpstreamPool(dead(0.0))
    trouble(pool)
    assert "not tried again" not in str(trouble(pool))


class Spent(Deadline):
    """The time of a query that has waited for its place until now."""

    def left(self, most: float | None = None) -> float | None:
        return 0.0


def test_query_without_time_blames_no_upstream() -> None:
    """It waited for other queries, and the next one finds the upstream as well as ever."""

    async def script(pool: UpstreamPool) -> None:
        with pytest.raises(SourceError) as caught:
            await pool.take(b"", Spent(LONG))
        assert caught.value.kind is EndKind.TIMED_OUT
        link = await pool.take(b"", Deadline(LONG))
        assert link.association.is_established
        await pool.end()

    ae = AE("UP")
    ae.add_supported_context(STUDY_ROOT.uid)
    with running(ae=ae) as server:
        asyncio.run(script(UpstreamPool(Upstream("up", "UP", HOST, server.server_address[1]))))


def test_wait_for_room_has_an_end() -> None:
    """There is one without a time-out of the connection, too."""

    async def script() -> None:
        timeouts = replace(Timeouts(), connect=None, retrieve=0.1)
        upstream = Upstream("up", "UP", HOST, 1, most_associations=1, timeouts=timeouts)
        pool = UpstreamPool(upstream)
        async with asyncio.timeout(LONG), pool.room():
            with pytest.raises(SourceError, match="are in use"):
                async with pool.room():
                    pytest.fail("there was no room")

    asyncio.run(script())


def test_upstream_that_hangs_up_is_tried_again() -> None:
    """It can be reached, so the next query may fare better."""
    with listening(hang_up) as port:
        pool = UpstreamPool(Upstream("closing", "CLOSING", "127.0.0.1", port))
        assert trouble(pool).kind is EndKind.LOST
        assert "not tried again" not in str(trouble(pool))


TIMEOUT = 0.15 * LONG
"""Seconds that the silent upstreams of these tests get."""


async def nowhere(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    raise AssertionError("an upstream needs no thread")


def question() -> AskedQuery:
    identifier = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    return asked(identifier, parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions()))


async def answers_of(source: UpstreamSource) -> int:
    """The number of answers of a source to one query."""
    return sum([len(found) async for found in source.answers(question(), nowhere)])


def impatient(port: int, most_associations: int = 4) -> UpstreamSource:
    timeouts = patience(connection=LONG, acse=LONG, dimse=TIMEOUT)
    return UpstreamSource(
        0,
        Upstream("up", "UP", HOST, port, timeouts=timeouts, most_associations=most_associations),
    )


@contextmanager
def stopping(after: int) -> Iterator[int]:
    """An SCP that answers so many queries with one study, and none after these."""
    answered = []
    over = threading.Event()

    def answer(identifier: DataSet) -> tuple[list[bytes], int]:
        answered.append(identifier)
        if len(answered) > after:
            over.wait(6 * LONG)
        return [implicit(0x0020000D, b"1.2\0")], 0

    with listening(answering_each(answer)) as port:
        try:
            yield port
        finally:
            over.set()


def test_stopped_upstream_costs_its_time_once() -> None:
    """An association that lay in the pool costs no more than a new one."""

    async def script(port: int) -> float:
        source = impatient(port)
        assert await answers_of(source) == 1
        began = monotonic()
        with pytest.raises(SourceError, match="no answer within") as caught:
            await answers_of(source)
        seconds = monotonic() - began
        assert caught.value.kind is EndKind.TIMED_OUT
        await source.end()
        return seconds

    with stopping(after=1) as port:
        # A C-CANCEL and its own time-out would double it.
        assert TIMEOUT <= asyncio.run(script(port)) < 1.9 * TIMEOUT


def test_wait_for_a_place_is_within_the_time() -> None:
    """All associations are in use for a stopped upstream: nobody waits for two time-outs."""

    async def script(port: int) -> float:
        source = impatient(port, most_associations=1)
        began = monotonic()
        ends = await asyncio.gather(*(answers_of(source) for _ in range(3)), return_exceptions=True)
        seconds = monotonic() - began
        assert [isinstance(end, SourceError) and end.kind for end in ends] == [
            EndKind.TIMED_OUT
        ] * 3
        await source.end()
        return seconds

    with stopping(after=0) as port:
        assert asyncio.run(script(port)) < 1.9 * TIMEOUT


def test_cancelled_opening_closes_the_connection() -> None:
    """A caller who cancels leaves no half-open association with a silent upstream."""
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        say_nothing(connection)
        closed.set()

    async def script(port: int) -> None:
        source = impatient(port)
        task = asyncio.create_task(answers_of(source))
        _, waiting = await asyncio.wait([task], timeout=SHORT)
        assert waiting
        task.cancel()
        await asyncio.wait([task])
        assert await asyncio.to_thread(closed.wait, LONG)
        await source.end()

    with listening(serve) as port:
        asyncio.run(script(port))


def test_end_waits_for_no_stopped_upstream() -> None:
    """The server can end while an upstream owes the end of a query that was cancelled."""

    async def script(port: int) -> None:
        source = impatient(port)
        task = asyncio.create_task(answers_of(source))
        await asyncio.wait([task], timeout=SHORT)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(LONG):
            await source.end()

    with stopping(after=0) as port:
        asyncio.run(script(port))

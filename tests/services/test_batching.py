"""Items of many associations, gathered into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dicomquest.services import batching
from dicomquest.services.batching import MOST, Gatherer
from fixtures.timing import LONG


def at_once(job: Callable[[], object]) -> None:
    job()


class Gate:
    """A starter that holds the first batch until the test opens it."""

    def __init__(self) -> None:
        self._held: list[Callable[[], object]] = []
        self._is_open = False

    def __call__(self, job: Callable[[], object]) -> None:
        if self._is_open:
            job()
        else:
            self._held.append(job)

    def open(self) -> None:
        self._is_open = True
        for job in self._held:
            job()


async def turns(count: int = 5) -> None:
    """Let the event loop do all that is ready."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_lone_item_is_a_batch() -> None:
    batches: list[list[int]] = []

    async def scenario() -> None:
        gatherer = Gatherer(batches.append, at_once)
        for item in (1, 2, 3):
            await gatherer.do(item)

    asyncio.run(scenario())
    assert batches == [[1], [2], [3]]


def test_items_that_come_meanwhile_are_one_batch() -> None:
    batches: list[list[int]] = []

    async def scenario() -> None:
        gate = Gate()
        gatherer = Gatherer(batches.append, gate)
        tasks = [asyncio.create_task(gatherer.do(0))]
        await turns()
        tasks += [asyncio.create_task(gatherer.do(item)) for item in range(1, 6)]
        await turns()
        gate.open()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert [item for batch in batches for item in batch] == [0, 1, 2, 3, 4, 5]
    assert len(batches) == 2


def test_batch_waits_for_as_many_as_the_last_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PATIENCE", LONG)
    batches: list[list[int]] = []

    async def scenario() -> None:
        gate = Gate()
        gatherer = Gatherer(batches.append, gate)
        gate.open()
        await asyncio.gather(*(gatherer.do(item) for item in range(3)))
        tasks = []
        for item in range(3, 6):
            tasks.append(asyncio.create_task(gatherer.do(item)))
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert batches == [[0, 1, 2], [3, 4, 5]]


def test_batch_has_a_bound() -> None:
    sizes: list[int] = []

    async def scenario() -> None:
        gate = Gate()
        gatherer = Gatherer[int](lambda items: sizes.append(len(items)), gate)
        tasks = [asyncio.create_task(gatherer.do(item)) for item in range(3 * MOST)]
        await turns()
        gate.open()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert sum(sizes) == 3 * MOST
    assert max(sizes) == MOST


def test_failure_is_told_to_each_item_of_its_batch() -> None:
    def work(items: list[int]) -> None:
        if 1 in items:
            raise OSError("the disk is full")

    async def scenario() -> list[object]:
        gate = Gate()
        gatherer = Gatherer(work, gate)
        tasks = [asyncio.create_task(gatherer.do(0))]
        await turns()
        tasks += [asyncio.create_task(gatherer.do(item)) for item in (1, 2)]
        await turns()
        gate.open()
        found: list[object] = list(await asyncio.gather(*tasks, return_exceptions=True))
        # The gatherer goes on after a failure.
        await gatherer.do(3)
        return found

    first, *others = asyncio.run(scenario())
    assert first is None
    assert [str(error) for error in others] == ["the disk is full"] * 2


def test_exit_within_a_batch_cancels_its_items() -> None:
    def work(_items: list[int]) -> None:
        raise SystemExit

    async def scenario() -> None:
        await Gatherer(work, at_once).do(1)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())


def test_end_of_a_batch_is_told_to_no_closed_loop() -> None:
    gate = Gate()

    async def scenario() -> None:
        task = asyncio.create_task(Gatherer[int](lambda items: None, gate).do(1))
        await turns()
        task.cancel()

    asyncio.run(scenario())
    gate.open()

"""Items of many associations, gathered into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dicomquest.services import batching
from dicomquest.services.batching import MOST, Gatherer
from fixtures.timing import LONG


async def at_once(work: Callable[[list[int]], object], items: list[int]) -> None:
    work(items)


class Gate:
    """A runner that holds the first batch until the test opens it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.is_first = True

    async def __call__(self, work: Callable[[list[int]], object], items: list[int]) -> None:
        if self.is_first:
            self.is_first = False
            await self.opened.wait()
        work(items)


def test_lone_item_is_a_batch() -> None:
    batches: list[list[int]] = []

    async def scenario() -> None:
        gatherer = Gatherer(batches.append)
        for item in (1, 2, 3):
            await gatherer.do(item, at_once)

    asyncio.run(scenario())
    assert batches == [[1], [2], [3]]


def test_items_that_come_meanwhile_are_one_batch() -> None:
    batches: list[list[int]] = []

    async def scenario() -> None:
        gatherer, gate = Gatherer(batches.append), Gate()
        tasks = [asyncio.create_task(gatherer.do(0, gate))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(gatherer.do(item, gate)) for item in range(1, 6)]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert [item for batch in batches for item in batch] == [0, 1, 2, 3, 4, 5]
    assert len(batches) == 2


def test_batch_waits_for_as_many_as_the_last_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PATIENCE", LONG)
    batches: list[list[int]] = []

    async def scenario() -> None:
        gatherer, gate = Gatherer(batches.append), Gate()
        gate.opened.set()
        await asyncio.gather(*(gatherer.do(item, gate) for item in range(3)))
        tasks = []
        for item in range(3, 6):
            tasks.append(asyncio.create_task(gatherer.do(item, gate)))
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert batches == [[0, 1, 2], [3, 4, 5]]


def test_batch_has_a_bound() -> None:
    sizes: list[int] = []

    async def scenario() -> None:
        gatherer, gate = Gatherer[int](lambda items: sizes.append(len(items))), Gate()
        tasks = [asyncio.create_task(gatherer.do(item, gate)) for item in range(3 * MOST)]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert sum(sizes) == 3 * MOST
    assert max(sizes) == MOST


def test_failure_is_told_to_each_item_of_its_batch() -> None:
    def work(items: list[int]) -> None:
        if 1 in items:
            raise OSError("the disk is full")

    async def scenario() -> list[object]:
        gatherer, gate = Gatherer(work), Gate()
        tasks = [asyncio.create_task(gatherer.do(0, gate))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(gatherer.do(item, gate)) for item in (1, 2)]
        await asyncio.sleep(0)
        gate.opened.set()
        found: list[object] = list(await asyncio.gather(*tasks, return_exceptions=True))
        # The gatherer goes on after a failure.
        await gatherer.do(3, at_once)
        return found

    first, *others = asyncio.run(scenario())
    assert first is None
    assert [str(error) for error in others] == ["the disk is full"] * 2


def test_cancelled_runner_cancels_the_items() -> None:
    async def cancelled(work: object, items: object) -> None:
        raise asyncio.CancelledError

    async def scenario() -> None:
        await Gatherer[int](lambda items: None).do(1, cancelled)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())

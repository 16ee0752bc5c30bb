"""What arrives together is done together: one batch at a time, in a thread, for many requests of many associations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

PATIENCE = 0.001
"""Seconds that a batch waits for requests that came with the last one; whoever is alone does not wait."""

MOST = 64
"""Items of a batch: more would make the first one wait, and save nothing."""

Item = TypeVar("Item")


class Gatherer(Generic[Item]):
    """Hands items to ``work`` in batches; all but ``work`` runs in the event loop's thread."""

    def __init__(self, work: Callable[[list[Item]], object]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._expected = 1

    async def do(
        self,
        item: Item,
        run: Callable[[Callable[[list[Item]], object], list[Item]], Awaitable[object]],
    ) -> None:
        """Have an item done with others; ``run`` runs blocking code. Returns when it is done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if len(self._waiting) >= self._expected:
            self._arrived.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(run))
        await done

    async def _run(
        self, run: Callable[[Callable[[list[Item]], object], list[Item]], Awaitable[object]]
    ) -> None:
        try:
            while self._waiting:
                await self._gather()
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                try:
                    await run(self._work, [item for item, _ in batch])
                except BaseException as error:
                    for _, done in batch:
                        if not done.done():
                            done.set_exception(
                                error if isinstance(error, Exception) else asyncio.CancelledError()
                            )
                    if not isinstance(error, Exception):
                        raise
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)
                self._expected = min(len(batch) + len(self._waiting), MOST)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Wait a moment for those that were there the last time: without it, one and all others take turns."""
        if len(self._waiting) < self._expected:
            self._arrived.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._arrived.wait()
            except TimeoutError:
                return

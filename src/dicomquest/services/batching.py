"""Batches of work from many associations, one batch at a time in one thread (for PS3.4 B.2).

Many instances stored in one transaction cost the database hardly more than one instance does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

PATIENCE = 0.001
"""Seconds that a batch waits for as many items as came with the last one.

A lone association never waits: its last batch had one item, and so has this one.
"""

MOST = 64
"""Items of a batch at most: with more, the first item would wait longer, for no saving."""

Item = TypeVar("Item")


class Gatherer(Generic[Item]):
    """A gatherer of items for ``work``; all but ``work`` runs in the event loop's thread."""

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
        """Have an item done with others, and return when it is done.

        ``run`` runs blocking code in a thread. Each item of a batch raises what ``work`` raised.
        """
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
                # All that take part now will probably be back with their next item.
                self._expected = min(len(batch) + len(self._waiting), MOST)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Wait a moment for as many items as the last batch had.

        Without that, one association and all the others would take turns, a batch each.
        """
        if len(self._waiting) < self._expected:
            self._arrived.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._arrived.wait()
            except TimeoutError:
                return

"""Batches of work from many associations, one batch at a time in one thread (for PS3.4 B.2).

Many instances stored in one transaction cost the database hardly more than one instance does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

PATIENCE = 0.001
"""Seconds that a batch waits for as many items as came with the last one.

A lone association never waits: its last batch had one item, and so has this one.
"""

MOST = 64
"""Items of a batch at most: with more, the first item would wait longer, for no saving."""

Item = TypeVar("Item")


class Gatherer(Generic[Item]):
    """A gatherer of items for ``work``; all but ``work`` runs in the event loop's thread.

    ``start`` has a job done in a thread of its own. There is no task and no pool: for a batch of
    one instance these cost as much as a third of its transaction.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], object],
        start: Callable[[Callable[[], object]], object],
    ) -> None:
        self._work = work
        self._start = start
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._expected = 1
        self._is_running = False
        self._beginning: asyncio.Handle | None = None
        self._is_patient = False

    async def do(self, item: Item) -> None:
        """Have an item done with others, and return when it is done.

        Each item of a batch raises what ``work`` raised.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, done))
        if not self._is_running:
            self._prepare(loop)
        await done

    def _prepare(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin a batch soon, or wait a moment for as many items as the last batch had.

        Without that, one association and all the others would take turns, a batch each.
        """
        if len(self._waiting) < self._expected:
            if self._beginning is None:
                self._is_patient = True
                self._beginning = loop.call_later(PATIENCE, self._begin, loop)
        elif self._beginning is None or self._is_patient:
            if self._beginning is not None:
                self._beginning.cancel()
            self._is_patient = False
            # Not at once: items that arrived together become one batch.
            self._beginning = loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beginning, self._is_patient, self._is_running = None, False, True
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._start(partial(self._run, loop, batch))

    def _run(
        self, loop: asyncio.AbstractEventLoop, batch: list[tuple[Item, asyncio.Future[None]]]
    ) -> None:
        """Do the work, in the thread."""
        failure: BaseException | None = None
        try:
            self._work([item for item, _ in batch])
        except BaseException as error:  # noqa: BLE001 (told to each item)
            failure = error
        # Nobody waits in a loop that is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end, loop, batch, failure)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[Item, asyncio.Future[None]]],
        failure: BaseException | None,
    ) -> None:
        for _, done in batch:
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            elif isinstance(failure, Exception) and not isinstance(failure, StopIteration):
                done.set_exception(failure)
            else:
                done.cancel()
        # All that take part now will probably be back with their next item.
        self._expected = min(len(batch) + len(self._waiting), MOST)
        self._is_running = False
        if self._waiting:
            self._prepare(loop)

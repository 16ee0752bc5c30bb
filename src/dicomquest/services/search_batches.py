"""A running search, and its batches of encoded matches, one made ahead by a thread (PS3.4 C.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Protocol

from dicomquest.dataset.response_fields import Row
from dicomquest.errors import IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.query.model import Query
from dicomquest.services.request import ServiceRequest

FIRST_BATCH = 32
"""Responses of the first write: few, so that the first match is on its way at once."""

BATCH = 512
"""Responses of each further write, about 200 KiB.

That keeps the network busy while the next batch is made, and a small query of another association
waits no longer than for one batch (3 ms).
"""


class RowEncoder(Protocol):
    """The encoder of the rows of one query: one representation of each match."""

    def encode(self, rows: Iterable[Row]) -> list[bytes]:
        """Return the encoded matches in the order of the rows."""


class Search:
    """One running query: its cursor and its encoder.

    ``at_once``, ``next`` and ``close`` are called one after the other, from changing threads. Only
    ``interrupt`` may come at any time, from the event loop, also before there is a cursor.
    """

    def __init__(
        self, index: Index, query: Query, response_encoder: RowEncoder, is_latest: bool
    ) -> None:
        """Begin nothing yet; ``is_latest`` asks no replica, which may lag behind the archive."""
        self._index = index
        self._query = query
        self._is_latest = is_latest
        self._encoder = response_encoder
        self._cursor: Cursor | None = None
        self._is_interrupted = False
        self._timer: asyncio.TimerHandle | None = None
        self.is_exhausted = False
        self.is_expired = False

    def expire_at(self, began: float, seconds: float | None) -> None:
        """Interrupt the search when it is so many seconds old, unless it has all its rows."""
        if seconds is not None and not self.is_exhausted:
            left = began + seconds - monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(left, 0.0), self._expire)

    def expire_never(self) -> None:
        """Stop the timer of ``expire_at``."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self.is_expired = True
        self.interrupt()

    def at_once(self, size: int) -> list[bytes] | None:
        """Return the first ``size`` identifiers, or None if the database needs longer."""
        self._cursor = self._index.search(self._query, is_latest=self._is_latest)
        rows = self._cursor.fetch_at_once(size)
        return None if rows is None else self._encoded(rows, size)

    def next(self, size: int) -> list[bytes]:
        """Return the next ``size`` identifiers; fewer means that there are no more."""
        if self._cursor is None:
            self._cursor = self._index.search(self._query, is_latest=self._is_latest)
        # After the cursor is there, so that an interrupt which came before it is not lost.
        if self._is_interrupted:
            return []
        return self._encoded(self._cursor.fetch(size), size)

    def _encoded(self, rows: list[Row], size: int) -> list[bytes]:
        self.is_exhausted = len(rows) < size
        return self._encoder.encode(rows)

    def interrupt(self) -> None:
        """Make the database give up; any ``next`` that runs raises IndexDatabaseError."""
        self._is_interrupted = True
        if self._cursor is not None:
            self._cursor.interrupt()

    @property
    def closes_at_once(self) -> bool:
        """Tell whether ``close`` waits for nobody, and so may run in the event loop."""
        return self._cursor is None or self._cursor.closes_at_once

    def close(self) -> None:
        """Give the connection back; the query ends with that."""
        if self._cursor is not None:
            self._cursor.close()


class Batches:
    """The identifiers of a search in batches, of which a thread makes one ahead.

    ``is_exhausted`` says that no batch follows the last one, and ``is_cut_off`` that the result
    limit is the reason. All of it runs in the event loop.
    """

    def __init__(self, request: ServiceRequest, search: Search, limit: int | None) -> None:
        self._request = request
        self._search = search
        self._limit = limit
        self._taken = 0
        self._at_once: list[bytes] | None = None
        self._running: asyncio.Task[list[bytes]] | None = None
        self.is_exhausted = False
        self.is_cut_off = False

    @property
    def is_expired(self) -> bool:
        """Tell whether the search has taken too long, and there is more of it."""
        return self._search.is_expired and not self.is_exhausted

    def begin_at_once(self) -> None:
        """Make the first batch here if the database has it at once; else ``next`` does."""
        self._at_once = self._search.at_once(self._size(FIRST_BATCH))

    async def next(self) -> list[bytes]:
        """Return the next batch, after the one that follows it has been begun in a thread."""
        identifiers, self._at_once = self._at_once, None
        if identifiers is None:
            identifiers = await (self._running or self._run(FIRST_BATCH))
            self._running = None
        self._taken += len(identifiers)
        self.is_exhausted = self._search.is_exhausted
        if self._limit is not None and self._taken > self._limit:
            self.is_exhausted = self.is_cut_off = True
            identifiers = identifiers[: self._limit - self._taken]
        if not self.is_exhausted and not self._request.is_cancelled:
            self._running = self._run(BATCH)
        return identifiers

    async def end(self) -> None:
        """Wait until no thread uses the search, whose cursor may be closed then."""
        if self._running is not None:
            # Nobody wants the batch that is being made.
            self._search.interrupt()
            with suppress(IndexDatabaseError, MemoryError):
                await self._running

    def _run(self, size: int) -> asyncio.Task[list[bytes]]:
        return asyncio.ensure_future(self._request.run(self._search.next, self._size(size)))

    def _size(self, size: int) -> int:
        """Return how much of ``size`` to fetch; one row beyond the limit shows that it cuts off."""
        return size if self._limit is None else min(size, self._limit - self._taken + 1)

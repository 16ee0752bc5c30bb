"""The part of a retrieve's source that asks the database, and may be told to give up (PS3.4 C.4.2).

Its rows come in portions, until they end, there are too many, or another thread interrupts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dicomquest.errors import IndexDatabaseError

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.index.search.plan import MoreColumn
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query
    from dicomquest.services.request import Run

PAGE: Final = 256
"""Rows that are fetched together."""


class TooManyInstancesError(IndexDatabaseError):
    """A retrieve selects more instances than its limit allows."""


class InterruptibleSource(ABC):
    """The matches of a query; ``interrupt`` stops its database at any time."""

    def __init__(
        self, index: Index, query: Query, run: Run, *, most: int | None, is_latest: bool
    ) -> None:
        """Select at most ``most``; ``is_latest`` asks no replica, which may lag behind."""
        self._index = index
        self._query = query
        self._run = run
        self._most = most
        self._is_latest = is_latest
        self._cursor: Cursor | None = None
        self._is_interrupted = False

    async def count(self) -> int:
        """Select all, and return the number; TooManyInstancesError beyond the limit."""
        return await self._run(self._select)

    def interrupt(self) -> None:
        """Make the database give up; ``count`` raises IndexDatabaseError then."""
        self._is_interrupted = True
        if self._cursor is not None:
            self._cursor.interrupt()

    @abstractmethod
    def _select(self) -> int:
        """Keep what ``_pages_of_rows`` gives, and return the number of rows."""

    def _pages_of_rows(
        self, columns: tuple[MoreColumn, ...] = ()
    ) -> Iterator[list[tuple[Any, ...]]]:
        total = 0
        search = self._index.search(self._query, is_latest=self._is_latest, columns=columns)
        with search as cursor:
            self._cursor = cursor
            try:
                while rows := self._fetch(cursor):
                    total += len(rows)
                    if self._most is not None and total > self._most:
                        raise TooManyInstancesError(f"more than {self._most} instances")
                    yield rows
            finally:
                self._cursor = None

    def _fetch(self, cursor: Cursor) -> list[tuple[Any, ...]]:
        if self._is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        return cursor.fetch(PAGE)

"""The searches of one request, which end together when its client is gone (PS3.4 C.4.1.3.2)."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from dicomquest.errors import IndexDatabaseError

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.index import Index
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query

_ROWS = 512


class BoundedSearch:
    """Searches one after the other, in any thread; ``interrupt`` ends the one that runs."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._lock = threading.Lock()
        self._cursor: Cursor | None = None
        self.is_interrupted = False

    def begin(self, query: Query) -> Cursor:
        """Begin a search; the caller closes it."""
        cursor = self.index.search(query)
        with self._lock:
            self._cursor = cursor
            if self.is_interrupted:
                cursor.interrupt()
        return cursor

    def matches(self, query: Query, most: int) -> list[DataSet]:
        """Return the first matches of a query."""
        with self.begin(query) as cursor:
            rows = cursor.fetch(most)
            return [cursor.plan.to_data_set(row) for row in rows]

    def count(self, query: Query, most: int, seconds: float | None = None) -> int | None:
        """Return the number of matches, at most ``most``; None if it takes longer."""
        found = 0
        is_late = threading.Event()
        with self.begin(query) as cursor:

            def give_up() -> None:
                is_late.set()
                cursor.interrupt()

            timer = threading.Timer(seconds, give_up) if seconds is not None else None
            if timer is not None:
                timer.start()
            try:
                while rows := cursor.fetch(min(_ROWS, most - found)):
                    found += len(rows)
                    if found >= most:
                        break
            except IndexDatabaseError:
                if is_late.is_set() and not self.is_interrupted:
                    return None
                raise
            finally:
                if timer is not None:
                    timer.cancel()
        return found

    def interrupt(self) -> None:
        """End all searches, from another thread."""
        with self._lock:
            self.is_interrupted = True
            if self._cursor is not None:
                self._cursor.interrupt()


class Clock:
    """A time that is given for something."""

    def __init__(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, none below zero."""
        return max(0.0, self._until - monotonic())

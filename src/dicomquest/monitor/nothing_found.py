"""The log of queries that found nothing: the key that excludes everything (PS3.4 C.4.1)."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.search.key_effects import Effects, effects_of
from dicomquest.query.words import outline, sentence
from dicomquest.services.observer import Event, FindFinished
from dicomquest.standard.statuses import SUCCESS

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query

LOGGER = logging.getLogger("dicomquest.nothing")

MOST_WAITING = 16
"""Queries that wait to be explained; more are logged without a reason."""

MOST_COUNTED = 1000
"""Matches at which the count for a key ends."""

MOST_KEYS = 32
"""Keys of a query beyond which none is explained: each costs two searches."""

LONGEST = 10.0
"""Seconds for all searches of one explanation."""


class NothingFound:
    """An observer that logs why a query found nothing, from a thread of its own.

    Each explanation costs two searches a key. Keys have their values only with ``shows_values``:
    those are patient data.
    """

    def __init__(
        self, index: Index, *, shows_values: bool = False, longest: float = LONGEST
    ) -> None:
        """Explain the queries to ``index`` that find nothing, each for ``longest`` seconds."""
        self._index = index
        self._shows_values = shows_values
        self._longest = longest
        self._end_by: float | None = None
        self._thread = ThreadPoolExecutor(1, "nothing-found")
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def tell(self, event: Event) -> None:
        """Have a query explained if it ended well and found nothing."""
        if (
            not isinstance(event, FindFinished)
            or event.matches
            or event.status != SUCCESS
            or event.query is None
            # A station's list is empty on most evenings.
            or not event.query.model.levels
        ):
            return
        if len(event.query.criteria) > MOST_KEYS or not self._room.acquire(blocking=False):
            LOGGER.info("%s", self._line(event, event.query, "not looked for"))
            return
        try:
            self._thread.submit(self._explain, event, event.query)
        except RuntimeError:
            # The server ends.
            self._room.release()

    def stop(self) -> None:
        """Take no more, and explain those that wait; nobody waits for it."""
        self._thread.shutdown(wait=False)

    def close(self) -> None:
        """Let the thread end once all queries are logged, within the time of one explanation."""
        self._end_by = monotonic() + self._longest
        self._thread.shutdown()

    def _explain(self, event: FindFinished, query: Query) -> None:
        longest = self._longest
        if self._end_by is not None:
            longest = max(0.0, min(longest, self._end_by - monotonic()))
        search = _BoundedSearch(self._index, longest)
        try:
            reason = _in_words(effects_of(query, search.begin, MOST_COUNTED))
        except IndexDatabaseError as error:
            over = f"not found within {longest:.3g} s"
            reason = over if search.is_over else f"not known: {error}"
        finally:
            search.end()
            self._room.release()
        LOGGER.info("%s", self._line(event, query, reason))

    def _line(self, event: FindFinished, query: Query, reason: str) -> str:
        association = event.association
        words = (sentence if self._shows_values else outline)(query)
        return (
            f"association {association.number}: nothing found by "
            f"{association.requestor.ae_title} ({event.model}): {words}; reason: {reason}"
        )


class _BoundedSearch:
    """Searches one after the other that end together after some seconds."""

    def __init__(self, index: Index, seconds: float) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._cursor: Cursor | None = None
        self.is_over = False
        self._timer = threading.Timer(seconds, self._interrupt)
        self._timer.daemon = True
        self._timer.start()

    def begin(self, query: Query) -> Cursor:
        """Begin a search, which is interrupted at once if the time is over."""
        cursor = self._index.search(query)
        with self._lock:
            self._cursor = cursor
            if self.is_over:
                cursor.interrupt()
        return cursor

    def end(self) -> None:
        """Stop the clock."""
        self._timer.cancel()

    def _interrupt(self) -> None:
        with self._lock:
            self.is_over = True
            if self._cursor is not None:
                self._cursor.interrupt()


def _in_words(effects: Effects) -> str:
    if effects.matches:
        return "what matches was indexed meanwhile"
    counts = ", ".join(
        f"{each.name} {_most(each.alone)}/{_most(each.without)}" for each in effects.keys
    )
    keys = f"; matches of each key alone/without it: {counts}" if counts else ""
    return f"{effects.verdict}{keys}; plan: {'; '.join(effects.steps)}"


def _most(number: int) -> str:
    return f"{number:,}{'+' if number == MOST_COUNTED else ''}"

"""The log of slow queries: each in words, with the plan of its SQL (PS3.4 C.4.1)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.query.words import outline, sentence
from dicomquest.services.observer import Event, FindFinished

LOGGER = logging.getLogger("dicomquest.slow")

MOST_WAITING = 16
"""Slow queries whose plans wait to be explained; more are logged without a plan."""


class SlowQueries:
    """An observer that logs what was slow, from a thread of its own.

    The words of a query name its keys, and have their values only with ``shows_values``: those are
    patient data. The plan has none: its values are parameters.
    """

    def __init__(
        self,
        index: Index,
        seconds: float,
        *,
        shows_values: bool = False,
        count: Callable[[], None] = lambda: None,
    ) -> None:
        """Log queries that take at least so many seconds, and call ``count`` for each."""
        self._index = index
        self._seconds = seconds
        self._shows_values = shows_values
        self._count = count
        self._thread = ThreadPoolExecutor(1, "slow-queries")
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def tell(self, event: Event) -> None:
        """Have a query explained if it was slow."""
        if not isinstance(event, FindFinished) or event.seconds < self._seconds:
            return
        self._count()
        if event.query is None or not self._room.acquire(blocking=False):
            LOGGER.warning("%s", self._line(event))
            return
        try:
            self._thread.submit(self._explain, event)
        except RuntimeError:
            # The server ends.
            self._room.release()

    def stop(self) -> None:
        """Take no more, and log what was slow until now; nobody waits for it."""
        self._thread.shutdown(wait=False)

    def close(self) -> None:
        """Let the thread end once all slow queries are logged."""
        self._thread.shutdown()

    def _explain(self, event: FindFinished) -> None:
        try:
            assert event.query is not None  # noqa: S101
            try:
                with self._index.search(event.query) as cursor:
                    plan = "; ".join(map(str.strip, cursor.explain()))
            except IndexDatabaseError as error:
                plan = f"not known: {error}"
            LOGGER.warning("%s; plan: %s", self._line(event), plan)
        finally:
            self._room.release()

    def _line(self, event: FindFinished) -> str:
        association = event.association
        words = "a query that cannot be read"
        if event.query is not None:
            words = (sentence if self._shows_values else outline)(event.query)
        return (
            f"association {association.number}: slow: {event.seconds:.3f} s for "
            f"{event.matches:,} matches by {association.requestor.ae_title} "
            f"({event.model}): {words}"
        )

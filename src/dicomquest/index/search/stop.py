"""The end of a search before its rows end: a time limit, or a caller who wants no more of it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dicomquest.errors import IndexDatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.index.search.sqlite_cursor import Cursor


class Stop:
    """Stops the searches of one task, after some seconds from now or by another thread's call.

    It interrupts the database, as C-CANCEL does. A search that is out of time says how far it came;
    one that was stopped raises IndexDatabaseError.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds
        # Whoever sets or interrupts the cursor holds this.
        self._lock = threading.Lock()
        self._cursor: Cursor | None = None
        self._is_stopped = False

    @property
    def is_late(self) -> bool:
        """Tell whether the time is over."""
        return self._until is not None and time.monotonic() >= self._until

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the time is over, None without a limit."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    @property
    def is_stopped(self) -> bool:
        """Tell whether somebody stopped the task."""
        return self._is_stopped

    def stop(self) -> None:
        """Stop the search that runs, and each later one."""
        self._is_stopped = True
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            if self._cursor is not None:
                self._cursor.interrupt()

    @contextmanager
    def watching(self, cursor: Cursor) -> Iterator[None]:
        """Interrupt a cursor when it is time; IndexDatabaseError if somebody stopped the task."""
        with self._lock:
            self._cursor = cursor
        if self._is_stopped:
            raise IndexDatabaseError("the query was interrupted")
        timer = None
        if self._until is not None:
            timer = threading.Timer(max(0.0, self._until - time.monotonic()), self._interrupt)
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            with self._lock:
                self._cursor = None

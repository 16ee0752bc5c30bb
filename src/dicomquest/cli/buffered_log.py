"""A log handler that formats and writes many lines at a time: so one costs a request little."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import suppress
from time import time
from typing import Protocol, TextIO

from dicomquest.services.observer import LOGGED, LoggedEvent

DELAY = 0.1
"""Seconds that a line below WARNING may wait for others."""

MOST_LINES = 1000
"""Lines that wait at most: who logs more waits for the stream."""

_UNCHANGING = frozenset({str, int, float}) | LOGGED
"""The types of arguments that may be formatted later."""


class EventFormatter(Protocol):
    """A formatter of events that have no record."""

    def format_event(self, created: float, event: LoggedEvent) -> str:
        """Return the line of an event at INFO."""


class BufferedHandler(logging.Handler):
    """Writes to a stream: lines below WARNING together after a moment, others at once.

    A line of WARNING or above takes all earlier ones along, and so does the end of the process:
    ``logging.shutdown`` flushes. Only a process that is killed loses the lines of a moment.

    Formatted one after the other in its own thread, lines take a third of the time that each takes
    between two requests, where other code has filled the processor's caches.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._records: list[logging.LogRecord | tuple[float, LoggedEvent]] = []
        self._has_records = threading.Event()
        self._is_awake = False
        self._thread: threading.Thread | None = None
        if hasattr(os, "register_at_fork"):
            # A child would write the parent's lines again, and has none of its threads.
            os.register_at_fork(before=self.flush, after_in_child=self._forget_thread)

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep a record, and write it now or have it written soon."""
        if self.filters and not self.filter(record):
            return False
        # Without the handler's lock: to append to a list is one step.
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and write it now or have it written soon."""
        if record.args and not _UNCHANGING.issuperset(map(type, record.args)):
            try:
                record.msg, record.args = record.getMessage(), None
            except Exception:  # noqa: BLE001  logging's own way: no request ends for a wrong call
                self.handleError(record)
                return
        self._records.append(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        else:
            self._see_to_writing()

    def keep(self, event: LoggedEvent) -> None:
        """Keep an event at INFO, which the formatter has to know, and have it written soon."""
        records = self._records
        records.append((time(), event))
        # Asked here, too: a call costs more than all of this.
        if not self._is_awake or len(records) >= MOST_LINES:
            self._see_to_writing()

    def _see_to_writing(self) -> None:
        if len(self._records) >= MOST_LINES:
            self.flush()
        elif not self._is_awake:
            self._is_awake = True
            self._has_records.set()
            if self._thread is None:
                self._start()

    def flush(self) -> None:
        """Write the lines that wait; drop them if nobody can read the stream any more."""
        self.acquire()
        try:
            # Other threads may append meanwhile.
            count = len(self._records)
            records = self._records[:count]
            del self._records[:count]
            if records:
                text = "".join(self._line(record) for record in records)
                with suppress(OSError, ValueError):
                    self._stream.write(text)
                    self._stream.flush()
        finally:
            self.release()

    def _line(self, record: logging.LogRecord | tuple[float, LoggedEvent]) -> str:
        try:
            if isinstance(record, tuple):
                # Every formatter of a handler that keeps events is one of events.
                return f"{self.formatter.format_event(*record)}\n"  # type: ignore[union-attr]
            return f"{self.format(record)}\n"
        except Exception:  # noqa: BLE001  as in emit
            self.handleError(logging.makeLogRecord({}) if isinstance(record, tuple) else record)
            return ""

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._write_soon, name="log", daemon=True)
        if not hasattr(signal, "pthread_sigmask"):
            self._thread.start()
            return
        # Signals are for the threads that wait for them: in this one SIGTERM would end the process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _write_soon(self) -> None:
        pause = threading.Event()
        while True:
            self._has_records.wait()
            pause.wait(DELAY)
            # Before the records are taken: one that comes behind them asks for another look.
            self._has_records.clear()
            self._is_awake = False
            self.flush()

    def _forget_thread(self) -> None:
        self._thread = None
        self._is_awake = False
        self._has_records = threading.Event()

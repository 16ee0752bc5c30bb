"""The end of a query before its time: Ctrl-C (C-CANCEL, PS3.7 9.3.2.3), a reader that goes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Self, TypeVar

import click

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that the peer has to end a cancelled query."""


class Interruption:
    """The first Ctrl-C within its block calls ``cancel``, the second one ends the program.

    A reader of standard output that goes, as ``head`` does, ends the command at once: nobody wants
    the other matches.

    ``cancel`` runs in a thread of its own, because the main thread may hold the locks that it
    needs. ``give_up`` follows if the query has not ended ``PATIENCE`` seconds later.
    """

    def __init__(self, cancel: Callable[[], None], give_up: Callable[[], None]) -> None:
        self.has_come = False
        self._cancel, self._give_up = cancel, give_up
        self._is_over = threading.Event()
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_over.set()
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if kind is not None and issubclass(kind, BrokenPipeError):
            self._give_up()
            # Python flushes standard output when it ends, and would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0)

    def until(self, matches: Iterable[T]) -> Iterator[T]:
        """Pass matches on until Ctrl-C comes."""
        for match in matches:
            if self.has_come:
                return
            yield match

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self.has_come:
            raise KeyboardInterrupt
        self.has_come = True
        threading.Thread(target=self._end_query, daemon=True).start()

    def _end_query(self) -> None:
        self._cancel()
        if not self._is_over.wait(PATIENCE):
            self._give_up()

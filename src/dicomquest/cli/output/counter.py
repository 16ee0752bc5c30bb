"""The number of matches on standard error while a query runs: one line, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

from dicomquest.cli.counting import counted
from dicomquest.standard.levels import Level, Noun

T = TypeVar("T")

FIRST, INTERVAL = 0.5, 0.2
"""Seconds until the line is first drawn, and between two drawings."""
STRIDE = 16
"""Matches between two looks at the clock."""
ERASE = "\r\x1b[K"


class Counter:
    """It counts what passes, and rewrites its line; without a terminal it only counts."""

    def __init__(self, level: Level | Noun) -> None:
        self.count = 0
        self._level = level
        self._is_shown = sys.stderr.isatty()
        self._is_drawn = False
        self._start = monotonic()
        self._next = self._start + FIRST

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return monotonic() - self._start

    def counted(self, matches: Iterable[T]) -> Iterator[T]:
        """Pass the matches on."""
        for match in matches:
            self.count += 1
            if self._is_shown and self.count % STRIDE == 0 and monotonic() >= self._next:
                self._draw()
            yield match
        self.erase()

    def erase(self) -> None:
        """Take the line away, before something else is written to the terminal."""
        if self._is_drawn:
            self._is_drawn = False
            sys.stderr.write(ERASE)
            sys.stderr.flush()

    def _draw(self) -> None:
        self._next = monotonic() + INTERVAL
        self._is_drawn = True
        rate = self.count / max(self.seconds, 1e-9)
        sys.stderr.write(f"{ERASE}{counted(self.count, self._level)}, {rate:,.0f}/s")
        sys.stderr.flush()

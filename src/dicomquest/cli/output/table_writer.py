"""The table of matches: its widths come from the first screenful, and the rows as they come."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from dicomquest.cli.output.headings import Heading, headings
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.readable_values import readable_at
from dicomquest.cli.output.table_layout import Layout, lay_out

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

PATIENCE = 0.03
"""Seconds from the first match until the first rows are shown, be they a screenful or not."""
R = TypeVar("R")
L = TypeVar("L")
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def write_table(matches: Iterable[DataSet], page: Page) -> tuple[Heading, ...]:
    """Write a table, and return the columns that did not fit."""
    table = _Table(page)
    try:
        for match in matches:
            table.add(match)
    finally:
        # Also what came before a failure or Ctrl-C.
        table.finish()
    return table.left_out


class Streamed(ABC, Generic[R, L]):
    """Rows that wait for the widths, and then none: later rows are written at once.

    A timer sets the widths if the peer is slow, so ``_lock`` guards the waiting rows and the layout
    until that is there. It never changes afterwards.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.layout: L | None = None
        self._waiting: list[R] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @abstractmethod
    def row(self, match: DataSet) -> R:
        """Return the cells of a match."""

    @abstractmethod
    def lay_out(self, rows: Sequence[R]) -> L:
        """Return the widths for the first rows and all later ones."""

    @abstractmethod
    def head(self, layout: L) -> list[str]:
        """Return the headings."""

    @abstractmethod
    def lines(self, layout: L, row: R) -> list[str]:
        """Return the lines of a row."""

    def add(self, match: DataSet) -> None:
        """Write a match, or let it wait for the widths."""
        row = self.row(match)
        if self.layout is not None:
            self.page.write("\n".join([*self.lines(self.layout, row), ""]))
            return
        with self._lock:
            self._waiting.append(row)
            if self._timer is None:
                self._timer = threading.Timer(PATIENCE, self._settle)
                self._timer.daemon = True
                self._timer.start()
            is_full = len(self._waiting) >= self.page.height
        if is_full:
            self._settle()

    def finish(self) -> None:
        """Write the rows that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._settle()
            if self.page.width is not None:
                self.page.write("\n")

    def _settle(self) -> None:
        """Set the widths and write the rows that wait for them."""
        with self._lock:
            rows, self._waiting = self._waiting, []
            if not rows:
                return
            layout = self.layout or self.lay_out(rows)
            lines = [line for row in rows for line in self.lines(layout, row)]
            if self.layout is None:
                is_styled = self.page.is_styled
                head = [f"{BOLD}{each}{PLAIN}" if is_styled else each for each in self.head(layout)]
                lines[:0] = head if self.page.width is None else ["", *head]
            try:
                self.page.write("\n".join([*lines, ""]))
            finally:
                self.layout = layout


class _Table(Streamed[list[str], Layout]):
    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._headings = headings(page.keys, page.asked)

    @property
    def left_out(self) -> tuple[Heading, ...]:
        return () if self.layout is None else self.layout.left_out

    def row(self, match: DataSet) -> list[str]:
        shown = self.page.shown
        return [shown(readable_at(match, heading.key.path)) for heading in self._headings]

    def lay_out(self, rows: Sequence[list[str]]) -> Layout:
        return lay_out(self._headings, rows, self.page.width, self.page.mark)

    def head(self, layout: Layout) -> list[str]:
        return [layout.head()]

    def lines(self, layout: Layout, row: list[str]) -> list[str]:
        return layout.lines(row)

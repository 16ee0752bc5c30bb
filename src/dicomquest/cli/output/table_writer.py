"""The table of matches: its widths come from the first screenful, and the rows as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicomquest.cli.output.headings import Heading, headings
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.readable_values import readable_at
from dicomquest.cli.output.table_layout import Layout, lay_out

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

PATIENCE = 0.03
"""Seconds from the first match until the first rows are shown, be they a screenful or not."""
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


class _Table:
    """Rows that wait for the widths, and then none: later rows are written at once.

    A timer sets the widths if the peer is slow, so ``_lock`` guards the waiting rows and the layout
    until that is there. It never changes afterwards.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._headings = headings(page.keys, page.asked)
        self._waiting: list[list[str]] = []
        self._layout: Layout | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @property
    def left_out(self) -> tuple[Heading, ...]:
        return () if self._layout is None else self._layout.left_out

    def add(self, match: DataSet) -> None:
        shown = self._page.shown
        row = [shown(readable_at(match, heading.key.path)) for heading in self._headings]
        if self._layout is not None:
            self._page.write("\n".join([*self._layout.lines(row), ""]))
            return
        with self._lock:
            self._waiting.append(row)
            if self._timer is None:
                self._timer = threading.Timer(PATIENCE, self._settle)
                self._timer.daemon = True
                self._timer.start()
            is_full = len(self._waiting) >= self._page.height
        if is_full:
            self._settle()

    def finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._settle()
            if self._page.width is not None:
                self._page.write("\n")

    def _settle(self) -> None:
        """Set the widths and write the rows that wait for them."""
        with self._lock:
            rows, self._waiting = self._waiting, []
            if not rows:
                return
            layout = self._layout or lay_out(
                self._headings, rows, self._page.width, self._page.mark
            )
            lines = [line for row in rows for line in layout.lines(row)]
            if self._layout is None:
                head = layout.head()
                lines.insert(0, f"{BOLD}{head}{PLAIN}" if self._page.is_styled else head)
                if self._page.width is not None:
                    lines.insert(0, "")
            try:
                self._page.write("\n".join([*lines, ""]))
            finally:
                self._layout = layout

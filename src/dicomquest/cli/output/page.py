"""The place that matches are written to: its columns, its stream, and its size."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from dicomquest.cli.output_encoding import escaped
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.query.identifier.key_arguments import Key

PIPE_ROWS = 500
"""The first rows that set the widths of a table in a pipe."""


def nothing() -> None:
    """Do nothing before a line is written."""


@dataclass(frozen=True, slots=True)
class Page:
    """The columns to show and the stream; ``width`` and ``height`` are None but for a terminal.

    ``binary`` is the stream of formats that are no text, ``folder`` that of a file per match.
    ``is_continued`` tells that the file has its beginning already. ``make_way`` is called before a
    write to a terminal.
    """

    keys: tuple[Key, ...]
    asked: frozenset[Key]
    level: Level
    out: TextIO
    binary: BinaryIO | None = None
    folder: Path | None = None
    width: int | None = None
    height: int = PIPE_ROWS
    is_styled: bool = False
    dialect: str = "unix"
    is_csv_safe: bool = False
    is_ordered: bool = False
    is_continued: bool = False
    make_way: Callable[[], None] = nothing

    @property
    def is_terminal(self) -> bool:
        """Tell whether a terminal shows what is written, and obeys its control characters."""
        return self.width is not None

    @property
    def mark(self) -> str:
        """The sign of text that is cut, in the characters of the stream."""
        return "…" if escaped("…", self.out.encoding) == "…" else "..."

    def shown(self, text: str) -> str:
        """Return a text as the stream will show it."""
        return text if text.isascii() else escaped(text, self.out.encoding)

    def write(self, text: str) -> None:
        """Write at once: the reader may wait for it."""
        self.make_way()
        self.out.write(text)
        self.out.flush()


def terminal_size(out: TextIO) -> tuple[int, int] | None:
    """Return columns and lines if the stream is a terminal."""
    if not out.isatty():
        return None
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def is_styled(out: TextIO) -> bool:
    """Tell whether a stream takes colours: a terminal, unless NO_COLOR or TERM=dumb is set."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

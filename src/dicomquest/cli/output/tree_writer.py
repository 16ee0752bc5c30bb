"""The tree of studies, their series and instances: a table a level, one within the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicomquest.cli.output.headings import Heading, headings
from dicomquest.cli.output.match_values import text_at
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.readable_values import readable_at
from dicomquest.cli.output.table_layout import Layout, lay_out
from dicomquest.cli.output.table_writer import Streamed
from dicomquest.query.identifier.key_arguments import PathStep
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key

INDENT = "  "


@dataclass(frozen=True, slots=True)
class Cells:
    """One entity above or of a row: its unique key, and the cells of its level."""

    uid: str
    texts: tuple[str, ...]


def write_tree(matches: Iterable[DataSet], page: Page) -> tuple[Heading, ...]:
    """Write each entity once, indented below its parent, and return what did not fit."""
    tree = _Tree(page)
    try:
        for match in matches:
            tree.add(match)
    finally:
        # Also what came before a failure or Ctrl-C.
        tree.finish()
    return tuple(column for layout in tree.layout or () for column in layout.left_out)


def _headings(keys: Sequence[Key], page: Page) -> list[Heading]:
    """Return the columns of a level; a number at its beginning would hide the indent."""
    first, *others = headings(keys, page.asked)
    return [replace(first, is_number=False), *others]


class _Tree(Streamed[tuple[Cells, ...], tuple[Layout, ...]]):
    """The levels that have columns, top first; an entity that is new begins a line."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        by_level: dict[Level, list[Key]] = {}
        for key in page.keys:
            level = max(Level.STUDY, min(level_of(key.path[0].tag), page.level))
            by_level.setdefault(level, []).append(key)
        levels = sorted(by_level)
        self._headings = [_headings(by_level[level], page) for level in levels]
        self._unique = [(PathStep(UNIQUE_KEYS[level].tag),) for level in levels]
        self._last: tuple[Cells, ...] = ()

    def row(self, match: DataSet) -> tuple[Cells, ...]:
        shown = self.page.shown
        return tuple(
            Cells(
                text_at(match, unique),
                tuple(shown(readable_at(match, each.key.path)) for each in columns),
            )
            for unique, columns in zip(self._unique, self._headings, strict=True)
        )

    def lay_out(self, rows: Sequence[tuple[Cells, ...]]) -> tuple[Layout, ...]:
        width = self.page.width
        return tuple(
            lay_out(
                columns,
                [row[depth].texts for row in rows],
                None if width is None else width - depth * len(INDENT),
                self.page.mark,
            )
            for depth, columns in enumerate(self._headings)
        )

    def head(self, layout: tuple[Layout, ...]) -> list[str]:
        return [f"{INDENT * depth}{each.head()}" for depth, each in enumerate(layout)]

    def lines(self, layout: tuple[Layout, ...], row: tuple[Cells, ...]) -> list[str]:
        known = 0
        while known < len(row) - 1 and self._last[known : known + 1] == row[known : known + 1]:
            known += 1
        self._last = row
        return [
            f"{INDENT * depth}{line}"
            for depth in range(known, len(row))
            for line in layout[depth].lines(row[depth].texts)
        ]

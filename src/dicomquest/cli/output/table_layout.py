"""The layout of a table: the columns that fit a width, how wide each is, and its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dicomquest.cli.output.cells import cut, pad, width_of
from dicomquest.cli.output.headings import UID_PLACE, Cut, Heading

GAP = "  "
LEAST_TEXT = 8
"""Cells below which a text says nothing."""
GOOD = {Cut.TEXT: 32, Cut.NAME: 24}
"""Cells that a text or a name gets before a further column comes."""
WIDEST_FAMILY = 30
NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its place among all cells of a row, and its widths in cells."""

    heading: Heading
    number: int
    least: int
    good: int
    full: int
    width: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are shown; ``width`` is None where lines may have any length."""

    columns: tuple[Column, ...]
    left_out: tuple[Heading, ...]
    width: int | None
    mark: str

    def head(self) -> str:
        """Return the line of headings."""
        return self._join(
            pad(column.heading.short, column.width, right=column.heading.is_number)
            for column in self.columns
        )

    def lines(self, cells: Sequence[str]) -> list[str]:
        """Return the line of a row; a whole value beyond its column may need a further line."""
        texts = [cells[column.number] for column in self.columns]
        if self.width is None:
            widths = [
                max(column.width, width_of(text))
                for text, column in zip(texts, self.columns, strict=True)
            ]
            return [self._line(texts, widths)]
        if all(
            width_of(text) <= column.width or column.heading.cut is not Cut.NEVER
            for text, column in zip(texts, self.columns, strict=True)
        ):
            return [self._line(texts, [column.width for column in self.columns])]
        return self._crowded(texts, self.width)

    def _line(self, texts: Sequence[str], widths: Sequence[int]) -> str:
        return self._join(
            pad(
                cut(text, width, self.mark) if column.heading.cut is not Cut.NEVER else text,
                width,
                right=column.heading.is_number,
            )
            for text, width, column in zip(texts, widths, self.columns, strict=True)
        )

    def _join(self, cells: Iterable[str]) -> str:
        return GAP.join(cells).rstrip()

    def _crowded(self, texts: list[str], total: int) -> list[str]:
        """Give a value that is never cut the room of others in its row, else a line of its own."""
        widths = [column.width for column in self.columns]
        beyond: list[str] = []
        for number, column in enumerate(self.columns):
            needed = width_of(texts[number])
            if column.heading.cut is not Cut.NEVER or needed <= widths[number]:
                continue
            room = self._without_slack(texts, widths, number)
            excess = needed + sum(room) - room[number] + len(GAP) * (len(room) - 1) - total
            if excess <= 0:
                room[number] = needed
                widths = self._with_slack(room, widths, total)
            else:
                beyond.append(f"{GAP}{column.heading.full}  {texts[number]}")
                texts[number] = ""
        return [self._line(texts, widths), *beyond]

    def _without_slack(self, texts: list[str], widths: list[int], keep: int) -> list[int]:
        """Return the least widths that show the texts of a row well enough."""
        return [
            widths[number]
            if number == keep
            else min(
                widths[number],
                max(width_of(text), 1)
                if column.heading.cut is Cut.NEVER
                else min(width_of(text), column.least),
            )
            for number, (text, column) in enumerate(zip(texts, self.columns, strict=True))
        ]

    def _with_slack(self, room: list[int], wanted: list[int], total: int) -> list[int]:
        """Return the widths as close to the wanted ones, from the left, as the line has room."""
        spare = total - sum(room) - len(GAP) * (len(room) - 1)
        widths = []
        for least, width in zip(room, wanted, strict=True):
            more = max(0, min(spare, width - least))
            spare -= more
            widths.append(least + more)
        return widths


def lay_out(
    headings: Sequence[Heading], rows: Sequence[Sequence[str]], width: int | None, mark: str
) -> Layout:
    """Choose the columns for a width, as the first rows fill them; all of them for no width."""
    columns = [_column(number, heading, rows) for number, heading in enumerate(headings)]
    if width is None:
        return Layout(tuple(replace(each, width=each.full) for each in columns), (), None, mark)
    width = max(width, NARROWEST)
    columns = [
        each
        if each.heading.cut is Cut.NEVER
        else replace(each, least=min(each.least, width), good=min(each.good, width))
        for each in columns
    ]
    chosen = _chosen(columns, rows, width)
    left_out = tuple(
        sorted(
            (each.heading for each in columns if each.number not in chosen),
            key=lambda heading: (heading.place != UID_PLACE, heading.place),
        )
    )
    shown = [each for each in columns if each.number in chosen]
    spare = width - sum(each.least for each in shown) - len(GAP) * (len(shown) - 1)
    return Layout(tuple(_widened(shown, spare)), left_out, width, mark)


def _column(number: int, heading: Heading, rows: Sequence[Sequence[str]]) -> Column:
    head = width_of(heading.short)
    full = max([head, *(width_of(row[number]) for row in rows)])
    if heading.cut is Cut.NEVER:
        return Column(heading, number, full, full, full)
    least = LEAST_TEXT
    if heading.cut is Cut.NAME:
        families = [width_of(row[number].split("^")[0]) + 1 for row in rows]
        least = min(max([LEAST_TEXT, *families]), WIDEST_FAMILY)
    least = min(max(head, least), full)
    return Column(heading, number, least, min(full, max(least, GOOD[heading.cut])), full)


def _chosen(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> set[int]:
    """Return the numbers of the columns that fit, taken in the order of their places."""

    def place(column: Column) -> int:
        return column.heading.place_if(empty=not any(row[column.number] for row in rows))

    chosen: set[int] = set()
    used = -len(GAP)
    for column in sorted(columns, key=place):
        if used + len(GAP) + column.least <= width or not chosen:
            chosen.add(column.number)
            # All columns that the user asked for come before one of them is wide.
            used += len(GAP) + (column.good if column.heading.place else column.least)
    return chosen


def _widened(columns: Sequence[Column], spare: int) -> list[Column]:
    """Share the room that is left: first up to a good width, then up to the full one."""
    widths = [column.least for column in columns]
    for goal in ("good", "full"):
        for number, column in enumerate(columns):
            more = max(0, min(spare, getattr(column, goal) - widths[number]))
            widths[number] += more
            spare -= more
    return [replace(column, width=width) for column, width in zip(columns, widths, strict=True)]

"""The record format: an attribute a line, for narrow terminals and for few matches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicomquest.cli.output.cells import pad, width_of, wrapped
from dicomquest.cli.output.headings import headings
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.readable_values import readable_at

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

GAP = 3


def write_records(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write all columns of each match, one a line, with a blank line between matches."""
    columns = headings(page.keys, page.asked)
    margin = max(width_of(column.full) for column in columns) + GAP
    room = None if page.width is None else max(page.width - margin, GAP)
    before = "" if room is None else "\n"
    for match in matches:
        lines = []
        for column in columns:
            text = page.shown(readable_at(match, column.key.path, full=True))
            first, *more = [text] if room is None else wrapped(text, room)
            lines.append(f"{pad(column.full, margin)}{first}".rstrip())
            lines += [f"{' ' * margin}{line}" for line in more]
        page.write(before + "\n".join([*lines, ""]))
        before = "\n"
    if room is not None and before:
        page.write("\n")
    return ()

"""Formats for other programs: CSV (RFC 4180), JSON by keyword, the DICOM JSON Model (PS3.18 F)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.cli.output.headings import typed_heading
from dicomquest.cli.output.match_values import plain, text_at
from dicomquest.cli.output.page import Page
from dicomquest.escaping import escaped, escaped_json
from dicomquest.standard.keys import UNIQUE_KEYS

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key


class Dialect(NamedTuple):
    """A kind of CSV; ``mark`` is the byte order mark by which Excel knows UTF-8."""

    delimiter: str
    ending: str
    mark: str
    words: str


DIALECTS = {
    "unix": Dialect(",", "\n", "", "commas, LF"),
    "excel": Dialect(",", "\r\n", "\ufeff", "commas, CRLF, a mark of UTF-8"),
    "semicolon": Dialect(";", "\r\n", "\ufeff", "the same with semicolons"),
    "tab": Dialect("\t", "\n", "", "tabs, LF"),
}


FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""The beginnings of a cell that a spreadsheet may run as a formula."""


def columns_of(page: Page) -> list[Key]:
    """Return the keys in the order of columns: unique keys first, unless the user ordered them."""
    return list(page.keys) if page.is_ordered else in_order(page.keys)


def in_order(keys: Sequence[Key]) -> list[Key]:
    """Return keys with the UIDs of the entities first, top first."""
    places: dict[tuple[int, ...], int] = {
        (key.tag,): level for level, key in UNIQUE_KEYS.items() if key.keyword != "PatientID"
    }
    return sorted(
        keys, key=lambda key: places.get(tuple(step.tag for step in key.path), len(places) + 9)
    )


def write_csv(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write comma-separated values under a line of headings; a column per key."""
    dialect = DIALECTS[page.dialect]
    keys = columns_of(page)
    writer = csv.writer(page.out, delimiter=dialect.delimiter, lineterminator=dialect.ending)
    if not page.is_continued:
        page.out.write(dialect.mark)
        writer.writerow([typed_heading(key) for key in keys])
    for match in matches:
        writer.writerow([_cell(text_at(match, key.path), page) for key in keys])
        page.out.flush()
    return ()


def _cell(text: str, page: Page) -> str:
    """Return a value as a cell: harmless to a terminal, and on request to a spreadsheet."""
    if page.is_csv_safe and text.startswith(FORMULAS):
        text = f"'{text}"
    return escaped(text) if page.is_terminal else text


def write_json(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write an array of objects by keyword, with all attributes that the peer sent."""
    return _write_array((_json(plain(match)) for match in matches), page)


def write_jsonl(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write the same objects, one per line."""
    for match in matches:
        page.write(_json(plain(match)) + "\n")
    return ()


def write_dicom_json(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write an array in the DICOM JSON Model."""
    from dicomquest.dataset.elements import to_json

    return _write_array((_json(to_json(match)) for match in matches), page)


def _json(value: Any) -> str:
    return escaped_json(json.dumps(value, ensure_ascii=False))


def _write_array(objects: Iterable[str], page: Page) -> tuple[()]:
    before = "[\n"
    try:
        for text in objects:
            page.write(before + text)
            before = ",\n"
    finally:
        # Also after a failure, so that what came can be read.
        page.write("[]\n" if before == "[\n" else "\n]\n")
    return ()

"""The formats of ``dicomquest find``: one function each, which all but the table stream."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from dicomquest.cli.output_encoding import escaped
from dicomquest.standard.tags import (
    creator_tag,
    in_block,
    is_private,
    is_private_creator,
    without_block,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.identifier.key_arguments import Key, PathStep


def values_at(data_set: DataSet, path: Sequence[PathStep]) -> list[Any]:
    """Return the values of an attribute; those of all items where the path has sequences."""
    element = _element(data_set, path[0])
    if element is None:
        return []
    if len(path) == 1:
        return (
            [plain(value) for value in element.values]
            if element.vr == "SQ"
            else list(element.values)
        )
    return [
        value
        for item in element.values
        if element.vr == "SQ"
        for value in values_at(item, path[1:])
    ]


def _element(data_set: DataSet, step: PathStep) -> Element | None:
    if step.creator is None:
        return data_set.get(step.tag)
    group = step.tag & 0xFFFF0000
    for block in range(0x10, 0x100):  # a peer may reserve another block than we asked with
        if group | block in data_set and step.creator in data_set[group | block].values:
            return data_set.get(in_block(step.tag, block))
    return None


def text_at(data_set: DataSet, path: Sequence[PathStep]) -> str:
    """Return the values of an attribute as one text, with backslashes between them."""
    return "\\".join(_text(value) for value in values_at(data_set, path))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def plain(data_set: DataSet) -> dict[str, Any]:
    """Return an object by keyword: text as sent, null for no value, a list for several."""
    return {
        _name(data_set, tag): _plain_value(element)
        for tag, element in data_set.items()
        if not is_private_creator(tag)
    }


def _name(data_set: DataSet, tag: int) -> str:
    from dicomquest.query.identifier.key_arguments import PathStep, label

    creator = data_set.get(creator_tag(tag)) if is_private(tag) else None
    if creator is not None and creator.values:
        return label(PathStep(without_block(tag), creator.values[0], any_block=True))
    return label(PathStep(tag))


def _plain_value(element: Element) -> Any:
    if element.vr == "SQ":
        return [plain(item) for item in element.values]
    values = [value if isinstance(value, int | float) else _text(value) for value in element.values]
    return values if len(values) > 1 else values[0] if values else None


def write_table(matches: Iterable[DataSet], keys: Sequence[Key], out: TextIO) -> None:
    """Write a table for a person: a column per key; in a pipe its rows are as wide as they need."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for key in keys:
        table.add_column(_heading(key), overflow="fold")
    for match in matches:
        # A control character from a peer must not steer the terminal.
        texts = (_printable(text_at(match, key.path)) for key in keys)
        table.add_row(*(escaped(text, out.encoding) for text in texts))
    if table.row_count:
        Console(
            file=out,
            width=None if out.isatty() else 10_000,
            highlight=False,
            markup=False,
            emoji=False,
        ).print(table)


def _heading(key: Key) -> str:
    from dicomquest.query.identifier.key_arguments import label

    return ".".join(label(step) for step in key.path)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def write_json(
    matches: Iterable[DataSet],
    keys: Sequence[Key],  # noqa: ARG001
    out: TextIO,
) -> None:
    """Write an array of objects by keyword, with all attributes that the peer sent."""
    _write_array((json.dumps(plain(match), ensure_ascii=False) for match in matches), out)


def write_jsonl(
    matches: Iterable[DataSet],
    keys: Sequence[Key],  # noqa: ARG001
    out: TextIO,
) -> None:
    """Write the same objects, one per line."""
    for match in matches:
        out.write(json.dumps(plain(match), ensure_ascii=False) + "\n")
        out.flush()


def write_dicom_json(
    matches: Iterable[DataSet],
    keys: Sequence[Key],  # noqa: ARG001
    out: TextIO,
) -> None:
    """Write an array in the DICOM JSON Model (PS3.18 F)."""
    from dicomquest.dataset.elements import to_json

    _write_array((json.dumps(to_json(match), ensure_ascii=False) for match in matches), out)


def _write_array(objects: Iterable[str], out: TextIO) -> None:
    before = "[\n"
    for text in objects:
        out.write(before + text)
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def write_csv(matches: Iterable[DataSet], keys: Sequence[Key], out: TextIO) -> None:
    """Write comma-separated values (RFC 4180) under a line of headings; a column per key."""
    writer = csv.writer(out)
    writer.writerow([_heading(key) for key in keys])
    for match in matches:
        writer.writerow([text_at(match, key.path) for key in keys])


class Format(NamedTuple):
    """One way to print matches."""

    write: Callable[[Iterable[DataSet], Sequence[Key], TextIO], None]
    words: str


FORMATS = {
    "table": Format(write_table, "a table for a person"),
    "json": Format(write_json, "an array of objects by keyword"),
    "jsonl": Format(write_jsonl, "such an object per line, as they come"),
    "csv": Format(write_csv, "comma-separated values under headings"),
    "dicom-json": Format(write_dicom_json, "the DICOM JSON Model (PS3.18 F)"),
}

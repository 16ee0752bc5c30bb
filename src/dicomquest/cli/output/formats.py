"""The formats of ``dicomquest find``: one function each, which streams where the format can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import click

from dicomquest.cli.output.columnar_formats import write_arrow, write_parquet
from dicomquest.cli.output.file_formats import write_files, write_xml
from dicomquest.cli.output.headings import Heading
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.record_writer import write_records
from dicomquest.cli.output.table_writer import write_table
from dicomquest.cli.output.text_formats import (
    write_csv,
    write_dicom_json,
    write_json,
    write_jsonl,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet


class Format(NamedTuple):
    """One way to write matches, and the endings of files that stand for it.

    ``write`` returns the columns that did not fit.
    """

    write: Callable[[Iterable[DataSet], Page], tuple[Heading, ...]]
    endings: tuple[str, ...] = ()
    is_binary: bool = False
    is_for_people: bool = False


FORMATS = {
    "table": Format(write_table, (".txt",), is_for_people=True),
    "record": Format(write_records, is_for_people=True),
    "csv": Format(write_csv, (".csv",)),
    "json": Format(write_json, (".json",)),
    "jsonl": Format(write_jsonl, (".jsonl", ".ndjson")),
    "dicom-json": Format(write_dicom_json, (".dicom.json", ".dcm.json")),
    "xml": Format(write_xml, (".xml",)),
    "parquet": Format(write_parquet, (".parquet",), is_binary=True),
    "arrow": Format(write_arrow, (".arrow", ".feather"), is_binary=True),
    "dcm": Format(write_files, ("/",)),
}


def format_of(name: str | None, output: str | None) -> str:
    """Return the name of the format, as named or by the ending of the output file."""
    if name is not None or output is None:
        return name or "table"
    endings = sorted(
        ((ending, each) for each, row in FORMATS.items() for ending in row.endings),
        key=lambda row: -len(row[0]),
    )
    for ending, each in endings:
        if output.lower().endswith(ending):
            return each
    known = ", ".join(ending for _, row in FORMATS.items() for ending in row.endings)
    raise click.UsageError(
        f"-o {output}: the ending names no format. Endings are {known}; or name one by --format"
    )

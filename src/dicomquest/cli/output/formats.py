"""The formats of ``dicomquest find``: one function each, which streams where the format can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

import click

if TYPE_CHECKING:
    from dicomquest.cli.output.headings import Heading
    from dicomquest.cli.output.page import Page
    from dicomquest.dataset.elements import DataSet

    Writer = Callable[[Iterable[DataSet], Page], tuple[Heading, ...]]


class Format(NamedTuple):
    """One way to write matches, and the endings of files that stand for it.

    ``module`` has the function ``writer``, so that ``--help`` imports none of them.
    """

    module: str
    writer: str
    endings: tuple[str, ...] = ()
    is_binary: bool = False
    is_for_people: bool = False

    @property
    def write(self) -> Writer:
        """The function that writes matches, and returns the columns that did not fit."""
        module = import_module(f"dicomquest.cli.output.{self.module}")
        return cast("Writer", getattr(module, self.writer))


FORMATS = {
    "table": Format("table_writer", "write_table", (".txt",), is_for_people=True),
    "record": Format("record_writer", "write_records", is_for_people=True),
    "tree": Format("tree_writer", "write_tree", is_for_people=True),
    "csv": Format("text_formats", "write_csv", (".csv",)),
    "json": Format("text_formats", "write_json", (".json",)),
    "jsonl": Format("text_formats", "write_jsonl", (".jsonl", ".ndjson")),
    "dicom-json": Format("text_formats", "write_dicom_json", (".dicom.json", ".dcm.json")),
    "xml": Format("file_formats", "write_xml", (".xml",)),
    "parquet": Format("columnar_formats", "write_parquet", (".parquet",), is_binary=True),
    "arrow": Format("columnar_formats", "write_arrow", (".arrow", ".feather"), is_binary=True),
    "dcm": Format("file_formats", "write_files", ("/",)),
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

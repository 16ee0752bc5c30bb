"""The options of ``dicomquest find`` about its output."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.output.formats import FORMATS
from dicomquest.cli.output.text_formats import DIALECTS
from dicomquest.cli.shared_options import setting


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """The way matches are shown; each field is an option."""

    format: str | None = setting(
        None,
        f"{', '.join(FORMATS)}.  [table]",
        short=("-f",),
        type=click.Choice(list(FORMATS)),
        metavar="NAME",
    )
    output: str | None = setting(
        None,
        "Write to FILE; its ending picks the format. FOLDER/ gets a DICOM file per match.",
        short=("-o",),
        metavar="FILE",
    )
    columns: str | None = setting(
        None, "Show these attributes in this order, and ask for them.", metavar="KEY,..."
    )
    sort: str | None = setting(
        None, "Sort by these, -KEY downwards; waits for all matches.", metavar="KEY,..."
    )
    unique: bool = setting(False, "Show rows that are alike once.", is_flag=True)
    count: bool = setting(False, "Print only the number of matches.", is_flag=True)
    limit: int | None = setting(
        None, "Stop after N rows, and cancel the query.", type=click.IntRange(1), metavar="N"
    )
    csv_dialect: str = setting(
        "unix",
        "; ".join(f"{name}: {each.words}" for name, each in DIALECTS.items()) + ".",
        type=click.Choice(list(DIALECTS)),
        metavar="NAME",
    )
    csv_safe: bool = setting(
        False,
        "Put ' before cells of CSV that a spreadsheet may run as a formula (= + - @).",
        is_flag=True,
    )

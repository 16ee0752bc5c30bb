"""``dicomquest show``: the header of a file, or of a stored instance, as text (PS3.10 7)."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, index_failures, say
from dicomquest.cli.shared_options import index_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.header_lines import HeaderLine

_UID = re.compile(r"[0-2](?:\.\d+)+")
_NAME_WIDTH = 36


@click.command(cls=PageCommand)
@click.argument("what", metavar="FILE|UID")
@index_option
@click.option("--full", is_flag=True, help="Cut no value at the terminal's width.")
def show(what: str, location: str, *, full: bool) -> None:
    """Print the header of a DICOM file, or of a stored instance by its SOP Instance UID.

    \b
      dicomquest show image.dcm
      dicomquest show 1.2.840.113619.2.5.1762583153.215519.978957063.80
      dicomquest show --index scans.sqlite 1.2.3.4.5 --full

    Items stand below their sequence, further in; the pixel data is not read. In a pipe no value is
    cut.

    The exit status is 0 if the header was printed, 1 if there is no such file or instance, or it
    is no DICOM file, 2 if the command line is wrong.
    """  # noqa: D301
    from dicomquest.dataset.header_lines import header_lines
    from dicomquest.errors import StoredInstanceError
    from dicomquest.store.stored_header import read_stored_header

    path = _path(what, location)
    try:
        data_set = read_stored_header(path)
    except StoredInstanceError as error:
        raise give_up(
            f"{error}\n  `dicomquest show` reads DICOM files: name another one."
        ) from error
    width = 0 if full or not sys.stdout.isatty() else shutil.get_terminal_size().columns
    number = 0
    for line in _texts(header_lines(data_set), width):
        number += 1
        click.echo(line)
    say(f"{number:,} lines of {click.format_filename(path)}; the pixel data is not shown")


def _path(what: str, location: str) -> str:
    if Path(what).exists() or not _UID.fullmatch(what):
        return what
    from dicomquest.index import Index

    with index_failures("nothing was changed"), Index(location, create=False) as index:
        found = index.files([what]).get(what)
    if found is None or not found.paths:
        raise give_up(
            f"the index {location} has no instance with the SOP Instance UID {what}.\n"
            "  `dicomquest find -L IMAGE` lists those it has."
        )
    return found.paths[0]


def _texts(lines: Iterator[HeaderLine], width: int) -> Iterator[str]:
    from dicomquest.cli.output.cells import cut, width_of
    from dicomquest.escaping import escaped

    for line in lines:
        indent = "  " * line.depth
        room = max(_NAME_WIDTH - len(indent), 8)
        name = cut(line.name, room, "…")
        pad = " " * max(room - width_of(name), 0)
        text = f"{indent}{line.tag:<11}  {line.vr:<2}  {name}{pad}  {line.value}"
        text = escaped(text.rstrip())
        yield cut(text, width, "…") if width else text

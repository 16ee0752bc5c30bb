"""``dicomquest copy-index``: move an index from one database into another."""

from __future__ import annotations

import sys
from contextlib import closing as _closing
from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import number_of
from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import index_failures, say
from dicomquest.cli.shared_options import partitions_option

if TYPE_CHECKING:
    from dicomquest.index.upkeep.copying import CopyReport


@click.command(cls=PageCommand)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@partitions_option
@umask_option
def copy(source: str, target: str, *, partitions: int | None, umask: str) -> None:
    """Copy the index FROM into the empty database TO; each is a path or a PostgreSQL URL.

    The copy is that of one moment, and is compared row by row with its source; a server may go on
    with FROM. After Ctrl-C or a failure, the same command goes on where it was. Until the copy is
    whole, no other command opens TO.

    \b
      dicomquest copy-index dicomquest.sqlite postgresql://dicom@db.example/dicom
      dicomquest copy-index postgresql://dicom@db.example/dicom backup.sqlite

    The exit status is 0 if the copy is whole and equal, 1 if not, 2 if the command line is wrong,
    130 after Ctrl-C.
    """  # noqa: D301
    with new_files_without(umask):
        run(source, target, partitions or 0)


def run(source: str, target: str, partitions: int = 0) -> None:
    """Copy; raise click's Exit if that fails."""
    from dicomquest.index.database.pool import Database
    from dicomquest.index.upkeep.copying import copy_index

    with (
        index_failures("run the same command again, and it goes on"),
        _closing(Database(source, create=False)) as reading,
        _closing(Database(target, may_be_unfinished=True, partitions=partitions)) as writing,
    ):
        report = copy_index(reading, writing, _progress)
    _print(report)


def _progress(table: str, count: int) -> None:
    """Rewrite the line that says how far the copy is; only on a terminal."""
    stream = sys.stderr
    if stream.isatty():
        stream.write(f"\r{table}: {count:,} rows\x1b[K")
        stream.flush()


def _print(report: CopyReport) -> None:
    stream = sys.stderr
    if stream.isatty():
        stream.write("\r\x1b[K")
    for each in report.tables:
        click.echo(f"{each.table:<15} {each.target_rows:>13,} rows, equal")
    rows = sum(each.target_rows for each in report.tables)
    again = "; an earlier copy had begun it" if report.was_resumed else ""
    say(f"copied {number_of(rows, 'row')}, all equal to their source{again}")

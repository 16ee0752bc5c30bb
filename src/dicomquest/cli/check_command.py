"""``dicomquest check``: whether the index is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import counted_each, counted_files, number_of
from dicomquest.cli.peer import INTERRUPTED, give_up, say
from dicomquest.cli.shared_options import index_option
from dicomquest.errors import IndexDatabaseError

if TYPE_CHECKING:
    from dicomquest.index.upkeep.check import CheckReport
    from dicomquest.index.upkeep.check_files import FilesReport


@click.command(short_help="Check that the index is right, and repair it.")
@index_option
@click.option("--repair", is_flag=True, help="Write anew what is wrong.")
@click.option(
    "--files", is_flag=True, help="Check, too, that each file that was read is there and unchanged."
)
def check(location: str, *, repair: bool, files: bool) -> None:
    """Compare all that the index computes with what it is computed of: counts, search forms, modalities in study.

    The exit status is 1 if something is wrong and was not repaired. Files that are gone or have changed are only
    reported: `dicomquest index --prune` brings the index into step with them.

    \b
      dicomquest check
      dicomquest check --index /srv/dicom.sqlite --files
      dicomquest check --repair
    """  # noqa: D301
    run(location, repair=repair, files=files)


def run(location: str, *, repair: bool, files: bool) -> None:
    """Check; raise click's Exit if something is wrong and stays so."""
    from dicomquest.index import Index

    try:
        with Index(location, create=False) as index:
            report = index.check(repair=repair)
            files_report = index.check_files() if files else None
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error
    except KeyboardInterrupt:
        raise give_up("interrupted; nothing was changed", INTERRUPTED) from None
    _print(report, repaired=repair)
    if files_report is not None:
        _print_files(files_report)
    wrong = 0 if repair else report.differences
    if wrong or (files_report is not None and files_report.differences):
        hints = ["--repair writes anew what is wrong"] if wrong else []
        if files_report is not None and files_report.differences:
            hints.append("`dicomquest index --prune` brings the index into step with the files")
        raise give_up("the index is not right: " + "; ".join(hints))


def _print(report: CheckReport, *, repaired: bool) -> None:
    for example in report.examples:
        click.echo(f"wrong: {example}")
    more = report.differences - len(report.examples)
    if more:
        click.echo(f"wrong: {more} more")
    ending = ", all repaired" if repaired and report.differences else ""
    say(
        f"checked {counted_each(dict(sorted(report.checked.items())))}: {report.differences or 'nothing'} wrong{ending}"
    )


def _print_files(report: FilesReport) -> None:
    for path, trouble, detail in report.examples:
        click.echo(
            f"{click.format_filename(path)}: {trouble.value}" + (f" ({detail})" if detail else "")
        )
    more = report.differences - len(report.examples)
    if more:
        click.echo(number_of(more, "more file"))
    say(f"checked {counted_files(report.checked)}: {report.differences or 'nothing'} wrong")

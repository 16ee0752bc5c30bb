"""``dicomquest check``: compare the index with what it was made from, and repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import counted_each, counted_files, number_of
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, index_failures, say
from dicomquest.cli.shared_options import index_option

if TYPE_CHECKING:
    from dicomquest.index.upkeep.check import CheckReport
    from dicomquest.index.upkeep.check_files import FilesReport


@click.command(cls=PageCommand)
@index_option
@click.option("--repair", is_flag=True, help="Rewrite the wrong values.")
@click.option(
    "--files", is_flag=True, help="Check also that each indexed file is there and unchanged."
)
def check(location: str, *, repair: bool, files: bool) -> None:
    """Recompute all that the index derives (counts, search forms, modalities) and compare.

    The command prints each difference by table and row, without patient data. It only reports files
    that are gone or have changed: `dicomquest index --prune` brings the index into step with them.

    \b
      dicomquest check
      dicomquest check --index /srv/dicom.sqlite --files
      dicomquest check --repair

    The exit status is 0 if all is right or was repaired, 1 if something is wrong and stays wrong,
    2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(location, repair=repair, files=files)


def run(location: str, *, repair: bool, files: bool) -> None:
    """Check; raise click's Exit if something is wrong and stays so."""
    from dicomquest.index import Index

    # Each transaction of a repair is whole, so nothing half done is left.
    interrupted = "what is repaired stays" if repair else "nothing was changed"
    with index_failures(interrupted), Index(location, create=False) as index:
        report = index.check(repair=repair)
        files_report = index.check_files() if files else None
    _print(report, repaired=repair)
    hints = []
    if report.differences and not repair:
        hints.append("--repair rewrites the wrong values")
    if files_report is not None:
        _print_files(files_report)
        if files_report.differences:
            hints.append("`dicomquest index --prune PATH...` brings the index into step with files")
    if hints:
        raise give_up(f"the index is not right: {'; '.join(hints)}")


def _print(report: CheckReport, *, repaired: bool) -> None:
    for example in report.examples:
        click.echo(f"wrong: {example}")
    more = report.differences - len(report.examples)
    if more:
        click.echo(f"wrong: {more:,} more")
    ending = ", all repaired" if repaired and report.differences else ""
    checked = counted_each(dict(sorted(report.checked.items())))
    if report.objects:
        checked += f", {number_of(report.objects, 'object')} without a patient"
    say(f"checked {checked}: {_amount(report.differences)} wrong{ending}")


def _print_files(report: FilesReport) -> None:
    for path, trouble, detail in report.examples:
        reason = f" ({detail})" if detail else ""
        click.echo(f"{click.format_filename(path)}: {trouble.value}{reason}")
    more = report.differences - len(report.examples)
    if more:
        click.echo(number_of(more, "more file"))
    say(f"checked {counted_files(report.checked)}: {_amount(report.differences)} wrong")


def _amount(differences: int) -> str:
    return f"{differences:,}" if differences else "nothing"

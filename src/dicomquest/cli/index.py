"""``dicomquest index``: read the headers of DICOM files into the index."""

from __future__ import annotations

import click

from dicomquest.cli.options import index_option, utc_offset


@click.command(short_help="Read DICOM files into the index.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True))
@index_option
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="How many processes read; one a core if not given.")
@click.option(
    "--timezone",
    type=utc_offset,
    metavar="OFFSET",
    help="The zone of dates and times that name none, as +HHMM or -HHMM; a new index keeps it, +0000 if not given.",
)
@click.option("-q", "--quiet", is_flag=True, help="Neither the progress bar nor the files that are skipped.")
def index(paths: tuple[str, ...], location: str, jobs: int | None, timezone: int | None, *, quiet: bool) -> None:
    """Read the headers of all DICOM files at or below each PATH into the index.

    Files are known by their content, not by their name. What is there already is brought up to date, so a run that was
    interrupted is simply started again. What is skipped is reported with the reason, at the end stands a summary.

    \b
      dicomquest index /data/dicom
      dicomquest index --index /srv/dicom.sqlite --jobs 4 /data/ct /data/mr
    """  # noqa: D301
    from dicomquest.cli.index_app import run

    run(paths, location, jobs=jobs, timezone=timezone, quiet=quiet)

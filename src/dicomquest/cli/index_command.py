"""``dicomquest index``: read the headers of DICOM files into the index."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.shared_options import index_option, utc_offset


@click.command(short_help="Read DICOM files into the index.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@index_option
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="How many processes read; one a core if not given.",
)
@click.option(
    "--timezone",
    type=utc_offset,
    metavar="OFFSET",
    help="The zone of dates and times that name none, as +HHMM or -HHMM; a new index keeps it, +0000 if not given.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Then remove what is in the index of files below PATH that are gone.",
)
@click.option(
    "--prune-empty",
    is_flag=True,
    help="Prune a PATH, too, that is missing or has no file: a share may be unmounted.",
)
@click.option(
    "-q", "--quiet", is_flag=True, help="Neither the progress bar nor the files that are skipped."
)
def index(paths: tuple[str, ...], **values: Any) -> None:
    """Read the headers of all DICOM files at or below each PATH into the index.

    Files are known by their content, not by their name. What is there already is brought up to date, so a run that was
    interrupted is simply started again. What is skipped is reported with the reason, at the end stands a summary.
    With --prune, instances whose last file is gone leave the index.

    \b
      dicomquest index /data/dicom
      dicomquest index --index /srv/dicom.sqlite --jobs 4 /data/ct /data/mr
      dicomquest index --prune /data/dicom
    """  # noqa: D301
    from dicomquest.cli.index_app import IndexSettings, run

    run(IndexSettings(paths, **values))

"""``dicomquest watch``: keep the index in step with folders."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.shared_options import index_option, utc_offset


@click.command(short_help="Keep the index in step with folders.")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="PATH...",
    type=click.Path(exists=True, file_okay=False),
)
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
    "--poll", is_flag=True, help="Compare listings instead of waiting for notices: network shares give none of what "
    "other machines do."
)  # fmt: skip
@click.option(
    "--rescan",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="MINUTES",
    help="How often to look at everything, in case a notice was lost; 0 is never.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["error", "warning", "info", "debug"], case_sensitive=False),
    help="What to log, on standard error; debug names files.",
)
def watch(paths: tuple[str, ...], **values: Any) -> None:
    """Keep the index in step with each folder PATH, until SIGINT or SIGTERM.

    First everything is indexed and pruned as by `dicomquest index --prune`; then files that appear or change are
    indexed, and instances whose last file goes are removed. A file that cannot be read yet is tried again. What was
    below a PATH that is gone as a whole stays until it is back: it may be a share that is not mounted.

    \b
      dicomquest watch /data/dicom
      dicomquest watch --index /srv/dicom.sqlite --poll --rescan 10 /mnt/ct /mnt/mr
    """  # noqa: D301
    from dicomquest.cli.watch_app import WatchSettings, run

    run(WatchSettings(paths, **values))

"""``dicomquest watch``: keep the index in step with folders."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from dicomquest.cli.counting import counted_each
from dicomquest.cli.peer import give_up
from dicomquest.cli.shared_options import LOG_LEVEL, index_option, utc_offset
from dicomquest.errors import IndexDatabaseError


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """The command line of ``dicomquest watch``; ``rescan`` is in minutes."""

    paths: tuple[str, ...]
    location: str
    jobs: int | None
    timezone: int | None
    poll: bool
    rescan: float
    log_level: str


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
    type=LOG_LEVEL,
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
    run(WatchSettings(paths, **values))


def run(settings: WatchSettings) -> None:
    """Follow until SIGINT or SIGTERM; raise click's Exit if that is not possible."""
    import threading

    from dicomquest.cli.index_command import open_index
    from dicomquest.cli.log_output import log_to_stderr
    from dicomquest.cli.watch_loop import LOGGER, StoppedError, WatchLoop, told_to_end

    log_to_stderr(settings.log_level)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise StoppedError

    try:
        with told_to_end(stop), open_index(settings.location, settings.timezone) as index:
            follower = index.follow(
                settings.paths, jobs=settings.jobs or os.cpu_count() or 1, check=check
            )
            with suppress(StoppedError):
                WatchLoop(follower, stop, poll=settings.poll, rescan=settings.rescan).run()
            total = follower.total
            LOGGER.info(
                "ended: %d indexed, %d replaced, %d removed; the index has %s",
                total.indexed, total.replaced, total.removed, counted_each(index.counts()),
            )  # fmt: skip
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error

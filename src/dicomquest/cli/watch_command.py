"""``dicomquest watch``: keep the index in step with folders."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from dicomquest.cli.counting import counted_each
from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import index_failure
from dicomquest.cli.shared_options import LOG_LEVEL, index_option, jobs_option, timezone_option
from dicomquest.errors import IndexDatabaseError


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """The command line of ``dicomquest watch``; ``rescan`` is in minutes."""

    paths: tuple[str, ...]
    location: str
    jobs: int | None
    timezone: int | None
    umask: str
    poll: bool
    rescan: float
    log_level: str


@click.command(cls=PageCommand)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="PATH...",
    type=click.Path(exists=True, file_okay=False),
)
@index_option
@jobs_option
@timezone_option
@umask_option
@click.option(
    "--poll",
    is_flag=True,
    help="List the folders every second instead of waiting for notices of the system, which gives "
    "none of changes that other machines make on a network share.",
)
@click.option(
    "--rescan",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="MINUTES",
    help="Look at all files again after so many minutes, in case a notice was lost; 0 is never.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=LOG_LEVEL,
    help="Log messages of this level and above on standard error; debug names files.",
)
def watch(paths: tuple[str, ...], **values: Any) -> None:
    """Keep the index in step with each folder PATH, until SIGINT or SIGTERM.

    The command first does the work of `dicomquest index --prune`. Then it indexes files that appear
    or change, and removes instances when their last file goes. It tries a file again that it cannot
    read yet. If a whole PATH goes, its instances stay in the index: the share may be unmounted.

    \b
      dicomquest watch /data/dicom
      dicomquest watch --index /srv/dicom.sqlite --poll --rescan 10 /mnt/ct /mnt/mr

    The exit status is 0 after SIGINT or SIGTERM, 1 if the index or the watching fails, 2 if the
    command line is wrong.
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
    folders = ", ".join(map(click.format_filename, settings.paths))

    def check() -> None:
        if stop.is_set():
            raise StoppedError

    try:
        with (
            new_files_without(settings.umask),
            told_to_end(stop),
            open_index(settings.location, settings.timezone) as index,
        ):
            LOGGER.info("reading %s, then watching; SIGINT or SIGTERM ends it", folders)
            follower = index.follow(
                settings.paths, jobs=settings.jobs or os.cpu_count() or 1, check=check
            )
            with suppress(StoppedError):
                WatchLoop(
                    follower, stop, index.renew, poll=settings.poll, rescan=settings.rescan
                ).run()
            total = follower.total
            LOGGER.info(
                "ended: %d indexed, %d replaced, %d removed; the index has %s",
                total.indexed,
                total.replaced,
                total.removed,
                counted_each(index.counts()),
            )
    except IndexDatabaseError as error:
        raise index_failure(error) from error

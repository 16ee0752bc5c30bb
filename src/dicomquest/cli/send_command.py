"""``dicomquest send``: send DICOM files to a peer (C-STORE, PS3.4 B)."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from time import monotonic
from typing import Any

import click

from dicomquest.cli.counting import counted, counted_files
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import INTERRUPTED, give_up, say
from dicomquest.cli.named_peers import PeerArgument
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.standard.levels import Level

FIRST = 100
"""Files after which the command asks the peer for an association: they are read in no time."""


@click.command(cls=PageCommand)
@click.argument(
    "paths",
    cls=PeerArgument,
    nargs=-1,
    required=True,
    metavar="PATH...",
    type=click.Path(exists=True),
)
@click.argument("host", metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
    help="Send over N associations at the same time.",
)  # fmt: skip
@click.option(
    "-q", "--quiet", is_flag=True, help="Print failures and warnings only; no progress bar."
)
@options_of(PeerSettings)
def send(
    paths: tuple[str, ...], host: str, port: int, jobs: int, *, quiet: bool, **values: Any
) -> None:
    """Send all DICOM files at or below each PATH to HOST and PORT, or a named PEER (C-STORE).

    The command sends each file as it is, in its own transfer syntax; an uncompressed one changes
    between explicit and implicit VR if the peer takes only the other. It names the files that it
    skips as not DICOM or truncated, the failures with their status, and ends with a summary.

    \b
      dicomquest send /data/ct pacs 11112
      dicomquest send --jobs 4 --aec ARCHIVE --aet LAB /data/ct /data/mr pacs 104

    The exit status is 0 if the peer took all files, 1 if it did not, 2 if the command line is
    wrong, 130 after Ctrl-C.
    """  # noqa: D301
    try:
        run(paths, host, port, PeerSettings(**values), jobs=jobs, quiet=quiet)
    except KeyboardInterrupt:
        raise give_up(
            "interrupted; the peer has stored the files that it answered", INTERRUPTED
        ) from None


def run(
    paths: Sequence[str], host: str, port: int, settings: PeerSettings, *, jobs: int, quiet: bool
) -> None:
    """Send the files; raise click's Exit unless the peer has taken all of them."""
    from dicomquest.cli.send_queue import Outcome, Way, groups, look_at, refusal, send_group

    # pydicom warns of odd values when it changes their form; we send them as they are.
    warnings.simplefilter("ignore")
    started = monotonic()
    outcome = Outcome()
    way = Way(host, port, settings)
    settings.tell_if_readable(host)
    found = look_at(paths, outcome, quiet=quiet)
    files = list(islice(found, FIRST))
    # To read many files takes minutes, so the peer is asked first whether it takes any.
    if len(files) == FIRST and (reason := refusal(files[0], way)):
        raise give_up(reason)
    files += found
    if not files:
        raise give_up("there is no DICOM file to send")
    with _progress_bar(len(files), shown=not quiet and sys.stderr.isatty()) as advance:
        for group in groups(files):
            send_group(group, way, outcome, advance, jobs)
    if not quiet or outcome.failed:
        seconds = monotonic() - started
        warned = f", {outcome.warned:,} of them with a warning" if outcome.warned else ""
        say(
            f"{counted(outcome.sent, Level.IMAGE)} sent in {seconds:.1f} s"
            f"{_rate(outcome.size, seconds)}{warned}, "
            f"{outcome.failed:,} failed, {counted_files(outcome.skipped)} skipped"
        )
    if outcome.unreachable:
        raise give_up(outcome.unreachable)
    if outcome.failed:
        raise click.exceptions.Exit(1)


def _rate(size: int, seconds: float) -> str:
    """Write the bytes a second, in the unit that shows a number; nothing if no byte was sent."""
    kilobytes = size / 1e3 / max(seconds, 1e-3)
    if not size:
        return ""
    return f" ({kilobytes / 1e3:.1f} MB/s)" if kilobytes >= 1e3 else f" ({kilobytes:.1f} kB/s)"


@contextmanager
def _progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error; the yielded function moves it on by one."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("instances"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("send", total=total)
        yield lambda: bar.advance(task)

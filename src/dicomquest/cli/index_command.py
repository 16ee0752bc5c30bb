"""``dicomquest index``: read the headers of DICOM files into the index."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.counting import counted, counted_each, counted_files, number_of
from dicomquest.cli.peer import INTERRUPTED, give_up, say
from dicomquest.cli.shared_options import index_option, utc_offset
from dicomquest.errors import IndexDatabaseError
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index import Index
    from dicomquest.index.ingest.files import Summary
    from dicomquest.index.upkeep.prune import Pruned


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The command line of ``dicomquest index``."""

    paths: tuple[str, ...]
    location: str
    jobs: int | None
    timezone: int | None
    prune: bool
    prune_empty: bool
    quiet: bool


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
    run(IndexSettings(paths, **values))


def run(settings: IndexSettings) -> None:
    """Index the files; raise click's Exit if the index fails."""
    started = monotonic()
    paths = _existing(settings)
    pruned = None
    try:
        with open_index(settings.location, settings.timezone) as index:
            is_shown = not settings.quiet and sys.stderr.isatty()
            with collecting_seldom(), progress_bar(paths, shown=is_shown) as progress:
                summary = index.ingest(
                    paths, jobs=settings.jobs or os.cpu_count() or 1, progress=progress
                )
            if settings.prune or settings.prune_empty:
                pruned = index.prune(settings.paths, even_empty=settings.prune_empty)
            counts = index.counts()
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error
    except KeyboardInterrupt:
        message = "interrupted; what is indexed stays, and the same command goes on from there"
        raise give_up(message, INTERRUPTED) from None
    if not settings.quiet:
        _report_skipped(summary)
    _report(summary, monotonic() - started)
    if pruned is not None:
        _report_pruned(pruned)
    say(f"the index has {counted_each(counts)}")
    if pruned is not None and pruned.refused:
        raise give_up("not all was pruned: --prune-empty says that the files are gone for good")


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Have the garbage collector look seldom while files are indexed."""
    from dicomquest.index.ingest.files import COLLECTED_AFTER

    usual = gc.get_threshold()
    gc.set_threshold(COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _existing(settings: IndexSettings) -> list[str]:
    """The paths to read; one that is missing is a wrong command line unless that is to be pruned."""
    missing = [path for path in settings.paths if not os.path.exists(path)]  # noqa: PTH110  bytes that are no text are a path, too
    if missing and not settings.prune_empty:
        hint = "; --prune-empty removes from the index what was below it" if settings.prune else ""
        raise click.UsageError(f"there is no {click.format_filename(missing[0])!r}{hint}")
    return [path for path in settings.paths if path not in missing]


def open_index(location: str, timezone: int | None = None) -> Index:
    """Open an index, or make it; UsageError if it has another zone than ``timezone``."""
    from dicomquest.index import Index

    index = Index(location, timezone_offset_minutes=timezone or 0)
    if timezone not in {None, index.timezone_offset_minutes}:
        kept = offset_text(index.timezone_offset_minutes)
        index.close()
        raise click.UsageError(f"--timezone: the index was made with {kept} and keeps it")
    return index


@contextmanager
def progress_bar(
    paths: Sequence[str], *, shown: bool
) -> Iterator[Callable[[Summary], None] | None]:
    """Show a bar on standard error; how many files there are is counted meanwhile, in a thread."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from dicomquest.index.ingest.files import walk

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("index", total=None)

        def count() -> None:
            bar.update(task, total=sum(1 for _ in walk(paths)))

        # rich's Progress has a lock of its own; a daemon, since nobody waits for the number when the work is done.
        threading.Thread(target=count, daemon=True).start()
        yield lambda summary: bar.update(task, completed=summary.files)


def _report_skipped(summary: Summary) -> None:
    for path, skipped in summary.examples:
        detail = f" ({skipped.detail})" if skipped.detail else ""
        say(f"skipped: {click.format_filename(path)}: {skipped.reason.value}{detail}")
    more = summary.skipped.total() - len(summary.examples)
    if more:
        say(f"skipped: {number_of(more, 'more file')}")


def _report(summary: Summary, seconds: float) -> None:
    reasons = ", ".join(
        f"{count} {reason.value}" for reason, count in summary.skipped.most_common()
    )
    say(
        f"{counted_files(summary.files)} in {seconds:.1f} s: {summary.indexed} indexed, {summary.replaced} replaced, "
        f"{summary.unchanged} unchanged, {summary.skipped.total()} skipped"
        + (f" ({reasons})" if reasons else "")
    )
    if summary.removed:
        say(f"removed {counted(summary.removed, Level.IMAGE)} whose files have others now")


def _report_pruned(pruned: Pruned) -> None:
    for path, reason in pruned.refused.items():
        say(f"not pruned: {click.format_filename(path)}: {reason}")
    say(f"{counted_files(pruned.gone)} gone: removed {counted_each(pruned.entities)}")


def offset_text(minutes: int) -> str:
    """Write an offset from UTC as +HHMM."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"

"""What ``dicomquest index`` does: files into the index, a progress bar meanwhile, a summary at the end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import counted_each
from dicomquest.cli.peer import give_up, say
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.ingest import walk
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index.ingest import Summary


def run(paths: Sequence[str], location: str, *, jobs: int | None, timezone: int | None, quiet: bool) -> None:
    """Index the files; raise click's Exit if the index fails."""
    started = monotonic()
    try:
        with Index(location, timezone_offset_minutes=timezone or 0) as index:
            if timezone not in {None, index.timezone_offset_minutes}:
                raise click.UsageError(
                    f"--timezone: the index was made with {offset_text(index.timezone_offset_minutes)} and keeps it"
                )
            with progress_bar(paths, shown=not quiet and sys.stderr.isatty()) as progress:
                summary = index.ingest(paths, jobs=jobs or os.cpu_count() or 1, progress=progress)
            counts = index.counts()
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error
    except KeyboardInterrupt:
        raise give_up("interrupted; what is indexed stays, and the same command goes on from there") from None
    if not quiet:
        _report_skipped(summary)
    _report(summary, counts, monotonic() - started)


@contextmanager
def progress_bar(paths: Sequence[str], *, shown: bool) -> Iterator[Callable[[Summary], None] | None]:
    """Show a bar on standard error; how many files there are is counted meanwhile, in a thread."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
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
        say(f"skipped: {more} more files")


def _report(summary: Summary, counts: dict[Level, int], seconds: float) -> None:
    reasons = ", ".join(f"{count} {reason.value}" for reason, count in summary.skipped.most_common())
    say(
        f"{summary.files} files in {seconds:.1f} s: {summary.indexed} indexed, {summary.replaced} replaced, "
        f"{summary.unchanged} unchanged, {summary.skipped.total()} skipped" + (f" ({reasons})" if reasons else "")
    )
    say(f"the index has {counted_each(counts)}")


def offset_text(minutes: int) -> str:
    """Write an offset from UTC as +HHMM."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"

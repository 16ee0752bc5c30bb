"""The bar on standard error while instances come: how many, how fast, how long still."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dicomquest.cli.retrieving.tally import Tally, size_in_words

if TYPE_CHECKING:
    from rich.progress import Task

_MINUTE = 60


@contextmanager
def progress_line(tally: Tally, *, has_size: bool, is_quiet: bool) -> Iterator[None]:
    """Show the bar while the block runs; on a terminal only."""
    if is_quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Figures(ProgressColumn):
        """The words beside the bar."""

        def render(self, task: Task) -> Text:  # noqa: ARG002
            return Text(figures(tally, has_size=has_size), no_wrap=True)

    class Counted(BarColumn):
        """The bar, as long as the instances that have come."""

        def __call__(self, task: Task) -> object:  # type: ignore[override]
            task.total = tally.expected or None
            task.completed = tally.arrived + tally.failed_count
            return super().__call__(task)

    console = Console(stderr=True)
    columns = (TextColumn("Fetching"), Counted(bar_width=12), Figures())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task("fetch", total=None)
        yield


def figures(tally: Tally, *, has_size: bool) -> str:
    """Return the counts: ``41 of 120 · 12.3 MB · 5.1 MB/s · 4 s left``."""
    if not tally.arrived and not tally.failed_count:
        return "waiting for the first instance"
    seconds = max(tally.seconds, 1e-3)
    rate = tally.arrived / seconds
    parts = [f"{tally.arrived:,} of {tally.expected:,}" if tally.expected else f"{tally.arrived:,}"]
    if tally.failed_count:
        parts.append(f"{tally.failed_count:,} failed")
    if has_size:
        parts += [size_in_words(tally.size), f"{size_in_words(tally.size / seconds)}/s"]
    else:
        parts.append(f"{rate:,.0f}/s")
    if tally.remaining and rate:
        parts.append(f"{time_in_words(max(tally.remaining / rate, 1))} left")
    return " · ".join(parts)


def time_in_words(seconds: float) -> str:
    """Write a duration roughly: ``4 s``, ``3 min``, ``2 h 5 min``."""
    if round(seconds) < _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

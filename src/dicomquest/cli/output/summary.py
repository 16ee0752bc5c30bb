"""The line after the matches, on standard error: how many, how long, and what is not shown."""

from __future__ import annotations

from collections.abc import Sequence

from dicomquest.cli.counting import counted
from dicomquest.cli.messages import say
from dicomquest.cli.output.cells import wrapped
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.show import Shown, is_for_people
from dicomquest.standard.levels import Level, Noun

WIDTH = 80
NAMED = 2
"""Columns that are named among those that are left out."""


def summarise(
    shown: Shown,
    level: Level | Noun,
    settings: OutputSettings,
    *,
    is_complete: bool,
    is_interrupted: bool,
) -> None:
    """Say what the output does not: nothing if it is for programs, and all is well."""
    if is_interrupted:
        say(f"Cancelled after {counted(shown.count, level)}: the list above is not all.")
        return
    if settings.count or not (is_for_people(settings) or shown.is_cut):
        return
    if not shown.count:
        if is_complete:
            say(f"No {level.entities}.")
        return
    words = f"{counted(shown.count, level)} in {_duration(shown.seconds)}"
    if settings.output is not None:
        words += f", written to {settings.output}"
    if shown.is_cut:
        words += f": --limit {settings.limit} cut the list, and the query was cancelled"
    if shown.left_out:
        words += f"\n{_left_out([each.full for each in shown.left_out])}"
    lines = [line for part in words.split("\n") for line in wrapped(part, WIDTH)]
    say("\n".join(lines).replace("\xa0", " "))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _left_out(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    if rest > 1:
        listed = f"{', '.join(names[:NAMED])} and {rest} more columns do"
    elif len(names) > 1:
        listed = f"{', '.join(names[:-1])} and {names[-1]} do"
    else:
        listed = f"{names[0]} does"
    return f"{listed} not fit: --columns, --format\xa0record, or -o\xa0FILE.csv"

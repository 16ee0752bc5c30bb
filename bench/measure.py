"""Runs in turn and medians: machines are noisy, so runs alternate, A B A B, and are compared."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def alternate(measures: Mapping[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Call each measure once uncounted, then all in turn ``runs`` times; the figures of each.

    A single run is that of a toy, whose figures mean nothing: it warms nothing up.
    """
    if runs > 1:
        for measure in measures.values():
            measure()
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(runs):
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def median(figures: list[float]) -> float:
    return statistics.median(figures)


def percentile(figures: list[float], share: float) -> float:
    """The figure that ``share`` (0..1) of the sorted figures do not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(figures: list[float]) -> str:
    """Median, with minimum and maximum."""
    return f"{number(median(figures))} ({number(min(figures))}-{number(max(figures))})"


def number(value: float) -> str:
    """A figure as a person reads it: three digits that matter."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a claim's table: what was measured on whom, and what it is beside ours."""

    subject: str
    value: str
    ratio: str = ""


@dataclass(slots=True)
class Claim:
    """The claim of a bench file: its figures, its target, and whether it is met."""

    number: str
    title: str
    target: str
    figures: list[Figure] = field(default_factory=list)
    is_met: bool | None = None
    remark: str = ""

    def markdown(self) -> str:
        verdict = {True: "met", False: "MISSED", None: "stated"}[self.is_met]
        lines = [
            f"## {self.number}: {self.title}",
            "",
            f"Target: {self.target}: **{verdict}**.",
            "",
        ]
        if self.remark:
            lines += [self.remark, ""]
        lines += ["| | figure | ratio |", "| --- | --- | --- |"]
        lines += [
            f"| {figure.subject} | {figure.value} | {figure.ratio} |" for figure in self.figures
        ]
        return "\n".join([*lines, ""])

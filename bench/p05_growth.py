"""P5: how the one-patient query grows with the index."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from measure import Claim, Figure, median, number
from p03_lookup import latencies
from servers import ours, path_of

if TYPE_CHECKING:
    from sizes import Size


def run(size: Size) -> Claim:
    claim = Claim(
        "P5",
        "p50 of the one-patient query as the index grows, in ms",
        "the largest at most 1.5x the smallest",
    )
    # Ten million take an hour to build: measured only where index_of(10_000_000) has built them.
    growth = [
        studies for studies in size.growth if studies < 10_000_000 or path_of(studies).exists()
    ]
    with ExitStack() as stack:
        scps = [stack.enter_context(ours(studies)) for studies in growth]
        figures: dict[int, list[float]] = {served.studies: [] for served in scps}
        for _ in range(size.runs):
            for served in scps:
                figures[served.studies] += latencies(served, size.queries)
    smallest = median(figures[min(figures)])
    claim.is_met = median(figures[max(figures)]) <= 1.5 * smallest
    claim.figures = [
        Figure(f"{studies:,} studies", number(median(mine)), f"{number(median(mine) / smallest)}x")
        for studies, mine in figures.items()
    ]
    return claim

"""P15: the same index in PostgreSQL, on the same machine: P1, P3 and P6 on it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, percentile, spread
from p01_stream import rate
from p03_lookup import latencies
from p06_first_match import first_matches
from servers import orthanc_peer, ours, postgresql_of

if TYPE_CHECKING:
    from sizes import Size


def run(size: Size) -> Claim:
    studies = size.large
    claim = Claim(
        "P15",
        f"an index of {studies:,} studies in PostgreSQL on the same machine",
        "a stream of at least 10x Orthanc's (SQLite); the one-patient query in at most 1.5 ms",
    )
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_of(studies))
        served = stack.enter_context(ours(studies, index=url))
        sqlite = stack.enter_context(ours(studies))
        orthanc = stack.enter_context(orthanc_peer(size.orthanc))
        streams = {"PostgreSQL": rate(served), "SQLite": rate(sqlite), "Orthanc": rate(orthanc)}
        figures = alternate(streams, min(size.runs, 3))
        small: dict[str, list[float]] = {"PostgreSQL": [], "SQLite": []}
        for _ in range(size.runs):
            for name, peer in (("PostgreSQL", served), ("SQLite", sqlite)):
                small[name] += latencies(peer, size.queries)
        firsts, _ = first_matches(served, size.runs)
    ratio = median(figures["PostgreSQL"]) / median(figures["Orthanc"])
    claim.is_met = ratio >= 10 and median(small["PostgreSQL"]) <= 1.5
    claim.figures = [
        Figure("stream, PostgreSQL, matches a second", spread(figures["PostgreSQL"])),
        Figure("stream, SQLite", spread(figures["SQLite"])),
        Figure("stream, Orthanc", spread(figures["Orthanc"]), f"PostgreSQL {number(ratio)}x"),
        *(
            Figure(
                f"one patient, {name}, ms p50 / p99",
                f"{number(median(mine))} / {number(percentile(mine, 0.99))}",
            )
            for name, mine in small.items()
        ),
        *(Figure(f"first match in ms, {each.subject}", each.value, each.ratio) for each in firsts),
    ]
    return claim

"""P21: searches by HTTP (QIDO-RS) beside Orthanc's DICOMweb plugin."""

from __future__ import annotations

import time
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import cycle, islice
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, percentile, spread
from p18_sight import processor_seconds
from population import ROOT
from servers import orthanc_web, ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Served
    from sizes import Size

STREAM_FACTOR, LOOKUP_SHARE = 20, 0.5

_MARK = b'"0020000D"'
"""Occurs once in each study."""

_PIECE = 1 << 20


class _Searcher:
    """A connection that is held; it counts the studies of each answer, and reads nothing else."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def search(self, query: str) -> int:
        self._connection.request(
            "GET", f"/dicom-web/studies{query}", headers={"Accept": "application/dicom+json"}
        )
        response = self._connection.getresponse()
        if response.status not in {200, 204}:
            raise AssertionError(f"{query}: {response.status}")
        found, rest = 0, b""
        while piece := response.read(_PIECE):
            text = rest + piece
            found += text.count(_MARK)
            # A mark may be cut in two; one that is whole is not counted again.
            rest = text[-(len(_MARK) - 1) :]
        return found

    def close(self) -> None:
        self._connection.close()


def rate(served: Served, used: list[float]) -> Callable[[], float]:
    """A measure: matches a second of one search for everything.

    It notes the microseconds of the server's processor for each match.
    """

    def measure() -> float:
        searcher = _Searcher(served.http_port)
        before, started = processor_seconds(served.pid), time.perf_counter()
        found = searcher.search("")
        seconds = time.perf_counter() - started
        used.append((processor_seconds(served.pid) - before) / served.studies * 1e6)
        searcher.close()
        if found != served.studies:
            raise AssertionError(f"{served.name}: {found} of {served.studies}")
        return found / seconds

    return measure


def studies_of(served: Served) -> Iterator[str]:
    """Yield UIDs spread over the population, for ever."""
    step = max(1, served.studies // 200)
    return cycle(f"{ROOT}.1.{study}" for study in range(1, served.studies + 1, step))


def latencies(served: Served, queries: int) -> list[float]:
    """Milliseconds of searches for one study by its UID, one after the other."""
    searcher, figures = _Searcher(served.http_port), []
    for uid in islice(studies_of(served), queries + 20):
        started = time.perf_counter()
        found = searcher.search(f"?StudyInstanceUID={uid}")
        figures.append((time.perf_counter() - started) * 1000)
        if found != 1:
            raise AssertionError(f"{served.name}: {found} studies of {uid}")
    searcher.close()
    return figures[20:]


def run(size: Size) -> Claim:
    claim = Claim(
        "P21",
        f"searches by HTTP (QIDO-RS), {size.stream:,} studies here",
        f"at least {STREAM_FACTOR}x the matches a second of Orthanc's DICOMweb plugin, "
        "and at most half of its p50 for one study",
    )
    claim.remark = "Both have their defaults; the client counts the studies and reads nothing else."
    with ExitStack() as stack:
        both = [
            stack.enter_context(ours(size.stream, web=True)),
            stack.enter_context(orthanc_web(size.orthanc)),
        ]
        used: dict[str, list[float]] = {served.name: [] for served in both}
        rates = alternate(
            {served.name: rate(served, used[served.name]) for served in both}, size.runs
        )
        lookups: dict[str, list[float]] = {served.name: [] for served in both}
        for _ in range(size.runs):
            for served in both:
                lookups[served.name] += latencies(served, max(5, size.queries // 2))
    mine, theirs = (served.name for served in both)
    factor = median(rates[mine]) / median(rates[theirs])
    share = median(lookups[mine]) / median(lookups[theirs])
    claim.is_met = factor >= STREAM_FACTOR and share <= LOOKUP_SHARE
    for served in both:
        name, is_mine = served.name, served.name == mine
        who = f"{name}, {served.studies:,} studies"
        claim.figures += [
            Figure(
                f"{who}: all of them, matches a second",
                spread(rates[name]),
                "" if is_mine else f"{number(factor)}x",
            ),
            Figure(f"{who}: processor time of a match, us", spread(used[name])),
            Figure(
                f"{who}: one study, ms (p50 / p99)",
                f"{number(median(lookups[name]))} / {number(percentile(lookups[name], 0.99))}",
                "" if is_mine else f"ours is {number(share)} of its p50",
            ),
        ]
    return claim

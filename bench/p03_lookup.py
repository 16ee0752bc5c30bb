"""P3: a query for one patient on a held association: milliseconds to the final response."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import cycle
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, median, number, percentile
from servers import dcmtk, orthanc_peer, ours, pynetdicom, sample_patient_ids

if TYPE_CHECKING:
    from servers import Served
    from sizes import Size


def latencies(served: Served, queries: int, *, quickack: bool = True) -> list[float]:
    """Milliseconds of ``queries`` one-patient queries, one after the other."""
    client = Client(served.port, served.aet, quickack=quickack)
    requests = cycle(
        [
            find_rq(identifier({0x00100020: patient}))
            for patient in sample_patient_ids(served.studies)
        ]
    )
    for _ in range(min(20, queries)):
        client.find(next(requests))
    figures = []
    for _ in range(queries):
        answer = client.find(next(requests))
        if answer.status != 0 or not answer.matches:
            raise AssertionError(
                f"{served.name}: {answer.matches} matches, status {answer.status:04X}"
            )
        figures.append(answer.total * 1000)
    client.release()
    return figures


def run(size: Size) -> Claim:
    claim = Claim(
        "P3",
        f"one-patient query on a held association, {size.large:,} studies here, in ms (p50 / p99)",
        "p50 at most half of dcmqrscp's with 500 studies, p99 at most 3x p50",
    )
    with ExitStack() as stack:
        scps = [
            stack.enter_context(ours(size.large)),
            stack.enter_context(dcmtk(size.dcmtk)),
            stack.enter_context(orthanc_peer(size.orthanc)),
            stack.enter_context(pynetdicom(size.pynetdicom)),
        ]
        figures: dict[str, list[float]] = {served.name: [] for served in scps}
        delayed: dict[str, list[float]] = {served.name: [] for served in scps}
        # The first question about a patient may read what nobody has read before.
        first = {served.name: latencies(served, min(size.queries, 180)) for served in scps}
        for _ in range(size.runs):
            for served in scps:
                queries = (
                    size.queries
                    if served.name in ("dicomquest", "dcmqrscp")
                    else max(5, size.queries // 20)
                )
                figures[served.name] += latencies(served, queries)
                delayed[served.name] += latencies(served, max(5, queries // 50), quickack=False)
    p50 = median(figures["dicomquest"])
    p99 = percentile(figures["dicomquest"], 0.99)
    claim.is_met = p50 <= 0.5 * median(figures["dcmqrscp"]) and p99 <= 3 * p50
    for served in scps:
        mine = figures[served.name]
        claim.figures.append(
            Figure(
                f"{served.name}, {served.studies:,} studies",
                f"{number(median(mine))} / {number(percentile(mine, 0.99))}; "
                "with a client that delays its acknowledgements "
                f"{number(median(delayed[served.name]))}; each patient for the first time "
                f"{number(median(first[served.name]))} / "
                f"{number(percentile(first[served.name], 0.99))}",
                ""
                if served.name == "dicomquest"
                else f"ours is {number(p50 / median(mine))} of its p50",
            )
        )
    return claim

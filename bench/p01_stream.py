"""P1: one query with all studies as matches, one worker: matches a second."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import dcmtk, orthanc_peer, ours, pynetdicom

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served
    from sizes import Size

FACTORS = {"Orthanc": 20, "dcmqrscp": 7, "pynetdicom": 150}


def rate(served: Served) -> Callable[[], float]:
    """A measure: matches a second of one query for everything, on an association of its own."""

    def measure() -> float:
        client = Client(served.port, served.aet)
        answer = client.drain(find_rq(identifier({})))
        client.release()
        if (answer.matches, answer.status) != (served.studies, 0):
            raise AssertionError(
                f"{served.name}: {answer.matches} of {served.studies}, status {answer.status:04X}"
            )
        return answer.matches / answer.total

    return measure


def run(size: Size) -> Claim:
    claim = Claim(
        "P1",
        f"one query, {size.stream:,} matches, one worker, in matches a second",
        "at least 20x Orthanc, 7x dcmqrscp, 150x pynetdicom; stretch: 200,000 a second",
    )
    with ExitStack() as stack:
        scps = [
            stack.enter_context(ours(size.stream)),
            stack.enter_context(orthanc_peer(size.orthanc)),
            stack.enter_context(dcmtk(size.dcmtk)),
            stack.enter_context(pynetdicom(size.pynetdicom)),
        ]
        figures = alternate({served.name: rate(served) for served in scps}, size.runs)
    base = median(figures["dicomquest"])
    claim.is_met = all(base >= factor * median(figures[name]) for name, factor in FACTORS.items())
    for served in scps:
        ratio = (
            "" if served.name == "dicomquest" else f"{number(base / median(figures[served.name]))}x"
        )
        claim.figures.append(
            Figure(
                f"{served.name}, {served.studies:,} studies", spread(figures[served.name]), ratio
            )
        )
    return claim

"""P4: associate, find one patient, release, one and 32 at a time: rounds a second."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING

from client import Answer, Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from rounds import run_rounds
from servers import dcmtk, orthanc_peer, ours, pynetdicom, sample_patient_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served
    from sizes import Size

FACTORS = {"dcmqrscp": 5, "Orthanc": 15}


def rate(served: Served, rounds: int, at_once: int) -> Callable[[], float]:
    """A measure: rounds a second."""
    requests = [
        find_rq(identifier({0x00100020: patient})) for patient in sample_patient_ids(served.studies)
    ]

    def one(request: bytes) -> Answer:
        client = Client(served.port, served.aet)
        answer = client.find(request)
        client.release()
        return answer

    def measure() -> float:
        chosen = list(islice(cycle(requests), rounds))
        started = time.perf_counter()
        answers = (
            list(map(one, chosen))
            if at_once == 1
            else run_rounds(served.port, served.aet, chosen, at_once)
        )
        seconds = time.perf_counter() - started
        for answer in answers:
            if answer.status != 0 or not answer.matches:
                raise AssertionError(
                    f"{served.name}: {answer.matches} matches, status {answer.status:04X}"
                )
        return rounds / seconds

    return measure


def run(size: Size) -> Claim:
    claim = Claim(
        "P4",
        "associate, find one patient, release: rounds a second",
        "at least 5x dcmqrscp, 15x Orthanc",
    )
    claim.is_met = True
    with ExitStack() as stack:
        scps = [
            stack.enter_context(ours(size.stream)),
            stack.enter_context(dcmtk(size.dcmtk)),
            stack.enter_context(orthanc_peer(size.orthanc)),
            stack.enter_context(pynetdicom(size.pynetdicom)),
        ]
        for at_once in (1, 32):
            rounds = {served.name: size.associations for served in scps} | {
                "pynetdicom": max(5, size.associations // 20)
            }
            measures = {served.name: rate(served, rounds[served.name], at_once) for served in scps}
            figures = alternate(measures, size.runs)
            base = median(figures["dicomquest"])
            claim.is_met = claim.is_met and all(
                base >= factor * median(figures[name]) for name, factor in FACTORS.items()
            )
            for served in scps:
                ratio = (
                    ""
                    if served.name == "dicomquest"
                    else f"{number(base / median(figures[served.name]))}x"
                )
                claim.figures.append(
                    Figure(
                        f"{served.name}, {at_once} at a time", spread(figures[served.name]), ratio
                    )
                )
    return claim

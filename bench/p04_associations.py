"""P4: associate, find one patient, release, one and 32 at a time: rounds a second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import dcmtk, orthanc_peer, ours, pynetdicom, sample_patient_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served
    from sizes import Size

FACTORS = {"dcmqrscp": 5, "Orthanc": 15}


def rate(served: Served, rounds: int, at_once: int) -> Callable[[], float]:
    """A measure: rounds a second."""
    requests = [find_rq(identifier({0x00100020: patient})) for patient in sample_patient_ids(served.studies)]

    def one(number_of_round: int) -> None:
        client = Client(served.port, served.aet)
        answer = client.find(requests[number_of_round % len(requests)])
        if answer.status != 0 or not answer.matches:
            raise AssertionError(f"{served.name}: {answer.matches} matches, status {answer.status:04X}")
        client.release()

    def measure() -> float:
        started = time.perf_counter()
        if at_once == 1:
            for number_of_round in range(rounds):
                one(number_of_round)
        else:
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(one, range(rounds)))
        return rounds / (time.perf_counter() - started)

    return measure


def run(size: Size) -> Claim:
    claim = Claim("P4", "associate, find one patient, release: rounds a second", "at least 5x dcmqrscp, 15x Orthanc")
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
                ratio = "" if served.name == "dicomquest" else f"{number(base / median(figures[served.name]))}x"
                claim.figures.append(Figure(f"{served.name}, {at_once} at a time", spread(figures[served.name]), ratio))
    return claim

"""P18: what log, metrics and audit cost: processor time of one association with one query."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, spread
from servers import free_port, ours, sample_patient_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served
    from sizes import Size

MOST = 1.05
"""The processor time with the log at info, as a multiple of that with errors alone."""

SETTLED = 0.15
"""Seconds in which the threads of log and audit write what waits: it belongs to the round."""


def processor_seconds(pid: int) -> float:
    """The time that all threads of a process have run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def cost(served: Served, rounds: int) -> Callable[[], float]:
    """A measure: microseconds of the server's processor time for each association."""
    requests = [
        find_rq(identifier({0x00100020: patient})) for patient in sample_patient_ids(served.studies)
    ]

    def measure() -> float:
        before = processor_seconds(served.pid)
        for request in islice(cycle(requests), rounds):
            client = Client(served.port, served.aet)
            answer = client.find(request)
            client.release()
            if answer.status != 0 or not answer.matches:
                raise AssertionError(f"{answer.matches} matches, status {answer.status:04X}")
        time.sleep(SETTLED)
        return (processor_seconds(served.pid) - before) / rounds * 1e6

    return measure


def run(size: Size) -> Claim:
    claim = Claim(
        "P18",
        "processor time of associate, find one patient, release, in microseconds",
        "--log-level info at most 5 % above error",
    )
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        audit = str(Path(folder) / "audit.xml")
        options = {
            "--log-level error": ["--log-level", "error"],
            "--log-level info": ["--log-level", "info"],
            "info, --log-format json --log-keys": ["--log-format", "json", "--log-keys"],
            "error, --metrics": ["--log-level", "error", "--metrics", str(free_port())],
            "error, --audit-file": ["--log-level", "error", "--audit-file", audit],
        }
        measures = {
            name: cost(stack.enter_context(ours(size.growth[0], options=each)), size.associations)
            for name, each in options.items()
        }
        figures = alternate(measures, size.runs)
    base = median(figures["--log-level error"])
    claim.is_met = median(figures["--log-level info"]) <= MOST * base
    for name, mine in figures.items():
        share = (median(mine) / base - 1) * 100
        claim.figures.append(Figure(name, f"{spread(mine)}, {share:+.1f} %"))
    return claim

"""The programs with which people retrieve: DCMTK's getscu, movescu and storescp, as installed."""

from __future__ import annotations

import contextlib
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, spread
from retrieve_client import Destination
from retrieved import ARCHIVES, STUDY, study_of
from servers import scratch

from peers.processes import Peer, free_port, server  # isort: skip - servers makes this importable
from fixtures.programs import program  # isort: skip


if TYPE_CHECKING:
    from collections.abc import Callable

    from sizes import Size

PROGRAMS = {"P19": "getscu", "P20": "movescu"}
FEWER = {"Orthanc": 40, "dcmqrscp": 40, "pynetdicom qrscp": 40}
"""The slow ones have one image in so many."""


def command_of(name: str, peer: Peer) -> list[str]:
    """The command that retrieves the study, and throws its images away as they come."""
    options = ["--ignore"] if name == "getscu" else ["-aem", Destination.TITLE]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}"]
    return [program(name), "-v", "-S", *options, "-aec", peer.aet, peer.host, str(peer.port), *keys]


def rate(name: str, peer: Peer, count: int) -> float:
    """Retrieve so many images, and return how many came a second."""
    started = time.perf_counter()
    done = subprocess.run(command_of(name, peer), check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    said = done.stdout + done.stderr
    sent = said.count("C-STORE Response (Success)") if name == "getscu" else count
    if sent != count or "Response (Success)" not in said:
        raise AssertionError(f"{name} of {peer}, {sent} of {count} images: {said[-2000:]}")
    return count / seconds


def add_figures(claim: Claim, size: Size) -> bool:
    """Add the images a second that a DCMTK program gets; tell whether the targets are met."""
    name, is_met = PROGRAMS[claim.number], True
    for count, side in ((max(20, size.stored // 5), 70), (max(5, size.stored // 50), 512)):
        measures: dict[str, Callable[[], float]] = {}
        with contextlib.ExitStack() as stack:
            receiver = Peer("127.0.0.1", free_port(), Destination.TITLE)
            if name == "movescu":
                receive = [program("storescp"), "--ignore", "-aet", receiver.aet]
                log = scratch() / "log"
                stack.enter_context(server([*receive, str(receiver.port)], receiver.port, log))
            for archive, start in ARCHIVES.items():
                fewer = max(5, count // FEWER.get(archive, 1))
                peer = stack.enter_context(start(scratch(), study_of(fewer, side), [receiver]))
                measures[archive] = partial(rate, name, peer, fewer)
            figures = alternate(measures, size.runs)
        base = median(figures["dicomquest"])
        for archive in ARCHIVES:
            ratio = "" if archive == "dicomquest" else f"{number(base / median(figures[archive]))}x"
            words = f"{archive} to {name}, images of {'10' if side == 70 else '512'} KB, a second"
            claim.figures.append(Figure(words, spread(figures[archive]), ratio))
        is_met &= base >= (2 if side == 70 else 1) * median(figures["dcmqrscp"])
        is_met &= side != 70 or base >= 5 * median(figures["pynetdicom qrscp"])
    return is_met

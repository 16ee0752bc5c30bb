"""P19: a study by C-GET over one association, beside other archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure import Claim, Figure, number
from retrieve_client import get
from retrieve_programs import add_figures
from retrieved import compared, memory_beside, multi_frame

if TYPE_CHECKING:
    from sizes import Size

TARGET = (
    "to a DCMTK program at least 2x dcmqrscp and 5x pynetdicom's qrscp with images of 10 KB, and "
    "dcmqrscp's rate with those of 512 KB"
)
REMARK = (
    "DCMTK's programs run as they are installed: their system acknowledges late, and dcmqrscp and "
    "Orthanc wait for that with each image. The client of the bench acknowledges at once; with it "
    "the archives differ by their own time alone, and with images of 10 KB the client, a Python "
    "program, takes as much of it as they do."
)
MOST_MEMORY = 150_000_000


def run(size: Size) -> Claim:
    claim = Claim(
        "P19",
        "images of a study by C-GET, a second",
        f"{TARGET}; 150 MB of memory at most",
        remark=REMARK,
    )
    is_met = add_figures(claim, size)
    compared(claim, size, lambda _, port, called, study: get(port, called, study))
    frames = min(1000, size.stored)
    memory, rate = memory_beside(multi_frame(frames))
    claim.figures.append(
        Figure(
            f"dicomquest, one image of {frames} frames and {frames / 2:.0f} MB",
            f"{number(rate)} MB/s; {memory / 1e6:.0f} MB of memory",
        )
    )
    claim.is_met = is_met and memory <= MOST_MEMORY
    return claim

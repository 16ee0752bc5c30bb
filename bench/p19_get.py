"""P19: a study by C-GET over one association, beside other archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure import Claim
from retrieve_client import get
from retrieved import compared

if TYPE_CHECKING:
    from sizes import Size

TARGET = (
    "at least 2x dcmqrscp and 5x pynetdicom's qrscp with images of 10 KB, and dcmqrscp's rate with "
    "those of 512 KB"
)


def run(size: Size) -> Claim:
    claim = Claim("P19", "images of a study by C-GET, a second", TARGET)
    return compared(claim, size, lambda _, port, called, study: get(port, called, study))

"""P20: a study by C-MOVE to one destination, beside other archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure import Claim
from p19_get import TARGET
from retrieve_client import Destination
from retrieved import compared

if TYPE_CHECKING:
    from sizes import Size


def run(size: Size) -> Claim:
    return compared(
        Claim("P20", "images of a study by C-MOVE, a second", TARGET), size, Destination.move
    )

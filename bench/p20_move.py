"""P20: a study by C-MOVE to one destination, beside other archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure import Claim
from p19_get import REMARK, TARGET
from retrieve_client import Destination
from retrieve_programs import add_figures
from retrieved import compared

if TYPE_CHECKING:
    from sizes import Size


def run(size: Size) -> Claim:
    claim = Claim("P20", "images of a study by C-MOVE, a second", TARGET, remark=REMARK)
    claim.is_met = add_figures(claim, size)
    return compared(claim, size, Destination.move)

"""The page of a check: for the one who reads a report (PS3.2)."""

from __future__ import annotations

from typing import NamedTuple


class CheckPage(NamedTuple):
    """The page of one check: what it asks, what passes, what fails, and words for the vendor."""

    asks: str
    passes: str
    fails: str
    vendor: str

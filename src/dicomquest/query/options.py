"""The options of a query: seven negotiated ones (PS3.4 C.5.1.1), and choices of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SeveralValues: TypeAlias = Literal["or", "reject"]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options under which an identifier is read; the first seven are bytes of Table C.5-1."""

    relational: bool = False
    combined_datetime: bool = False
    fuzzy: bool = False
    timezone_adjustment: bool = False
    enhanced_multiframe: bool = False
    empty_value: bool = False
    multiple_value: bool = False

    strict: bool = False
    """Reject a deviation from the Standard with A900, instead of guessing what the SCU means."""

    unknown_matches: bool = False
    """An empty stored value of a required or optional key matches any key value (C.2.2.1.2)."""

    ignore_case: bool = False
    """Text other than names matches without case, which the Standard tells apart (C.2.2.2.1)."""

    several_values: SeveralValues = "or"
    """Several values of a key that is no UID, if not negotiated: any of them matches, or A900."""

    most_wild_cards: int = 100
    """Wild cards of a value: each may cost a scan of the text that it is held against."""

    most_values: int = 1_000
    """Values of all keys together, lists of UIDs apart: each costs SQL of its own."""

    timezone_offset_minutes: int = 0
    """The server's zone, for date-times without an offset and data sets without (0008,0201)."""

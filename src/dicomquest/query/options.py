"""What a query may do: the seven negotiated options (PS3.4 C.5.1.1) and our choices where the Standard leaves one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SeveralValues: TypeAlias = Literal["or", "reject"]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options under which one identifier is read; the first seven are the bytes of Table C.5-1, in its order."""

    relational: bool = False
    combined_datetime: bool = False
    fuzzy: bool = False
    timezone_adjustment: bool = False
    enhanced_multiframe: bool = False
    empty_value: bool = False
    multiple_value: bool = False

    strict: bool = False
    """Reject what deviates from the Standard with A900 instead of reading it as it was surely meant."""

    unknown_matches: bool = False
    """An empty stored value of a required or optional key matches any key value (the letter of C.2.2.1.2)."""

    several_values: SeveralValues = "or"
    """Several values in a key that is no UID, multiple value matching not negotiated: any of them, or A900."""

    timezone_offset_minutes: int = 0
    """The zone of the server: of date-times without an offset, and of data sets without (0008,0201)."""

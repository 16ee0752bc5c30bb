"""The extended negotiation of C-FIND, one row a byte (PS3.4 C.5.1.1, Tables C.5-1 and C.5-2)."""

from __future__ import annotations

from typing import NamedTuple


class ExtendedOption(NamedTuple):
    """One byte of the service-class-application-information: 1 offers or accepts, 0 does not.

    An absent byte counts as 0.
    """

    byte: int
    option: str
    name: str
    default: str


EXTENDED_OPTIONS: tuple[ExtendedOption, ...] = (
    ExtendedOption(1, "relational", "Relational queries", "hierarchical queries only"),
    ExtendedOption(
        2, "combined_datetime", "Date-time matching", "date and time ranges are independent"
    ),
    ExtendedOption(3, "fuzzy", "Fuzzy semantic matching of person names", "literal matching"),
    ExtendedOption(
        4, "timezone_adjustment", "Timezone query adjustment", "times are compared as they are"
    ),
    ExtendedOption(
        5, "enhanced_multiframe", "Enhanced Multi-Frame Image Conversion", "instances as received"
    ),
    ExtendedOption(
        6, "empty_value", "Empty value matching", 'two quotation marks ("") are a literal'
    ),
    ExtendedOption(
        7,
        "multiple_value",
        "Multiple value matching",
        "several values mean any of them (our choice)",
    ),
)
"""``option`` is the field of ``QueryOptions`` that the byte sets."""

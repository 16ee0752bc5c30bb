"""The bounds on a data set that a peer or a file brings, each with its reason (PS3.5 6.2, 7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds on a data set, which a peer could make as costly as it likes.

    They are checked on bytes, before anything is decoded. ``depth`` is that of sequences in
    sequences, ``elements`` counts all those of the data set and its items, ``items`` those of one
    sequence, ``value`` the bytes of one value field. ``text`` are the bytes of a text field,
    ``values`` its values, and ``uids`` those of a UI field, whose bytes only ``value`` bounds.
    ``inflated`` are the bytes that a deflated data set may become.
    """

    depth: int = 32
    elements: int = 10_000
    items: int = 100_000
    value: int = 1 << 24
    text: int = 1 << 24
    values: int = 1 << 20
    uids: int = 1 << 20
    inflated: int = 1 << 26


RESPONSE_LIMITS = Limits()
"""The bounds on a response of an SCP, which may hold a whole header."""
IDENTIFIER_LIMITS = Limits(
    elements=1_000,  # ten times the keys of PS3.4 C.6
    items=100,  # a sequence key has one item (PS3.4 C.2.2.2.6)
    value=1 << 20,
    text=1 << 14,  # LT, the longest text with a limit, has 10,240 characters
    values=100,
    uids=20_000,  # lists of all studies of a cohort are asked for at once
    inflated=1 << 20,  # holds a list of 15,000 UIDs of the longest kind
)
"""The bounds on a request of an SCU: an identifier within them is read in some milliseconds."""
# A header with functional groups of thousands of frames has millions of elements (PS3.3 C.7.6.16).
FILE_LIMITS = Limits(
    elements=4_000_000,
    items=1_000_000,
    value=1 << 31,
    text=1 << 31,
    values=1 << 31,
    uids=1 << 31,
    inflated=1 << 25,  # twice as much is in memory for a moment
)
MOST_VALUES = 20_000
"""Values beyond which a field is left out of a header, as a text over ``LARGEST_TEXT`` is."""
LARGEST_TEXT = 1 << 20
"""Bytes beyond which even a text is left out of a header: no index keeps it."""
MOST_KEPT = 1 << 20
"""Bytes of a header that an index keeps, without the fields that it leaves out.

An element in memory takes up to forty times its bytes, so that a header of 20 KB, deflated, came to
600 MB. Behind these bytes only attributes of the Standard outside of sequences are kept, if short.
"""
LONGEST_LATE = 1024
"""Bytes of a value that is kept all the same behind ``MOST_KEPT``."""
COST_OF_NUMBERS = 4
"""Bytes that a byte of binary numbers counts in ``MOST_KEPT``: each number becomes an object."""

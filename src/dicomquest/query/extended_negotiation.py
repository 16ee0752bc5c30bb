"""Answers to SOP class extended negotiation, and what they let a query do (PS3.4 C.5.1.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dicomquest.dataset.remembering import LONGEST_REMEMBERED, remembered
from dicomquest.query.options import QueryOptions
from dicomquest.standard.extended import EXTENDED_OPTIONS

SUPPORTED = QueryOptions(
    relational=True,
    combined_datetime=True,
    fuzzy=True,
    timezone_adjustment=True,
    empty_value=True,
    multiple_value=True,
)
"""All options that this package has; it converts no images, so there are no views."""


def negotiate(offer: bytes, supported: QueryOptions = SUPPORTED) -> bytes:
    """Return the acceptor's answer: a 1 for each byte that is offered as 1 and supported.

    It is never longer than the offer.
    """
    return bytes(
        1 if value == 1 and getattr(supported, row.option) else 0
        for value, row in zip(offer, EXTENDED_OPTIONS, strict=False)
    )


def negotiate_retrieve(offer: bytes) -> bytes:
    """Return the acceptor's answer of C-GET or C-MOVE: relational retrieval, and no conversion.

    An answer of two bytes is for an offer of two or more (PS3.4 C.5.2.1, C.5.3.1).
    """
    return bytes((offer[:1] == b"\1", 0))[: len(offer)]


WORKLIST_BYTES = 4
"""Bytes of a worklist's negotiation: two fixed ones, fuzzy names, time zones (PS3.4 K.5.1)."""


def negotiate_worklist(offer: bytes) -> bytes:
    """Return the acceptor's answer for a worklist: two fixed bytes, then what is supported."""
    return b"\1\1"[: len(offer)] + bytes(value == 1 for value in offer[2:WORKLIST_BYTES])


def offer(wanted: QueryOptions) -> bytes:
    """Return the requestor's bytes for the options wanted, without trailing zeros."""
    return bytes(int(getattr(wanted, row.option)) for row in EXTENDED_OPTIONS).rstrip(b"\0")


def offer_worklist(wanted: QueryOptions) -> bytes:
    """Return the requestor's bytes for a worklist; none if neither of its options is wanted."""
    asked = bytes((wanted.fuzzy, wanted.timezone_adjustment))
    return b"\1\1" + (asked if wanted.timezone_adjustment else asked[:1]) if any(asked) else b""


@remembered(256, lambda answer, _base=None: len(answer) <= LONGEST_REMEMBERED)
def accepted_options(answer: bytes, base: QueryOptions | None = None) -> QueryOptions:
    """Return the options of a query after this answer, the fields it does not name from ``base``.

    A missing byte is 0.
    """
    changes: dict[str, Any] = {
        row.option: row.byte <= len(answer) and answer[row.byte - 1] == 1
        for row in EXTENDED_OPTIONS
    }
    return replace(base or QueryOptions(), **changes)


def accepted_worklist_options(answer: bytes, base: QueryOptions) -> QueryOptions:
    """Return the options of a worklist query: dates and times always combine (PS3.4 K.6.1.2.2).

    An empty stored value matches no key that has a value (K.2.2.1.1.1), whatever ``base`` says.
    """
    return replace(
        base,
        relational=True,
        combined_datetime=True,
        fuzzy=answer[2:3] == b"\1",
        timezone_adjustment=answer[3:4] == b"\1",
        empty_value=False,
        multiple_value=False,
        unknown_matches=False,
    )

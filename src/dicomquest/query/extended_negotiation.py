"""Answers to SOP class extended negotiation, and what they let a query do (PS3.4 C.5.1.1)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

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
"""All that this package can do; it converts no images, so there are no views."""


def negotiate(offer: bytes, supported: QueryOptions = SUPPORTED) -> bytes:
    """The acceptor's answer: a 1 for each byte that is offered as 1 and supported, never longer than the offer."""
    return bytes(
        1 if value == 1 and getattr(supported, row.option) else 0
        for value, row in zip(offer, EXTENDED_OPTIONS, strict=False)
    )


def offer(wanted: QueryOptions) -> bytes:
    """The requestor's bytes for the options wanted, without trailing zeros; none if no option is wanted."""
    return bytes(int(getattr(wanted, row.option)) for row in EXTENDED_OPTIONS).rstrip(b"\0")


@lru_cache(maxsize=256)
def accepted_options(answer: bytes, base: QueryOptions | None = None) -> QueryOptions:
    """What a query may do after this answer; missing bytes are 0, the other fields are those of ``base``."""
    changes: dict[str, Any] = {
        row.option: row.byte <= len(answer) and answer[row.byte - 1] == 1
        for row in EXTENDED_OPTIONS
    }
    return replace(base or QueryOptions(), **changes)

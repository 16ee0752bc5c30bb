"""The grammars of text values in one place to import from (PS3.5 6.2): dates, names, numbers, UIDs."""

from __future__ import annotations

import re

from dicomquest.dataset.dates import (
    date_interval,
    date_range,
    datetime_interval,
    datetime_range,
    parse_offset,
    sortable_date,
    sortable_datetime,
    sortable_time,
    time_interval,
    time_range,
)
from dicomquest.dataset.names import PersonName, fold_name, name_groups
from dicomquest.dataset.numbers import canonical_number
from dicomquest.errors import ValueFormatError
from dicomquest.standard.vr import VR

__all__ = [
    "PersonName",
    "canonical_number",
    "check_uid",
    "date_interval",
    "date_range",
    "datetime_interval",
    "datetime_range",
    "exceeds_limit",
    "fold_name",
    "name_groups",
    "parse_offset",
    "sortable_date",
    "sortable_datetime",
    "sortable_time",
    "time_interval",
    "time_range",
]

_UID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*", re.ASCII)
_UID_LIMIT = 64


def check_uid(text: str) -> None:
    """ValueFormatError unless the text is a UID: digits without leading zeros, joined by dots (PS3.5 9.1)."""
    if len(text) > _UID_LIMIT or _UID.fullmatch(text) is None:
        raise ValueFormatError(
            "UI", text, f"at most {_UID_LIMIT} characters: numbers without leading zeros, and dots"
        )


def exceeds_limit(vr: str, text: str) -> bool:
    """Whether a value is longer than its VR allows, in characters (bytes where no character set applies).

    A person name's limit holds for each component group with the ``=`` behind it (PS3.5 6.2.1).
    """
    limit = VR[vr].limit
    if limit is None:
        return False
    parts = re.findall("[^=]+=?|=", text) if vr == "PN" else (text,)
    return any(len(part) > limit for part in parts)

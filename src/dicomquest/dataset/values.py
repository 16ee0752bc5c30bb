"""The grammars of text values in one place to import from: dates, names, numbers, UIDs (PS3.5 6.2).

UIDs and the limits of length are here; the others have modules of their own.
"""

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
    """Raise ValueFormatError unless the text is a UID (PS3.5 9.1).

    A UID is numbers without leading zeros, joined by dots.
    """
    if len(text) > _UID_LIMIT or _UID.fullmatch(text) is None:
        raise ValueFormatError(
            "UI", text, f"at most {_UID_LIMIT} characters: numbers without leading zeros, and dots"
        )


def exceeds_limit(vr: str, text: str) -> bool:
    """Tell whether a value is longer than its VR allows (PS3.5 6.2).

    The limit counts characters: bytes where no character set applies. That of a person name holds
    for each component group with the ``=`` behind it (PS3.5 6.2.1).
    """
    limit = VR[vr].limit
    if limit is None:
        return False
    parts = re.findall("[^=]+=?|=", text) if vr == "PN" else (text,)
    return any(len(part) > limit for part in parts)

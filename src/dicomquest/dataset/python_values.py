"""Python's dates, times and numbers as the text of a DICOM value (PS3.5 6.2)."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Number
from typing import Any

from pydicom.valuerep import PersonName, format_number_as_ds

_GREATEST = 1.79769313e308
"""The greatest float that has 16 characters, with its sign."""


def value_text(vr: str, value: Any) -> str:
    """Return a Python value as the text of one value of ``vr``, in the form that pydicom writes.

    TypeError for a value that the VR cannot hold, such as a time in DA; ValueError for a number
    that it cannot, such as 1.5 in IS.
    """
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    # pydicom's own types keep the text that they were read from, and it may be more than they hold.
    original = getattr(value, "original_string", None)
    if isinstance(original, str):
        return original
    # A datetime is a date, too: it is asked for first.
    if isinstance(value, datetime | date | time) and vr in ("DA", "TM", "DT"):
        return _instant_text(vr, value)
    if vr == "IS" and isinstance(value, float | Decimal):
        if not math.isfinite(value) or value != int(value):
            raise ValueError(f"{value!r} is no IS value: expected a whole number")
        return str(int(value))
    if vr == "DS" and isinstance(value, float | Decimal):
        return _decimal_text(value)
    if isinstance(value, Number | PersonName):
        return str(value)
    raise TypeError(f"{value!r} is no {vr} value: give text, or a number, date or time")


def _instant_text(vr: str, value: date | time) -> str:
    match vr:
        case "DA" if isinstance(value, date):
            return _date_text(value)
        case "TM" if isinstance(value, datetime | time):
            fraction = f".{value.microsecond:06}" if value.microsecond else ""
            return _time_text(value) + fraction
        case "DT" if isinstance(value, datetime):
            # With all six digits, as pydicom's DT: a datetime is an instant, not a second.
            offset = value.strftime("%z")[:5]
            return f"{_date_text(value)}{_time_text(value)}.{value.microsecond:06}{offset}"
        case "DT" if isinstance(value, date):
            return _date_text(value)
    raise TypeError(f"{value!r} is no {vr} value")


def _date_text(value: date) -> str:
    return f"{value.year:04}{value.month:02}{value.day:02}"


def _time_text(value: datetime | time) -> str:
    return f"{value.hour:02}{value.minute:02}{value.second:02}"


def _decimal_text(value: float | Decimal) -> str:
    """Return a number in at most 16 characters (PS3.5 6.2, DS)."""
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is no DS value: expected a finite number")
    text = str(value)
    if len(text) > 16:
        text = format_number_as_ds(value)
    # Rounded up, the greatest floats would be infinite for their readers.
    return text if math.isfinite(float(text)) else f"{math.copysign(_GREATEST, value)}"

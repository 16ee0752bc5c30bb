"""Dates and times as intervals of sortable texts (PS3.5 6.2; PS3.4 C.2.2.2.1.3, C.2.2.2.5).

A value is the interval that its precision leaves open: time ``10`` is 100000.000000 to
105960.999999. Sortable forms compare as texts: DA ``YYYYMMDD``, TM ``HHMMSS.ffffff``, DT
``YYYYMMDDHHMMSS.ffffff`` in UTC. A stored value is sorted by its first instant; a key matches the
stored values whose first instant lies within the key's interval.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import MINYEAR, datetime, timedelta
from typing import TypeAlias

from dicomquest.errors import ValueFormatError

Interval: TypeAlias = tuple[str, str]
OpenInterval: TypeAlias = tuple[str | None, str | None]

# Old files still hold the forms of ACR-NEMA, with dots and colons (PS3.5 6.2, notes to DA and TM).
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
_TIME = re.compile(
    r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?|(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?",
    re.ASCII,
)
_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?",
    re.ASCII,
)
# A hyphen that may begin an offset: HHMM of -1200 to -0000 follows, then the end of the text or the
# hyphen of the range.
_MAY_BE_OFFSET = re.compile(r"-(?:0\d[0-5]\d|1[01][0-5]\d|1200)(?=-|$)", re.ASCII)

# ISO 8601 writes dates so, and people do.
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)

_DATE_EXPECTED = "YYYYMMDD"
_TIME_EXPECTED = "HH, HHMM, HHMMSS or HHMMSS.F to HHMMSS.FFFFFF"
_DATE_TIME_EXPECTED = "YYYY to YYYYMMDDHHMMSS.FFFFFF, then an offset of -1200 to +1400 or none"
_RANGE_EXPECTED = "a range a-b, a- or -b"

# A minute with a leap second has second 60, so an open minute ends there (PS3.5 6.2, TM).
_LAST_SECOND = "60"


def date_interval(text: str) -> Interval:
    """Return the day of a DA value twice; ValueFormatError for other texts."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueFormatError("DA", text, _DATE_EXPECTED)
    year, month, day = (
        (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
    )
    _check_day("DA", text, year, month, day)
    date = year + month + day
    return date, date


def time_interval(text: str) -> Interval:
    """Return the first and last instant of a TM value; ValueFormatError for other texts."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueFormatError("TM", text, _TIME_EXPECTED)
    hour, minute, second, fraction = match.groups()[:4] if match[1] else match.groups()[4:]
    _check_time("TM", text, hour, minute, second)
    low = f"{hour}{minute or '00'}{second or '00'}.{(fraction or '').ljust(6, '0')}"
    high = f"{hour}{minute or '59'}{second or _LAST_SECOND}.{(fraction or '').ljust(6, '9')}"
    return low, high


def datetime_interval(text: str, offset_minutes: int = 0) -> Interval:
    """Return the first and last instant of a DT value in UTC; ValueFormatError for other texts.

    ``offset_minutes``, east of UTC, is the zone of a value that names none.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueFormatError("DT", text, _DATE_TIME_EXPECTED)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    _check_day("DT", text, year, month or "01", day or "01")
    _check_time("DT", text, hour or "00", minute, second)
    if offset is not None:
        offset_minutes = parse_offset(offset, "DT", text)
    last_month = month or "12"
    last_day = day or f"{calendar.monthrange(int(year), int(last_month))[1]:02}"
    low = f"{year}{month or '01'}{day or '01'}{hour or '00'}{minute or '00'}", second or "00"
    high = f"{year}{last_month}{last_day}{hour or '23'}{minute or '59'}", second or _LAST_SECOND
    digits = fraction or ""
    return (
        f"{_to_utc(low[0], offset_minutes)}{low[1]}.{digits.ljust(6, '0')}",
        f"{_to_utc(high[0], offset_minutes)}{high[1]}.{digits.ljust(6, '9')}",
    )


def parse_offset(text: str, vr: str = "SH", value: str | None = None) -> int:
    """Return ``+HHMM`` or ``-HHMM`` in minutes east of UTC; ValueFormatError for other texts.

    The Standard allows -1200 to +1400, and not -0000 (PS3.5 6.2, DT).
    """
    expected = "an offset from UTC of -1200 to +1400, not -0000"
    if re.fullmatch(r"[+-]\d{4}", text, re.ASCII) is None or text == "-0000" or text[3] > "5":
        raise ValueFormatError(vr, value or text, expected)
    minutes = int(text[1:3]) * 60 + int(text[3:])
    if text[0] == "-":
        minutes = -minutes
    if not -12 * 60 <= minutes <= 14 * 60:
        raise ValueFormatError(vr, value or text, expected)
    return minutes


def date_range(text: str) -> OpenInterval:
    """Return the bounds of a DA range key: ``a-b``, ``a-`` or ``-b`` (PS3.4 C.2.2.2.5).

    Raises ValueFormatError for other texts, and if a is after b.
    """
    lower, upper = _halves("DA", text)
    return _range("DA", text, lower, upper, date_interval)


def time_range(text: str) -> OpenInterval:
    """Return the bounds of a TM range key within one day, as ``date_range`` does.

    A range across midnight is none: its first bound is after its second (PS3.4 C.2.2.2.5).
    """
    lower, upper = _halves("TM", text)
    return _range("TM", text, lower, upper, time_interval)


def datetime_range(text: str, offset_minutes: int = 0) -> OpenInterval:
    """Return the bounds of a DT range key in UTC, as ``date_range`` does.

    ``offset_minutes`` is the zone of a bound that names none.
    """
    lower, upper = _datetime_halves(text)
    return _range("DT", text, lower, upper, lambda half: datetime_interval(half, offset_minutes))


def sortable_date(text: str) -> str | None:
    """Return ``YYYYMMDD``, or None if the text is no DA value."""
    try:
        return date_interval(text.strip(" \0"))[0]
    except ValueFormatError:
        return None


def sortable_time(text: str) -> str | None:
    """Return ``HHMMSS.ffffff`` of the first instant, or None if the text is no TM value."""
    try:
        return time_interval(text.strip(" \0"))[0]
    except ValueFormatError:
        return None


def sortable_datetime(text: str, offset_minutes: int | None = None) -> str | None:
    """Return ``YYYYMMDDHHMMSS.ffffff`` of the first instant in UTC, or None for other texts.

    ``offset_minutes`` is the zone of a value that names none; None is UTC.
    """
    try:
        return datetime_interval(text.strip(" \0"), offset_minutes or 0)[0]
    except ValueFormatError:
        return None


def _check_day(vr: str, text: str, year: str, month: str, day: str) -> None:
    if int(year) < MINYEAR or not "01" <= month <= "12":
        raise ValueFormatError(vr, text, "a year of 0001 to 9999 and a month of 01 to 12")
    days = calendar.monthrange(int(year), int(month))[1]
    if not 1 <= int(day) <= days:
        raise ValueFormatError(vr, text, f"a day of 01 to {days}")


def _check_time(vr: str, text: str, hour: str, minute: str | None, second: str | None) -> None:
    if hour > "23" or (minute or "00") > "59" or (second or "00") > _LAST_SECOND:
        raise ValueFormatError(
            vr, text, "an hour of 00 to 23, a minute of 00 to 59, a second of 00 to 60"
        )


def _to_utc(minute: str, offset_minutes: int) -> str:
    """Return ``YYYYMMDDHHMM`` of a zone in UTC.

    An instant that leaves the years 0001 to 9999 becomes their first or last minute: it still sorts
    before or after every other one.
    """
    if offset_minutes == 0:
        return minute
    local = datetime(  # noqa: DTZ001
        int(minute[:4]), int(minute[4:6]), int(minute[6:8]), int(minute[8:10]), int(minute[10:])
    )
    try:
        instant = local - timedelta(minutes=offset_minutes)
    except OverflowError:
        return "000101010000" if offset_minutes > 0 else "999912312359"
    # strftime's %Y does not fill years with zeros on every system.
    return (
        f"{instant.year:04}{instant.month:02}{instant.day:02}{instant.hour:02}{instant.minute:02}"
    )


def _halves(vr: str, text: str) -> tuple[str, str]:
    if vr == "DA" and (match := _ISO_DATE.fullmatch(text.strip())):
        raise ValueFormatError(vr, text, f"YYYYMMDD without hyphens, so {''.join(match.groups())}")
    if text.count("-") != 1:
        raise ValueFormatError(vr, text, _RANGE_EXPECTED)
    lower, _, upper = text.partition("-")
    return lower, upper


def _datetime_halves(text: str) -> tuple[str, str]:
    """Return the halves of a DT range.

    A hyphen belongs to an offset if it can and another one is left to separate the halves:
    ``2007-0500-`` is open above and begins with an offset (PS3.4 C.2.2.2.5).
    """
    text = re.sub(" *- *", "-", text.strip(" "))
    hyphens = [index for index, character in enumerate(text) if character == "-"]
    offsets = {match.start() for match in _MAY_BE_OFFSET.finditer(text)}
    separators = [index for index in hyphens if index not in offsets]
    if not separators and len(hyphens) == 1:
        separators = hyphens
    if len(separators) != 1:
        raise ValueFormatError("DT", text, _RANGE_EXPECTED)
    return text[: separators[0]], text[separators[0] + 1 :]


def _range(
    vr: str, text: str, lower: str, upper: str, interval: Callable[[str], Interval]
) -> OpenInterval:
    lower, upper = lower.strip(" "), upper.strip(" ")
    if not lower and not upper:
        raise ValueFormatError(vr, text, _RANGE_EXPECTED)
    try:
        low = interval(lower)[0] if lower else None
        high = interval(upper)[1] if upper else None
    except ValueFormatError as error:
        raise ValueFormatError(vr, text, f"{_RANGE_EXPECTED} of {error.expected}") from error
    if low is not None and high is not None and low > high:
        raise ValueFormatError(vr, text, "a range whose first bound is not after its second")
    return low, high

"""Dates and times as people write them, as values of DA, TM and DT keys (PS3.5 6.2).

A text that is a value of its VR keeps its meaning. All others stand for a period: ``2024-01`` is a
month, ``last-week`` Monday to Sunday, ``-7d`` the last seven days and today, ``2024-01..`` open.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from dicomquest.dataset.dates import (
    date_interval,
    date_range,
    datetime_interval,
    datetime_range,
    time_interval,
    time_range,
)
from dicomquest.errors import ValueFormatError, WrittenValueError

Period: TypeAlias = tuple[str, str]
"""The first and the last value that a text stands for."""

_YEAR = re.compile(r"(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})", re.ASCII)
_DAY = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_TWO_DAYS = re.compile(r"(\d{8}|\d{4}-\d\d?-\d\d?) *- *(\d{8}|\d{4}-\d\d?-\d\d?)", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)", re.ASCII)
_SIX_DIGITS = re.compile(r"(\d{4})(\d\d)", re.ASCII)
_AGO = re.compile(r"-(\d{1,4})([dwmy])", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?", re.ASCII)
_COMPACT_CLOCK = re.compile(r"(\d\d)(\d\d)?(\d\d(?:\.\d{1,6})?)?", re.ASCII)
_MOMENT = re.compile(r"(.+?)(?:T|t| +)(\d[\d:.]*)(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)

_DATE_FORMS = "2024-01-05, 2024-01, 2024, 2024-01..2024-03, today or -7d"
_TIME_FORMS = "10:11, 10:11:12 or 08:00..12:30"
_MOMENT_FORMS = "2024-01-05T10:11, 2024-01-05 or 2024-01..2024-03"


def written_date(text: str, today: date) -> str:
    """Return a DA value or range for a text; WrittenValueError if it means no date."""
    if "." not in text and _is_value(text, date_interval, date_range):
        return text
    return _joined(text, lambda part: _dates(part, today))


def written_time(text: str) -> str:
    """Return a TM value or range for a text; WrittenValueError if it means no time."""
    if ":" not in text and ".." not in text and _is_value(text, time_interval, time_range):
        return text
    return _joined(text, _times, ends_at_midnight=True)


def written_datetime(text: str, today: date) -> str:
    """Return a DT value or range for a text; WrittenValueError if it means no date or time."""
    if ".." not in text and _is_value(text, datetime_interval, datetime_range):
        return text
    return _joined(text, lambda part: _moments(part, today))


def _is_value(text: str, single: Callable[[str], object], ranged: Callable[[str], object]) -> bool:
    for read in (single, ranged):
        try:
            read(text.strip(" "))
        except ValueFormatError:
            continue
        return True
    return False


def _joined(text: str, read: Callable[[str], Period], *, ends_at_midnight: bool = False) -> str:
    """Return the value of a text that is one period or a range of two."""
    first, last = _ends(text.strip(), read)
    if first and last and first > last:
        lower, upper = _halves(text.strip(), read) or (text, text)
        if ends_at_midnight:
            hint = f"a range ends at midnight. Ask twice: {lower}.. and ..{upper}"
            raise WrittenValueError(text, f"ends before it begins, and {hint}")
        raise WrittenValueError(text, "ends before it begins", f"{upper}..{lower}")
    return first if first == last else f"{first}-{last}"


def _ends(text: str, read: Callable[[str], Period]) -> Period:
    if ".." not in text:
        try:
            return read(text)
        except WrittenValueError:
            if _halves(text, read) is None:
                _name_wrong_half(text, read)
                raise
    lower, upper = _halves(text, read) or ("", "")
    if not (lower or upper):
        raise WrittenValueError(text, "is no range: name its beginning, its end or both")
    return (read(lower)[0] if lower else "", read(upper)[1] if upper else "")


def _halves(text: str, read: Callable[[str], Period]) -> tuple[str, str] | None:
    """Return the two texts of a range; the dots of a written one, else a hyphen between periods."""
    if ".." in text:
        lower, _, upper = text.partition("..")
        return lower.strip(), upper.strip()
    for at, character in enumerate(text):
        halves = text[:at].strip(), text[at + 1 :].strip()
        if character == "-" and all(not half or _is_period(half, read) for half in halves):
            return halves
    return None


def _name_wrong_half(text: str, read: Callable[[str], Period]) -> None:
    """Raise for the half of a range that is no date, if the other half and the form are."""
    if match := _TWO_DAYS.fullmatch(text):
        for half in match.groups():
            read(half)


def _is_period(text: str, read: Callable[[str], Period]) -> bool:
    try:
        read(text)
    except WrittenValueError:
        return False
    return True


def _dates(text: str, today: date) -> Period:
    """Return the first and last day of a period."""
    folded = text.casefold().replace(" ", "-").replace("_", "-")
    if folded in _NAMED:
        first, last = _NAMED[folded](today)
        return _da(first), _da(last)
    if match := _AGO.fullmatch(text):
        return _da(_before(today, int(match[1]), match[2].lower(), text)), _da(today)
    if match := _COMPACT_DAY.fullmatch(text):
        return (_day(text, match[1], match[2], match[3]),) * 2
    if match := _DAY.fullmatch(text):
        return (_day(text, match[1], match[3], match[4]),) * 2
    if match := _MONTH.fullmatch(text):
        days = _days_of(text, match[1], match[2])
        return _day(text, match[1], match[2], "1"), _day(text, match[1], match[2], str(days))
    if match := _YEAR.fullmatch(text):
        return _day(text, match[1], "1", "1"), _day(text, match[1], "12", "31")
    raise _no_date(text)


def _no_date(text: str) -> WrittenValueError:
    """Return the error for a text that is no date, with what was probably meant."""
    if match := _DAY_FIRST.fullmatch(text):
        return _day_first(text, match)
    if "*" in text or "?" in text:
        bare = re.sub(r"[*?]+$", "", text).rstrip("-.")
        six = _SIX_DIGITS.fullmatch(bare)
        perhaps = f"{six[1]}-{six[2]}" if six else bare if _YEAR.fullmatch(bare) else ""
        return WrittenValueError(text, "is no date: a date takes no wild card", perhaps)
    if six := _SIX_DIGITS.fullmatch(text):
        perhaps = f"{six[1]}-{six[2]}" if "01" <= six[2] <= "12" else ""
        return WrittenValueError(text, "is no date: six digits may be a month or a day", perhaps)
    return WrittenValueError(text, f"is no date. Write {_DATE_FORMS}")


def _day_first(text: str, match: re.Match[str]) -> WrittenValueError:
    one, other, year = int(match[1]), int(match[3]), match[4]
    if len(year) == 2:
        return WrittenValueError(text, "is no date: write the year first, with four digits")
    meant = [
        (f"{day} {calendar.month_name[month]}", f"{year}-{month:02}-{day:02}")
        for day, month in dict.fromkeys([(one, other), (other, one)])
        if 1 <= month <= 12 and 1 <= day <= calendar.monthrange(int(year), month)[1]
    ]
    if len(meant) == 2:
        words = " or ".join(day for day, _ in meant)
        forms = " or ".join(form for _, form in meant)
        return WrittenValueError(text, f"could be {words}. Write {forms}")
    return WrittenValueError(text, "is no date: the year comes first", meant[0][1] if meant else "")


def _day(text: str, year: str, month: str, day: str) -> str:
    last = _days_of(text, year, month)
    if not 1 <= int(day) <= last:
        name = f"{calendar.month_name[int(month)]} {year}"
        raise WrittenValueError(text, f"is no date: {name} has {last} days")
    return f"{year}{int(month):02}{int(day):02}"


def _days_of(text: str, year: str, month: str) -> int:
    if int(year) == 0:
        raise WrittenValueError(text, "is no date: there is no year 0")
    if not 1 <= int(month) <= 12:
        swapped = _COMPACT_DAY.fullmatch(text) or _DAY.fullmatch(text)
        day = swapped.groups()[-1] if swapped else "0"
        perhaps = f"{year}-{int(day):02}-{int(month):02}" if 1 <= int(day) <= 12 else ""
        perhaps = perhaps if 1 <= int(month) <= 31 else ""
        raise WrittenValueError(text, f"has no such month: {month}", perhaps)
    return calendar.monthrange(int(year), int(month))[1]


def _before(today: date, count: int, unit: str, text: str) -> date:
    try:
        match unit:
            case "d" | "w":
                return today - timedelta(days=count * (7 if unit == "w" else 1))
            case _:
                months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
                year, month = divmod(months, 12)
                day = min(today.day, calendar.monthrange(year, month + 1)[1])
                return date(year, month + 1, day)
    except (OverflowError, ValueError) as error:
        raise WrittenValueError(text, "lies before the calendar begins") from error


def _week(today: date, ago: int) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday() + 7 * ago)
    return monday, monday + timedelta(days=6)


def _month(today: date, ago: int) -> tuple[date, date]:
    year, month = divmod(today.year * 12 + today.month - 1 - ago, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, 1), date(year, month + 1, last)


def _whole_year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


_NAMED: dict[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda today: (today, today),
    "yesterday": lambda today: (today - timedelta(days=1),) * 2,
    "this-week": lambda today: _week(today, 0),
    "last-week": lambda today: _week(today, 1),
    "this-month": lambda today: _month(today, 0),
    "last-month": lambda today: _month(today, 1),
    "this-year": lambda today: _whole_year(today.year),
    "last-year": lambda today: _whole_year(today.year - 1),
}


def _da(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _times(text: str) -> Period:
    """Return a time twice: a TM value of less precision is an interval by itself."""
    match = _CLOCK.fullmatch(text) or _COMPACT_CLOCK.fullmatch(text)
    if match is None:
        raise WrittenValueError(text, f"is no time. Write {_TIME_FORMS}")
    hour, minute, second = match[1], match[2] or "", match[3] or ""
    if int(hour) > 23 or (minute or "0") > "59" or float(second or "0") >= 61:
        raise WrittenValueError(text, "is no time of a day: hours 00 to 23, minutes 00 to 59")
    return (f"{int(hour):02}{minute}{second}",) * 2


def _moments(text: str, today: date) -> Period:
    """Return a date, or a date and a time, as a DT value twice; a longer period as its days."""
    match = _MOMENT.fullmatch(text)
    try:
        if match is None:
            return _dates(text, today)
        (first, last), (clock, _) = _dates(match[1], today), _times(match[2])
    except WrittenValueError as error:
        raise WrittenValueError(text, f"is no date and time. Write {_MOMENT_FORMS}") from error
    if first != last:
        raise WrittenValueError(text, f"is no date and time. Write {_MOMENT_FORMS}")
    zone = "+0000" if match[3] in ("Z", "z") else (match[3] or "").replace(":", "")
    return (f"{first}{clock}{zone}",) * 2

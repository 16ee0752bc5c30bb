"""The dates of the search box: years, months, days, ranges, words such as today (PS3.5 6.2).

The box reads ISO 8601 and the forms of ``KEY=VALUE``. It never guesses which number is the month.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

from dicomquest.dataset.written_dates import written_date
from dicomquest.errors import WrittenValueError

EARLIEST_YEAR = 1900

_FIRST = re.compile(r"(\d{4})(?:([-/])(\d{1,2})(?:\2(\d{1,2}))?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_TWO_COMPACT = re.compile(r"(\d{8})-(\d{8})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{4})", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}([/.])\d{1,2}\1\d\d", re.ASCII)
_SOME_DAYS = re.compile(r"(?:last )?(\d{1,3}) (day|week|month|year)s?", re.ASCII)
_NAMED = re.compile(r"today|yesterday|(?:this|last) (?:week|month|year)")

RELATIVE_UNITS = re.compile(r"(?:day|week|month|year)s?", re.IGNORECASE)
"""The word behind a number, or behind last or this, that makes both a date."""


@dataclass(frozen=True, slots=True)
class BoxDate:
    """A date or range: the value of a DA key, and the words that move with the day, if it does."""

    value: str
    text: str
    relative: str = ""


class AmbiguousDayError(Exception):
    """A text that names one of two days; ``days`` are both, as ISO has them."""

    def __init__(self, text: str, days: tuple[str, str]) -> None:
        super().__init__(text)
        self.text = text
        self.days = days


def read_bare(text: str, today: date) -> BoxDate | None:
    """Return the date that a word of the box is, None if it is none.

    AmbiguousDayError if it is one of two, WrittenValueError if it has the form of a date only.
    """
    if (found := _relative(text, today)) is not None:
        return found
    if _DAY_FIRST.fullmatch(text) or _MONTH_FIRST.fullmatch(text) or _SHORT_YEAR.fullmatch(text):
        return _day_first(text, today)
    if ".." in text:
        halves = text.split("..")
        if len(halves) != 2 or not any(halves):
            return None
        read = [read_bare(half, today) if half else None for half in halves]
        if any(half and found is None for half, found in zip(halves, read, strict=True)):
            return None
        return _range(text, read[0], read[1], today)
    if match := _TWO_COMPACT.fullmatch(text):
        both = all(_is_day(half, today) for half in match.groups())
        return BoxDate(written_date(text, today), text) if both else None
    if _COMPACT.fullmatch(text):
        return BoxDate(text, _iso(text)) if _is_day(text, today) else None
    match = _FIRST.fullmatch(text)
    if match is None or not _is_in_span(match[1], today):
        return None
    value = written_date(text, today)
    return BoxDate(value, text.replace("/", "-") if len(text) > 4 else text)


def read_named(text: str, today: date) -> BoxDate:
    """Return the date behind ``date:`` or ``born:``; errors as ``read_bare``, for any text."""
    spaced = text.replace("_", " ")
    if (found := _relative(spaced.replace("-", " "), today)) is not None:
        return found
    if _DAY_FIRST.fullmatch(text) or _MONTH_FIRST.fullmatch(text) or _SHORT_YEAR.fullmatch(text):
        return _day_first(text, today)
    halves = text.split("..")
    if len(halves) == 2 and any(halves):
        read = [read_named(half, today) if half else None for half in halves]
        return _range(text, read[0], read[1], today)
    value = written_date(text, today)
    moves = re.search("[a-z]", text, re.IGNORECASE) is not None
    return BoxDate(value, text, text if moves else "")


def _range(text: str, lower: BoxDate | None, upper: BoxDate | None, today: date) -> BoxDate:
    halves = [
        (half.relative or half.text).replace(" ", "-") if half else "" for half in (lower, upper)
    ]
    written = "..".join(halves)
    first = lower.value.partition("-")[0] if lower else ""
    last = upper.value.rpartition("-")[2] if upper else ""
    if first and last and first > last:
        raise WrittenValueError(text, "ends before it begins", f"{halves[1]}..{halves[0]}")
    del today
    value = first if first == last else f"{first}-{last}"
    moves = any(half and half.relative for half in (lower, upper))
    return BoxDate(value, written, written if moves else "")


def _relative(text: str, today: date) -> BoxDate | None:
    low = " ".join(text.casefold().split())
    if _NAMED.fullmatch(low):
        return BoxDate(written_date(low, today), low, low)
    if match := _SOME_DAYS.fullmatch(low):
        number = int(match[1])
        value = written_date(f"-{number}{match[2][0]}", today)
        unit = match[2] if number == 1 else f"{match[2]}s"
        words = f"{number} {unit}"
        return BoxDate(value, words, words)
    return None


def _day_first(text: str, today: date) -> BoxDate:
    if match := _MONTH_FIRST.fullmatch(text):
        month = f"{match[2]}-{int(match[1]):02}"
        return BoxDate(written_date(month, today), month)
    match = _DAY_FIRST.fullmatch(text)
    if match is None:
        raise WrittenValueError(text, "is no date: write the year first, with four digits")
    one, other, year = int(match[1]), int(match[3]), int(match[4])
    days = [
        f"{year:04}-{month:02}-{day:02}"
        for day, month in dict.fromkeys([(one, other), (other, one)])
        if year and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    ]
    if not days:
        raise WrittenValueError(text, "is no date: write one such as 2024-03-05")
    if len(days) == 2:
        raise AmbiguousDayError(text, (days[0], days[1]))
    return BoxDate(days[0].replace("-", ""), days[0])


def _is_in_span(year: str, today: date) -> bool:
    return EARLIEST_YEAR <= int(year) <= today.year + 1


def _is_day(text: str, today: date) -> bool:
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    return (
        _is_in_span(text[:4], today)
        and 1 <= month <= 12
        and 1 <= day <= calendar.monthrange(year, month)[1]
    )


def _iso(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def in_words(day: str) -> str:
    """Return an ISO day as a person says it: ``5 March 2024``."""
    year, month, number = day.split("-")
    return f"{int(number)} {calendar.month_name[int(month)]} {year}"

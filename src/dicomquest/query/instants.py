"""Date, time and date-time keys: single values by meaning, ranges, pairs (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

from dicomquest.dataset.dates import (
    date_interval,
    date_range,
    datetime_interval,
    datetime_range,
    time_interval,
    time_range,
)
from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import Range, SingleInterval


def read_instants(vr: str, text: str, zone_minutes: int) -> SingleInterval | Range:
    """Return the criterion of a DA, TM or DT key value; a hyphen makes a range (C.2.2.2.1.3)."""
    is_range = "-" in text
    lower: str | None
    upper: str | None
    if vr == "DA":
        lower, upper = date_range(text) if is_range else date_interval(text)
    elif vr == "TM":
        lower, upper = time_range(text) if is_range else time_interval(text)
    elif is_range:
        lower, upper = datetime_range(text, zone_minutes)
    else:
        lower, upper = datetime_interval(text, zone_minutes)
    if is_range or lower is None or upper is None:
        return Range(lower, upper, text)
    return SingleInterval(lower, upper, text)


def combined_range(date: str, time: str) -> Range | None:
    """Return a date range and a time range as one range of instants (C.2.2.2.5.4).

    None if they are not two ranges with the same open ends. The times bound the first and the last
    day, so 2200-0200 is a range here. ValueFormatError if the first instant is after the last.
    """
    dates, times = (tuple(bound.strip(" ") for bound in text.split("-")) for text in (date, time))
    if len(dates) != 2 or len(times) != 2 or [bool(d) for d in dates] != [bool(t) for t in times]:
        return None
    if not any(dates):
        return None
    lower = date_interval(dates[0])[0] + time_interval(times[0])[0] if dates[0] else None
    upper = date_interval(dates[1])[1] + time_interval(times[1])[1] if dates[1] else None
    if lower is not None and upper is not None and lower > upper:
        raise ValueFormatError(
            "DA", f"{date} {time}", "a range whose first instant is not after its last"
        )
    return Range(lower, upper, f"{date} {time}")

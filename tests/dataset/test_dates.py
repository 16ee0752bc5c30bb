"""Dates, times and date-times as intervals (PS3.5 6.2; PS3.4 C.2.2.2.1.3, C.2.2.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.values import (
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
from dicomquest.errors import ValueFormatError

INTERVALS: dict[str, Callable[[str], tuple[str, str]]] = {
    "DA": date_interval,
    "TM": time_interval,
    "DT": datetime_interval,
}
RANGES: dict[str, Callable[[str], tuple[str | None, str | None]]] = {
    "DA": date_range,
    "TM": time_range,
    "DT": datetime_range,
}


@pytest.mark.requirement("EN-043", "EN-044")
@pytest.mark.parametrize(
    ("vr", "text", "low", "high"),
    [
        ("DA", "20240229", "20240229", "20240229"),
        ("DA", "1997.07.04", "19970704", "19970704"),
        ("TM", "10", "100000.000000", "105960.999999"),
        ("TM", "0000", "000000.000000", "000060.999999"),
        ("TM", "2359", "235900.000000", "235960.999999"),
        ("TM", "235960", "235960.000000", "235960.999999"),
        ("TM", "070907.0705", "070907.070500", "070907.070599"),
        ("TM", "070907.123456", "070907.123456", "070907.123456"),
        ("TM", "10:20", "102000.000000", "102060.999999"),
        ("TM", "10:20:30.5", "102030.500000", "102030.599999"),
        ("DT", "2024", "20240101000000.000000", "20241231235960.999999"),
        ("DT", "202402", "20240201000000.000000", "20240229235960.999999"),
        ("DT", "20240101", "20240101000000.000000", "20240101235960.999999"),
        ("DT", "2024010112", "20240101120000.000000", "20240101125960.999999"),
        ("DT", "202401011230", "20240101123000.000000", "20240101123060.999999"),
        ("DT", "20240101123045", "20240101123045.000000", "20240101123045.999999"),
        ("DT", "20240101123045.25", "20240101123045.250000", "20240101123045.259999"),
        ("DT", "20240101123045.25+0130", "20240101110045.250000", "20240101110045.259999"),
        ("DT", "2007-0500", "20070101050000.000000", "20080101045960.999999"),
        ("DT", "19980128073000-0300", "19980128103000.000000", "19980128103000.999999"),
    ],
)
def test_value_is_interval_of_its_precision(vr: str, text: str, low: str, high: str) -> None:
    assert INTERVALS[vr](text) == (low, high)


@pytest.mark.requirement("EN-043", "EN-045")
@pytest.mark.parametrize(
    ("vr", "text"),
    [
        *(
            ("DA", text)
            for text in (
                "",
                "2024",
                "202401",
                "20241301",
                "20240001",
                "20240230",
                "20230229",
                "20240100",
            )
        ),
        *(
            ("DA", text)
            for text in (
                "2024-01-01",
                "2024.0101",
                "00000101",
                "\uff12\uff10\uff12\uff140101",
                "20240101 ",
                "x0240101",
            )
        ),
        *(
            ("TM", text)
            for text in ("", "1", "24", "2400", "1060", "101061", "021 ", "021", "10203", "102030.")
        ),
        *(
            ("TM", text)
            for text in ("102030.1234567", "10:2", "1020.5", "-10", "10:20:30:40", "102030 ")
        ),
        *(
            ("DT", text)
            for text in ("", "202", "20241", "202413", "20240230", "2024010124", "20240101.5")
        ),
        *(
            ("DT", text)
            for text in ("20240101-0000", "2024+1401", "2024-1201", "2024+0060", "2024+01", " 2024")
        ),
    ],
)
def test_invalid_value_is_refused(vr: str, text: str) -> None:
    with pytest.raises(ValueFormatError) as raised:
        INTERVALS[vr](text)
    assert (raised.value.vr, raised.value.value) == (vr, text)


@pytest.mark.requirement("EN-045")
@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0000", 0), ("+0530", 330), ("-0330", -210), ("+1400", 840), ("-1200", -720)],
)
def test_offsets_are_minutes_east(text: str, minutes: int) -> None:
    assert parse_offset(text) == minutes


@pytest.mark.requirement("EN-045")
@pytest.mark.parametrize("text", ["-0000", "+1401", "-1201", "0100", "+100", "+0160", "+0100 ", ""])
def test_offsets_outside_range_are_refused(text: str) -> None:
    """Offsets outside the Standard's range are refused."""
    with pytest.raises(ValueFormatError):
        parse_offset(text)


@pytest.mark.requirement("EN-051")
@pytest.mark.parametrize(
    ("vr", "text", "low", "high"),
    [
        ("DA", "20240101-20240131", "20240101", "20240131"),
        ("DA", "20240101-20240101", "20240101", "20240101"),
        ("DA", "20240101-", "20240101", None),
        ("DA", "-20240131", None, "20240131"),
        ("DA", "20240101 - 20240131 ", "20240101", "20240131"),
        ("TM", "10-12", "100000.000000", "125960.999999"),
        ("TM", "0800-0900", "080000.000000", "090060.999999"),
        ("TM", "-070907.0705", None, "070907.070599"),
        ("TM", "235959.123456-235960.123456", "235959.123456", "235960.123456"),
        ("DT", "20240101-20240201", "20240101000000.000000", "20240201235960.999999"),
        ("DT", "1997-1998", "19970101000000.000000", "19981231235960.999999"),
        ("DT", "-20240101120000+0100", None, "20240101110000.999999"),
        ("DT", "20240101120000-0500-", "20240101170000.000000", None),
        ("DT", "-20240101120000-0500", None, "20240101170000.999999"),
        ("DT", "20240101-0500-20240201-0500", "20240101050000.000000", "20240202045960.999999"),
        ("DT", "20240101-0500 - 20240201-0500", "20240101050000.000000", "20240202045960.999999"),
        ("DT", "2007-0500-2008", "20070101050000.000000", "20081231235960.999999"),
        ("DT", "2007-2008-0500", "20070101000000.000000", "20090101045960.999999"),
        (
            "DT",
            "20240101120000.123456-0500-20240201120000.123456-0500",
            "20240101170000.123456",
            "20240201170000.123456",
        ),
    ],
)
def test_range_runs_from_first_to_last_instant(
    vr: str, text: str, low: str | None, high: str | None
) -> None:
    """A range runs from its first to its last instant."""
    assert RANGES[vr](text) == (low, high)


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DA", "-"),
        ("DA", "20240101"),
        ("DA", "20240131-20240101"),
        ("DA", "20240101-20240102-20240103"),
        ("DA", "2024-2025"),
        ("DA", "20240101-2024013"),
        ("TM", "2200-0200"),
        ("TM", "10-24"),
        ("TM", " - "),
        ("DT", "2007-0500"),
        ("DT", "-"),
        ("DT", "--"),
        ("DT", "2024"),
        ("DT", "2024-2025-2026"),
        ("DT", "2024-0500-0600-"),
        ("DT", "20240101-0000-20240201"),
        ("DT", "2025-0500-2024-0500"),
    ],
)
def test_invalid_ranges_are_refused(vr: str, text: str) -> None:
    """A range without bounds, backwards, or of no dates is refused."""
    with pytest.raises(ValueFormatError):
        RANGES[vr](text)


def test_bound_without_offset_is_in_zone_given() -> None:
    low, high = datetime_range("20240101120000-20240101130000+0000", offset_minutes=60)
    assert (low, high) == ("20240101110000.000000", "20240101130000.999999")
    assert sortable_datetime("20240101120000", 60) == "20240101110000.000000"
    assert sortable_datetime("20240101120000+0200", 60) == "20240101100000.000000"


@pytest.mark.parametrize(
    ("text", "offset", "sortable"),
    [
        ("00010101+0100", 0, "00010101000000.000000"),
        ("9999123123-0100", 0, "99991231235900.000000"),
    ],
)
def test_instants_outside_calendar_are_clamped(text: str, offset: int, sortable: str) -> None:
    """Instants outside the calendar are held at its ends."""
    assert sortable_datetime(text, offset) == sortable


@pytest.mark.requirement("EN-043")
def test_invalid_dates_have_no_sortable_form() -> None:
    """A value that is no stored date or time has no sortable form."""
    assert sortable_date("20241301") is None
    assert sortable_time("2400") is None
    assert sortable_time("021 ") is None
    assert sortable_datetime("2024010124") is None
    assert sortable_date("20240101 ") == "20240101"
    assert sortable_time("1030\0") == "103000.000000"


@pytest.mark.requirement("EN-046")
@given(fraction=st.integers(0, 999_999), digits=st.integers(1, 6), other=st.integers(0, 999_999))
def test_fractions_compare_as_numbers(fraction: int, digits: int, other: int) -> None:
    text = f"{fraction:06}"[:digits]
    sortable = sortable_time(f"120000.{text}")
    assert sortable is not None
    assert (sortable < f"120000.{other:06}") == (int(text.ljust(6, "0")) < other)
    assert sortable == sortable_time(f"120000.{text.ljust(6, '0')}")


@given(
    when=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001
    zone=st.integers(-720, 840),
    own_zone=st.integers(-720, 840),
)
def test_sortable_date_times_are_utc(when: datetime, zone: int, own_zone: int) -> None:
    text = f"{when.year:04}{when:%m%d%H%M%S.%f}"
    expected = when.replace(tzinfo=timezone(timedelta(minutes=zone))).astimezone(UTC)
    in_utc = f"{expected.year:04}{expected:%m%d%H%M%S.%f}"
    assert sortable_datetime(text, zone) == in_utc
    sign = "-" if zone < 0 else "+"
    assert (
        sortable_datetime(f"{text}{sign}{abs(zone) // 60:02}{abs(zone) % 60:02}", own_zone)
        == in_utc
    )


@given(text=st.text(st.sampled_from("0123456789-+.: 25"), max_size=30))
@pytest.mark.parametrize("vr", ["DA", "TM", "DT"])
def test_any_text_is_interval_range_or_refused(vr: str, text: str) -> None:
    for read in (INTERVALS[vr], RANGES[vr]):
        try:
            low, high = read(text)
        except ValueFormatError:
            continue
        assert low is None or high is None or low <= high
        assert low or high


def test_a_date_with_hyphens_says_what_to_write() -> None:
    with pytest.raises(ValueFormatError, match="YYYYMMDD without hyphens, so 20240105"):
        date_range("2024-01-05")

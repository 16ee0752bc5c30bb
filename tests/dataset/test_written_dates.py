"""Dates and times as people write them become DICOM values, or are refused with the reason."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.dates import date_interval, date_range
from dicomquest.dataset.written_dates import written_date, written_datetime, written_time
from dicomquest.errors import ValueFormatError, WrittenValueError

WEDNESDAY = date(2024, 3, 13)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20240105", "20240105"),
        ("2024-01-05", "20240105"),
        ("2024-1-5", "20240105"),
        ("2024.01.05", "20240105"),
        ("2024/01/05", "20240105"),
        ("2024", "20240101-20241231"),
        ("2024-02", "20240201-20240229"),
        ("20240101-20240131", "20240101-20240131"),
        ("20240101-", "20240101-"),
        ("2024-01-01..2024-03-31", "20240101-20240331"),
        ("20240101..2024-02", "20240101-20240229"),
        ("2024-01-01-2024-02-01", "20240101-20240201"),
        ("2023-2024", "20230101-20241231"),
        ("2024-01..", "20240101-"),
        ("2024-", "20240101-"),
        ("..2024-02", "-20240229"),
        ("-2024", "-20241231"),
        ("today", "20240313"),
        ("Yesterday", "20240312"),
        ("yesterday..today", "20240312-20240313"),
        ("this-week", "20240311-20240317"),
        ("last-week", "20240304-20240310"),
        ("this-month", "20240301-20240331"),
        ("last month", "20240201-20240229"),
        ("this-year", "20240101-20241231"),
        ("last-year", "20230101-20231231"),
        ("-7d", "20240306-20240313"),
        ("-2w", "20240228-20240313"),
        ("-1m", "20240213-20240313"),
        ("-1y", "20230313-20240313"),
        ("-1m..", "20240213-"),
    ],
)
def test_dates_as_people_write_them(text: str, value: str) -> None:
    assert written_date(text, WEDNESDAY) == value


def test_month_ago_ends_with_a_shorter_month() -> None:
    assert written_date("-1m", date(2024, 3, 31)) == "20240229-20240331"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "05.01.2024",
            "could be 5 January or 1 May. Write 2024-01-05 or 2024-05-01.",
        ),
        ("1/5/2024", "could be 1 May or 5 January"),
        ("25.01.2024", "the year comes first. Perhaps 2024-01-25."),
        ("05.01.24", "with four digits"),
        ("20241301", "has no such month: 13. Perhaps 2024-01-13."),
        ("20240101-20241301", "'20241301' has no such month"),
        ("2024-02-30", "February 2024 has 29 days"),
        ("20230229", "February 2023 has 28 days"),
        ("00000101", "there is no year 0"),
        ("202401", "Perhaps 2024-01."),
        ("2024*", "takes no wild card. Perhaps 2024."),
        ("202401*", "Perhaps 2024-01."),
        ("2024-03..2024-01", "Perhaps 2024-01..2024-03."),
        ("20240301-20240201", "ends before it begins"),
        ("..", "is no range"),
        ("soon", "Write 2024-01-05, 2024-01, 2024"),
        ("-9999y", "before the calendar begins"),
    ],
)
def test_no_date_is_refused_with_what_was_meant(text: str, message: str) -> None:
    with pytest.raises(WrittenValueError) as caught:
        written_date(text, WEDNESDAY)
    assert message in str(caught.value)


DATES = st.dates(date(1, 1, 1)).map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}")


@given(DATES, DATES, st.sampled_from(["{0}", "{0}-{1}", "{0}-", "-{0}", "{0} - {1}"]))
def test_value_of_the_standard_keeps_its_meaning(first: str, last: str, form: str) -> None:
    """A text that is a DA value or range is never read in another way."""
    text = form.format(*sorted((first, last)))
    assert written_date(text, WEDNESDAY) == text


@given(st.text(alphabet="0123456789-./ dwmytodas*", max_size=22))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    try:
        value = written_date(text, WEDNESDAY)
    except WrittenValueError:
        return
    (date_range if "-" in value else date_interval)(value.strip())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", "10"),
        ("1011", "1011"),
        ("101112.5", "101112.5"),
        ("10:11", "1011"),
        ("9:30", "0930"),
        ("10:11:12.5", "101112.5"),
        ("10:11..12", "1011-12"),
        ("10:11-12:00", "1011-1200"),
        ("10:11..", "1011-"),
        ("-1200", "-1200"),
        ("..9:00", "-0900"),
    ],
)
def test_times_as_people_write_them(text: str, value: str) -> None:
    assert written_time(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("25:00", "hours 00 to 23"),
        ("10:61", "hours 00 to 23"),
        ("noon", "Write 10:11"),
        ("22:00..06:00", "Ask twice: 22:00.. and ..06:00"),
    ],
)
def test_no_time_is_refused(text: str, message: str) -> None:
    with pytest.raises(WrittenValueError, match=r"is no time|ends before") as caught:
        written_time(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024", "2024"),
        ("2024-0100", "2024-0100"),
        ("2024-2025", "2024-2025"),
        ("20240105-", "20240105-"),
        ("2024-01-05", "20240105"),
        ("2024-01", "20240101-20240131"),
        ("2024-01-05T10:11", "202401051011"),
        ("2024-01-05 10:11Z", "202401051011+0000"),
        ("2024-01-05T10:11+01:00..", "202401051011+0100-"),
        ("today", "20240313"),
    ],
)
def test_date_times_as_people_write_them(text: str, value: str) -> None:
    assert written_datetime(text, WEDNESDAY) == value


def test_no_date_time_is_refused() -> None:
    for text in ("soon", "2024-01T10:11", "2024-01-05Tnoon"):
        with pytest.raises(WrittenValueError, match="Write 2024-01-05T10:11"):
            written_datetime(text, WEDNESDAY)


def test_old_reader_still_refuses_what_is_written() -> None:
    """The SCP's reading of a key stays strict: only the SCU's side reads a person's text."""
    with pytest.raises(ValueFormatError):
        date_interval("2024-01-05")

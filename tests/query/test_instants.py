from __future__ import annotations

import pytest

from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import Range, SingleInterval
from dicomquest.query.instants import combined_range, read_instants
from fixtures.building import instance, matched

DAY, TIME, BOTH = "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"


def finds(keyword: str, key: str, stored: str) -> bool:
    return bool(matched([instance(**{keyword: (stored,)})], **{keyword: (key,)}))


@pytest.mark.requirement("QR-098")
@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("20240101", "20240101", True),
        ("20240101", "2024.01.01", True),
        ("2024.01.01", "20240101", True),
        ("20240101", "20240102", False),
        ("20240101-20240131", "20240101", True),
        ("20240101-20240131", "20240131", True),
        ("20240101-20240131", "20240201", False),
        ("20240101-20240131 ", "20240131", True),
        ("20240101 - 20240131", "20240131", True),
        ("-20231231", "19990101", True),
        ("-20231231", "20231231", True),
        ("-20231231", "20240101", False),
        ("20240101-", "20240101", True),
        ("20240101-", "20301231", True),
        ("20240101-", "20231231", False),
        ("20240101-20240101", "20240101", True),
        ("20240101-", "unknown", False),
    ],
)
def test_dates(key: str, stored: str, expected: bool) -> None:
    assert finds(DAY, key, stored) is expected


@pytest.mark.requirement("QR-099", "QR-100")
@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("2230", "223000", True),
        ("2230", "223000.000", True),
        ("223000", "2230", True),
        ("1200", "120059", True),
        ("1200", "120100", False),
        ("10", "105959.999999", True),
        ("120030", "120030.5", True),
        ("120030.5", "120030.500000", True),
        ("120030.5", "120030.6", False),
        ("12:30:00", "123000", True),
        ("0800-0900", "080000", True),
        ("0800-0900", "0859", True),
        ("0800-0900", "090030", True),
        ("0800-0900", "0901", False),
        ("000000-235959", "235959.9", True),
        ("000000-235959", "2359", True),
        ("-12", "115959.999999", True),
        ("12-", "115959.999999", False),
        ("235960", "235960", True),
    ],
)
def test_times(key: str, stored: str, expected: bool) -> None:
    assert finds(TIME, key, stored) is expected


@pytest.mark.requirement("QR-100", "QR-101", "QR-102")
@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("19980128103000.0000", "19980128103000", True),
        ("19980128103000", "19980128073000-0300", True),
        ("20240101120000+0100", "20240101110000", True),
        ("20240101120000+0100", "20240101120000", False),
        ("2024", "20240615", True),
        ("202406", "20240715", False),
        ("20240101-20240201", "20240115", True),
        ("-20240101120000+0100", "20240101110059", False),
        ("-20240101120000+0100", "20240101110000", True),
        ("20240101120000-0500-", "20240101170000", True),
        ("20240101120000-0500-", "20240101165959", False),
        ("-20240101120000-0500", "20240101170000", True),
        ("20240101-0500-20240201-0500", "20240101050000", True),
        ("20240101-0500-20240201-0500", "20240101045959", False),
    ],
)
def test_date_times(key: str, stored: str, expected: bool) -> None:
    assert finds(BOTH, key, stored) is expected


@pytest.mark.requirement("QR-096", "QR-099", "QR-102", "QR-121")
@pytest.mark.parametrize(
    ("vr", "key"),
    [
        ("DA", "2024-01-01"),
        ("DA", "20241301"),
        ("DA", "202401"),
        ("DA", "-"),
        ("DA", "20240201-20240101"),
        ("DA", "20240101-20240201-"),
        ("DA", "2024*"),
        ("DA", "*"),
        ("DA", "today"),
        ("TM", "2200-0200"),
        ("TM", "2400"),
        ("TM", "021 "),
        ("TM", "-"),
        ("TM", "12??"),
        ("DT", "2007-0500"),
        ("DT", "-"),
        ("DT", "20240101-0500"),
        ("DT", "20240101-20240201-20240301"),
        ("DT", "2024?"),
        ("DT", "20240101000000-1300"),
    ],
)
def test_invalid_date_or_time_is_an_error(vr: str, key: str) -> None:
    with pytest.raises(ValueFormatError):
        read_instants(vr, key, 0)


def test_value_is_interval_range_has_outer_bounds() -> None:
    """A value is an interval, and a range has the outer bounds of its values."""
    assert read_instants("TM", "10", 0) == SingleInterval("100000.000000", "105960.999999", "10")
    assert read_instants("TM", "10-12", 0) == Range("100000.000000", "125960.999999", "10-12")
    assert read_instants("DA", "-20240101", 0) == Range(None, "20240101", "-20240101")


def test_zone_holds_where_none_is_named() -> None:
    assert read_instants("DT", "202401010030", 60).lower == "20231231233000.000000"
    assert read_instants("DT", "202401010030+0000", 60).lower == "20240101003000.000000"


@pytest.mark.requirement("QR-077")
@pytest.mark.parametrize(
    ("date", "time", "lower", "upper"),
    [
        ("20060705-20060707", "1000-1800", "20060705100000.000000", "20060707180060.999999"),
        ("20060705-", "1000-", "20060705100000.000000", None),
        ("-20060707", "-1800", None, "20060707180060.999999"),
        ("20240101-20240102", "2200-0200", "20240101220000.000000", "20240102020060.999999"),
    ],
)
def test_ranges_of_one_form_combine(
    date: str, time: str, lower: str | None, upper: str | None
) -> None:
    combined = combined_range(date, time)
    assert combined is not None
    assert (combined.lower, combined.upper) == (lower, upper)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("20060705-", "-1000"),
        ("20060705", "1000-1100"),
        ("20060705-", ""),
        ("20060705-", "1000"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_other_ranges_do_not_combine(date: str, time: str) -> None:
    assert combined_range(date, time) is None


def test_backwards_combined_range_is_error() -> None:
    """A combined range that ends before it begins is an error."""
    with pytest.raises(ValueFormatError):
        combined_range("20240101-20240101", "2200-0200")

"""The order of matches of several archives."""

from __future__ import annotations

from dicomquest.standard.levels import Level
from dicomquest.web.match_order import match_order
from fixtures.building import data_set


def test_new_studies_come_first() -> None:
    dates = {"1": "20240102", "2": "", "3": "20240103", "4": "20240102"}
    found = [data_set(StudyInstanceUID=uid, StudyDate=date) for uid, date in dates.items()]
    found.sort(key=lambda each: match_order(each, Level.STUDY))
    assert [str(each[0x0020000D].values[0]) for each in found] == ["3", "1", "4", "2"]


def test_series_come_by_number() -> None:
    numbers = {"1": "10", "2": "9", "3": "", "4": "009"}
    found = [
        data_set(StudyInstanceUID="1", SeriesInstanceUID=uid, SeriesNumber=number)
        for uid, number in numbers.items()
    ]
    found.sort(key=lambda each: match_order(each, Level.SERIES))
    assert [str(each[0x0020000E].values[0]) for each in found] == ["2", "4", "1", "3"]

"""Facets: the values of an attribute with the studies that each would leave."""

from __future__ import annotations

import pytest

from dicomquest.query.facets import (
    FacetKind,
    Period,
    date_range,
    has_own_key,
    tally,
    without_own_key,
)
from fixtures.building import query


@pytest.mark.parametrize(
    ("days", "period", "values"),
    [
        (["20240301", "20240331"], Period.DAY, ["20240301", "20240331"]),
        (["20240331", "20240401"], Period.MONTH, ["202403", "202404"]),
        (["20220401", "20240331"], Period.MONTH, ["202204", "202403"]),
        (["20220331", "20240401"], Period.YEAR, ["2022", "2024"]),
        ([], Period.DAY, []),
    ],
)
def test_period_fits_the_span_of_dates(days: list[str], period: Period, values: list[str]) -> None:
    found = tally(FacetKind.DATE, dict.fromkeys(days, 2))
    assert found.period is period
    assert [(each.value, each.studies) for each in found.values] == [(each, 2) for each in values]


def test_old_dates_count_and_texts_do_not() -> None:
    found = tally(FacetKind.DATE, {"2024.03.05": 1, "20240305": 1, "soon": 5, None: 3})
    assert [(each.value, each.studies) for each in found.values] == [("20240305", 2), ("", 3)]


def test_a_study_counts_in_each_of_its_modalities() -> None:
    found = tally(FacetKind.MODALITY, {"CT\\SR": 2, "CT": 1, "\\CT\\CT": 1, None: 9})
    assert [(each.value, each.studies) for each in found.values] == [("CT", 4), ("SR", 2), ("", 9)]


def test_range_of_a_period() -> None:
    assert date_range("2024") == "20240101-20241231"
    assert date_range("202402") == "20240201-20240231"
    assert date_range("20240305") == "20240305"


def test_key_of_a_facet_is_taken_away() -> None:
    asked = query("STUDY", StudyDate="20240101-", PatientSex="F")
    assert has_own_key(asked, FacetKind.SEX)
    assert not has_own_key(asked, FacetKind.MODALITY)
    (left,) = without_own_key(asked, FacetKind.SEX).criteria
    assert left.tag == FacetKind.DATE.tag

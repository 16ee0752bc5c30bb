"""The guess how few entities a key leaves."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.index.search.matching_sql import Selectivity
from dicomquest.index.search.selectivity import is_led_by_rows, selectivity
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.options import QueryOptions
from fixtures.building import query


def key_of(options: QueryOptions | None = None, **keys: Any) -> KeyCriterion:
    (key,) = query("STUDY", options=options, **keys).criteria
    return key


@pytest.mark.parametrize(
    ("keys", "guess"),
    [
        ({"StudyInstanceUID": "1.2.3"}, Selectivity.FEW),
        ({"AccessionNumber": "A001"}, Selectivity.FEW),
        ({"StudyDate": "20240101"}, Selectivity.SOME),
        ({"ModalitiesInStudy": "CT"}, Selectivity.MANY),
        ({"StudyDate": "20240101-20240229"}, Selectivity.SOME),
        ({"StudyDate": "20240101-20241231"}, Selectivity.MANY),
        ({"StudyDate": "20240101-"}, Selectivity.MANY),
        ({"PatientName": "*"}, Selectivity.SCAN),
        ({"PatientComments": "x"}, Selectivity.SCAN),
    ],
)
def test_guess_by_attribute_and_kind(keys: dict[str, str], guess: Selectivity) -> None:
    found = query("STUDY", **keys).criteria
    assert (selectivity(found[0]) if found else Selectivity.SCAN) is guess


def test_key_that_takes_unknown_values_scans() -> None:
    assert selectivity(key_of(AccessionNumber="A001")) is Selectivity.FEW
    unknown = key_of(QueryOptions(unknown_matches=True), AccessionNumber="A001")
    assert selectivity(unknown) is Selectivity.SCAN


@pytest.mark.parametrize(
    ("keys", "by_rows"),
    [
        ({"AccessionNumber": "A001"}, False),
        ({"ModalitiesInStudy": "CT"}, True),
        ({"CurrentPatientLocation": "x"}, True),
    ],
)
def test_value_rows_lead_where_no_column_does(keys: dict[str, str], by_rows: bool) -> None:
    assert is_led_by_rows(key_of(None, **keys)) is by_rows

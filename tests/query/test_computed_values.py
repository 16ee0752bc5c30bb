"""Computed attributes that are more than a count (PS3.4 C.3.4)."""

from __future__ import annotations

import pytest

from dicomquest.query.computed_values import anatomic_regions, distinct
from fixtures.building import data_set


def test_values_are_distinct_and_sorted() -> None:
    assert distinct(["SR", "CT", "SR", "ÉT", "MR"]) == ("CT", "MR", "SR", "ÉT")
    assert distinct([]) == ()


def test_same_code_counts_once() -> None:
    chest = data_set(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning="Chest")
    again = {**chest, **data_set(PatientComments="seen twice")}
    assert anatomic_regions([chest, again, chest]) == (chest,)


@pytest.mark.parametrize("keyword", ["CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion"])
def test_other_code_counts_besides(keyword: str) -> None:
    chest = data_set(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning="Chest")
    other = {**chest, **data_set(**{keyword: "OTHER"})}
    assert len(anatomic_regions([chest, other])) == 2


def test_code_with_several_meanings_counts_once() -> None:
    """It is listed with the first meaning by code points, in whichever order they come."""
    codes = [
        data_set(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning=meaning)
        for meaning in ("Thorax", "Chest", "THORAX")
    ]
    assert anatomic_regions(codes) == anatomic_regions(reversed(codes)) == (codes[1],)


def test_regions_do_not_depend_on_their_order() -> None:
    codes = [
        data_set(CodeValue=value, CodingSchemeDesignator="SCT", PatientComments=value)
        for value in ("B", "A", "C")
    ]
    assert anatomic_regions(codes) == anatomic_regions(reversed(codes))
    # Attributes that do not make the code would tell which instance came first.
    assert 0x00104000 not in anatomic_regions(codes)[0]


def test_items_without_a_code_are_no_region() -> None:
    empty = data_set(CodeValue="", CodeMeaning="", PatientComments="no code")
    assert anatomic_regions([{}, empty, "no item", None]) == ()

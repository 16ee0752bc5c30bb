"""The table of VRs beside the Standard's lists (PS3.5 6.2, 7.1.2; PS3.4 C.2.2.2)."""

from __future__ import annotations

import struct

import pytest
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32
from pydicom.valuerep import VR as PYDICOM_VR

from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR, Kind, Matching, Spaces


def those_with(matching: Matching) -> set[str]:
    return {row.vr for row in VALUE_REPRESENTATIONS if matching in row.matching}


def test_every_vr_of_standard_has_one_row() -> None:
    assert len(VR) == len(VALUE_REPRESENTATIONS) == 34
    assert set(VR) == {str(vr.value) for vr in PYDICOM_VR if len(vr.value) == 2}


@pytest.mark.requirement("EN-002")
def test_long_form_is_that_of_pydicom() -> None:
    assert {row.vr for row in VALUE_REPRESENTATIONS if row.long_form} == {
        str(vr.value) for vr in EXPLICIT_VR_LENGTH_32 if len(vr.value) == 2
    }


@pytest.mark.requirement("EN-009")
def test_padding_is_nul_or_space() -> None:
    """Padding is NUL for UIDs and binary values, and a space for other strings."""
    for row in VALUE_REPRESENTATIONS:
        if row.vr == "SQ":
            continue
        assert row.pad == (" " if row.kind is Kind.TEXT and row.vr != "UI" else "\0"), row.vr


@pytest.mark.requirement("EN-048")
def test_backslash_is_text_in_four_vrs() -> None:
    texts = [row for row in VALUE_REPRESENTATIONS if row.kind is Kind.TEXT]
    assert {row.vr for row in texts if not row.multiple} == {"LT", "ST", "UR", "UT"}
    assert {row.vr for row in texts if row.spaces is Spaces.TRAILING} == {
        "LT",
        "ST",
        "UC",
        "UR",
        "UT",
    }


def test_types_of_matching_by_vr() -> None:
    assert those_with(Matching.WILD_CARD) == {
        "AE",
        "CS",
        "LO",
        "LT",
        "PN",
        "SH",
        "ST",
        "UC",
        "UR",
        "UT",
    }
    assert those_with(Matching.RANGE) == {"DA", "TM", "DT"}
    assert those_with(Matching.UID_LIST) == {"UI"}
    assert those_with(Matching.SEQUENCE) == {"SQ"}
    assert those_with(Matching.EMPTY_VALUE) == those_with(Matching.WILD_CARD) | those_with(
        Matching.RANGE
    )
    assert those_with(Matching.MULTIPLE_VALUE) == {"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"}
    opaque = {row.vr for row in VALUE_REPRESENTATIONS if row.kind is Kind.OPAQUE}
    assert those_with(Matching.SINGLE) == set(VR) - opaque - {"SQ"}


def test_layouts_have_sizes_of_standard() -> None:
    sizes = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8}
    sizes |= {"OB": 1, "UN": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
    assert {
        row.vr: struct.calcsize("<" + row.layout) for row in VALUE_REPRESENTATIONS if row.layout
    } == sizes

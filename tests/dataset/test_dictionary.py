"""VRs from the dictionary, and the keywords that somebody may have meant."""

from __future__ import annotations

import pytest
from pydicom._dicom_dict import DicomDictionary

from dicomquest.dataset.dictionary import (
    IMPLICIT_CODES,
    US_OR_SS,
    close_keywords,
    private_vr,
    standard_vr,
)
from dicomquest.standard.vr import VR


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, "PN"),
        (0x0020000D, "UI"),
        (0x00280106, US_OR_SS),
        (0x60003000, "OW"),
        (0x60020010, "US"),
        (0x00091001, None),
        (0x00100011, None),
    ],
)
def test_vr_of_a_tag(tag: int, vr: str | None) -> None:
    assert standard_vr(tag) == vr


def test_every_standard_attribute_has_a_vr() -> None:
    unknown = {tag for tag in DicomDictionary if standard_vr(tag) is None}
    # Item and delimiters have none.
    assert {tag >> 16 for tag in unknown} <= {0xFFFE}


def test_quick_codes_have_the_short_form_only() -> None:
    assert IMPLICIT_CODES[0x00100010] == b"PN"
    assert 0x7FE00010 not in IMPLICIT_CODES
    assert 0x00280106 not in IMPLICIT_CODES
    assert not any(VR[code.decode()].long_form for code in IMPLICIT_CODES.values())


def test_private_vr_needs_its_creator() -> None:
    assert private_vr(0x00091001, "ACUSON") == "IS"
    assert private_vr(0x00091001, "NOBODY") is None


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("PatientsName", "PatientName"),
        ("patientname", "PatientName"),
        ("StudyInstanceUId", "StudyInstanceUID"),
        ("ModalityInStudy", "ModalitiesInStudy"),
    ],
)
def test_misspelt_keyword_has_a_suggestion(misspelt: str, meant: str) -> None:
    assert meant in close_keywords(misspelt)
    assert len(close_keywords(misspelt)) <= 3


def test_nonsense_has_no_suggestion() -> None:
    assert close_keywords("xyzzy") == []

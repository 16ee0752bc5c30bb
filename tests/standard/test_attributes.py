"""The attributes of each level's modules stand in one place."""

from __future__ import annotations

import pytest

from dicomquest.standard.attributes import LEVELS_BY_TAG, MODULES, attribute_name, level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG
from dicomquest.standard.levels import Level


def test_attribute_stands_in_one_place() -> None:
    """No attribute stands in two modules, or in a module and among the keys."""
    keywords = [keyword for module in MODULES for keyword in module.keywords.split()]
    assert len(set(keywords)) == len(keywords)
    assert not set(keywords) & set(KEYS_BY_KEYWORD)
    assert set(KEYS_BY_TAG) <= set(LEVELS_BY_TAG)


@pytest.mark.parametrize(
    ("tag", "level"),
    [
        (0x00101040, Level.PATIENT),  # PatientAddress
        (0x00120040, Level.PATIENT),  # ClinicalTrialSubjectID
        (0x00380300, Level.STUDY),  # CurrentPatientLocation
        (0x00120050, Level.STUDY),  # ClinicalTrialTimePointID
        (0x00181008, Level.SERIES),  # GantryID
        (0x00201040, Level.SERIES),  # PositionReferenceIndicator
        (0x00280010, Level.IMAGE),  # Rows
        (
            0x00181100,
            Level.IMAGE,
        ),  # ReconstructionDiameter: of the series in PET, of the image in CT
        (0x00091001, Level.IMAGE),
        (0x60003000, Level.IMAGE),
    ],
)
def test_level_of_attribute_is_its_modules(tag: int, level: Level) -> None:
    """The level of an attribute is that of its module."""
    assert level_of(tag) is level


def test_attributes_have_names() -> None:
    assert attribute_name(0x00100010) == "Patient's Name"
    assert attribute_name(0x00090001, "ACME") == "(0009,xx01) of ACME"
    assert attribute_name(0x00100009) == "(0010,0009)"

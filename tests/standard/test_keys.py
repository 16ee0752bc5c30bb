from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_keyword, dictionary_VM, dictionary_VR

from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import (
    DATE_TIME_PAIRS,
    EXISTENCE_ONLY,
    ITEM_KEYS,
    KEYS,
    KEYS_BY_KEYWORD,
    UNIQUE_KEYS,
    Key,
    KeyType,
    Storage,
    key_type,
)
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.keyword)
def test_key_is_as_the_dictionary_has_it(key: Key) -> None:
    assert (key.keyword, key.vr, key.vm) == (
        dictionary_keyword(key.tag),
        dictionary_VR(key.tag),
        dictionary_VM(key.tag),
    )


def test_item_keys_are_as_dictionary_has_them() -> None:
    for sequence, keys in ITEM_KEYS.items():
        assert KEYS_BY_KEYWORD[sequence].vr == "SQ"
        for key in keys:
            assert (key.keyword, key.vr) == (dictionary_keyword(key.tag), dictionary_VR(key.tag))


def test_each_attribute_stands_in_one_row() -> None:
    assert len({key.tag for key in KEYS}) == len(KEYS)
    for level in Level:
        columns = [key.column for key in KEYS if key.level is level]
        assert len(set(columns)) == len(columns)


@pytest.mark.requirement("QR-008", "QR-009")
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            PATIENT_ROOT,
            {
                Level.PATIENT: ("PatientID", {"PatientName"}),
                Level.STUDY: (
                    "StudyInstanceUID",
                    {"StudyDate", "StudyTime", "AccessionNumber", "StudyID"},
                ),
                Level.SERIES: ("SeriesInstanceUID", {"Modality", "SeriesNumber"}),
                Level.IMAGE: ("SOPInstanceUID", {"InstanceNumber"}),
            },
        ),
        (
            STUDY_ROOT,
            {
                Level.STUDY: (
                    "StudyInstanceUID",
                    {
                        "StudyDate",
                        "StudyTime",
                        "AccessionNumber",
                        "StudyID",
                        "PatientName",
                        "PatientID",
                    },
                ),
                Level.SERIES: ("SeriesInstanceUID", {"Modality", "SeriesNumber"}),
                Level.IMAGE: ("SOPInstanceUID", {"InstanceNumber"}),
            },
        ),
    ],
    ids=["patient root", "study root"],
)
def test_unique_and_required_keys_match_tables(
    model: InformationModel, expected: dict[Level, tuple[str, set[str]]]
) -> None:
    """The unique and required keys are those of the Standard's tables."""
    found = {
        level: (
            "".join(key.keyword for key in at if key_type(key.tag, model) is KeyType.UNIQUE),
            {key.keyword for key in at if key_type(key.tag, model) is KeyType.REQUIRED},
        )
        for level in model.levels
        for at in [[key for key in KEYS if model.query_level(key.level) is level]]
    }
    assert found == expected


def test_columns_are_keywords_in_snake_case() -> None:
    names = {
        "PatientID",
        "StudyInstanceUID",
        "SOPInstanceUID",
        "OtherPatientIDs",
        "SOPClassesInStudy",
        "StudyDate",
    }
    assert {KEYS_BY_KEYWORD[name].column for name in names} == {
        "patient_id",
        "study_instance_uid",
        "sop_instance_uid",
        "other_patient_ids",
        "sop_classes_in_study",
        "study_date",
    }


def test_column_holds_one_value_and_no_sequence() -> None:
    assert all(key.vm == "1" and key.vr != "SQ" for key in KEYS if key.storage is Storage.COLUMN)


def test_pairs_are_of_date_and_time_of_one_level() -> None:
    for pair in DATE_TIME_PAIRS:
        assert (dictionary_VR(pair.date), dictionary_VR(pair.time)) == ("DA", "TM")
        assert level_of(pair.date) is level_of(pair.time)


def test_counts_are_returned_and_not_matched() -> None:
    counts = {
        key.tag
        for key in KEYS
        if key.keyword.startswith("NumberOf") and key.keyword.count("Related")
    }
    assert counts <= EXISTENCE_ONLY
    assert KEYS_BY_KEYWORD["ModalitiesInStudy"].tag not in EXISTENCE_ONLY


def test_each_level_has_its_unique_key() -> None:
    assert [UNIQUE_KEYS[level].keyword for level in Level] == [
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    ]

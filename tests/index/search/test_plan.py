"""SQLite's plans: queries use its indexes and sort nothing, without any statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.search.python_filter import FUNCTION
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set, query

if TYPE_CHECKING:
    from dicomquest.index import Index

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

RELATIONAL = QueryOptions(relational=True)
ALL_GROUPS = Facts(
    occurrences=frozenset({("00100010", 2), ("00100010", 3), ("00080090", 2), ("00080090", 3)})
)
SEVERAL_VALUES = Facts(occurrences=frozenset({("00100020", 0), ("00080050", 0), ("00080020", 0)}))


def steps(
    index: Index, level: str, root: str, facts: Facts, options: QueryOptions, **keys: Any
) -> list[str]:
    """The steps of the database for a query, outer loop first."""
    plan = compile_query(query(level, root, options, **keys), facts)
    connection = index._database.reader()
    driver: Any = connection.driver_connection
    driver.create_function(FUNCTION, -1, lambda *_: True)
    found = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {plan.sql}", plan.parameters)]
    connection.close()
    return found


# Level, root, keys, and the steps that must be there.
SERVED: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    ("PATIENT", "patient", {"PatientID": "P1"}, ("INDEX ix_patient_patient_id",)),
    (
        "PATIENT",
        "patient",
        {"PatientName": "Doe^John", "PatientID": ""},
        ("ix_patient_patient_name_alphabetic",),
    ),
    (
        "PATIENT",
        "patient",
        {"PatientName": "Doe*", "PatientID": ""},
        ("ix_patient_patient_name_alphabetic",),
    ),
    (
        "PATIENT",
        "patient",
        {"PatientBirthDate": "19500101-", "PatientID": ""},
        ("ix_patient_patient_birth_date_sort",),
    ),
    ("STUDY", "study", {"PatientID": "P1"}, ("ix_patient_patient_id", "ix_study_parent")),
    (
        "STUDY",
        "study",
        {"PatientName": "Doe*"},
        ("ix_patient_patient_name_alphabetic", "ix_study_parent"),
    ),
    (
        "STUDY",
        "study",
        {"PatientName": "=王*"},
        ("ix_patient_patient_name_ideographic", "ix_study_parent"),
    ),
    (
        "STUDY",
        "study",
        {"PatientName": "==やまだ*"},
        ("ix_patient_patient_name_phonetic", "ix_study_parent"),
    ),
    (
        "STUDY",
        "study",
        {"PatientName": "*izen*"},
        ("patient_trigram VIRTUAL TABLE", "ix_study_parent"),
    ),
    ("STUDY", "study", {"StudyInstanceUID": "1.2"}, ("ix_study_study_instance_uid",)),
    (
        "STUDY",
        "study",
        {"StudyInstanceUID": "1.2\\1.3", "PatientName": ""},
        ("ix_study_study_instance_uid",),
    ),
    ("STUDY", "study", {"AccessionNumber": "A1"}, ("ix_study_accession_number",)),
    ("STUDY", "study", {"AccessionNumber": "A*"}, ("ix_study_accession_number",)),
    ("STUDY", "study", {"AccessionNumber": "*123*"}, ("study_trigram VIRTUAL TABLE",)),
    ("STUDY", "study", {"StudyID": "1"}, ("ix_study_study_id",)),
    ("STUDY", "study", {"StudyDescription": "CHEST*"}, ("ix_study_study_description",)),
    (
        "STUDY",
        "study",
        {"ReferringPhysicianName": "Doe*"},
        ("ix_study_referring_physician_name_alphabetic",),
    ),
    ("STUDY", "study", {"StudyDate": "20240101"}, ("ix_study_study_date_sort_study_time_sort",)),
    (
        "STUDY",
        "study",
        {"StudyDate": "20240101-20240107"},
        ("ix_study_study_date_sort_study_time_sort",),
    ),
    (
        "STUDY",
        "study",
        {"StudyDate": "20240101-", "PatientName": "A*"},
        ("ix_patient_patient_name_alphabetic",),
    ),
    (
        "STUDY",
        "study",
        {"StudyDate": "20240101-20240107", "ModalitiesInStudy": "MR"},
        (
            "ix_study_study_date_sort_study_time_sort",
            "ix_study_value_owner (owner=? AND path=? AND part=? AND search=?)",
        ),
    ),
    (
        "STUDY",
        "study",
        {"OtherPatientNames": "Doe*"},
        ("patient_value USING PRIMARY KEY", "ix_study_parent"),
    ),
    (
        "STUDY",
        "study",
        {"ProcedureCodeSequence": [data_set(CodeValue="T1")]},
        ("study_value USING PRIMARY KEY (path=? AND part=? AND search=?)",),
    ),
    (
        "STUDY",
        "study",
        {"SOPInstanceUID": "1.2.3"},
        ("ix_instance_sop_instance_uid", "study USING INTEGER PRIMARY KEY"),
    ),
    ("STUDY", "study", {"SeriesDescription": "*CHEST*"}, ("series_trigram VIRTUAL TABLE",)),
    (
        "STUDY",
        "study",
        {"Modality": "CT", "StudyDate": "20240101"},
        ("ix_series_parent_modality (parent=? AND modality=?)",),
    ),
    (
        "SERIES",
        "study",
        {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "", "Modality": "CT"},
        ("ix_study_study_instance_uid", "ix_series_parent_modality (parent=? AND modality=?)"),
    ),
    ("SERIES", "study", {"SeriesInstanceUID": "1.2"}, ("ix_series_series_instance_uid",)),
    (
        "IMAGE",
        "patient",
        {
            "PatientID": "P",
            "StudyInstanceUID": "1",
            "SeriesInstanceUID": "1.1",
            "SOPInstanceUID": "",
        },
        ("ix_study_study_instance_uid", "ix_instance_parent_sop_class_uid (parent=?)"),
    ),
    ("IMAGE", "study", {"SOPInstanceUID": "1\\2"}, ("ix_instance_sop_instance_uid",)),
]


@pytest.mark.parametrize(("level", "root", "keys", "served"), SERVED)
def test_key_is_served_by_its_index(
    index: Index, level: str, root: str, keys: dict[str, Any], served: tuple[str, ...]
) -> None:
    found = steps(index, level, root, Facts(), RELATIONAL, **keys)
    for each in served:
        assert any(each in step for step in found), found
    assert not any(step.startswith("SCAN") and "VIRTUAL TABLE" not in step for step in found), found
    assert not any("TEMP B-TREE" in step for step in found), found


@pytest.mark.requirement("QR-116")
@pytest.mark.parametrize("name", ["王^小東", "やまだ*", "Doe^John"])
def test_name_in_any_group_takes_index_of_each(index: Index, name: str) -> None:
    found = steps(index, "STUDY", "study", ALL_GROUPS, RELATIONAL, PatientName=name)
    assert found[0] == "MULTI-INDEX OR"
    for group in ("alphabetic", "ideographic", "phonetic"):
        assert any(f"ix_patient_patient_name_{group}" in step for step in found)


@pytest.mark.parametrize(
    "keys", [{"PatientID": "1"}, {"AccessionNumber": "1"}, {"StudyDate": "20240101"}]
)
def test_several_values_take_value_table_besides(index: Index, keys: dict[str, str]) -> None:
    found = steps(index, "STUDY", "study", SEVERAL_VALUES, RELATIONAL, **keys)
    assert found[0] == "MULTI-INDEX OR"
    assert any(
        "_value USING PRIMARY KEY (path=? AND part=? AND search=?)" in step for step in found
    )


def test_fuzzy_name_is_led_by_its_words(index: Index) -> None:
    found = steps(
        index, "STUDY", "study", Facts(), QueryOptions(fuzzy=True), PatientName="Jon Smyth"
    )
    assert found[0] == "SEARCH patient USING INTEGER PRIMARY KEY (rowid=?)"
    assert not any(step.startswith("SCAN") for step in found)


@pytest.mark.requirement("QR-171")
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"PatientName": "", "PatientID": ""},
        {"PatientSex": "M"},
        {"ModalitiesInStudy": "MR"},
        {"Modality": "MR"},
        {"MedicalAlerts": "*"},
        {"StudyDate": "-20240101"},
    ],
)
def test_nothing_is_gathered_before_first_row(index: Index, keys: dict[str, str]) -> None:
    found = steps(index, "STUDY", "study", Facts(), RELATIONAL, **keys)
    assert not any(
        "TEMP B-TREE" in step or step.startswith(("LIST SUBQUERY", "MATERIALIZE")) for step in found
    ), found

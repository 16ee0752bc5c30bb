"""The predicate of each kind of key, by its exact SQL."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.index.search.plan import Facts
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set
from fixtures.compiled import EVERYTHING, GUARD, POSTGRESQL, compiled, where

# Keys of a STUDY query under Study Root; the condition; its parameters.
KEYS: list[tuple[dict[str, Any], str, tuple[Any, ...]]] = [
    ({"StudyDate": ""}, "", ()),
    ({"StudyDate": "20240101"}, "study.study_date_sort = ?", ("20240101",)),
    (
        {"StudyDate": "20240101-20240131"},
        "study.study_date_sort >= ? AND study.study_date_sort <= ?",
        ("20240101", "20240131"),
    ),
    ({"StudyDate": "-20240131"}, "study.study_date_sort <= ?", ("20240131",)),
    (
        {"StudyTime": "1200"},
        "study.study_time_sort >= ? AND study.study_time_sort <= ?",
        ("120000.000000", "120060.999999"),
    ),
    ({"AccessionNumber": "A_%1"}, "study.accession_number = ?", ("A_%1",)),
    (
        {"AccessionNumber": "A*"},
        "study.accession_number >= ? AND study.accession_number < ?",
        ("A", "B"),
    ),
    (
        {"AccessionNumber": "A?[1]"},
        (
            "study.accession_number >= ? AND study.accession_number < ? AND study.accession_number"
            " GLOB ?"
        ),
        ("A", "B", "A?[[]1]"),
    ),
    (
        {"StudyDescription": "*CHEST*"},
        (
            "(study.id IN (SELECT rowid FROM study_trigram WHERE study_trigram MATCH ?))"
            " AND (study.study_description GLOB ?)"
        ),
        ('{study_description} : (("CHE" AND "HES" AND "EST"))', "*CHEST*"),
    ),
    (
        {"StudyDescription": '*"a"*', "AccessionNumber": "1"},
        "study.accession_number = ? AND study.study_description GLOB ?",
        ("1", '*"a"*'),
    ),
    ({"StudyInstanceUID": "1.2"}, "study.study_instance_uid = ?", ("1.2",)),
    (
        {"StudyInstanceUID": "1.2\\1.3"},
        "study.study_instance_uid IN (SELECT value FROM json_each(?))",
        ('["1.2", "1.3"]',),
    ),
    ({"PatientWeight": "70.0"}, "study.patient_weight_number = ?", ("70",)),
    ({"PatientName": "Doe^John"}, "patient.patient_name_alphabetic = ?", ("doe^john",)),
    (
        {"PatientName": "Doe^J*"},
        "patient.patient_name_alphabetic >= ? AND patient.patient_name_alphabetic < ?",
        ("doe^j", "doe^k"),
    ),
    ({"PatientName": "=王^小東"}, "patient.patient_name_ideographic = ?", ("王^小東",)),
    (
        {"ModalitiesInStudy": "MR", "StudyDate": "20240101"},
        (
            "study.study_date_sort = ? AND CASE WHEN instr(study.modalities_in_study, char(92)) > 0"
            " THEN EXISTS (SELECT 1 FROM study_value"
            " WHERE path = '00080061' AND (part = 0 AND search = ?) AND owner = study.id)"
            " ELSE study.modalities_in_study = ? END"
        ),
        ("20240101", "MR", "MR"),
    ),
    (
        {"SOPClassesInStudy": "1.2\\1.3", "StudyDate": "20240101"},
        (
            "study.study_date_sort = ?"
            " AND CASE WHEN instr(study.sop_classes_in_study, char(92)) > 0 THEN EXISTS"
            " (SELECT 1 FROM study_value WHERE path = '00080062'"
            " AND (part = 0 AND +search IN (SELECT value FROM json_each(?))) AND owner = study.id)"
            " ELSE study.sop_classes_in_study IN (SELECT value FROM json_each(?)) END"
        ),
        ("20240101", '["1.2", "1.3"]', '["1.2", "1.3"]'),
    ),
    (
        {"OtherStudyNumbers": "007"},
        (
            "study.id IN (SELECT owner FROM study_value"
            " WHERE path = '00201070' AND (part = 0 AND search = ?))"
        ),
        ("7",),
    ),
    (
        {"Modality": "CT", "StudyDate": "20240101"},
        (
            "study.study_date_sort = ? AND EXISTS"
            " (SELECT 1 FROM series WHERE series.parent = study.id AND series.modality = ?)"
        ),
        ("20240101", "CT"),
    ),
    (
        {"Modality": "CT", "SOPClassUID": "1.2"},
        (
            "EXISTS (SELECT 1 FROM series JOIN instance ON instance.parent = series.id"
            " WHERE series.parent = study.id AND (series.modality = ?)"
            " AND (instance.sop_class_uid = ?))"
        ),
        ("CT", "1.2"),
    ),
    (
        {"SOPInstanceUID": "1.2.3"},
        (
            "study.id IN (SELECT series.parent FROM series"
            " JOIN instance ON instance.parent = series.id"
            " WHERE instance.sop_instance_uid = ?)"
        ),
        ("1.2.3",),
    ),
    (
        {"ProcedureCodeSequence": [data_set(CodeValue="T1", CodeMeaning="")]},
        (
            "study.id IN (SELECT owner FROM study_value"
            " WHERE path = '00081032.00080100' AND (part = 0 AND search = ?))"
            """ AND residual(0, study.attributes -> '$."00081032"', study.attributes"""
            """ -> '$."00080201"')"""
        ),
        ("T1",),
    ),
    (
        {"MedicalAlerts": "ALLERGY"},
        (
            """instr(study.attributes, '"00102000":') > 0 """
            """AND residual(0, study.attributes -> '$."00102000"', """
            """study.attributes -> '$."00080201"')"""
        ),
        (),
    ),
]


@pytest.mark.requirement("QR-008", "QR-095", "QR-104", "QR-132")
@pytest.mark.parametrize(("keys", "condition", "parameters"), KEYS)
def test_keys_become_predicates_index_serves(
    keys: dict[str, Any], condition: str, parameters: tuple[Any, ...]
) -> None:
    """Each kind of key is a predicate that an index serves."""
    plan = compiled("STUDY", **keys)
    assert where(plan) == condition
    assert plan.parameters == parameters


NEGOTIATED: list[tuple[QueryOptions, dict[str, Any], str]] = [
    (QueryOptions(empty_value=True), {"AccessionNumber": '""'}, "study.accession_number IS NULL"),
    (
        QueryOptions(empty_value=True),
        {"NameOfPhysiciansReadingStudy": '""'},
        """study.attributes -> '$."00081060"' IS NULL""",
    ),
    (
        QueryOptions(unknown_matches=True),
        {"AccessionNumber": "A"},
        "((study.accession_number = ?) OR (study.accession_number IS NULL))",
    ),
    (
        QueryOptions(multiple_value=True),
        {"ModalitiesInStudy": "CT\\PT", "StudyID": "1"},
        (
            "(CASE WHEN instr(study.modalities_in_study, char(92)) > 0"
            " THEN EXISTS (SELECT 1 FROM study_value WHERE path = '00080061'"
            " AND (part = 0 AND search = ?) AND owner = study.id)"
            " ELSE study.modalities_in_study = ? END)"
            " AND (CASE WHEN instr(study.modalities_in_study, char(92)) > 0"
            " THEN EXISTS (SELECT 1 FROM study_value WHERE path = '00080061'"
            " AND (part = 0 AND search = ?) AND owner = study.id)"
            " ELSE study.modalities_in_study = ? END) AND study.study_id = ?"
        ),
    ),
    (
        QueryOptions(combined_datetime=True),
        {"StudyDate": "20240101-", "StudyTime": "10-"},
        (
            "((study.study_date_sort >= ?) AND ((study.study_time_sort IS NULL)"
            " OR ((study.study_date_sort || study.study_time_sort) >= ?)))"
        ),
    ),
    (
        QueryOptions(timezone_adjustment=True),
        {"StudyDate": "20240101", "StudyTime": "23-", "TimezoneOffsetFromUTC": "-0500"},
        (
            "study.study_date_sort >= ? AND study.study_date_sort <= ?"
            """ AND residual(0, study.attributes -> '$."00080020"', study.attributes"""
            """ -> '$."00080030"', """
            """study.attributes -> '$."00080201"', study.study_date, study.study_time)"""
        ),
    ),
    (
        QueryOptions(fuzzy=True),
        {"ReferringPhysicianName": "Smith"},
        (
            "study.id IN (SELECT owner FROM (SELECT owner FROM study_value"
            " WHERE path = '00080090' AND part = 8"
            " AND search >= ? AND search < ? UNION ALL SELECT owner FROM study_value"
            " WHERE path = '00080090'"
            " AND part = 9 AND search = ?) AS word"
            " UNION SELECT id FROM study WHERE study.referring_physician_name_alphabetic = ?)"
        ),
    ),
]


@pytest.mark.requirement("QR-077", "QR-079", "QR-110", "QR-117", "QR-119")
@pytest.mark.parametrize(("options", "keys", "condition"), NEGOTIATED)
def test_negotiated_options_change_predicate(
    options: QueryOptions, keys: dict[str, Any], condition: str
) -> None:
    assert where(compiled("STUDY", options=options, **keys)) == condition


OCCURRING: list[tuple[dict[str, Any], str]] = [
    (
        {"PatientName": "Doe"},
        (
            "(((patient.patient_name_alphabetic = ?) OR (patient.patient_name_ideographic = ?)"
            " OR (patient.patient_name_phonetic = ?)) OR (patient.id IN (SELECT owner"
            " FROM patient_value"
            " WHERE path = '00100010' AND (part IN (1, 2, 3) AND (search = ?)))))"
        ),
    ),
    (
        {"PatientID": "1"},
        (
            "((patient.patient_id = ?) OR (patient.id IN"
            " (SELECT owner FROM patient_value WHERE path = '00100020' AND (part = 0 "
            "AND search = ?))))"
        ),
    ),
    (
        {"StudyDescription": "A*"},
        (
            "(((study.study_description >= ? AND study.study_description < ?)"
            " AND (NOT instr(study.study_description, char(92)) > 0)) "
            "OR (study.id IN (SELECT owner FROM study_value"
            " WHERE path = '00081030' AND (part = 0 AND search >= ? AND search < ?))))"
        ),
    ),
    ({"StudyID": "1"}, "study.study_id = ?"),
]


@pytest.mark.requirement("QR-109", "QR-116")
@pytest.mark.parametrize(("keys", "condition"), OCCURRING)
def test_groups_and_values_are_searched_in_their_rows(keys: dict[str, Any], condition: str) -> None:
    """Other name groups and several values are looked for where they occur."""
    assert where(compiled("STUDY", facts=EVERYTHING, **keys)) == condition


def test_date_time_of_another_zone_is_left_to_python() -> None:
    """A date-time key in another zone than the stored ones is left to Python."""
    assert "residual" not in compiled("IMAGE", AcquisitionDateTime="2024").sql
    assert (
        "residual"
        in compiled("IMAGE", facts=Facts(zone_minutes=60), AcquisitionDateTime="2024").sql
    )


def test_unsupported_patterns_are_left_to_python() -> None:
    """Patterns and lists that a database does not take are left to Python."""
    # A folded ligature of eighteen letters makes a pattern longer than SQLite takes.
    assert "residual" in compiled("STUDY", PatientName="*" + "\ufdfa" * 2000).sql
    assert (
        "residual"
        in compiled("STUDY", PatientName="\\".join(f"A{number}*" for number in range(200))).sql
    )
    assert (
        "residual"
        not in compiled(
            "STUDY", AccessionNumber="\\".join(f"A{number}" for number in range(200))
        ).sql
    )


# The same keys for PostgreSQL; the guard and what streams the rows stand behind each.
ON_POSTGRESQL: list[tuple[dict[str, Any], str, tuple[Any, ...]]] = [
    (
        {"AccessionNumber": "A*"},
        "study.accession_number >= ? AND study.accession_number < ? AND ",
        ("A", "B"),
    ),
    (
        {"AccessionNumber": "A?_[1]%"},
        (
            "study.accession_number >= ? AND study.accession_number < ? AND study.accession_number"
            " LIKE ? AND "
        ),
        ("A", "B", r"A_\_[1]\%"),
    ),
    ({"StudyDescription": "*CHEST*"}, "study.study_description LIKE ? AND ", ("%CHEST%",)),
    ({"StudyInstanceUID": "1.2\\1.3"}, "study.study_instance_uid = ANY(?) AND ", (["1.2", "1.3"],)),
    (
        {"ModalitiesInStudy": "MR"},
        (
            "EXISTS (SELECT 1 FROM study_value WHERE path = '00080061' AND (part = 0 "
            "AND search = ?)"
            " AND owner = study.id) AND "
        ),
        ("MR",),
    ),
    (
        {"ModalitiesInStudy": "MR", "StudyDate": "20240101"},
        (
            "study.study_date_sort = ? AND CASE WHEN strpos(study.modalities_in_study, chr(92)) > 0"
            " THEN EXISTS (SELECT 1 FROM study_value WHERE path = '00080061' AND (part = 0 "
            "AND search = ?) AND owner = study.id) ELSE study.modalities_in_study = ? END AND "
        ),
        ("20240101", "MR", "MR"),
    ),
    (
        {"MedicalAlerts": "ALLERGY"},
        """strpos(study.attributes, '"00102000":') > 0 AND """,
        (),
    ),
    ({"PatientName": "Doe"}, "patient.patient_name_alphabetic = ? AND ", ("doe",)),
]


@pytest.mark.requirement("QR-008", "QR-095", "QR-104", "QR-132")
@pytest.mark.parametrize(("keys", "condition", "parameters"), ON_POSTGRESQL)
def test_each_kind_of_key_is_predicate_of_postgresql(
    keys: dict[str, Any], condition: str, parameters: tuple[Any, ...]
) -> None:
    plan = compiled("STUDY", facts=POSTGRESQL, **keys)
    assert str(plan.sql).rpartition(" FROM study ")[2].partition("WHERE ")[2] == condition + GUARD
    assert plan.parameters == (*parameters, [])


@pytest.mark.requirement("QR-109", "QR-116")
def test_several_values_are_one_set_on_postgresql() -> None:
    """Several values are one set of entities on PostgreSQL."""
    facts = Facts("postgresql", frozenset({("00100010", 2), ("00100020", 0)}), trigrams=False)
    plan = compiled("STUDY", facts=facts, PatientID="1", PatientName="Doe")
    assert where(plan) == (
        "(patient.patient_name_alphabetic = ?) OR (patient.patient_name_ideographic = ?)".join("()")
        + " AND patient.id IN (SELECT patient.id FROM patient WHERE patient.patient_id = ?"
        " UNION ALL SELECT patient.id"
        " FROM patient WHERE patient.id IN (SELECT owner FROM patient_value WHERE path = '00100020'"
        f" AND (part = 0 AND search = ?))) AND {GUARD}"
    )
    assert plan.parameters == ("doe", "doe", "1", "1", ["001000102", "001000200"])

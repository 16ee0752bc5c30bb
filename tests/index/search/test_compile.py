"""Queries as exact SQL text: their predicates, their tables, and the index that leads."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.response_fields import Source
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.tables.dialects import numbered, percent_marks
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set, query

RELATIONAL = QueryOptions(relational=True)
# A database with all that is rare: names in three scripts, several values in single-valued keys.
EVERYTHING = Facts(
    occurrences=frozenset(
        {
            ("00100010", 2),
            ("00100010", 3),
            ("00100010", 0),
            ("00100020", 0),
            ("00080020", 0),
            ("00081030", 0),
        }
    )
)


def compiled(
    level: str, root: str = "study", options: Any = None, facts: Facts | None = None, **keys: Any
) -> Any:
    return compile_query(query(level, root, options or RELATIONAL, **keys), facts or Facts())


def where(plan: Any) -> str:
    return str(plan.sql).partition(" WHERE ")[2]


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
            "study.study_date_sort = ? AND EXISTS (SELECT 1 FROM study_value"
            " WHERE path = '00080061' AND (part = 0 AND search = ?) AND owner = study.id)"
        ),
        ("20240101", "MR"),
    ),
    (
        {"SOPClassesInStudy": "1.2\\1.3", "StudyDate": "20240101"},
        (
            "study.study_date_sort = ? AND EXISTS (SELECT 1 FROM study_value"
            " WHERE path = '00080062'"
            " AND (part = 0 AND search IN (SELECT value FROM json_each(?))) AND owner = study.id)"
        ),
        ("20240101", '["1.2", "1.3"]'),
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
            "(EXISTS (SELECT 1 FROM study_value WHERE path = '00080061' AND (part = 0 "
            "AND search = ?)"
            " AND owner = study.id)) AND (EXISTS (SELECT 1 FROM study_value WHERE path = '00080061'"
            " AND (part = 0 AND search = ?) AND owner = study.id)) AND study.study_id = ?"
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


def test_only_tables_that_are_needed_are_joined() -> None:
    assert " FROM study WHERE" in compiled("STUDY", StudyDate="20240101").sql
    assert (
        " FROM study JOIN patient ON study.parent = patient.id"
        in compiled("STUDY", PatientName="").sql
    )
    image = compiled(
        "IMAGE",
        "patient",
        PatientID="1",
        StudyInstanceUID="1",
        SeriesInstanceUID="1",
        SOPInstanceUID="",
    )
    assert image.sql.count(" JOIN ") == 3


@pytest.mark.requirement("QR-046", "QR-064")
def test_columns_are_return_keys_in_order() -> None:
    """The columns are the return keys in their order."""
    plan = compiled(
        "SERIES", "patient", PatientName="", Modality="", OtherPatientNames="", GantryID=""
    )
    assert plan.sql.partition(" FROM ")[0] == (
        "SELECT series.modality, patient.patient_name, patient.patient_id, patient.attributes"
        " -> '$.\"00101001\"',"
        " series.attributes -> '$.\"00181008\"', study.study_instance_uid, "
        "series.series_instance_uid"
    )
    sources = [(f"{field.tag:08X}", field.vr, field.source) for field in plan.fields]
    assert sources == [
        ("00080060", "CS", Source.TEXT),
        ("00100010", "PN", Source.TEXT),
        ("00100020", "LO", Source.TEXT),
        ("00101001", "PN", Source.JSON),
        ("00181008", "LO", Source.JSON),
        ("0020000D", "UI", Source.TEXT),
        ("0020000E", "UI", Source.TEXT),
    ]


def test_counts_are_numbers_sequences_are_json() -> None:
    """Counts are numbers, and computed sequences are JSON."""
    plan = compiled(
        "STUDY", NumberOfStudyRelatedInstances="", AnatomicRegionsInStudyCodeSequence=[]
    )
    assert [field.source for field in plan.fields] == [Source.JSON, Source.TEXT, Source.NUMBER]


def test_queries_of_one_shape_differ_in_parameters() -> None:
    """Queries of one shape differ in parameters only."""
    one, other = (
        compiled("STUDY", PatientName=name, StudyDate=date)
        for name, date in (("A*", "20240101"), ("Doe^J*", "19991231"))
    )
    assert one.sql == other.sql
    assert one.fields is other.fields
    assert one.parameters != other.parameters


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


POSTGRESQL = Facts("postgresql", trigrams=False)
GUARD = (
    "NOT EXISTS (SELECT 1 FROM occurrence WHERE path || part <> ALL(?)) LIMIT (SELECT NULL::bigint)"
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


@pytest.mark.requirement("QR-132")
def test_postgresql_adds_columns_for_python() -> None:
    """PostgreSQL selects behind the fields the columns that Python must see."""
    keys: dict[str, Any] = {
        "MedicalAlerts": "A",
        "ProcedureCodeSequence": [data_set(CodeValue="T1")],
        "StudyInstanceUID": "",
    }
    plan = compiled("STUDY", facts=POSTGRESQL, **keys)
    element = "(study.attributes::json -> '{}')::text".format
    assert (
        str(plan.sql)
        .partition(" FROM ")[0]
        .endswith(
            f"study.study_instance_uid, {element('00081032')}, {element('00102000')}, "
            f"{element('00080201')}"
        )
    )
    assert len(plan.fields) == 3
    assert plan.row_filter is not None
    assert [(each.tags, each.columns) for each in plan.row_filter.upper] == [
        ((0x00081032, 0x00102000, 0x00080201), ())
    ]
    assert plan.row_filter.chain == ()


@pytest.mark.requirement("QR-008")
def test_chains_seen_by_python_are_one_column() -> None:
    """Chains of descendants that Python must see are one column."""
    plan = compiled(
        "STUDY", facts=POSTGRESQL, StudyInstanceUID="", Modality="CT", Rows=(512,), GantryID="G"
    )
    tables = "series JOIN instance ON instance.parent = series.id"
    conditions = (
        """(series.modality = ?) AND (strpos(series.attributes, '"00181008":') > 0)"""
        """ AND (strpos(instance.attributes, '"00280010":') > 0)"""
    )
    assert plan.sql == (
        "SELECT study.study_instance_uid, (SELECT json_agg(json_build_array("
        "(series.attributes::json -> '00181008')::text, (series.attributes::json"
        " -> '00080201')::text, "
        "(instance.attributes::json -> '00280010')::text, (instance.attributes::json"
        " -> '00080201')::text))::text "
        f"FROM {tables} WHERE (series.parent = study.id) AND {conditions}) FROM study WHERE "
        f"EXISTS (SELECT 1 FROM {tables} WHERE series.parent = study.id AND {conditions})"
        f" AND {GUARD}"
    )
    assert plan.parameters == ("CT", "CT", [])
    assert plan.row_filter is not None
    assert [each.level.name for each in plan.row_filter.chain] == ["SERIES", "IMAGE"]
    assert plan.row_filter.upper == ()


def test_statements_are_written_for_each_driver() -> None:
    statement = "SELECT '%' FROM study WHERE a = ? AND b LIKE ?"
    assert percent_marks(statement) == "SELECT '%%' FROM study WHERE a = %s AND b LIKE %s"
    assert numbered(statement) == "SELECT '%' FROM study WHERE a = $1 AND b LIKE $2"

"""PostgreSQL's plans: queries use its indexes and gather nothing before the first row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.tables.dialects import percent_marks
from dicomquest.query.options import QueryOptions
from dicomquest.query.records import Records
from fixtures.building import data_set, instance, query
from fixtures.postgresql_cluster import usual_layout

if TYPE_CHECKING:
    from dicomquest.index import Index

pytestmark = [
    pytest.mark.parametrize("backend", ["postgresql"], indirect=True),
    usual_layout,
]

RELATIONAL = QueryOptions(relational=True)
PLAIN = Facts("postgresql", trigrams=False)
SEVERAL_VALUES = Facts("postgresql", frozenset({("00100020", 0), ("00080050", 0)}), trigrams=False)


def steps(
    index: Index,
    facts: Facts,
    options: QueryOptions,
    keys: dict[str, Any],
    records: Records | None = None,
) -> str:
    """The plan of a STUDY query, as for tables too large to be read whole."""
    asked = replace(query("STUDY", options=options, **keys), records=records)
    plan = compile_query(asked, facts)
    connection = index._database.reader()
    driver: Any = connection.driver_connection
    driver.execute("SET enable_seqscan = off")
    found = driver.execute(f"EXPLAIN {percent_marks(plan.sql)}", plan.parameters).fetchall()
    driver.execute("RESET enable_seqscan")
    connection.close()
    return "\n".join(row[0] for row in found)


SERVED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"PatientID": "P1"}, ("ix_patient_patient_id", "ix_study_parent")),
    ({"PatientName": "Doe*"}, ("ix_patient_patient_name_alphabetic", "ix_study_parent")),
    ({"PatientName": "=王*"}, ("ix_patient_patient_name_ideographic", "ix_study_parent")),
    ({"StudyInstanceUID": "1.2"}, ("ix_study_study_instance_uid",)),
    ({"StudyInstanceUID": "1.2\\1.3"}, ("ix_study_study_instance_uid",)),
    ({"AccessionNumber": "A?"}, ("ix_study_accession_number",)),
    ({"StudyDate": "20240101-20240107"}, ("ix_study_study_date_sort",)),
    ({"SOPInstanceUID": "1.2.3"}, ("ix_instance_sop_instance_uid", "series_pkey", "study_pkey")),
    ({"OtherPatientNames": "Doe*"}, ("patient_value_pkey", "ix_study_parent")),
    ({"ProcedureCodeSequence": [data_set(CodeValue="T1")]}, ("study_value_pkey",)),
]


@pytest.mark.parametrize(("keys", "served"), SERVED)
def test_key_is_served_by_its_index(
    index: Index, keys: dict[str, Any], served: tuple[str, ...]
) -> None:
    found = steps(index, PLAIN, RELATIONAL, keys)
    for each in served:
        assert each in found, found
    # One look at the values that occur, a handful of rows.
    assert found.count("Seq Scan") <= found.count("Seq Scan on occurrence"), found


@pytest.mark.parametrize(
    ("keys", "name"),
    [({"PatientID": "1"}, "patient_id"), ({"AccessionNumber": "1"}, "accession_number")],
)
def test_several_values_take_value_table_besides(
    index: Index, keys: dict[str, str], name: str
) -> None:
    found = steps(index, SEVERAL_VALUES, RELATIONAL, keys)
    assert f"_{name}" in found
    assert "_value_pkey" in found
    assert found.count("Seq Scan") <= found.count("Seq Scan on occurrence"), found


@pytest.mark.requirement("RQ-010")
@pytest.mark.parametrize(
    ("keys", "served"), [({}, "study_pkey"), ({"PatientID": "P1"}, "ix_patient_patient_id")]
)
def test_records_come_in_order_by_an_index(index: Index, keys: dict[str, str], served: str) -> None:
    """All records come from the table in its order; those of one patient are sorted."""
    records = Records("0a02", is_returned=True, after=7, most=500)
    found = steps(index, PLAIN, RELATIONAL, keys, records)
    assert served in found, found
    assert ("Sort" in found) is bool(keys), found


def test_fuzzy_name_is_led_by_its_words(index: Index) -> None:
    found = steps(index, PLAIN, QueryOptions(fuzzy=True), {"PatientName": "Jon Smyth"})
    assert "patient_value_pkey" in found
    assert found.count("Seq Scan") <= found.count("Seq Scan on occurrence"), found


@pytest.mark.requirement("QR-171")
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"PatientName": "", "PatientID": ""},
        {"PatientSex": "M", "PatientName": ""},
        {"ModalitiesInStudy": "MR"},
        {"Modality": "CT"},
        {"SeriesDescription": "*a*"},
        {"MedicalAlerts": "*"},
        {"Rows": (512,)},
        {"StudyDate": "-20240101"},
    ],
)
def test_nothing_is_gathered_before_first_row(index: Index, keys: dict[str, Any]) -> None:
    # So many rows that a plan which gathers first would cost less in all.
    index.ingest_data_sets(
        instance(
            1,
            study=number,
            PatientID=f"P{number // 2}",
            StudyDate="20230101",
            Modality="MR" if number % 2 else "CT",
            SeriesDescription="abc",
            Rows=(512,),
            PatientSex="M",
        )
        for number in range(600)
    )
    with index._database.begin() as writer:
        writer.exec_driver_sql("ANALYZE study, patient, series, instance, study_value")
    plan = compile_query(query("STUDY", options=RELATIONAL, **keys), PLAIN)
    connection = index._database.reader()
    driver: Any = connection.driver_connection
    rows = driver.execute(f"EXPLAIN {percent_marks(plan.sql)}", plan.parameters).fetchall()
    connection.close()
    found = "\n".join(row[0] for row in rows).partition("SubPlan")[0]
    assert not any(step in found for step in ("Sort", "Hash", "Merge", "Materialize", "Gather")), (
        found
    )

"""Queries on the partitioned layout read the partitions that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index import Index
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.search.routing import routed
from dicomquest.index.tables.dialects import percent_marks
from dicomquest.index.tables.partitioned import key_of_text
from dicomquest.index.tables.schema import SEVERAL_VALUES
from dicomquest.query.options import QueryOptions
from fixtures.building import instance, query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.postgresql_cluster import Cluster

RELATIONAL = QueryOptions(relational=True)
PARTITIONS = 8
FACTS = Facts("postgresql", trigrams=False, is_partitioned=True)


@pytest.fixture(scope="module")
def partitioned(postgresql: Cluster) -> Iterator[Index]:
    """An index of 40 patients with two studies each."""
    with (
        postgresql.database("template0") as url,
        Index(url, partitions=PARTITIONS) as opened,
    ):
        opened.ingest_data_sets(
            [
                instance(
                    each, study=each, PatientID=f"P{each // 2}", AccessionNumber=f"A{each}",
                    PatientName=f"Doe^{each // 2}", StudyDate="20240101", Modality="CT",
                    OtherPatientNames=f"Roe^{each // 2}",
                )
                for each in range(80)
            ]
        )  # fmt: skip
        with opened.database.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        yield opened


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "study JOIN patient ON study.parent = patient.id",
            (
                "study JOIN patient ON study.parent = patient.id AND"
                " study.patient_key = patient.patient_key"
            ),
        ),
        (
            "EXISTS (SELECT 1 FROM study_value WHERE path = '1' AND owner = study.id)",
            (
                "EXISTS (SELECT 1 FROM study_value WHERE path = '1' AND owner = study.id"
                " AND study_value.patient_key = study.patient_key)"
            ),
        ),
        (
            "study.id IN (SELECT owner FROM study_value WHERE path = '1')",
            (
                "(study.patient_key, study.id) IN"
                " (SELECT patient_key, owner FROM study_value WHERE path = '1')"
            ),
        ),
        (
            "study.id IN (SELECT series.parent FROM series WHERE series.modality = ?)",
            (
                "(study.patient_key, study.id) IN"
                " (SELECT series.patient_key, series.parent FROM series WHERE series.modality = ?)"
            ),
        ),
        (
            "LEFT JOIN file ON file.instance = instance.id",
            (
                "LEFT JOIN file ON file.instance = instance.id"
                " AND file.patient_key = instance.patient_key"
            ),
        ),
    ],
)
def test_links_compare_the_keys(statement: str, expected: str) -> None:
    assert routed(statement) == expected


def test_patient_id_names_the_partition() -> None:
    plan = compile_query(query("STUDY", "study", RELATIONAL, PatientID="P1"), FACTS)
    assert "patient.patient_key = ?::integer" in plan.sql
    assert key_of_text("P1") in plan.parameters


@pytest.mark.parametrize("patient_id", ["P*", "", "P?"])
def test_no_single_patient_id_names_none(patient_id: str) -> None:
    plan = compile_query(query("STUDY", "study", RELATIONAL, PatientID=patient_id), FACTS)
    assert "patient.patient_key =" not in plan.sql.partition(" WHERE ")[2]


def test_several_patient_ids_of_a_row_name_none() -> None:
    """A patient with several IDs is found by each of them, wherever the row is."""
    several = Facts(
        "postgresql", frozenset({("00100020", SEVERAL_VALUES)}), trigrams=False, is_partitioned=True
    )
    plan = compile_query(query("STUDY", "study", RELATIONAL, PatientID="P1"), several)
    assert "?::integer" not in plan.sql


ALL = PARTITIONS
ROUTED: list[tuple[str, dict[str, str], dict[str, int]]] = [
    ("PATIENT", {"PatientID": "P1"}, {"patient": 1}),
    ("STUDY", {"PatientID": "P1"}, {"patient": 1, "study": 1}),
    ("STUDY", {"PatientID": "P1", "Modality": "CT"}, {"patient": 1, "study": 1, "series": 1}),
    ("IMAGE", {"PatientID": "P1"}, {"patient": 1, "study": 1, "series": 1, "instance": 1}),
    ("STUDY", {"StudyInstanceUID": "{study}"}, {"patient": 1, "study": ALL}),
    ("STUDY", {"AccessionNumber": "A7"}, {"patient": 1, "study": ALL}),
    ("SERIES", {"StudyInstanceUID": "{study}"}, {"patient": 1, "study": ALL, "series": 1}),
    (
        "IMAGE",
        {"SOPInstanceUID": "{instance}"},
        {"patient": 1, "study": 1, "series": 1, "instance": ALL},
    ),
    ("STUDY", {"PatientName": "Doe^7"}, {"patient": ALL, "study": 1}),
    ("STUDY", {"OtherPatientNames": "Roe^7"}, {"patient": 1, "patient_value": ALL, "study": 1}),
]
"""Level, keys, and the partitions of each table that are read, of one patient's rows."""


@pytest.mark.parametrize(("level", "keys", "expected"), ROUTED)
def test_query_reads_these_partitions(
    partitioned: Index, level: str, keys: dict[str, str], expected: dict[str, int]
) -> None:
    example = instance(7, study=7)
    uids = {
        "study": example[0x0020000D].values[0],
        "instance": example[0x00080018].values[0],
    }
    asked = {name: text.format_map(uids) for name, text in keys.items()}
    returned = {"PatientName": "", **asked}
    assert read(partitioned, query(level, "patient", RELATIONAL, **returned)) == expected


def test_several_patient_ids_read_a_partition_each(partitioned: Index) -> None:
    asked = query("STUDY", "patient", RELATIONAL, PatientID="P1\\P7", PatientName="")
    assert len(partitioned.find_data_sets(asked)) == 4
    assert read(partitioned, asked)["patient"] <= 2


def read(index: Index, asked: Any) -> dict[str, int]:
    """The number of partitions that the plan of a query reads, by table."""
    with index.search(asked) as cursor:
        assert cursor.fetch(10)
        plan = cursor.plan
    connection = index.database.reader()
    driver: Any = connection.driver_connection
    driver.execute("SET enable_seqscan = off")
    statement = f"EXPLAIN (ANALYZE, FORMAT JSON) {percent_marks(plan.sql)}"
    found = driver.execute(statement, plan.parameters).fetchone()[0][0]["Plan"]
    driver.execute("RESET enable_seqscan")
    connection.close()
    tables: dict[str, set[str]] = {}
    for node in nodes(found):
        relation = node.get("Relation Name", "")
        if "_p" in relation and node["Actual Loops"]:
            tables.setdefault(relation.rpartition("_p")[0], set()).add(relation)
    return {table: len(parts) for table, parts in sorted(tables.items())}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)

"""Queries as exact SQL: their tables, their columns, and one statement a shape."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.response_fields import Source
from fixtures.building import data_set
from fixtures.compiled import GUARD, POSTGRESQL, compiled


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


def test_series_of_a_study_are_read_by_their_study() -> None:
    """SQLite would read all series with the value, for each study anew."""
    by_parent = "FROM series INDEXED BY ix_series_parent_modality WHERE series.parent = study.id"
    assert by_parent in compiled("STUDY", BodyPartExamined="KNEE").sql
    assert "INDEXED" not in compiled("STUDY", Modality="CT").sql
    assert "INDEXED" not in compiled("STUDY", StationName="MR2").sql
    assert "INDEXED" not in compiled("STUDY", facts=POSTGRESQL, BodyPartExamined="KNEE").sql

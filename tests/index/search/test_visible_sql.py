"""The statements of queries under a filter, and of those without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.tables.schema import VARIANTS
from dicomquest.query.visibility import parse_visible
from fixtures.building import query
from fixtures.compiled import POSTGRESQL, RELATIONAL, compiled

COUNTED: dict[str, Any] = {
    "StudyInstanceUID": "",
    "ModalitiesInStudy": "",
    "NumberOfStudyRelatedSeries": "",
    "NumberOfStudyRelatedInstances": "",
}
SHOWN = Facts(occurrences=frozenset({VARIANTS}))


def plan(level: str, *texts: str, facts: Facts | None = None, **keys: Any) -> Any:
    asked = query(level, "patient" if level == "PATIENT" else "study", RELATIONAL, **keys)
    return compile_query(replace(asked, visible=parse_visible(texts)), facts or Facts())


@pytest.mark.parametrize("facts", [Facts(), POSTGRESQL, SHOWN], ids=["sqlite", "postgresql", "v"])
@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_without_filter_nothing_changes(level: str, facts: Facts) -> None:
    keys = {"PatientID": "1", "PatientName": "A*", "Modality": "CT", "SOPClassUID": "1.2"}
    root = "patient" if level == "PATIENT" else "study"
    before = compiled(level, root, facts=facts, **keys)
    under = plan(level, facts=facts, **keys)
    assert (under.sql, under.parameters) == (before.sql, before.parameters)
    assert "main" not in under.sql or facts is SHOWN


def test_statement_without_filter() -> None:
    """The statement of a usual query, letter for letter as it was before there were filters."""
    keys = COUNTED | {"PatientName": "DOE^*", "Modality": "CT"}
    assert compiled("STUDY", **keys).sql == (
        "SELECT study.modalities_in_study, patient.patient_name, study.study_instance_uid, "
        "study.number_of_study_related_series, study.number_of_study_related_instances "
        "FROM study JOIN patient ON study.parent = patient.id "
        "WHERE ((patient.patient_name_alphabetic >= ? AND patient.patient_name_alphabetic < ?) "
        "OR (patient.patient_name_alphabetic = ?)) AND EXISTS (SELECT 1 FROM series "
        "WHERE series.parent = study.id AND series.modality = ?)"
    )


def test_key_of_the_study_leaves_stored_counts() -> None:
    under = plan("STUDY", "StudyDate=20240101", **COUNTED)
    assert "study.number_of_study_related_instances FROM study" in under.sql
    assert under.sql.endswith(" WHERE study.study_date_sort = ?")
    assert under.parameters == ("20240101",)
    assert not under.selection.needs_python


def test_key_of_the_series_counts_visible_series() -> None:
    under = plan("STUDY", "InstitutionName=EAST*", **COUNTED)
    below = (
        "FROM series WHERE (series.parent = study.id) AND "
        "(series.institution_name >= ? AND series.institution_name < ?))"
    )
    assert under.sql == (
        f"SELECT (SELECT json_group_array(DISTINCT series.modality) {below}, "
        f"study.study_instance_uid, (SELECT count(*) {below}, "
        f"(SELECT coalesce(sum(series.number_of_series_related_instances), 0) {below} "
        "FROM study WHERE EXISTS (SELECT 1 FROM series WHERE series.parent = study.id "
        "AND series.institution_name >= ? AND series.institution_name < ?)"
    )
    assert under.parameters == ("EAST", "EASU") * 4


def test_matched_value_is_that_of_visible_series() -> None:
    """The stored value tells what cannot match; Python looks at what is visible."""
    under = plan("STUDY", "InstitutionName=EAST*", ModalitiesInStudy="CT", StudyInstanceUID="")
    assert "study_value WHERE path = '00080061'" in under.sql
    assert "residual(0, " in under.sql
    assert "(SELECT json_group_array(DISTINCT series.modality)" in under.sql.partition("WHERE")[2]


def test_patient_shows_row_of_visible_study() -> None:
    """The filter chooses the row of a patient if studies disagree on it."""
    assert "variant_of IS NULL" in compiled("PATIENT", "patient", facts=SHOWN, PatientID="1").sql
    under = plan("PATIENT", "StudyDate=20240101", facts=SHOWN, PatientID="1")
    assert "patient.id = CASE WHEN (SELECT count(*) " in under.sql
    assert "ORDER BY study.id DESC LIMIT 1) END" in under.sql
    assert "CASE" not in plan("PATIENT", "StudyDate=20240101", PatientID="1").sql


def test_keys_of_a_filter_never_lead() -> None:
    """Most of an index may meet them, so its trigrams would find too much."""
    under = plan("SERIES", "InstitutionName=*EAST*", SeriesDescription="*HEAD*")
    assert under.sql.count("series_trigram") == 2
    assert "institution_name GLOB" in under.sql


def test_postgresql_sees_chains_of_what_python_filters() -> None:
    """PostgreSQL cannot call Python: it lists the series, with what Python has to see of them."""
    under = plan("STUDY", "GantryID=G", facts=POSTGRESQL, **COUNTED)
    view = "(series.attributes::json -> '00181008')::text"
    assert f"json_agg(json_build_array(series.modality, {view}" in under.sql
    assert under.row_filter is not None
    assert [each.level.name for each in under.row_filter.chain] == ["SERIES"]
    positions = [position for position, _ in under.selection.gathered]
    assert positions == [0, 2, 3]

"""The check finds whatever is computed and wrong, and repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicomquest.standard.levels import Level
from fixtures.building import instance, query
from fixtures.postgresql_cluster import usual_layout

if TYPE_CHECKING:
    from dicomquest.index import Index

# A damage to the tables, and the words of the check for it.
DAMAGES = [
    (
        "UPDATE study SET number_of_study_related_series = 7",
        "study 1: number_of_study_related_series",
    ),
    (
        "UPDATE patient SET number_of_patient_related_instances = 7",
        "patient 1: number_of_patient_related_instances",
    ),
    ("UPDATE study SET modalities_in_study = 'XX'", "study 1: modalities_in_study"),
    ("UPDATE study SET sop_classes_in_study = NULL", "study 1: sop_classes_in_study"),
    (
        "UPDATE series SET number_of_series_related_instances = 7",
        "series 1: number_of_series_related_instances",
    ),
    ("UPDATE patient SET patient_name_alphabetic = 'x'", "patient 1: patient_name_alphabetic"),
    ("UPDATE study SET study_date_sort = NULL", "study 1: study_date_sort"),
    ("DELETE FROM study_value WHERE path = '00080061'", "study 1: study_value"),
    pytest.param(
        "INSERT INTO patient_value VALUES ('00101001', 1, 'x', 1)",
        "patient 1: patient_value",
        marks=usual_layout,
    ),
    ("DELETE FROM occurrence", "patient 1: occurrence"),
    pytest.param(
        "INSERT INTO patient (id, identity) VALUES (9, 'x')",
        "patient 9: nothing below it",
        marks=usual_layout,
    ),
]


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_damage_is_named_and_repaired(index: Index, damage: str, said: str) -> None:
    damage_and_repair(index, damage, said)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_study_lost_by_trigrams_and_empty_is_removed(index: Index) -> None:
    """A study that the trigrams lost and that has nothing below is removed."""
    index.ingest_data_sets([instance(PatientName="CITIZEN^Jan", StudyDescription="KNEE")])
    with index._database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO study_trigram (study_trigram) VALUES ('delete-all')"
        )
        connection.exec_driver_sql("DELETE FROM instance")
    assert index.check(repair=True).differences
    assert index.check().examples == []
    assert set(index.counts().values()) == {0}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_trigram_table_out_of_step_is_repaired(index: Index) -> None:
    """A trigram table out of step is named and repaired."""
    damage = "INSERT INTO patient_trigram (patient_trigram) VALUES ('delete-all')"
    damage_and_repair(index, damage, "patient_trigram: not in step")


def damage_and_repair(index: Index, damage: str, said: str) -> None:
    index.ingest_data_sets(
        [
            instance(
                1,
                PatientName="Doe^John=山田",
                StudyDate="20240101",
                Modality="CT",
                SOPClassUID="1.2.1",
                ImageType="A\\B",
            ),
        ]
    )
    assert index.check().differences == 0
    with index._database.begin() as connection:
        connection.exec_driver_sql(damage)
    report = index.check()
    assert said in report.examples
    # A check without repair changes nothing.
    assert said in index.check(repair=True).examples
    assert index.check().differences == 0
    assert index.counts() == dict.fromkeys(Level, 1)
    assert (
        len(index.find_data_sets(query("STUDY", PatientName="*oe^Jo*", ModalitiesInStudy="CT")))
        == 1
    )


def test_every_entity_is_compared(index: Index) -> None:
    index.ingest_data_sets(instance(number, study=number // 10) for number in range(1200))
    assert index.check().checked == {
        Level.PATIENT: 1,
        Level.STUDY: 120,
        Level.SERIES: 120,
        Level.IMAGE: 1200,
    }

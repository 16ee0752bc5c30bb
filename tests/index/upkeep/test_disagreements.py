"""Patients whose studies name several persons are counted and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.upkeep.disagreements import Disagreement, Person
from fixtures.building import instance

if TYPE_CHECKING:
    from dicomquest.index import Index


def test_persons_of_one_id_are_told_apart(index: Index) -> None:
    index.ingest_data_sets(
        [
            instance(study=1, PatientName="HELLO", PatientSex="F"),
            instance(study=2, PatientName="FOO", PatientBirthDate="19500101"),
            instance(study=3, PatientName="HELLO", PatientSex="F"),
            instance(study=4, PatientID="P2", IssuerOfPatientID="H", PatientBirthDate="19500101"),
            instance(study=5, PatientID="P2", IssuerOfPatientID="H", PatientBirthDate="19600101"),
            instance(study=6, PatientID="P3", PatientName="ALONE"),
        ]
    )
    assert index.disagreements() == [
        Disagreement("P1", "", (Person("HELLO", "", "F", 2), Person("FOO", "19500101", "", 1))),
        Disagreement("P2", "H", (Person("", "19500101", "", 1), Person("", "19600101", "", 1))),
    ]


def test_missing_value_or_spelling_is_no_other_person(index: Index) -> None:
    index.ingest_data_sets(
        [
            instance(study=1, PatientName="Müller^Jürgen", PatientSex="M"),
            instance(study=2, PatientName="MULLER^JURGEN^"),
            instance(study=3, PatientSex="M", PatientComments="other"),
        ]
    )
    assert index.disagreements() == []


def test_no_disagreement_is_left_after_removal(index: Index) -> None:
    index.ingest_data_sets([instance(study=1, PatientName="A"), instance(study=2, PatientName="B")])
    assert len(index.disagreements()) == 1
    index.ingest_data_sets([instance(study=2, PatientName="A")])
    assert len(index.disagreements()) == 0

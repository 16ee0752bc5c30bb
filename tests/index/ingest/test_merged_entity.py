"""An entity takes over what its instances say, and an instance has one patient."""

from __future__ import annotations

from typing import Any

from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.ingest.merged_entity import Entity, patient_identity
from dicomquest.index.tables.rows import Record
from fixtures.building import instance


def identity(**values: Any) -> str:
    received = receive(instance(**values), 0)
    assert isinstance(received, Received)
    return patient_identity(received)


def test_the_issuer_tells_patients_of_one_id_apart() -> None:
    here, there = (identity(IssuerOfPatientID=issuer) for issuer in ("HERE", "THERE"))
    assert len({identity(), here, there}) == 3
    assert identity(study=2) == identity(study=3)


def test_without_an_id_each_study_has_its_patient() -> None:
    assert identity(PatientID="", study=2) != identity(PatientID="", study=3)
    assert identity(PatientID="", study=2, number=1) == identity(PatientID="", study=2, number=2)


def test_a_long_id_is_cut_and_stays_unique() -> None:
    one, other = (identity(PatientID="P" * 5000 + last) for last in "AB")
    assert one != other
    assert len(one) < 600


def test_the_last_text_wins_and_none_is_erased() -> None:
    entity = Entity(1, "1.2", 0, Record({"modality": "CT", "series_number": "7"}, {}))
    entity.merge(Record({"modality": "MR"}, {"00081030": "{}"}))
    assert entity.record == Record({"modality": "MR", "series_number": "7"}, {"00081030": "{}"})
    assert entity.conflicts == {"modality"}
    assert entity.is_changed({})

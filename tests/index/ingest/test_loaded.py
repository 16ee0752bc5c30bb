"""A batch knows the rows that are there, and what hangs together with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.ingest.loaded import Loaded
from dicomquest.index.tables.schema import LATEST, OWN
from dicomquest.standard.levels import Level
from fixtures.building import instance

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index


def received(data_set: DataSet) -> Received:
    found = receive(data_set, 0)
    assert isinstance(found, Received)
    return found


def test_patient_is_loaded_with_what_its_study_shows(index: Index) -> None:
    """A study that shows a variant brings its patient's main row, whatever the instance says."""
    first, second = instance(study=1, PatientName="A"), instance(study=2, PatientName="B")
    index.ingest_data_sets([first, second])
    again = received(instance(study=1, PatientID="", PatientName=""))
    with index._database.begin() as connection:
        loaded = Loaded(connection, [again])
        study = loaded.studies["1.2.1"]
        variant = loaded.rows[study.parent]
        assert (variant.demographics, variant.record.texts["patient_name"]) == (OWN, "A")
        assert study.main is loaded.main_of(variant.id) is loaded.patient_of(again)
        assert (study.main.demographics, study.main.record.texts["patient_name"]) == (LATEST, "B")
        assert study.own.record == variant.record


def test_new_rows_have_ids_of_their_own(index: Index) -> None:
    index.ingest_data_sets([instance(study=1), instance(study=2, PatientID="P2")])
    with index._database.begin() as connection:
        loaded = Loaded(connection, [received(instance(study=3, PatientID="P3"))])
        patient = loaded.new_patient('["P3", ""]', 0)
        study = loaded.new_study("1.2.3", patient)
        series = loaded.new_series("1.2.3.1", study.id)
        assert (patient.id, study.id, series.id, loaded.take_id(Level.IMAGE)) == (3, 3, 3, 3)
        assert (study.main, study.parent, series.parent) == (patient, patient.id, study.id)

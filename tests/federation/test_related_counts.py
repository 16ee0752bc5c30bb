"""Numbers of related entities, counted by their unique keys in several places."""

from __future__ import annotations

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.federation.related_counts import counted, wanted_counts
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT
from fixtures.building import data_set, instance
from fixtures.federating import run_counting

FIRST = [instance(1, series=1), instance(2, series=1), instance(1, series=2)]
SECOND = [instance(2, series=1), instance(3, series=1), instance(1, study=2)]


def test_numbers_are_asked_for_by_level() -> None:
    tags = [KEYS_BY_KEYWORD[name].tag for name in ("PatientID", "NumberOfStudyRelatedInstances")]
    assert wanted_counts(Level.STUDY, tags) == {Level.IMAGE: tags[1]}
    assert wanted_counts(Level.PATIENT, tags) == {}


def test_study_in_two_places_is_counted_once() -> None:
    """Series and instances that lie in both places count once."""
    study = data_set(StudyInstanceUID="1.2.1")
    counting = counted(STUDY_ROOT, Level.STUDY, study, (0, 1), Level.IMAGE)
    assert run_counting(counting, [FIRST, SECOND]) == {Level.SERIES: 2, Level.IMAGE: 4}


def test_patient_in_two_places_is_counted_once() -> None:
    patient = data_set(PatientID="P1")
    counting = counted(PATIENT_ROOT, Level.PATIENT, patient, (0, 1), Level.IMAGE)
    assert run_counting(counting, [FIRST, SECOND]) == {
        Level.STUDY: 2,
        Level.SERIES: 3,
        Level.IMAGE: 5,
    }


def test_patient_of_other_issuer_is_not_counted() -> None:
    ours = [instance(1, PatientID="P1", IssuerOfPatientID="H1")]
    theirs = [instance(1, study=2, PatientID="P1", IssuerOfPatientID="H2")]
    patient = data_set(PatientID="P1", IssuerOfPatientID="H1")
    counting = counted(PATIENT_ROOT, Level.PATIENT, patient, (0, 1), Level.STUDY)
    assert run_counting(counting, [ours, theirs]) == {Level.STUDY: 1}


@pytest.mark.parametrize(
    ("model", "places"),
    [(STUDY_ROOT, [FIRST, None]), (PATIENT_STUDY_ONLY, [FIRST, SECOND])],
    ids=["a place fails", "no such level"],
)
def test_what_cannot_be_counted_is_not(model: object, places: list[list[DataSet] | None]) -> None:
    """Neither a failing place nor a model without the level gives a number."""
    assert isinstance(model, type(STUDY_ROOT))
    study = data_set(PatientID="P1", StudyInstanceUID="1.2.1")
    counting = counted(model, Level.STUDY, study, (0, 1), Level.IMAGE)
    assert run_counting(counting, places) is None

"""Answers of a source that do not match are taken out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.federation.sieve import Sieve
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.models import PATIENT_ROOT
from fixtures.building import data_set, text_of


def sieve(level: str, issuer: str = "", visible: str = "", **keys: str) -> Sieve:
    query = parse_identifier(
        data_set(QueryRetrieveLevel=level, **keys), PATIENT_ROOT.uid, QueryOptions()
    )
    if visible:
        query = replace(query, visible=parse_visible([visible]))
    return Sieve(query, QueryOptions(relational=True), issuer)


@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        (data_set(StudyInstanceUID="1.2", StudyDescription="KNEE", PatientID="P"), True),
        (data_set(StudyInstanceUID="1.2", StudyDescription="HEAD", PatientID="P"), False),
        (data_set(StudyInstanceUID="1.2", StudyDescription="", PatientID="P"), False),
        (data_set(StudyInstanceUID="1.2", PatientID="P"), True),
        (data_set(StudyInstanceUID="", StudyDescription="KNEE", PatientID="P"), False),
    ],
    ids=["fits", "another value", "no value", "not returned", "no unique key"],
)
def test_ignored_key_is_filtered_here(answer: DataSet, *, stays: bool) -> None:
    """Only an attribute that the source did not return cannot be judged."""
    sifting = sieve("STUDY", StudyInstanceUID="", StudyDescription="KN*")
    assert (sifting.take(answer) is not None) is stays
    assert sifting.dropped + sifting.without_key == (not stays)


def test_modality_is_judged_by_that_of_study() -> None:
    sifting = sieve("STUDY", StudyInstanceUID="", Modality="CT")
    other = data_set(StudyInstanceUID="1.2", ModalitiesInStudy="MR")
    assert sifting.take(other) is None
    assert sifting.take(data_set(StudyInstanceUID="1.2", ModalitiesInStudy="MR\\CT")) is not None


def test_issuer_of_source_is_filled_in() -> None:
    """A patient without an issuer is that of the source's own issuer, for keys and identity."""
    sifting = sieve("PATIENT", "H1", PatientID="", IssuerOfPatientID="H1")
    own, other = data_set(PatientID="P"), data_set(PatientID="P", IssuerOfPatientID="H2")
    taken = sifting.take(own)
    assert taken is not None
    assert text_of(taken, "IssuerOfPatientID") == "H1"
    assert sifting.take(other) is None
    assert sifting.identity(taken) != sifting.identity(other)


def test_invisible_answer_is_dropped() -> None:
    """A key of the visibility filter has to be seen to hold: what shows nothing stays hidden."""
    sifting = sieve("STUDY", visible="AccessionNumber=A*", StudyInstanceUID="")
    assert sifting.take(data_set(StudyInstanceUID="1.2", AccessionNumber="A1")) is not None
    assert sifting.take(data_set(StudyInstanceUID="1.2", AccessionNumber="B1")) is None
    assert sifting.take(data_set(StudyInstanceUID="1.2")) is None
    assert sifting.sees_all


def test_filter_below_the_level_cannot_be_seen() -> None:
    assert not sieve("STUDY", visible="Modality=CT", StudyInstanceUID="").sees_all

"""Each study shows its own demographics, and a patient the latest of its studies."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.search.plan import OCCURRENCES
from dicomquest.index.tables.schema import VARIANTS
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.query.options import QueryOptions
from fixtures.building import instance, query, text_of
from fixtures.receiving import store_received
from fixtures.reference_indexes import empty, rows_of_patients, see_that_patients_hang_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index

RELATIONAL = QueryOptions(relational=True)


def store(index: Index, *instances: DataSet, batches: bool = True) -> None:
    """Ingest, and see that all rows fit together."""
    for each in [[one] for one in instances] if batches else [list(instances)]:
        index.ingest_data_sets(each)
    see_that_patients_hang_together(index)
    assert index.check().examples == []


def studies(index: Index, *keywords: str, **keys: str) -> dict[str, tuple[str | None, ...]]:
    """Return what each study shows, by its number."""
    asked = query("STUDY", "study", RELATIONAL, **dict.fromkeys(keywords, ""), **keys)
    return {
        str(text_of(found, "StudyInstanceUID")).removeprefix("1.2."): tuple(
            text_of(found, keyword) for keyword in keywords
        )
        for found in index.find_data_sets(asked)
    }


def patients(index: Index, *keywords: str, **keys: str) -> list[tuple[str | None, ...]]:
    asked = query("PATIENT", "patient", RELATIONAL, **dict.fromkeys(keywords, ""), **keys)
    return sorted(
        tuple(text_of(found, keyword) for keyword in keywords)
        for found in index.find_data_sets(asked)
    )


BOTH_WAYS = pytest.mark.parametrize("batches", [True, False], ids=["one by one", "in one batch"])


@BOTH_WAYS
def test_each_study_shows_what_it_received(index: Index, batches: bool) -> None:
    store(
        index,
        instance(study=1, PatientName="HELLO", PatientSex="F"),
        instance(study=2, PatientName="FOO", PatientBirthDate="19500101"),
        instance(study=3, PatientName="HELLO", PatientSex="F"),
        batches=batches,
    )
    keywords = ("PatientName", "PatientSex", "PatientBirthDate", "NumberOfPatientRelatedStudies")
    assert studies(index, *keywords) == {
        "1": ("HELLO", "F", "", "3"),
        "2": ("FOO", "", "19500101", "3"),
        "3": ("HELLO", "F", "", "3"),
    }
    assert patients(index, *keywords) == [("HELLO", "F", "19500101", "3")]
    # The main row, and one variant for each of two contents.
    assert rows_of_patients(index) == 3
    assert studies(index, PatientName="HELLO").keys() == {"1", "3"}
    assert studies(index, PatientName="*FO*").keys() == {"2"}
    assert patients(index, "PatientID", StudyInstanceUID="1.2.2") == [("P1",)]
    assert patients(index, "PatientID", PatientName="FOO") == []


@BOTH_WAYS
def test_studies_that_agree_share_one_row(index: Index, batches: bool) -> None:
    same = {"PatientName": "DOE^Jane", "PatientBirthDate": "19500101"}
    made = [instance(number, study=study, **same) for study in (1, 2, 3) for number in (1, 2)]
    store(index, *made, *made, batches=batches)
    assert rows_of_patients(index) == 1
    with index._database.connect() as connection:
        occurring = {tuple(row) for row in connection.exec_driver_sql(OCCURRENCES)}
    assert VARIANTS not in occurring


@BOTH_WAYS
def test_later_instance_enriches_its_study_alone(index: Index, batches: bool) -> None:
    """An attribute that a study receives later is added to this study, and to the patient."""
    store(index, instance(study=1, PatientName="A"), batches=batches)
    store(index, instance(2, study=1, PatientName="", PatientSex="F"), batches=batches)
    assert rows_of_patients(index) == 1
    store(index, instance(study=2, PatientName="A"), batches=batches)
    assert studies(index, "PatientName", "PatientSex") == {"1": ("A", "F"), "2": ("A", "")}
    store(index, instance(2, study=2, PatientSex="M"), batches=batches)
    assert studies(index, "PatientName", "PatientSex") == {"1": ("A", "F"), "2": ("A", "M")}
    assert patients(index, "PatientName", "PatientSex") == [("A", "M")]


@BOTH_WAYS
def test_study_received_again_is_the_latest(index: Index, batches: bool) -> None:
    first, second = instance(study=1, PatientName="HELLO"), instance(study=2, PatientName="FOO")
    store(index, first, second, first, batches=batches)
    assert studies(index, "PatientName") == {"1": ("HELLO",), "2": ("FOO",)}
    assert patients(index, "PatientName") == [("HELLO",)]
    store(index, second, first, second, batches=batches)
    assert studies(index, "PatientName") == {"1": ("HELLO",), "2": ("FOO",)}
    assert patients(index, "PatientName") == [("FOO",)]
    # A correction reaches the study that received it, whoever is the latest.
    store(index, instance(study=1, PatientName="HALLO"), batches=batches)
    assert studies(index, "PatientName") == {"1": ("HALLO",), "2": ("FOO",)}
    assert rows_of_patients(index) == 3


def test_removed_study_takes_its_demographics_along(index: Index) -> None:
    """Of what no study says any more, a patient keeps nothing; the newest study counts."""
    store(
        index,
        instance(study=1, PatientName="A", PatientSex="F", PatientComments="only here"),
        instance(study=2, PatientName="B", PatientSex="M"),
        instance(study=3, PatientName="C", PatientBirthDate="19500101"),
    )
    keywords = ("PatientName", "PatientSex", "PatientBirthDate", "PatientComments")
    assert patients(index, *keywords) == [("C", "M", "19500101", "only here")]
    index.remove(query("STUDY", StudyInstanceUID="1.2.3"))
    assert patients(index, *keywords) == [("B", "M", "", "only here")]
    index.remove(query("STUDY", StudyInstanceUID="1.2.1"))
    assert patients(index, *keywords) == [("B", "M", "", "")]
    assert studies(index, "PatientName") == {"2": ("B",)}
    see_that_patients_hang_together(index)
    index.remove(query("PATIENT", "patient", PatientID="P1"))
    assert rows_of_patients(index) == 0


@BOTH_WAYS
def test_moved_study_brings_nothing_from_its_patient(index: Index, batches: bool) -> None:
    """A study that moves to another patient shows nothing of the one that it had."""
    store(
        index,
        instance(study=1, PatientID="P1", PatientName="A", PatientSex="F"),
        instance(study=2, PatientID="P1", PatientName="B"),
        instance(study=3, PatientID="P2", PatientName="C", PatientSex="M"),
        instance(2, study=2, PatientID="P2", PatientName=""),
        batches=batches,
    )
    keywords = ("PatientID", "PatientName", "PatientSex")
    assert studies(index, *keywords) == {
        "1": ("P1", "A", "F"),
        "2": ("P2", "", ""),
        "3": ("P2", "C", "M"),
    }
    assert patients(index, *keywords) == [("P1", "A", "F"), ("P2", "C", "M")]


@BOTH_WAYS
def test_promoted_attribute_is_found_by_study(index: Index, batches: bool) -> None:
    index.promote(attribute_named("PatientAddress"))
    store(
        index,
        instance(study=1, PatientAddress="Here", OtherPatientNames="One\\Two"),
        instance(study=2, PatientAddress="There", OtherPatientNames="Three"),
        batches=batches,
    )
    assert studies(index, PatientAddress="Here").keys() == {"1"}
    assert studies(index, PatientAddress="T*").keys() == {"2"}
    assert studies(index, OtherPatientNames="Two").keys() == {"1"}
    index.promote(attribute_named("PatientMotherBirthName"))
    assert index.check().examples == []


def test_disagreement_is_logged_once_without_names(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dicomquest.index")
    for _ in range(2):
        store(
            index,
            instance(study=1, PatientName="HELLO", PatientSex="F"),
            instance(study=2, PatientName="FOO", PatientSex="F"),
        )
    told = [message for message in caplog.messages if "disagree" in message]
    assert told == ["patient 1: studies disagree on patient_name: each shows its own"]
    assert "FOO" not in caplog.text


class Sent(NamedTuple):
    """An instance as it is received; an empty text is no value."""

    uid: str
    study: str
    patient: str
    name: str
    sex: str

    def data_set(self) -> DataSet:
        return instance(
            SOPInstanceUID=self.uid,
            SeriesInstanceUID=f"{self.study}.1",
            StudyInstanceUID=self.study,
            PatientID=self.patient,
            PatientName=self.name,
            PatientSex=self.sex,
        )

    def said(self) -> dict[str, str]:
        said = {"id": self.patient, "name": self.name, "sex": self.sex}
        return {key: value for key, value in said.items() if value}


@dataclass
class PlainStudy:
    """A study of ``Plain``: its place in the order received, patient, demographics, instances."""

    number: int
    patient: str
    own: dict[str, str] = field(default_factory=dict)
    instances: set[str] = field(default_factory=set)


class Plain:
    """The same in dicts: all is known of each study, and nothing is shared."""

    def __init__(self) -> None:
        self.studies: dict[str, PlainStudy] = {}
        self.patients: dict[str, dict[str, str]] = {}
        self._received = 0

    def receive(self, batch: Sequence[Sent]) -> None:
        for sent in batch:
            study = self.studies.get(sent.study)
            # Without a Patient ID, a known study keeps its patient, and a new one has its own.
            patient = sent.patient or (study.patient if study else sent.study)
            if study is None:
                self._received += 1
                study = self.studies[sent.study] = PlainStudy(self._received, patient)
            elif study.patient != patient:
                study.patient, study.own = patient, {}
            study.own |= sent.said()
            self.patients.setdefault(patient, {}).update(sent.said())
            self._forget([sent.uid])
            study.instances.add(sent.uid)
        self.end()

    def remove(self, uids: Iterable[str]) -> None:
        self._forget(uids)
        self.end()

    def _forget(self, uids: Iterable[str]) -> None:
        for study in self.studies.values():
            study.instances -= {*uids}

    def end(self) -> None:
        """Let go what has no instance, and what no study says any more."""
        self.studies = {uid: study for uid, study in self.studies.items() if study.instances}
        newest_first = sorted(self.studies.values(), key=lambda study: -study.number)
        there = {study.patient for study in newest_first}
        self.patients = {key: said for key, said in self.patients.items() if key in there}
        for patient, said in self.patients.items():
            own = [study.own for study in newest_first if study.patient == patient]
            for key, value in list(said.items()):
                found = [each[key] for each in own if key in each]
                if not found:
                    del said[key]
                elif value not in found:
                    said[key] = found[0]


SENT = st.builds(
    Sent,
    uid=st.integers(1, 12).map("1.9.{}".format),
    study=st.integers(1, 5).map("1.{}".format),
    patient=st.sampled_from(("A", "A", "A", "B", "")),
    name=st.sampled_from(("X", "X", "Y", "Z", "")),
    sex=st.sampled_from(("F", "M", "", "")),
)
REMOVED = st.frozensets(st.integers(1, 12).map("1.9.{}".format), min_size=1, max_size=4)
BATCH = st.lists(SENT, min_size=1, max_size=5)
# An archive brings an instance once.
STORED = st.lists(SENT, min_size=1, max_size=3, unique_by=lambda sent: sent.uid).map(tuple)
STEPS = st.lists(st.one_of(BATCH, STORED, STORED, REMOVED), min_size=2, max_size=8)


def values(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple(value or "" for value in row)


def see_that_it_is(index: Index, plain: Plain) -> None:
    keywords = ("PatientID", "PatientName", "PatientSex")
    expected = {
        uid: values([study.own.get(key) for key in ("id", "name", "sex")])
        for uid, study in plain.studies.items()
    }
    found = index.find_data_sets(query("STUDY", **dict.fromkeys(keywords, "")))
    assert {
        str(text_of(each, "StudyInstanceUID")): values([text_of(each, key) for key in keywords])
        for each in found
    } == expected
    with index._database.connect() as connection:
        main = connection.exec_driver_sql(
            "SELECT patient_id, patient_name, patient_sex FROM patient WHERE variant_of IS NULL"
        )
        assert sorted(map(values, main)) == sorted(
            values([said.get(key) for key in ("id", "name", "sex")])
            for said in plain.patients.values()
        )


@pytest.mark.requirement("QR-009")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(steps=STEPS)
def test_demographics_equal_those_of_plain_dicts(
    index: Index, steps: list[list[Sent] | tuple[Sent, ...] | frozenset[str]]
) -> None:
    empty(index)
    plain = Plain()
    for step in steps:
        if isinstance(step, frozenset):
            plain.remove(step)
            uids = "\\".join(sorted(step))
            index.remove(query("IMAGE", "study", RELATIONAL, SOPInstanceUID=uids))
        elif isinstance(step, tuple):
            plain.receive(step)
            found = [receive(sent.data_set(), 0) for sent in step]
            store_received(
                index,
                [
                    (each, FileState(f"/{each.sop_uid}", 1, 1))
                    for each in found
                    if isinstance(each, Received)
                ],
            )
        else:
            plain.receive(step)
            index.ingest_data_sets(sent.data_set() for sent in step)
        see_that_it_is(index, plain)
        see_that_patients_hang_together(index)
    event(f"{rows_of_patients(index)} rows of patients")
    assert index.check().examples == []

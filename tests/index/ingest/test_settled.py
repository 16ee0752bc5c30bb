"""Series and studies that only get new instances have the columns that a full count gives."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dicomquest.index.ingest import file_batch as ingest
from dicomquest.index.ingest.file_batch import Summary, write
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set, query
from fixtures.building import instance as made
from fixtures.receiving import store_received
from fixtures.reference_indexes import empty

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.index import Index

RELATIONAL = QueryOptions(relational=True)


class Sent(NamedTuple):
    """An instance as it is received; ``path`` is its file's, '' if it has none."""

    uid: str
    series: str
    study: str
    patient: str
    modality: str
    sop_class: str
    regions: tuple[str, ...] | None
    path: str

    def received(self) -> tuple[Received, FileState | None]:
        """Return the instance as ingest gets it."""
        attributes: dict[str, Any] = {"PatientID": self.patient, "Modality": self.modality}
        if self.sop_class != "none":
            attributes["SOPClassUID"] = self.sop_class
        if self.regions is not None:
            attributes["AnatomicRegionSequence"] = [
                data_set(CodeValue=code, CodingSchemeDesignator="SCT", CodeMeaning="")
                for code in self.regions
            ]
        uids = {
            "SOPInstanceUID": self.uid,
            "SeriesInstanceUID": self.series,
            "StudyInstanceUID": self.study,
        }
        received = receive(made(**uids, **attributes), 0)
        assert isinstance(received, Received)
        return received, FileState(self.path, 1, 1) if self.path else None


def uids(count: int) -> st.SearchStrategy[str]:
    return st.integers(1, count).map("1.{}".format)


# Few of everything, so that instances meet; but many instances, so that most that arrive are new to
# a known series.
SENT = st.builds(
    Sent,
    uid=uids(30),
    series=uids(3),
    study=uids(2),
    patient=st.sampled_from(("A", "A", "B", "")),
    modality=st.sampled_from(("CT", "CT", "MR", "CT\\PT", "MR\\", "")),
    sop_class=st.sampled_from(
        ("1.5.1", "1.5.1", "1.5.1", "1.5.2", "1.5.1\\1.5.3", "1.5.1\\", "", "none")
    ),
    regions=st.sampled_from((None, None, None, ("X",), ("Y", "X"), ())),
    path=st.sampled_from(("", "", "", "", "", "/a", "/b", "/c")),
)
REMOVED = st.frozensets(uids(30), min_size=1, max_size=8)
BATCH = st.lists(SENT, min_size=1, max_size=4)
# An archive gives each instance a file, and brings an instance once.
STORED = st.lists(SENT, min_size=1, max_size=4, unique_by=lambda sent: sent.uid).map(
    lambda batch: tuple(sent._replace(path=sent.path or f"/{sent.uid}") for sent in batch)
)
STEPS = st.lists(st.one_of(BATCH, STORED, STORED, REMOVED), min_size=2, max_size=8)


class Plain:
    """The same in dicts, without a shortcut: everything is counted anew from all instances."""

    def __init__(self) -> None:
        self.instances: dict[str, Sent] = {}
        self._files: dict[str, str] = {}
        self._patients: dict[str, str] = {}
        self._modalities: dict[tuple[str, str], str] = {}

    def receive(self, batch: Sequence[Sent]) -> None:
        for sent in batch:
            # Without a Patient ID, a known study keeps its patient, and a new one has its own.
            self._patients[sent.study] = sent.patient or self._patients.get(sent.study, sent.study)
            place = sent.study, sent.series
            self._modalities[place] = sent.modality or self._modalities.get(place, "")
            self.instances[sent.uid] = sent
        files = {sent.path: sent.uid for sent in batch if sent.path}
        lost = {self._files[path] for path in files.keys() & self._files.keys()} - {
            sent.uid for sent in batch
        }
        self._files |= files
        self.remove(lost - set(self._files.values()))

    def remove(self, gone: Iterable[str]) -> None:
        for uid in gone:
            self.instances.pop(uid, None)
        self._files = {path: uid for path, uid in self._files.items() if uid in self.instances}
        # The model forgets an entity without instances, and the attributes that it had from them.
        places = {(sent.study, sent.series) for sent in self.instances.values()}
        self._modalities = {place: self._modalities[place] for place in places}
        self._patients = {study: self._patients[study] for study, _ in places}

    def series(self) -> dict[tuple[str, str], int]:
        return Counter((sent.study, sent.series) for sent in self.instances.values())

    def studies(self) -> dict[str, tuple[Any, ...]]:
        """By study: numbers of series and instances, modalities, SOP classes and region codes."""
        found = {}
        for study in self._patients:
            instances = [sent for sent in self.instances.values() if sent.study == study]
            modalities = [text for (parent, _), text in self._modalities.items() if parent == study]
            classes = [sent.sop_class for sent in instances if sent.sop_class != "none"]
            regions = {code for sent in instances for code in sent.regions or ()}
            found[study] = (
                len(modalities),
                len(instances),
                distinct(modalities),
                distinct(classes),
                sorted(regions),
            )
        return found

    def patients(self) -> dict[str, tuple[int, int, int]]:
        """By patient: studies, series and instances."""
        found: dict[str, tuple[int, int, int]] = {}
        studies = self.studies()
        for study, patient in self._patients.items():
            before = found.get(patient, (0, 0, 0))
            found[patient] = (
                before[0] + 1,
                before[1] + studies[study][0],
                before[2] + studies[study][1],
            )
        return found

    def values(self) -> list[tuple[str, str, str]]:
        """Return the values by which studies are matched, with study and path."""
        return sorted(
            (study, path, value)
            for study, (_, _, modalities, classes, _) in self.studies().items()
            for path, text in (("00080061", modalities), ("00080062", classes))
            for value in (text or "").split("\\")
            if value
        )


def distinct(texts: Iterable[str]) -> str | None:
    """Return all values of texts, each once; an empty text has none, but a part may be empty."""
    return (
        "\\".join(sorted({value for text in texts if text for value in text.split("\\")})) or None
    )


def rows(index: Index, statement: str) -> list[Any]:
    with index._database.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def codes(regions: str | None) -> list[str]:
    return (
        [item["00080100"]["Value"][0] for item in json.loads(regions)["Value"]] if regions else []
    )


def patient_of(identity: str) -> str:
    """The patient's ID, or the study of one without an ID."""
    patient, _issuer, *study = json.loads(identity)
    return str(patient or study[0])


def see_that_it_is(index: Index, plain: Plain) -> None:
    """Compare each column and row that is computed."""
    series = rows(
        index,
        "SELECT study_instance_uid, series_instance_uid, number_of_series_related_instances "
        "FROM series JOIN study ON study.id = series.parent",
    )
    assert {(study, uid): count for study, uid, count in series} == plain.series()
    studies = rows(
        index,
        "SELECT study_instance_uid, number_of_study_related_series, "
        "number_of_study_related_instances, modalities_in_study, sop_classes_in_study, "
        "anatomic_regions_in_study_code_sequence FROM study",
    )
    assert {
        study: (*computed, codes(regions)) for study, *computed, regions in studies
    } == plain.studies()
    patients = rows(
        index,
        "SELECT identity, number_of_patient_related_studies, number_of_patient_related_series, "
        "number_of_patient_related_instances FROM patient",
    )
    assert {
        patient_of(identity): tuple(counts) for identity, *counts in patients
    } == plain.patients()
    values = rows(
        index,
        "SELECT study_instance_uid, path, search "
        "FROM study_value JOIN study ON study.id = study_value.owner "
        "WHERE path IN ('00080061', '00080062')",
    )
    assert sorted(values) == plain.values()


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(steps=STEPS)
def test_carried_values_equal_counting(
    index: Index, steps: list[list[Sent] | tuple[Sent, ...] | frozenset[str]]
) -> None:
    empty(index)
    plain = Plain()
    for step in steps:
        if isinstance(step, frozenset):
            plain.remove(step)
            index.remove(
                query("IMAGE", "study", RELATIONAL, SOPInstanceUID="\\".join(sorted(step)))
            )
        elif isinstance(step, tuple):
            plain.receive(step)
            found = [sent.received() for sent in step]
            store_received(index, [(each, file) for each, file in found if file is not None])
        else:
            event(f"{sum(sent.uid not in plain.instances for sent in step)} of {len(step)} new")
            plain.receive(step)
            with mock.patch.object(
                ingest, "_is_current", return_value=True
            ):  # there are no such files
                write(index._database, [sent.received() for sent in step], 0, Summary())
        see_that_it_is(index, plain)
    assert index.check().examples == []

"""Instances merge into their entities: the last wins, nothing is erased, counts are right."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index.ingest.instance import Reason
from dicomquest.standard.levels import Level
from fixtures.building import data_set, instance, query, text_of

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index


def answers(
    index: Index, level: str, *keywords: str, root: str = "study", **keys: str
) -> list[tuple[str | None, ...]]:
    """Return the answers to a query as tuples of some keywords' values, sorted."""
    found = index.find_data_sets(query(level, root, **dict.fromkeys(keywords, ""), **keys))
    return sorted(tuple(text_of(answer, keyword) for keyword in keywords) for answer in found)


def store(index: Index, *instances: DataSet, batches: bool = True) -> None:
    """Ingest, and check all computed columns."""
    for each in [[one] for one in instances] if batches else [list(instances)]:
        index.ingest_data_sets(each)
    assert index.check().examples == []


BOTH_WAYS = pytest.mark.parametrize("batches", [True, False], ids=["one by one", "in one batch"])


@BOTH_WAYS
def test_last_received_wins_and_empty_erases_nothing(
    index: Index, batches: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Of conflicting attributes the last received wins, and empty ones erase nothing."""
    caplog.set_level(logging.INFO, "dicomquest.index")
    store(
        index,
        instance(1, PatientName="First", StudyDescription="one", MedicalAlerts="a", StudyID="7"),
        instance(2, PatientName="Second", StudyDescription="", MedicalAlerts="b"),
        batches=batches,
    )
    assert answers(
        index, "STUDY", "PatientName", "StudyDescription", "MedicalAlerts", "StudyID"
    ) == [("Second", "one", "b", "7")]
    assert [record.getMessage() for record in caplog.records] == [
        "patient 1: conflicting patient_name: the instance received last wins"
    ]
    # No form of the old name is found any more.
    assert answers(index, "STUDY", "StudyInstanceUID", PatientName="First") == []
    assert answers(index, "STUDY", "StudyInstanceUID", PatientName="*irs*") == []


def test_patient_data_is_logged_for_debugging_only(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dicomquest.index")
    store(index, instance(1, PatientName="First"), instance(2, PatientName="Second"))
    levels = {record.levelno for record in caplog.records if "Second" in record.getMessage()}
    assert levels == {logging.DEBUG}


@BOTH_WAYS
@pytest.mark.requirement("QR-011", "QR-130", "QR-131", "QR-133")
def test_computed_values_follow_instances(index: Index, batches: bool) -> None:
    """Counts, modalities and SOP classes are those of the instances that are there."""
    store(
        index,
        instance(1, series=1, Modality="CT", SOPClassUID="1.2.1"),
        instance(2, series=1, Modality="CT", SOPClassUID="1.2.1"),
        instance(1, series=2, Modality="SR", SOPClassUID="1.2.9"),
        instance(1, series=3, study=2, Modality="MR", SOPClassUID="1.2.4"),
        batches=batches,
    )
    patient = (
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
    )
    assert answers(index, "PATIENT", *patient, root="patient") == [("2", "3", "4")]
    study = (
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
        "ModalitiesInStudy",
        "SOPClassesInStudy",
    )
    assert answers(index, "STUDY", *study) == [
        ("1", "1", "MR", "1.2.4"),
        ("2", "3", "CT\\SR", "1.2.1\\1.2.9"),
    ]
    series = answers(
        index,
        "SERIES",
        "SeriesInstanceUID",
        "NumberOfSeriesRelatedInstances",
        StudyInstanceUID="1.2.1",
    )
    assert series == [("1.2.1.1", "2"), ("1.2.1.2", "1")]
    assert answers(index, "STUDY", "StudyInstanceUID", ModalitiesInStudy="SR") == [("1.2.1",)]


@BOTH_WAYS
@pytest.mark.requirement("QR-130")
def test_instance_received_again_is_replaced_whole(index: Index, batches: bool) -> None:
    first = instance(
        1,
        Modality="CT",
        SOPClassUID="1.2.1",
        ImageComments="old",
        TextValue="old",
        ImageType="A\\B",
    )
    store(index, first, instance(1, Modality="MR", SOPClassUID="1.2.4"), batches=batches)
    assert index.counts() == dict.fromkeys(Level, 1)
    assert answers(index, "IMAGE", "SOPClassUID", "ImageComments", "TextValue", "ImageType") == [
        ("1.2.4", "", "", "")
    ]
    assert answers(index, "STUDY", "ModalitiesInStudy", "SOPClassesInStudy") == [("MR", "1.2.4")]
    assert answers(index, "STUDY", "StudyInstanceUID", ModalitiesInStudy="CT") == []


@BOTH_WAYS
@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
def test_moved_instance_leaves_nothing_behind(index: Index, batches: bool) -> None:
    """An instance moves to another series and study and leaves nothing behind."""
    store(
        index,
        instance(1, Modality="CT", SOPClassUID="1.2.1"),
        instance(2, Modality="CT", SOPClassUID="1.2.4"),
        instance(
            2,
            study=9,
            series=9,
            PatientID="P9",
            Modality="MR",
            SOPClassUID="1.2.4",
            SOPInstanceUID="1.2.1.1.2",
        ),
        batches=batches,
    )
    assert answers(
        index, "STUDY", "StudyInstanceUID", "ModalitiesInStudy", "SOPClassesInStudy"
    ) == [
        ("1.2.1", "CT", "1.2.1"),
        ("1.2.9", "MR", "1.2.4"),
    ]
    store(
        index,
        instance(1, study=9, series=9, PatientID="P9", Modality="MR", SOPInstanceUID="1.2.1.1.1"),
    )
    assert index.counts() == {Level.PATIENT: 1, Level.STUDY: 1, Level.SERIES: 1, Level.IMAGE: 2}
    assert answers(index, "PATIENT", "PatientID", root="patient") == [("P9",)]


@BOTH_WAYS
def test_study_is_of_last_received_patient(index: Index, batches: bool) -> None:
    """A study belongs to the patient of the instance received last."""
    store(
        index,
        instance(1, PatientName="A"),
        instance(2, PatientID="P2", PatientName="B"),
        batches=batches,
    )
    assert answers(index, "STUDY", "PatientID", "PatientName", "NumberOfStudyRelatedInstances") == [
        ("P2", "B", "2")
    ]
    assert index.counts()[Level.PATIENT] == 1


def test_same_id_of_two_issuers_is_two_patients(index: Index) -> None:
    """Patients of one ID and different issuers are two."""
    hospitals = [
        instance(1, study=study, PatientID="1", IssuerOfPatientID=issuer)
        for study, issuer in ((1, "A"), (2, "B"), (3, ""), (4, "A"))
    ]
    store(index, *hospitals)
    keys = ("PatientID", "IssuerOfPatientID", "NumberOfPatientRelatedStudies")
    assert answers(index, "PATIENT", *keys, root="patient") == [
        ("1", "", "1"),
        ("1", "A", "2"),
        ("1", "B", "1"),
    ]


@BOTH_WAYS
def test_instance_without_patient_moves_no_study(index: Index, batches: bool) -> None:
    """An instance that says nothing of its patient does not move its study."""
    store(
        index,
        instance(1, IssuerOfPatientID="H"),
        instance(2, PatientID="", PatientName="Late"),
        instance(3, IssuerOfPatientID=""),
        batches=batches,
    )
    assert answers(index, "STUDY", "PatientID", "IssuerOfPatientID", "PatientName") == [
        ("P1", "H", "Late")
    ]


@pytest.mark.requirement("QR-006")
def test_studies_without_patient_id_have_no_patient(index: Index) -> None:
    """Studies without Patient ID are found but are no patient."""
    store(
        index,
        instance(1, study=1, PatientID="", PatientName="Doe"),
        instance(1, study=2, PatientID="", PatientName="Roe"),
        instance(1, study=3, PatientName="Known"),
    )
    assert answers(index, "PATIENT", "PatientID", "PatientName", root="patient") == [
        ("P1", "Known")
    ]
    assert answers(index, "STUDY", "StudyInstanceUID", PatientName="Doe") == [("1.2.1",)]
    assert answers(index, "STUDY", "PatientID", "PatientName") == [
        ("", "Doe"),
        ("", "Roe"),
        ("P1", "Known"),
    ]
    # As soon as one of its instances has the ID, the study is that patient's.
    store(index, instance(2, study=1, PatientID="P7"))
    assert answers(index, "PATIENT", "PatientID", "PatientName", root="patient") == [
        ("P1", "Known"),
        ("P7", ""),
    ]


def test_overlong_texts_are_found_by_their_start(index: Index) -> None:
    """Texts too long for a database's index are stored and found by their beginning."""
    # A text that does not compress, so that it is as long in an index.
    long = "".join(chr(0x4E00 + number) for number in Random(1).choices(range(20_000), k=3000))
    item = [data_set(CodeValue="1", CodingSchemeDesignator="SCT", CodeMeaning=long)]
    keys = {
        "PatientID": long,
        "PatientName": f"A{long}={long}",
        "StudyDescription": f"X{long}",
        "OtherPatientIDs": long,
        "AnatomicRegionSequence": item,
    }
    store(index, instance(1, **keys), instance(2, **keys))
    store(index, instance(2, **keys, SeriesDescription=long))
    assert answers(index, "STUDY", "StudyInstanceUID", StudyDescription=f"X{long[:50]}*") == [
        ("1.2.1",)
    ]
    assert answers(index, "STUDY", "StudyInstanceUID", PatientName=f"A{long[:20]}*") == [("1.2.1",)]
    (name,) = answers(index, "STUDY", "PatientName")
    assert name == (keys["PatientName"],)
    assert index.counts() == {Level.PATIENT: 1, Level.STUDY: 1, Level.SERIES: 1, Level.IMAGE: 2}


def test_uid_far_too_long_is_not_kept(index: Index) -> None:
    summary = index.ingest_data_sets([instance(1, SOPInstanceUID="1." + "2" * 300)])
    assert summary.skipped == {Reason.UNFIT_UID: 1}


def test_text_has_no_nul(index: Index) -> None:
    item = [data_set(CodeMeaning="a\0b")]
    store(
        index,
        instance(1, PatientName="Doe\0Jim", PatientComments="a\0b", ProcedureCodeSequence=item),
    )
    assert answers(index, "STUDY", "PatientName", "PatientComments") == [
        ("Doe\ufffdJim", "a\ufffdb")
    ]
    assert answers(index, "STUDY", "StudyInstanceUID", PatientComments="a\0b") == [("1.2.1",)]


def test_two_series_of_one_uid_in_two_studies_are_two(index: Index) -> None:
    store(
        index,
        instance(1, study=1, SeriesInstanceUID="1.9", Modality="CT"),
        instance(1, study=2, SeriesInstanceUID="1.9", Modality="MR"),
    )
    assert answers(index, "SERIES", "StudyInstanceUID", "Modality") == [
        ("1.2.1", "CT"),
        ("1.2.2", "MR"),
    ]


@BOTH_WAYS
def test_empty_sop_class_counts_once_in_any_order(index: Index, batches: bool) -> None:
    """An empty value among SOP classes is one value, in whichever order it comes."""
    store(
        index, instance(1, SOPClassUID="1.2.1"), instance(2, SOPClassUID="1.2.1\\"), batches=batches
    )
    assert answers(index, "STUDY", "SOPClassesInStudy") == [("\\1.2.1",)]


@BOTH_WAYS
def test_anatomic_regions_are_those_of_instances(index: Index, batches: bool) -> None:
    def region(code: str) -> list[DataSet]:
        return [
            data_set(CodeValue=code, CodingSchemeDesignator="SCT", CodeMeaning=f"Region {code}")
        ]

    def codes() -> list[str]:
        (answer,) = index.find_data_sets(query("STUDY", AnatomicRegionsInStudyCodeSequence=[]))
        return [str(text_of(item, "CodeValue")) for item in answer[0x00080063].values]

    store(
        index,
        instance(1, AnatomicRegionSequence=region("2")),
        instance(2, AnatomicRegionSequence=region("1")),
        instance(3, series=2, AnatomicRegionSequence=region("2")),
        instance(4),
        batches=batches,
    )
    assert codes() == ["1", "2"]
    found: Any = query(
        "STUDY", AnatomicRegionsInStudyCodeSequence=[data_set(CodeValue="1")], StudyInstanceUID=""
    )
    assert len(index.find_data_sets(found)) == 1
    store(index, instance(2))
    assert codes() == ["2"]

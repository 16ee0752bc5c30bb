"""Faults of other archives and clients, none of which `dicomquest serve` has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from dicomquest import AE, find
from dicomquest.query.options import QueryOptions
from dicomquest.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)
from peers import ours
from peers.processes import Peer

PATIENTS = (("Citizen^Jan", "1234567"), ("Citizen^Snip^^^", "50%_A"), ("DOE^JOHN", "50xyA"))
DATES = ("20191231", "20200101", "20240229")
TIMES = ("115959.999999", "1200", "120059.5", "120100")
ROOT = "1.2.826.0.1.3680043.8.498.60"


def instances() -> Iterator[Dataset]:
    """60 instances: 3 patients with 2 studies of 2 series of 5."""
    for patient, (name, patient_id) in enumerate(PATIENTS):
        for study in range(2):
            for series, (modality, sop_class) in enumerate(
                (("CT", CTImageStorage), ("SR", ComprehensiveSRStorage))
            ):
                for number in range(5):
                    instance = Dataset()
                    instance.PatientName, instance.PatientID = name, patient_id
                    instance.StudyInstanceUID = f"{ROOT}.{patient}.{study}"
                    instance.SeriesInstanceUID = f"{ROOT}.{patient}.{study}.{series}"
                    instance.SOPInstanceUID = f"{ROOT}.{patient}.{study}.{series}.{number}"
                    instance.StudyDate = DATES[patient]
                    instance.StudyTime = TIMES[patient + study]
                    # One study of each patient has MR instead of CT.
                    is_mr = study == 1 and modality == "CT"
                    instance.Modality = "MR" if is_mr else modality
                    instance.SOPClassUID = MRImageStorage if is_mr else sop_class
                    instance.InstanceNumber = number
                    instance.file_meta = FileMetaDataset()
                    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                    yield instance


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("sixty")
    for number, instance in enumerate(instances()):
        instance.save_as(folder / f"{number}", enforce_file_format=True)
    location = tmp_path_factory.mktemp("index") / "index.sqlite"
    ours.index(location, folder)
    with ours.serve(location) as peer:
        yield peer


def studies(scp: Peer, **keys: Any) -> list[str]:
    """The studies found, as patient.study, sorted; twice if twice."""
    found = find(
        scp.host, scp.port, level="STUDY", StudyInstanceUID=keys.pop("StudyInstanceUID", ""), **keys
    )
    return sorted(str(each.StudyInstanceUID).removeprefix(f"{ROOT}.") for each in found)


@pytest.mark.requirement("QR-007", "QR-002")
@pytest.mark.parametrize(
    ("level", "count"), [("PATIENT", 3), ("STUDY", 6), ("SERIES", 12), ("IMAGE", 60)]
)
def test_one_response_an_entity(scp: Peer, level: str, count: int) -> None:
    keys = {"PatientID": "", "StudyInstanceUID": "", "SeriesInstanceUID": "", "SOPInstanceUID": ""}
    found = [tuple(str(each.get(key, "")) for key in keys) for each in all_of(scp, level)]
    assert len(found) == len(set(found)) == count


def all_of(scp: Peer, level: str) -> Iterator[Dataset]:
    if level == "PATIENT":
        return find(scp.host, scp.port, level=level, model="patient", PatientID="")
    return find(scp.host, scp.port, level=level, options=QueryOptions(relational=True))


@pytest.mark.requirement("QR-103")
def test_list_of_uids_returns_each_entity_once(scp: Peer) -> None:
    uids = [f"{ROOT}.0.0", f"{ROOT}.2.1", f"{ROOT}.2.1", f"{ROOT}.9.9"]
    assert studies(scp, StudyInstanceUID="\\".join(uids)) == ["0.0", "2.1"]


@pytest.mark.requirement("QR-095")
def test_percent_and_underscore_are_literal(scp: Peer) -> None:
    assert studies(scp, PatientID="50%_*") == ["1.0", "1.1"]
    assert studies(scp, PatientID="50%_A") == ["1.0", "1.1"]
    assert studies(scp, PatientID="50__A") == []
    assert studies(scp, PatientID="5_%*") == []
    assert studies(scp, PatientID="50??A") == ["1.0", "1.1", "2.0", "2.1"]


@pytest.mark.requirement("QR-115")
def test_trailing_empty_name_components_are_ignored(scp: Peer) -> None:
    """Trailing empty components of a name mean nothing."""
    assert studies(scp, PatientName="Citizen^Snip") == ["1.0", "1.1"]
    assert studies(scp, PatientName="Citizen^Jan^^^") == ["0.0", "0.1"]


@pytest.mark.requirement("QR-098")
def test_open_range_of_dates(scp: Peer) -> None:
    assert studies(scp, StudyDate="20200101-") == ["1.0", "1.1", "2.0", "2.1"]
    assert studies(scp, StudyDate="-20200101") == ["0.0", "0.1", "1.0", "1.1"]


@pytest.mark.requirement("QR-100")
def test_time_is_matched_by_its_meaning(scp: Peer) -> None:
    """1200 is the minute from 12:00:00; also 11:59:59.999999 and 12:01:00 are stored."""
    assert studies(scp, StudyTime="1200") == ["0.1", "1.0", "1.1", "2.0"]


@pytest.mark.requirement("QR-131", "QR-132")
def test_modalities_in_study_filters_and_is_returned(scp: Peer) -> None:
    found = list(
        find(scp.host, scp.port, level="STUDY", ModalitiesInStudy="MR", PatientID="1234567")
    )
    assert [sorted(each.ModalitiesInStudy) for each in found] == [["MR", "SR"]]
    assert studies(scp, ModalitiesInStudy="SR", PatientID="1234567") == ["0.0", "0.1"]
    assert studies(scp, ModalitiesInStudy="XA") == []


@pytest.mark.requirement("QR-133", "QR-009")
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom warns of the star
def test_sop_classes_in_study_of_a_patient(scp: Peer) -> None:
    """A star in a UID is universal, as scripts after pynetdicom's page expect."""
    query = Dataset()
    query.SOPClassesInStudy = ""
    query.PatientID = "1234567"
    query.StudyInstanceUID = "*"
    query.QueryRetrieveLevel = "STUDY"
    ae = AE()
    ae.add_requested_context(PatientRootQueryRetrieveInformationModelFind)
    with ae.associate(scp.host, scp.port) as association:
        responses = list(
            association.send_c_find(query, PatientRootQueryRetrieveInformationModelFind)
        )
    found = {
        str(each.StudyInstanceUID): sorted(each.SOPClassesInStudy)
        for _, each in responses
        if each is not None
    }
    assert found == {
        f"{ROOT}.0.0": sorted([CTImageStorage, ComprehensiveSRStorage]),
        f"{ROOT}.0.1": sorted([MRImageStorage, ComprehensiveSRStorage]),
    }
    assert [status.Status for status, _ in responses] == [0xFF00, 0xFF00, 0x0000]


@pytest.mark.requirement("UL-099")
def test_loop_left_by_break_leaks_nothing(scp: Peer) -> None:
    """A loop left by break leaks nothing into the next query."""
    ae = AE()
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = ""
    query.PatientID = ""
    with ae.associate(scp.host, scp.port) as association:
        for _, identifier in association.send_c_find(
            query, StudyRootQueryRetrieveInformationModelFind
        ):
            assert identifier is not None
            break
        query.PatientID = "50xyA"
        responses = association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
        assert {each.PatientID for _, each in responses if each is not None} == {"50xyA"}

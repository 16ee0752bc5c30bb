"""Other clients ask for names in the character sets of PS3.3 C.12.1.1.2, from pydicom's files.

pydicom's decoding is right by definition. Each group of a name is a key, as it is and with wild
cards, in UTF-8 and in the character set of its file, so that key, stored value and response differ
in their bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicomquest.standard.models import PATIENT_ROOT
from fixtures.postgresql_cluster import Cluster
from peers import ours
from peers.answers import Answer
from peers.dcmtk import findscu_file
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find_files

PYDICOM = find_spec("pydicom")
assert PYDICOM is not None
assert PYDICOM.submodule_search_locations is not None
FOLDER = Path(PYDICOM.submodule_search_locations[0]) / "data" / "charset_files"
UTF_8 = "ISO_IR 192"


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient of a file; ``charset`` has the terms of its character set, joined by backslash."""

    file: str
    name: str
    patient_id: str
    charset: str

    @property
    def groups(self) -> list[str]:
        """The alphabetic, ideographic and phonetic form, as far as they are there."""
        return [group for group in self.name.split("=") if group]


def read(path: Path) -> Patient | None:
    file = pydicom.dcmread(path)
    if not file.get("PatientName"):
        return None
    terms = file.SpecificCharacterSet
    charset = terms if isinstance(terms, str) else "\\".join(terms)
    return Patient(path.stem, str(file.PatientName), file.PatientID, charset)


PATIENTS = [patient for path in sorted(FOLDER.glob("*.dcm")) if (patient := read(path)) is not None]


def keys(patient: Patient) -> list[str]:
    """Each group as it is, by its beginning, and with its first character left open."""
    return [key for group in patient.groups for key in (group, f"{group[0]}*", f"?{group[1:]}")]


def found_by(key: str) -> dict[str, str]:
    """The patients, ID to name, one of whose groups is what the key says, full width or half."""
    pattern = unicodedata.normalize("NFKC", key)
    return {
        patient.patient_id: patient.name
        for patient in PATIENTS
        if any(
            fnmatchcase(unicodedata.normalize("NFKC", group), pattern) for group in patient.groups
        )
    }


def write(path: Path, key: str, charset: str) -> Path:
    """Write an identifier as pydicom encodes it."""
    identifier = Dataset()
    identifier.SpecificCharacterSet = charset.split("\\")
    identifier.QueryRetrieveLevel = "PATIENT"
    identifier.PatientName = key
    identifier.PatientID = ""
    identifier.file_meta = FileMetaDataset()
    identifier.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    identifier.file_meta.MediaStorageSOPClassUID = UID(PATIENT_ROOT.uid)
    identifier.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    identifier.save_as(path, enforce_file_format=True)
    return path


def readable(answers: list[Answer]) -> dict[str, str]:
    """The names as the client decodes them, by Patient ID; each patient comes once."""
    assert len({answer["PatientID"] for answer in answers}) == len(answers)
    return {answer["PatientID"]: answer["PatientName"] for answer in answers}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("charsets")
    in_server = request.param == "postgresql"
    cluster: Cluster | None = request.getfixturevalue("postgresql") if in_server else None
    location = str(folder / "index.sqlite") if cluster is None else cluster.create_database()
    ours.index(location, FOLDER)
    with ours.serve(location, folder=folder) as peer:
        yield peer


patients = pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.file)
charsets = pytest.mark.parametrize("charset", [UTF_8, "own"])


def charset_of(patient: Patient, charset: str) -> str:
    return patient.charset if charset == "own" else charset


def test_files_are_those_that_were_meant() -> None:
    assert len(PATIENTS) >= 15
    assert {len(patient.groups) for patient in PATIENTS} == {1, 2, 3}


@patients
@charsets
@pytest.mark.requirement("EN-030", "QR-052", "QR-094", "QR-114", "QR-116")
@pytest.mark.peer("findscu")
# findscu takes a process for each key; over PostgreSQL only pynetdicom asks for the names.
@pytest.mark.parametrize("scp", ["sqlite"], indirect=True)
def test_findscu_finds_name_by_each_of_its_groups(
    scp: Peer, patient: Patient, charset: str, tmp_path: Path
) -> None:
    for key in keys(patient):
        query = write(tmp_path / "query.dcm", key, charset_of(patient, charset))
        outcome = findscu_file(scp, query, model="patient")
        assert outcome.final == "Success", outcome.output
        assert readable(outcome.answers) == found_by(key), key
        assert readable(outcome.answers)[patient.patient_id] == patient.name


@charsets
@pytest.mark.requirement("EN-030", "QR-052", "QR-094", "QR-114", "QR-116")
def test_pynetdicom_finds_name_by_each_of_its_groups(
    scp: Peer, charset: str, tmp_path: Path
) -> None:
    asked = [
        (
            patient,
            key,
            write(tmp_path / f"{patient.file}{number}.dcm", key, charset_of(patient, charset)),
        )
        for patient in PATIENTS
        for number, key in enumerate(keys(patient))
    ]
    outcomes = pynetdicom_find_files(scp, [path for _, _, path in asked], model="patient")
    for (patient, key, _), outcome in zip(asked, outcomes, strict=True):
        assert outcome.statuses[-1] == 0x0000, key
        assert readable(outcome.answers) == found_by(key), key
        assert readable(outcome.answers)[patient.patient_id] == patient.name

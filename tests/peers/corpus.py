"""A small, plain archive that every peer can hold and answers from in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "OT": SecondaryCaptureImageStorage,
    "SR": ComprehensiveSRStorage,
}


@dataclass(frozen=True, slots=True)
class Study:
    """One study and its patient; ``series`` has modality and number of instances."""

    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    date: str
    time: str
    accession_number: str
    description: str
    series: tuple[tuple[str, int], ...]


STUDIES = (
    Study(
        "CITIZEN^Jan",
        "12345678",
        "19700101",
        "M",
        "20240105",
        "101500",
        "A001",
        "HEAD CT",
        (("CT", 8), ("SR", 1)),
    ),
    Study(
        "CITIZEN^Jan",
        "12345678",
        "19700101",
        "M",
        "20240210",
        "235959.5",
        "A002",
        "HEAD MR",
        (("MR", 3),),
    ),
    Study(
        "CITIZEN^Snip^^^",
        "12345679",
        "",
        "F",
        "20240210",
        "0730",
        "A003",
        "KNEE 50%_A",
        (("MR", 2), ("MR", 2)),
    ),
    Study("DOE^JOHN", "D-1", "19550620", "M", "20191231", "120030", "A004", "CHEST", (("CT", 2),)),
    Study("Müller^Jürgen", "D-2", "19990228", "M", "20230704", "", "A005", "SCAN", (("OT", 1),)),
    Study(
        "DOE^JANE",
        "D-3",
        "19801111",
        "F",
        "20240301",
        "120000",
        "",
        "CHEST CT",
        (("CT", 1), ("SR", 1)),
    ),
)


def uid(*components: int) -> str:
    return ".".join(map(str, ("1.2.826.0.1.3680043.8.498.7", *components)))


def instances() -> list[Dataset]:
    """Build the instances of ``STUDIES``, in order, without pixel data."""
    found = []
    for study_number, study in enumerate(STUDIES, 1):
        for series_number, (modality, count) in enumerate(study.series, 1):
            for number in range(1, count + 1):
                instance = Dataset()
                if not study.patient_name.isascii():
                    instance.SpecificCharacterSet = "ISO_IR 100"
                instance.PatientName = study.patient_name
                instance.PatientID = study.patient_id
                instance.PatientBirthDate = study.birth_date
                instance.PatientSex = study.sex
                instance.StudyInstanceUID = uid(study_number)
                instance.StudyID = f"S{study_number}"
                instance.StudyDate = study.date
                instance.StudyTime = study.time
                instance.AccessionNumber = study.accession_number
                instance.StudyDescription = study.description
                instance.ReferringPhysicianName = "WELBY^MARCUS"
                instance.SeriesInstanceUID = uid(study_number, series_number)
                instance.SeriesNumber = series_number
                instance.SeriesDescription = f"SERIES {series_number}"
                instance.Modality = modality
                instance.SOPClassUID = SOP_CLASSES[modality]
                instance.SOPInstanceUID = uid(study_number, series_number, number)
                instance.InstanceNumber = number
                instance.file_meta = FileMetaDataset()
                instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                found.append(instance)
    return found


def write(folder: Path) -> list[Path]:
    """Write the instances as files, and return their paths."""
    paths = []
    for number, instance in enumerate(instances()):
        path = folder / f"instance{number:03}"
        instance.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths

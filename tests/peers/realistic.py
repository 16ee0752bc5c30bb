"""Some 200 instances as hospitals have them, with all that real archives differ on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "US": UltrasoundImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "OT": SecondaryCaptureImageStorage,
    "SR": ComprehensiveSRStorage,
}
ROOT = "1.2.826.0.1.3680043.8.498.9"


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient; ``charset`` is the character set of the instances."""

    name: str
    patient_id: str
    birth_date: str = "19700101"
    sex: str = "O"
    charset: str = "ISO_IR 100"
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Study:
    """One study; ``series`` has modality, number of instances and attributes of each series."""

    patient: int
    date: str
    time: str
    accession_number: str
    description: str
    series: tuple[tuple[str, int, dict[str, Any]], ...]
    more: dict[str, Any] = field(default_factory=dict)


PATIENTS = (
    Patient("CITIZEN^Jan", "12345678", "19700101", "M"),
    Patient("CITIZEN^Snip^^^", "12345679", "", "F"),
    Patient("citizen^lower", "A_1", "19800229", "M"),
    Patient("CITIZENSHIP^Ann", "AB1", "19990101", "F"),
    Patient("DOE^JOHN", "A%1", "19550620", "M"),
    Patient("DOE^JANE^MARIE^DR^PHD", "AXX1", "19801111", "F"),
    Patient("DOE", "0007", "19330303", ""),
    Patient("Müller^Jürgen", "7", "19990228", "M"),
    Patient("Muller^Jurgen", "[7]", "19990301", "M"),
    Patient("Buc^Jérôme", "FR-1", "19600606", "M"),
    Patient("O'BRIEN^SINÉAD", "IE 1", "19610707", "F"),
    Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "JP1", "19620808", "M", "ISO_IR 192"),
    Patient("Hong^Gildong=洪^吉洞=홍^길동", "KR1", "19630909", "M", "ISO_IR 192"),
    Patient("Wang^XiaoDong=王^小东", "CN1", "19641010", "M", "GB18030"),
    Patient("Иванов^Иван", "RU1", "19651111", "F", "ISO_IR 144"),
    Patient("Διονυσιος", "GR1", "19661212", "M", "ISO_IR 126"),
    Patient("שרון^דבורה", "IL1", "19670113", "F", "ISO_IR 138"),
    Patient("قباني^لنزار", "AR1", "19680214", "M", "ISO_IR 127"),
    Patient("นาย^สมชาย", "TH1", "19690315", "M", "ISO_IR 166"),
    Patient("SMITH^MARY", "dup", "19710101", "F", more={"IssuerOfPatientID": "NORTH"}),
    Patient("SMYTH^PETER", "dup2", "19720202", "M", more={"IssuerOfPatientID": "SOUTH"}),
    Patient(
        "ALIAS^ANNE",
        "AL1",
        "19730303",
        "F",
        more={"OtherPatientNames": ["NICK^ANNE", "MAIDEN^ANNE"]},
    ),
)

CODE = {"CodeValue": "P5-09051", "CodingSchemeDesignator": "SRT", "CodeMeaning": "Chest CT"}
CODE_2 = {"CodeValue": "24627-2", "CodingSchemeDesignator": "LN", "CodeMeaning": "Chest CT study"}
REQUESTS = [
    {"ScheduledProcedureStepID": "SPS1", "RequestedProcedureID": "RP1"},
    {"ScheduledProcedureStepID": "SPS2", "RequestedProcedureID": "RP2"},
]


def _ct(count: int = 3, **more: Any) -> tuple[str, int, dict[str, Any]]:
    return ("CT", count, {"BodyPartExamined": "CHEST", "SeriesDescription": "AXIAL 5.0"} | more)


def _mr(count: int = 3, **more: Any) -> tuple[str, int, dict[str, Any]]:
    return ("MR", count, {"BodyPartExamined": "KNEE", "SeriesDescription": "T1_TSE"} | more)


def _plain(modality: str, count: int = 1, **more: Any) -> tuple[str, int, dict[str, Any]]:
    return (modality, count, more)


STUDIES = (
    Study(0, "20240105", "101500", "A001", "HEAD CT", (_ct(8), _plain("SR"))),
    Study(0, "20240210", "235959.5", "A002", "HEAD MR",
        (_mr(5), _mr(5, SeriesDescription="T2_TSE"))),
    Study(0, "20231231", "0730", "A003", "CHEST PA", (_plain("DX", 2),)),
    Study(1, "20240210", "0730", "A004", "KNEE 50%_A", (_mr(4), _mr(4, SeriesNumber=7))),
    Study(1, "", "", "", "", (_plain("OT", 2),)),
    Study(2, "20191231", "120030", "a001", "head ct", (_ct(3),)),
    Study(3, "20200101", "12", "A005", "[CT] THORAX", (_ct(4), _plain("PT", 4))),
    Study(4, "20200229", "120000", "A_06", "CT*THORAX", (_ct(3),)),
    Study(4, "20230704", "235959", "AX06", "CT THORAX",
        (_ct(3, OperatorsName="TECH^ONE\\TECH^TWO"),)),
    Study(5, "20240301", "000000", "A007", "ABDOMEN", (_plain("US", 6),)),
    Study(5, "20240301", "235959.999999", "A008", "ABDOMEN 2", (_plain("US", 6),)),
    Study(6, "20230101", "060000", "A009", "SCAN", (_plain("OT", 3),)),
    Study(7, "20230704", "", "A010", "SCHÄDEL", (_ct(4),)),
    Study(8, "20230705", "080000", "A011", "SCHADEL", (_ct(4),)),
    Study(9, "20230706", "090000", "A012", "TÊTE", (_mr(4),)),
    Study(10, "20230707", "100000", "A013", "CHEST", (_plain("DX", 2),)),
    Study(11, "20220101", "110000", "J001", "胸部", (_ct(9),)),
    Study(12, "20220102", "110001", "K001", "CHEST", (_ct(9),)),
    Study(13, "20220103", "110002", "C001", "CHEST", (_ct(9),)),
    Study(14, "20220104", "110003", "R001", "CHEST", (_ct(9),)),
    Study(15, "20220105", "110004", "G001", "CHEST", (_ct(9),)),
    Study(16, "20220106", "110005", "I001", "CHEST", (_ct(9),)),
    Study(17, "20220107", "110006", "Q001", "CHEST", (_ct(9),)),
    Study(18, "20220108", "110007", "T001", "CHEST", (_ct(9),)),
    Study(19, "20210101", "120000", "B001", "PET CT", (_ct(6), _plain("PT", 6), _plain("SR"))),
    Study(20, "20210102", "120059", "B002", "CODED", (_ct(6, RequestAttributesSequence=REQUESTS),),
          {"ProcedureCodeSequence": [CODE]}),
    Study(20, "20210103", "1200", "B003", "CODED 2",
          (_ct(6, RequestAttributesSequence=REQUESTS[1:]),),
          {"ProcedureCodeSequence": [CODE, CODE_2]}),
    Study(21, "20210104", "120100", "B004", "WEIGHT", (_mr(6),),
          {"PatientWeight": "70.0", "PatientAge": "050Y"}),
    Study(21, "20210105", "115959", "B005", "WEIGHT 2", (_mr(6),),
          {"PatientWeight": "70", "PatientAge": "051Y"}),
    Study(21, "20210106", "120000", "B006", "READ", (_mr(4),),
          {"NameOfPhysiciansReadingStudy": ["READER^ONE", "READER^TWO"]}),
    Study(0, "20240401", "100000", "A020", "MIXED",
          (_ct(2), _mr(2), _plain("PT", 2), _plain("SR"))),
    Study(4, "20240402", "100000", "A021", "FOLLOW UP", (_ct(2), _ct(2), _ct(2))),
)  # fmt: skip


def uid(*components: int) -> str:
    return ".".join(map(str, (ROOT, *components)))


def _items(value: Any) -> Any:
    """Attributes of items given as dicts, as pydicom wants them."""
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return value
    items = []
    for attributes in value:
        item = Dataset()
        for keyword, item_value in attributes.items():
            setattr(item, keyword, item_value)
        items.append(item)
    return items


def instances() -> list[Dataset]:
    """Build the instances of ``STUDIES``, in order, without pixel data."""
    found = []
    for study_number, study in enumerate(STUDIES, 1):
        patient = PATIENTS[study.patient]
        for series_number, (modality, count, series_more) in enumerate(study.series, 1):
            for number in range(1, count + 1):
                instance = Dataset()
                instance.SpecificCharacterSet = patient.charset
                instance.PatientName = patient.name
                instance.PatientID = patient.patient_id
                instance.PatientBirthDate = patient.birth_date
                instance.PatientSex = patient.sex
                instance.StudyInstanceUID = uid(study_number)
                instance.StudyID = f"S{study_number}"
                instance.StudyDate = study.date
                instance.StudyTime = study.time
                instance.AccessionNumber = study.accession_number
                instance.StudyDescription = study.description
                instance.ReferringPhysicianName = "WELBY^MARCUS"
                instance.SeriesInstanceUID = uid(study_number, series_number)
                instance.SeriesNumber = series_number
                instance.Modality = modality
                instance.SOPClassUID = SOP_CLASSES[modality]
                instance.SOPInstanceUID = uid(study_number, series_number, number)
                instance.InstanceNumber = number
                for keyword, value in {**patient.more, **study.more, **series_more}.items():
                    setattr(instance, keyword, _items(value))
                if modality == "SR":
                    instance.ConceptNameCodeSequence = _items([{**CODE_2, "CodeValue": "18748-4"}])
                instance.file_meta = FileMetaDataset()
                instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                found.append(instance)
    return found


def write(folder: Path) -> list[Path]:
    """Write the instances as files, and return where."""
    paths = []
    for number, instance in enumerate(instances()):
        path = folder / f"instance{number:03}"
        instance.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths

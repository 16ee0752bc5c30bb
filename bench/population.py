"""Populations of 10^4 to 10^7 studies, the same for the same seed: several studies a patient, several scripts.

``instances`` yields decoded headers, ready for the ingest code; ``write_files`` writes them as Part 10 files, for
the peers.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest.dataset.elements import DataSet, Element, to_pydicom

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES = [
    "CITIZEN",
    "SMITH",
    "JONES",
    "TAYLOR",
    "BROWN",
    "WILLIAMS",
    "MÜLLER",
    "SCHMIDT",
    "SCHNEIDER",
    "FISCHER",
    "WEBER",
    "GARCÍA",
    "MARTÍNEZ",
    "LÓPEZ",
    "SÁNCHEZ",
    "DUBOIS",
    "LEFÈVRE",
    "MOREAU",
    "ROSSI",
    "RUSSO",
    "FERRARI",
    "NOWAK",
    "KOWALSKI",
    "NOVÁK",
    "SVENSSON",
    "JOHANSSON",
    "HANSEN",
    "NIELSEN",
    "SILVA",
    "SANTOS",
    "OLIVEIRA",
    "NGUYEN",
    "TRAN",
    "KIM",
    "LEE",
    "PARK",
    "CHOI",
    "WANG",
    "LI",
    "ZHANG",
    "LIU",
    "CHEN",
    "YAMADA",
    "SUZUKI",
    "SATO",
    "TANAKA",
    "IVANOV",
    "PETROV",
    "PAPADOPOULOS",
]
GIVEN = [
    "Jan",
    "Anna",
    "Peter",
    "Maria",
    "José",
    "Ana",
    "John",
    "Mary",
    "Hans",
    "Ursula",
    "Jean",
    "Marie",
    "Luca",
    "Giulia",
    "Piotr",
    "Agnieszka",
    "Lars",
    "Ingrid",
    "João",
    "Inês",
    "Minh",
    "Linh",
    "Minjun",
    "Seoyeon",
    "Wei",
    "Fang",
    "Tarou",
    "Hanako",
    "Ivan",
    "Olga",
    "Giorgos",
    "Eleni",
    "Omar",
    "Fatima",
    "David",
    "Sarah",
    "Noah",
    "Emma",
]
# One patient in twenty has a name with an ideographic (and some a phonetic) group, in its own script.
SCRIPTS = (
    "YAMADA^Tarou=山田^太郎=やまだ^たろう",
    "SUZUKI^Hanako=鈴木^花子=すずき^はなこ",
    "HONG^Gildong=洪^吉洞=홍^길동",
    "KIM^Minjun=金^民俊=김^민준",
    "WANG^XiaoDong=王^小東",
    "ZHANG^Wei=张^伟",
    "Ильин^Иван",
    "Διονυσιος^Ελενη",
    "שרון^דבורה",
    "قباني^لنزار",
)
STUDIES = (
    ("CT", "CT THORAX", "1.2.840.10008.5.1.4.1.1.2", "CHEST"),
    ("CT", "CT ABDOMEN W CONTRAST", "1.2.840.10008.5.1.4.1.1.2", "ABDOMEN"),
    ("MR", "MR BRAIN", "1.2.840.10008.5.1.4.1.1.4", "BRAIN"),
    ("MR", "MR KNEE LEFT", "1.2.840.10008.5.1.4.1.1.4", "KNEE"),
    ("US", "US ABDOMEN", "1.2.840.10008.5.1.4.1.1.6.1", "ABDOMEN"),
    ("DX", "CHEST PA LAT", "1.2.840.10008.5.1.4.1.1.1.1", "CHEST"),
    ("MG", "MAMMOGRAPHY SCREENING", "1.2.840.10008.5.1.4.1.1.1.2", "BREAST"),
    ("XA", "CORONARY ANGIOGRAPHY", "1.2.840.10008.5.1.4.1.1.12.1", "HEART"),
    ("PT", "PET CT WHOLE BODY", "1.2.840.10008.5.1.4.1.1.128", "WHOLEBODY"),
    ("NM", "BONE SCAN", "1.2.840.10008.5.1.4.1.1.20", "SKELETON"),
)
ROOT = "1.2.826.0.1.3680043.9.9999"


def _text(vr: str, *values: str) -> Element:
    return Element(vr, values)


def _date(rng: random.Random, first: int, years: int) -> str:
    return f"{first + rng.randrange(years)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"


def instances(studies: int, *, seed: int = 1, most_series: int = 2, most_instances: int = 1) -> Iterator[DataSet]:
    """Headers of ``studies`` studies: one to five a patient, up to ``most_series`` of up to ``most_instances``.

    One instance a series unless told otherwise, because what is measured is at STUDY level.
    """
    rng = random.Random(seed)
    study = 0
    patient = 0
    while study < studies:
        patient += 1
        family, given = rng.choice(FAMILIES), rng.choice(GIVEN)
        name = rng.choice(SCRIPTS) if rng.random() < 0.05 else f"{family}^{given}"
        patient_elements: DataSet = {
            0x00100010: _text("PN", name),
            0x00100020: _text("LO", f"P{seed:02d}{patient:08d}"),
            0x00100030: _text("DA", _date(rng, 1930, 90)),
            0x00100040: _text("CS", rng.choice("MF")),
        }
        for _ in range(min(rng.choice((1, 1, 1, 2, 2, 3, 5)), studies - study)):
            study += 1
            yield from _study(rng, seed, study, patient_elements, most_series, most_instances)


def _study(  # noqa: PLR0917 - one caller
    rng: random.Random, seed: int, study: int, patient: DataSet, most_series: int, most_instances: int
) -> Iterator[DataSet]:
    modality, description, sop_class, body_part = rng.choice(STUDIES)
    uid = f"{ROOT}.{seed}.{study}"
    date, time = _date(rng, 2010, 16), f"{rng.randrange(7, 20):02d}{rng.randrange(60):02d}{rng.randrange(60):02d}"
    referring = f"{rng.choice(FAMILIES)}^{rng.choice(GIVEN)}^^Dr"
    for series in range(1, rng.randrange(1, most_series + 1) + 1):
        for instance in range(1, rng.randrange(1, most_instances + 1) + 1):
            yield {
                0x00080005: _text("CS", "ISO_IR 192"),
                0x00080016: _text("UI", sop_class),
                0x00080018: _text("UI", f"{uid}.{series}.{instance}"),
                0x00080020: _text("DA", date),
                0x00080030: _text("TM", time),
                0x00080050: _text("SH", f"A{seed:02d}{study:09d}"),
                0x00080060: _text("CS", modality),
                0x00080070: _text("LO", "Bench Medical Systems"),
                0x00080080: _text("LO", "St. Elsewhere"),
                0x00080090: _text("PN", referring),
                0x00081030: _text("LO", description),
                0x0008103E: _text("LO", f"{description} series {series}"),
                **patient,
                0x00101010: _text("AS", f"{rng.randrange(100):03d}Y"),
                0x00180015: _text("CS", body_part),
                0x0020000D: _text("UI", uid),
                0x0020000E: _text("UI", f"{uid}.{series}"),
                0x00200010: _text("SH", f"{study % 100000}"),
                0x00200011: _text("IS", str(series)),
                0x00200013: _text("IS", str(instance)),
                0x00280010: Element("US", (512,)),
                0x00280011: Element("US", (512,)),
            }


def write_files(folder: Path, data_sets: Iterator[DataSet]) -> None:
    """Write each header as a Part 10 file."""
    for number, data_set in enumerate(data_sets):
        dataset = to_pydicom(data_set)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = folder / f"{number:08}.dcm"
        FileDataset(str(path), dataset, file_meta=meta).save_as(path, enforce_file_format=True)

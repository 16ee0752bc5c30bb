"""Populations of 10^4 to 10^7 studies, the same for the same seed, with several scripts.

``instances`` yields decoded headers, ready for the ingest code; ``write_files`` writes them as
Part 10 files, for the peers.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

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
# One patient in twenty has an ideographic (and some a phonetic) group, in its own script.
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


def _acquisition() -> DataSet:
    """Return elements of the kind and number of a CT slice's, private ones and sequences too."""
    reference: DataSet = {
        0x00081150: _text("UI", "1.2.840.10008.3.1.2.3.1"),
        0x00081155: _text("UI", f"{ROOT}.77.1"),
    }
    code: DataSet = {
        0x00080100: _text("SH", "RPID16"),
        0x00080102: _text("SH", "RADLEX"),
        0x00080104: _text("LO", "CT thorax without contrast"),
    }
    texts = {
        "CS": (0x00080008, 0x00185100, 0x00280004, 0x00181314, 0x00180022, 0x00181140, 0x00181160),
        "DA": (0x00080012, 0x00080021, 0x00080022, 0x00080023, 0x00400244, 0x00181200),
        "TM": (0x00080013, 0x00080031, 0x00080032, 0x00080033, 0x00400245, 0x00181201),
        "LO": (0x00081090, 0x00181000, 0x00181020, 0x00181030, 0x00321060, 0x00400254, 0x00180010),
        "SH": (0x00081010, 0x00400253, 0x00180024, 0x00181210),
        "DS": (
            0x00180050, 0x00180060, 0x00180090, 0x00181100, 0x00181110, 0x00181111, 0x00181120,
            0x00181130, 0x00189305, 0x00201041, 0x00281050, 0x00281051, 0x00281052, 0x00281053,
            0x00101030, 0x00101020, 0x00189306, 0x00189309,
        ),
        "IS": (0x00181150, 0x00181151, 0x00181152, 0x00181170, 0x00200012, 0x00200013, 0x00201002),
        "PN": (0x00081050, 0x00081070, 0x00081060),
    }  # fmt: skip
    samples = {
        "CS": "HFS", "DA": "20240517", "TM": "101530.123000", "LO": "THORAX ROUTINE 1.0",
        "SH": "CTAWP60", "DS": "1.25", "IS": "120", "PN": "TECHNOLOGIST^ONE",
    }  # fmt: skip
    found = {tag: _text(vr, samples[vr]) for vr, tags in texts.items() for tag in tags if tag}
    found |= {
        0x00080008: _text("CS", "ORIGINAL", "PRIMARY", "AXIAL"),
        0x00200032: _text("DS", "-158.1357421875", "-179.0357421875", "-75.69999694824219"),
        0x00200037: _text("DS", "1", "0", "0", "0", "1", "0"),
        0x00280030: _text("DS", "0.661468", "0.661468"),
        0x00200052: _text("UI", f"{ROOT}.52.1"),
        0x00080014: _text("UI", f"{ROOT}.14.1"),
        0x00280002: Element("US", (1,)),
        0x00280100: Element("US", (16,)),
        0x00280101: Element("US", (12,)),
        0x00280102: Element("US", (11,)),
        0x00280103: Element("US", (1,)),
        0x00281055: _text("LO", "WINDOW1", "WINDOW2"),
        0x00081110: Element("SQ", (reference,)),
        0x00081140: Element("SQ", (reference, reference)),
        0x00081032: Element("SQ", (code,)),
        0x00400275: Element(
            "SQ", ({0x00321060: _text("LO", "CT THORAX"), 0x00400008: Element("SQ", (code,))},)
        ),
        0x00090010: _text("LO", "BENCH PRIVATE 01"),
        **{0x00091001 + number: _text("LO", f"private value {number}") for number in range(12)},
        0x00290010: _text("LO", "BENCH PRIVATE 02"),
        0x00291010: Element("OB", (bytes(600),)),
    }
    return found


ACQUISITION = _acquisition()


def with_acquisition(data_sets: Iterator[DataSet]) -> Iterator[DataSet]:
    """The same headers as large as a scanner's: some 120 elements."""
    for data_set in data_sets:
        yield dict(sorted((ACQUISITION | data_set).items()))


def instances(
    studies: int, *, seed: int = 1, most_series: int = 2, most_instances: int = 1
) -> Iterator[DataSet]:
    """Yield the headers of ``studies`` studies, one to five a patient.

    A patient has up to ``most_series`` series a study, of up to ``most_instances`` instances: one
    unless told otherwise, because the benches measure the STUDY level.
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
    rng: random.Random,
    seed: int,
    study: int,
    patient: DataSet,
    most_series: int,
    most_instances: int,
) -> Iterator[DataSet]:
    modality, description, sop_class, body_part = rng.choice(STUDIES)
    uid = f"{ROOT}.{seed}.{study}"
    date, time = (
        _date(rng, 2010, 16),
        f"{rng.randrange(7, 20):02d}{rng.randrange(60):02d}{rng.randrange(60):02d}",
    )
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
        sop_class, uid = data_set[0x00080016].values[0], data_set[0x00080018].values[0]
        meta = encode_file_meta(
            sop_class,
            uid,
            EXPLICIT_VR_LITTLE_ENDIAN,
            implementation=(ROOT, "BENCH"),
            source_ae_title="BENCH",
        )
        encoded = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
        (folder / f"{number:08}.dcm").write_bytes(bytes(128) + b"DICM" + meta + encoded)

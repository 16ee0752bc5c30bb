"""Searches by HTTP over ``realistic``, one row each, with the clause of PS3.18 that decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from peers.realistic import uid


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One search and its right answer, counted by hand.

    ``with_all`` are attributes that each result must have, ``with_none`` such as none may have.
    """

    path: str
    clause: str
    found: int
    says: str
    code: int = 200
    with_all: tuple[str, ...] = ()
    with_none: tuple[str, ...] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """The answer to a search: found entities by their unique keys, and what else a row asks for."""

    code: int
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()
    left: int = 0


def outcome_of(
    row: SearchRow, code: int, results: list[dict[str, Any]], warning: str
) -> SearchOutcome:
    """Judge an answer by its row; an empty answer is one, whatever code says so.

    A page has as many results as it should, but each server has an order of its own.
    """
    resource = row.path.partition("?")[0].rpartition("/")[2]
    unique = {"studies": "0020000D", "series": "0020000E"}.get(resource, "00080018")
    left = re.search(r"There are (\d+) additional results", warning)
    return SearchOutcome(
        200 if code == 204 else code,
        tuple(
            sorted("" if "limit=" in row.path else result[unique]["Value"][0] for result in results)
        ),
        tuple(tag for tag in row.with_all if not all(tag in result for result in results)),
        tuple(tag for tag in row.with_none if any(tag in result for result in results)),
        int(left[1]) if left else 0,
    )


def _studies(clause: str, *rows: tuple[str, int, str]) -> tuple[SearchRow, ...]:
    return tuple(SearchRow(f"/studies?{query}", clause, found, says) for query, found, says in rows)


def _refused(*rows: tuple[str, str, str]) -> tuple[SearchRow, ...]:
    return tuple(SearchRow(path, clause, 0, says, code=400) for path, clause, says in rows)


STUDY_1, SERIES_1, STUDY_26 = uid(1), uid(1, 1), uid(26)
PATIENT_STUDY = ("00080020", "00080050", "00080061", "00100010", "00100020", "0020000D", "00201208")
SERIES = ("00080060", "0020000E", "00200011", "00201209")
INSTANCE = ("00080016", "00080018", "00200013")

ROWS: tuple[SearchRow, ...] = (
    # The six resources, with their attributes.
    SearchRow("/studies", "10.6.1", 32, "all studies", with_all=PATIENT_STUDY),
    SearchRow(f"/studies/{STUDY_1}/series", "10.6.1", 2, "the series of a study", with_all=SERIES),
    SearchRow(f"/studies/{STUDY_1}/instances", "10.6.3.3.3", 9,
        "the instances of a study, with the attributes of their series",
        with_all=(*INSTANCE, "00080060", "0020000E", "00200011")),
    SearchRow("/series", "10.6.3.3.2", 43, "all series, with the attributes of their studies",
        with_all=(*SERIES, *PATIENT_STUDY)),
    SearchRow(f"/studies/{STUDY_1}/series/{SERIES_1}/instances", "10.6.1", 8,
        "the instances of a series", with_all=INSTANCE),
    SearchRow("/instances", "10.6.3.3.3", 203,
        "all instances, with the attributes of their studies and series",
        with_all=(*INSTANCE, *PATIENT_STUDY, "00080060", "0020000E")),
    SearchRow(f"/studies/{uid(999)}/series", "10.6.3.1", 0, "an unknown study has no series"),
    SearchRow(f"/studies/{uid(2)}/series/{SERIES_1}/instances", "10.6.3.1", 0,
        "the series of another study"),
    # The ways to name an attribute, and a value.
    *_studies("8.3.4.1",
        ("PatientID=12345678", 4, "a keyword"),
        ("00100020=12345678", 4, "a tag"),
        ("0020000d=" + STUDY_1, 1, "a tag in lower case"),
        ("patientid=12345678", 32, "keywords are case-sensitive; an unknown parameter is ignored"),
        ("PatientID=IE%201", 1, "a space as %20"),
        ("PatientID=IE+1", 0, "+ is a plus, never a space"),
        ("SpeedOfLight=1", 32, "an unknown parameter is ignored"),
        ("PatientName=&StudyDate=", 32, "a key without value is universal"),
        ("PatientName=DOE*&StudyDate=20240101-", 3, "two keys are ANDed"),
    ),
    # Single values, wild cards, names.
    *_studies("8.3.4.1.1",
        ("PatientName=CITIZEN^Jan", 4, "a name as stored"),
        ("PatientName=citizen^jan", 4, "names may be matched without regard to case; ours are"),
        ("PatientName=CITIZEN*", 8, "* is any sequence of characters"),
        ("PatientName=CITIZEN^J?n", 4, "? is one character"),
        ("PatientName=CITIZEN%5EJ%3Fn", 4, "? is one character, percent-encoded too"),
        ("PatientName=M%C3%BCller*", 2, "Latin-1 stored, UTF-8 asked; accents need not count"),
        ("PatientName=Buc^J%3Fr%3Fme", 1, "? is one character, not one byte"),
        ("PatientName=%E5%B1%B1%E7%94%B0*", 1, "a prefix of the ideographic group"),
        ("PatientName=%D0%98%D0%B2%D0%B0%D0%BD%D0%BE%D0%B2*", 1, "Cyrillic stored, UTF-8 asked"),
        ("PatientID=A_1", 1, "_ is literal"),
        ("PatientID=A%25*", 3, "% is literal"),
        ("PatientID=a_1", 0, "text is case-sensitive"),
        ("StudyDescription=*CHEST*", 9, "wild cards at both ends, as viewers ask"),
        ("StudyDescription=head*", 1, "text is case-sensitive"),
        ("AccessionNumber=A00*", 8, "a prefix"),
        ("AccessionNumber=A_06", 1, "_ is literal"),
        ("ReferringPhysicianName=WELBY*", 32, "a required key"),
        ("StudyID=S4", 1, "a required key"),
    ),
    # Lists of UIDs.
    *_studies("8.3.4.1.1",
        (f"StudyInstanceUID={STUDY_1},{uid(2)},{uid(999)}", 2, "a list of UIDs with commas"),
        (f"StudyInstanceUID={STUDY_1}%2C{uid(2)}", 2, "the same, percent-encoded"),
        (f"StudyInstanceUID={STUDY_1}%5C{uid(2)}", 2, "a list with backslashes, as viewers ask"),
        (f"StudyInstanceUID={STUDY_1}", 1, "one UID"),
    ),
    # Dates and times.
    *_studies("8.3.4.1.1",
        ("StudyDate=20240210", 2, "one day"),
        ("StudyDate=20230704-20230706", 4, "from a day to a day, both included"),
        ("StudyDate=20240101-", 7, "from a day on"),
        ("StudyDate=-20200101", 2, "up to a day; an unknown date is in no range"),
        ("StudyTime=1200", 7, "1200 is twelve o'clock, its minute"),
        ("StudyTime=120000", 5, "120000 is also 1200 and 12"),
        ("StudyDate=20240101-20240210&StudyTime=090000-080000", 2,
         "a range of dates and times is one range of instants"),
    ),
    # Computed keys, and keys of other levels.
    *_studies("10.6.1.2",
        ("ModalitiesInStudy=SR", 3, "studies with a series of this modality"),
        ("ModalitiesInStudy=PT&StudyDate=20210101-20211231", 1, "a modality and a date"),
        ("PatientSex=F", 12, "an optional key"),
        ("PatientBirthDate=19800101-19801231", 3, "an optional key, a range"),
    ),
    SearchRow("/series?Modality=PT", "10.6.1.2.1", 3, "series of a modality"),
    SearchRow("/series?Modality=MR&PatientID=12345678", "10.6.1.2.1", 3,
        "all series by a key of their study"),
    SearchRow(f"/studies/{uid(4)}/series?SeriesNumber=7", "10.6.1.2.1", 1, "a number"),
    SearchRow(f"/studies/{STUDY_26}/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS1",
        "8.3.4.1", 1, "a key in a sequence, by a dotted path"),
    SearchRow("/series?00400275.00400009=SPS2&00400275.00401001=RP2", "8.3.4.1", 2,
        "two keys of one item, by tags"),
    SearchRow("/series?00400275.00400009=SPS1&00400275.00401001=RP2", "8.3.4.1.1", 0,
        "never two items together"),
    SearchRow("/instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.88.33", "10.6.1.2.1", 3,
        "instances of a SOP class"),
    SearchRow(f"/studies/{STUDY_1}/instances?InstanceNumber=3", "10.6.1.2.1", 1, "a number"),
    # Options of matching.
    *_studies("8.3.4.2",
        ("PatientName=*RIEN*&fuzzymatching=false", 1, "literal matching by default"),
        ("PatientName=smith%20peter&fuzzymatching=true", 2,
         "names that sound alike, in any order of their words"),
    ),
    *_studies("8.3.4.1.1",
        ("AccessionNumber=%22%22&emptyvaluematching=true", 1, "studies without a value"),
        ("ModalitiesInStudy=CT,SR&multiplevaluematching=true", 3, "studies with both modalities"),
    ),
    # Attributes to return.
    SearchRow("/studies?includefield=StudyDescription", "8.3.4.3", 32, "one more attribute",
        with_all=("00081030",)),
    SearchRow("/studies?includefield=00081030%2CPatientAge&PatientAge=050Y", "8.3.4.3", 1,
        "two more, with an encoded comma", with_all=("00081030", "00101010")),
    SearchRow("/studies?includefield=00080060&StudyInstanceUID=" + STUDY_1, "8.3.4.3", 1,
        "no attribute of a series in a study's result", with_none=("00080060",)),
    SearchRow("/studies?includefield=all&StudyInstanceUID=" + STUDY_1, "8.3.4.3", 1,
        "all that is known of a study, nothing of its series", with_all=("00081030",),
        with_none=("00080060", "0020000E")),
    SearchRow(f"/studies/{STUDY_1}/series?includefield=SeriesDescription", "8.3.4.3", 2,
        "an attribute without a value in one of them: empty", with_all=("0008103E",)),
    SearchRow("/studies?includefield=NoSuchField", "8.3.4.3", 32, "an unknown field is left out"),
    # Pages.
    SearchRow("/studies?limit=10", "8.3.4.4", 10, "a page, and how many are left", left=22),
    SearchRow("/studies?limit=10&offset=30", "8.3.4.4", 2, "the last page", left=0),
    SearchRow("/studies?limit=10&offset=100", "8.3.4.4", 0, "a page behind the last"),
    SearchRow("/studies?limit=0", "8.3.4.4", 0, "a page of none"),
    # Errors.
    *_refused(
        ("/studies?limit=x", "8.3.4.4", "no number: an error"),
        ("/studies?limit=-1", "8.3.4.4", "a negative number: an error"),
        ("/studies?StudyDate=2024-01-05", "10.6.2", "no date: an error, never everything"),
        ("/studies?fuzzymatching=perhaps", "8.3.4.2", "neither true nor false: an error"),
        ("/studies?PatientID=1&PatientID=2", "8.3.4.1", "an attribute twice: an error"),
        ("/studies?StudyInstanceUID=x.y", "10.6.2", "no UID: an error"),
        ("/studies?includefield=all,PatientAge", "8.3.4.3", "all and another field: an error"),
    ),
    SearchRow("/patients", "10.6.1", 0, "there is no such resource", code=404),
)  # fmt: skip

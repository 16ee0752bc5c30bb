"""Queries over ``corpus`` with known answers, for every client and every SCP."""

from __future__ import annotations

from dataclasses import dataclass

from peers.corpus import uid


@dataclass(frozen=True, slots=True)
class KnownQuery:
    """A query, the attributes to look at in its answers, and what they must be, sorted."""

    name: str
    model: str
    level: str
    keys: dict[str, str]
    shown: tuple[str, ...]
    answers: list[tuple[str, ...]]


JAN, SNIP = "12345678", "12345679"

QUERIES = [
    KnownQuery(
        "patients by a prefix of their name",
        "patient", "PATIENT", {"PatientName": "CITIZEN*", "PatientID": ""},
        ("PatientID",), [(JAN,), (SNIP,)],
    ),
    KnownQuery(
        "one patient by ID",
        "patient", "PATIENT",
        {"PatientID": "D-1", "PatientName": "", "PatientBirthDate": "", "PatientSex": ""},
        ("PatientName", "PatientBirthDate", "PatientSex"), [("DOE^JOHN", "19550620", "M")],
    ),
    KnownQuery(
        "the studies of a patient",
        "patient", "STUDY", {"PatientID": JAN, "StudyInstanceUID": "", "AccessionNumber": ""},
        ("StudyInstanceUID", "AccessionNumber"), [(uid(1), "A001"), (uid(2), "A002")],
    ),
    KnownQuery(
        "studies in a range of dates",
        "study", "STUDY", {"StudyDate": "20240101-20240229", "StudyInstanceUID": ""},
        ("StudyInstanceUID", "StudyDate"),
        [(uid(1), "20240105"), (uid(2), "20240210"), (uid(3), "20240210")],
    ),
    KnownQuery(
        "studies by one accession number",
        "study", "STUDY", {"AccessionNumber": "A003", "StudyInstanceUID": "", "PatientID": ""},
        ("StudyInstanceUID", "PatientID"), [(uid(3), SNIP)],
    ),
    KnownQuery(
        "studies by a list of UIDs",
        "study", "STUDY", {"StudyInstanceUID": f"{uid(1)}\\{uid(4)}\\{uid(99)}", "PatientName": ""},
        ("StudyInstanceUID", "PatientName"), [(uid(1), "CITIZEN^Jan"), (uid(4), "DOE^JOHN")],
    ),
    KnownQuery(
        "no study",
        "study", "STUDY", {"PatientID": "NOBODY", "StudyInstanceUID": ""},
        ("StudyInstanceUID",), [],
    ),
    KnownQuery(
        "series of a study by modality",
        "study", "SERIES",
        {"StudyInstanceUID": uid(1), "Modality": "SR", "SeriesInstanceUID": "", "SeriesNumber": ""},
        ("SeriesInstanceUID", "Modality", "SeriesNumber"), [(uid(1, 2), "SR", "2")],
    ),
    KnownQuery(
        "instances of a series",
        "study", "IMAGE",
        {"StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(1, 1), "SOPInstanceUID": "",
         "InstanceNumber": ""},
        ("SOPInstanceUID", "InstanceNumber"),
        sorted((uid(1, 1, number), str(number)) for number in range(1, 9)),
    ),
]  # fmt: skip

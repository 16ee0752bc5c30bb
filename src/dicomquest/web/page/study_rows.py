"""Studies, series and instances as rows of the page, read from matches (PS3.4 C.6)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.dataset.elements import DataSet
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.tags import RETRIEVE_AE_TITLE
from dicomquest.web.page.shown_values import (
    ShownName,
    age,
    inert,
    language,
    modalities_in_order,
    shown_date,
    shown_name,
    shown_time,
)

STUDY_KEYS = (
    "StudyInstanceUID", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "PatientSex", "StudyDate", "StudyTime", "ModalitiesInStudy", "StudyDescription",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "AccessionNumber", "StudyID",
    "ReferringPhysicianName",
)  # fmt: skip
"""The attributes of a row, and of a line of the table as CSV."""

SERIES_KEYS = (
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription",
    "BodyPartExamined", "NumberOfSeriesRelatedInstances", "SeriesTime", "StationName",
    "PerformedProcedureStepStartTime",
)  # fmt: skip
INSTANCE_KEYS = (
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber",
    "Rows", "Columns", "NumberOfFrames",
)  # fmt: skip
_TAGS = {**{key.keyword: key.tag for key in KEYS_BY_KEYWORD.values()}, "Rows": 0x00280010}
_TAGS |= {"Columns": 0x00280011, "RetrieveAETitle": RETRIEVE_AE_TITLE}


def value(match: DataSet, keyword: str) -> str:
    """Return the values of an attribute, joined by backslashes."""
    element = match.get(_TAGS[keyword])
    return "" if element is None else "\\".join(map(str, element.values))


def _count(match: DataSet, keyword: str) -> int:
    text = value(match, keyword)
    return int(text) if text.isascii() and text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study of a result."""

    uid: str
    name: ShownName
    patient_id: str
    raw_id: str
    born: str
    sex: str
    date: str
    time: str
    modalities: tuple[str, ...]
    reports: tuple[str, ...]
    description: str
    series: int
    images: int
    accession: str
    referring: ShownName
    age: str
    description_language: str = ""
    names_of_id: int = 1
    station: str = ""
    received: str = ""
    holders: tuple[str, ...] = ()


def study_row(match: DataSet, *, han: str = "ja", alphabetic_first: bool = False) -> StudyRow:
    """Return the row of a match; ``han`` is the language of Han characters."""
    modalities = [inert(each) for each in value(match, "ModalitiesInStudy").split("\\") if each]
    images, reports = modalities_in_order(modalities)
    born, date = value(match, "PatientBirthDate"), value(match, "StudyDate")
    return StudyRow(
        value(match, "StudyInstanceUID"),
        shown_name(value(match, "PatientName"), han=han, alphabetic_first=alphabetic_first),
        inert(value(match, "PatientID")),
        value(match, "PatientID"),
        shown_date(born),
        inert(value(match, "PatientSex")),
        shown_date(date),
        shown_time(value(match, "StudyTime")),
        tuple(images),
        tuple(reports),
        inert(value(match, "StudyDescription")),
        _count(match, "NumberOfStudyRelatedSeries"),
        _count(match, "NumberOfStudyRelatedInstances"),
        inert(value(match, "AccessionNumber")),
        shown_name(
            value(match, "ReferringPhysicianName"), han=han, alphabetic_first=alphabetic_first
        ),
        age(born, date),
        language(value(match, "StudyDescription"), han),
    )


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance of a series."""

    uid: str
    number: str
    sop_class: str
    size: str
    frames: int


def instance_row(match: DataSet, class_name: str) -> InstanceRow:
    """Return the row of a match."""
    rows, columns = value(match, "Rows"), value(match, "Columns")
    return InstanceRow(
        value(match, "SOPInstanceUID"),
        inert(value(match, "InstanceNumber")),
        class_name,
        f"{columns}\N{MULTIPLICATION SIGN}{rows}" if rows and columns else "",
        _count(match, "NumberOfFrames"),
    )


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series of a study; ``instances`` are there if it is opened."""

    uid: str
    number: str
    modality: str
    description: str
    part: str
    images: int
    time: str
    station: str
    instances: tuple[InstanceRow, ...] = ()
    shown_words: str = ""
    next_href: str = ""


def series_row(match: DataSet) -> SeriesRow:
    """Return the row of a match."""
    time = value(match, "SeriesTime") or value(match, "PerformedProcedureStepStartTime")
    return SeriesRow(
        value(match, "SeriesInstanceUID"),
        inert(value(match, "SeriesNumber")),
        inert(value(match, "Modality")),
        inert(value(match, "SeriesDescription")),
        inert(value(match, "BodyPartExamined")),
        _count(match, "NumberOfSeriesRelatedInstances"),
        shown_time(time),
        inert(value(match, "StationName")),
    )

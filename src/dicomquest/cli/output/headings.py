"""The columns of a table: their order, short headings, and which of them come first (PS3.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE

if TYPE_CHECKING:
    from dicomquest.query.identifier.key_arguments import Key, PathStep


class Cut(Enum):
    """The way a value is shortened to fit."""

    NEVER = 0
    TEXT = 1
    NAME = 2


class Row(NamedTuple):
    """A usual attribute; the one with the lowest ``place`` is the last to be left out."""

    keyword: str
    heading: str
    place: int


# In the order of the columns: who, when, what, where, UIDs.
ROWS = (
    Row("PatientName", "Patient", 1),
    Row("PatientID", "ID", 2),
    Row("IssuerOfPatientID", "Issuer", 40),
    Row("PatientBirthDate", "Born", 32),
    Row("PatientSex", "Sex", 33),
    Row("NumberOfPatientRelatedStudies", "Studies", 34),
    Row("StudyDate", "Date", 3),
    Row("ScheduledProcedureStepStartDate", "Date", 3),
    Row("ScheduledProcedureStepStartTime", "Time", 4),
    Row("ScheduledStationAETitle", "Station", 5),
    Row("StudyTime", "Time", 35),
    Row("SeriesNumber", "Series", 3),
    Row("SeriesDate", "Date", 31),
    Row("SeriesTime", "Time", 35),
    Row("InstanceNumber", "No.", 4),
    Row("ModalitiesInStudy", "Mod", 4),
    Row("Modality", "Mod", 4),
    Row("StudyDescription", "Description", 5),
    Row("SeriesDescription", "Description", 5),
    Row("ScheduledProcedureStepDescription", "Description", 6),
    Row("BodyPartExamined", "Body part", 30),
    Row("SOPClassUID", "Class", 5),
    Row("NumberOfStudyRelatedSeries", "Series", 34),
    Row("NumberOfStudyRelatedInstances", "Instances", 34),
    Row("NumberOfSeriesRelatedInstances", "Instances", 6),
    Row("AccessionNumber", "Accession No.", 20),
    Row("StudyID", "Study ID", 36),
)
_BY_KEYWORD = {row.keyword: (number, row) for number, row in enumerate(ROWS)}
UID_PLACE = 50
_OTHER_PLACE, _EMPTY = 38, 100

# Text whose end may be missing; identifiers and codes of the same VRs are useless then.
_TEXT_VRS = frozenset({"LO", "LT", "ST", "UC", "UT", "SQ", "OB", "OW", "UN", "UR"})
_NUMBER_VRS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_IDENTIFIERS = frozenset(
    {"PatientID", "IssuerOfPatientID", "OtherPatientIDs", "DeviceSerialNumber"}
)
_UIDS_WITH_NAMES = frozenset({"SOPClassUID", "SOPClassesInStudy"})


@dataclass(frozen=True, slots=True)
class Heading:
    """One column of a table: its key, the short and the full heading, and how it may be cut."""

    key: Key
    short: str
    full: str
    cut: Cut
    is_number: bool
    place: int
    order: int

    def place_if(self, *, empty: bool) -> int:
        """Return the place in the queue for room; a column without values goes last."""
        return self.place + _EMPTY * (empty and self.place > 0)


def headings(keys: Sequence[Key], asked: Collection[Key]) -> list[Heading]:
    """Return the columns in the order to show them.

    ``asked`` are the keys that the user wants to see: their order stays, and they get room first.
    """
    columns = [_heading(key, is_asked=key in asked) for key in keys]
    if not asked:
        columns.sort(key=lambda column: column.order)
    repeated = Counter(column.short for column in columns)
    return [
        column if repeated[column.short] == 1 else replace(column, short=column.full)
        for column in columns
    ]


def _heading(key: Key, *, is_asked: bool) -> Heading:
    from pydicom.datadict import keyword_for_tag

    from dicomquest.query.identifier.key_arguments import vr_of

    keyword = keyword_for_tag(key.path[-1].tag) if len(_own_path(key)) == 1 else ""
    vr = vr_of(key.path[-1]) or "LO"
    full = full_heading(key)
    is_uid = vr == "UI" and keyword not in _UIDS_WITH_NAMES
    order, row = _BY_KEYWORD.get(
        keyword,
        (len(ROWS) + is_uid, Row(keyword, full, UID_PLACE if is_uid else _OTHER_PLACE)),
    )
    if vr == "PN":
        cut = Cut.NAME
    elif keyword in _UIDS_WITH_NAMES or (vr in _TEXT_VRS and keyword not in _IDENTIFIERS):
        cut = Cut.TEXT
    else:
        cut = Cut.NEVER
    place = 0 if is_asked else row.place
    return Heading(key, row.heading, full, cut, vr in _NUMBER_VRS, place, order)


def full_heading(key: Key) -> str:
    """Return the name of a key for a person: the dictionary's name without ``'s``, or its tag."""
    from pydicom.datadict import dictionary_description, keyword_for_tag

    from dicomquest.query.identifier.key_arguments import label

    return ", ".join(
        dictionary_description(step.tag).replace("'s ", " ")
        if keyword_for_tag(step.tag)
        else label(step)
        for step in _own_path(key)
    )


def _own_path(key: Key) -> tuple[PathStep, ...]:
    """Return the path of a key without the sequence of the step, of which an entry has one item."""
    if len(key.path) > 1 and key.path[0].tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE:
        return key.path[1:]
    return key.path


def typed_heading(key: Key) -> str:
    """Return the name of a key as it is typed on the command line: keywords, dots between them."""
    from dicomquest.query.identifier.key_arguments import label

    return ".".join(label(step) for step in key.path)

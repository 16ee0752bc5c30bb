"""The six resources of QIDO-RS: level, legal keys, attributes returned (PS3.18 10.6, 10.6.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.standard.keys import KEYS, KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level

_UIDS = tuple((UNIQUE_KEYS[level].keyword, UNIQUE_KEYS[level].tag) for level in Level)
_STUDY_UID, _SERIES_UID, _INSTANCE_UID = (tag for _, tag in _UIDS[1:])

SEGMENTS = (("studies", _STUDY_UID), ("series", _SERIES_UID), ("instances", _INSTANCE_UID))
"""The segments of an entity's address, each before the value of a unique key."""

# Tables 10.6.3-3 to -5: the attributes of type R and U, and those returned only if they are known.
_REQUIRED: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (
        "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName",
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
        "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "Modality", "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances",
    ),
    Level.IMAGE: ("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
}  # fmt: skip
_IF_KNOWN: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (),
    Level.SERIES: (
        "SeriesDescription", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
        "RequestAttributesSequence",
    ),
    Level.IMAGE: (
        "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "AvailableTransferSyntaxUID",
    ),
}  # fmt: skip
_NO_KEYS = {"Rows": 0x00280010, "Columns": 0x00280011, "BitsAllocated": 0x00280100}

REQUEST_ITEM = {"ScheduledProcedureStepID": 0x00400009, "RequestedProcedureID": 0x00401001}
"""The attributes of an item of RequestAttributesSequence (Table 10.6.3-4)."""


def _tags(keywords: tuple[str, ...]) -> frozenset[int]:
    return frozenset(_NO_KEYS.get(keyword) or KEYS_BY_KEYWORD[keyword].tag for keyword in keywords)


@dataclass(frozen=True, slots=True)
class SearchResource:
    """A resource to search.

    - ``path`` is its template, ``level`` that of its matches.
    - ``levels`` are those whose attributes may restrict it, and are returned (Table 10.6.1-5).
    """

    path: str
    level: Level
    levels: tuple[Level, ...]

    @property
    def returned(self) -> frozenset[int]:
        """The tags that each match has, with or without a value."""
        return frozenset().union(*(_tags(_REQUIRED[level]) for level in self.levels))

    @property
    def optional(self) -> frozenset[int]:
        """The tags that a match has if they are known."""
        return frozenset().union(*(_tags(_IF_KNOWN[level]) for level in self.levels))

    @property
    def supported(self) -> frozenset[int]:
        """The tags of ``includefield=all``: the keys of the resource's levels."""
        levels = {*self.levels, *((Level.PATIENT,) if Level.STUDY in self.levels else ())}
        return frozenset(key.tag for key in KEYS if key.level in levels)

    @property
    def segments(self) -> tuple[tuple[str, int], ...]:
        """The segments of a match's address."""
        return SEGMENTS[: self.level - 1]


RESOURCES = (
    SearchResource("/studies", Level.STUDY, (Level.STUDY,)),
    SearchResource("/studies/{study}/series", Level.SERIES, (Level.SERIES,)),
    SearchResource("/studies/{study}/instances", Level.IMAGE, (Level.SERIES, Level.IMAGE)),
    SearchResource("/series", Level.SERIES, (Level.STUDY, Level.SERIES)),
    SearchResource("/studies/{study}/series/{series}/instances", Level.IMAGE, (Level.IMAGE,)),
    SearchResource("/instances", Level.IMAGE, (Level.STUDY, Level.SERIES, Level.IMAGE)),
)
"""Table 10.6.1-1."""

PATH_KEYS = {"study": _STUDY_UID, "series": _SERIES_UID, "instance": _INSTANCE_UID}
"""The unique keys by their names in the paths."""

"""The keys of the information models, one row a key (PS3.4 Tables C.6-1 to C.6-5, C.3-1)."""

from __future__ import annotations

import re
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.standard.models import InformationModel


class KeyType(Enum):
    """The type of a key: what an SCP owes for it (PS3.4 C.2.2.1)."""

    UNIQUE = "U"
    REQUIRED = "R"
    OPTIONAL = "O"


class Storage(Enum):
    """The place where the index keeps the values of an attribute."""

    COLUMN = "a typed column of its level's table"
    VALUES = "the JSON column, and a row a value in its level's value table"
    COMPUTED = "computed from the entities below"
    JSON = "the JSON column only"


class Key(NamedTuple):
    """One key; ``level`` is the entity that it belongs to, ``type`` holds under Patient Root."""

    tag: int
    keyword: str
    vr: str
    vm: str
    level: Level
    type: KeyType
    study_root_type: KeyType
    storage: Storage

    @property
    def column(self) -> str:
        """The keyword in snake_case: PatientID is patient_id."""
        return snake_case(self.keyword)


_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@cache
def snake_case(keyword: str) -> str:
    """Return a keyword of PS3.6 or PS3.7 as a name of Python or SQL."""
    return _WORD_START.sub("_", keyword.replace("IDs", "Ids").replace("UIDs", "Uids")).lower()


_PATIENT, _STUDY, _SERIES, _IMAGE = Level
_U, _R, _O = KeyType.UNIQUE, KeyType.REQUIRED, KeyType.OPTIONAL
_COLUMN, _VALUES, _COMPUTED, _JSON = Storage

KEYS: tuple[Key, ...] = (
    # Table C.6-1, Patient level; under Study Root the same attributes stand in Table C.6-5.
    Key(0x00100010, "PatientName", "PN", "1", _PATIENT, _R, _R, _COLUMN),
    Key(0x00100020, "PatientID", "LO", "1", _PATIENT, _U, _R, _COLUMN),
    Key(0x00100021, "IssuerOfPatientID", "LO", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00081120, "ReferencedPatientSequence", "SQ", "1", _PATIENT, _O, _O, _VALUES),
    Key(0x00100030, "PatientBirthDate", "DA", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00100032, "PatientBirthTime", "TM", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00100040, "PatientSex", "CS", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00101002, "OtherPatientIDsSequence", "SQ", "1", _PATIENT, _O, _O, _VALUES),
    Key(0x00101001, "OtherPatientNames", "PN", "1-n", _PATIENT, _O, _O, _VALUES),
    Key(0x00102160, "EthnicGroup", "SH", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00104000, "PatientComments", "LT", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00201200, "NumberOfPatientRelatedStudies", "IS", "1", _PATIENT, _O, _O, _COMPUTED),
    Key(0x00201202, "NumberOfPatientRelatedSeries", "IS", "1", _PATIENT, _O, _O, _COMPUTED),
    Key(0x00201204, "NumberOfPatientRelatedInstances", "IS", "1", _PATIENT, _O, _O, _COMPUTED),
    # "All other patient level attributes", those often asked for.
    Key(0x00101000, "OtherPatientIDs", "LO", "1-n", _PATIENT, _O, _O, _VALUES),
    Key(0x00101005, "PatientBirthName", "PN", "1", _PATIENT, _O, _O, _COLUMN),
    Key(0x00102297, "ResponsiblePerson", "PN", "1", _PATIENT, _O, _O, _COLUMN),
    # Table C.6-2, Study level.
    Key(0x00080020, "StudyDate", "DA", "1", _STUDY, _R, _R, _COLUMN),
    Key(0x00080030, "StudyTime", "TM", "1", _STUDY, _R, _R, _COLUMN),
    Key(0x00080050, "AccessionNumber", "SH", "1", _STUDY, _R, _R, _COLUMN),
    Key(0x00200010, "StudyID", "SH", "1", _STUDY, _R, _R, _COLUMN),
    Key(0x0020000D, "StudyInstanceUID", "UI", "1", _STUDY, _U, _U, _COLUMN),
    Key(0x00080061, "ModalitiesInStudy", "CS", "1-n", _STUDY, _O, _O, _COMPUTED),
    Key(0x00080062, "SOPClassesInStudy", "UI", "1-n", _STUDY, _O, _O, _COMPUTED),
    Key(0x00080063, "AnatomicRegionsInStudyCodeSequence", "SQ", "1", _STUDY, _O, _O, _COMPUTED),
    Key(0x00080090, "ReferringPhysicianName", "PN", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00081030, "StudyDescription", "LO", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00081032, "ProcedureCodeSequence", "SQ", "1", _STUDY, _O, _O, _VALUES),
    Key(0x00081060, "NameOfPhysiciansReadingStudy", "PN", "1-n", _STUDY, _O, _O, _VALUES),
    Key(0x00081080, "AdmittingDiagnosesDescription", "LO", "1-n", _STUDY, _O, _O, _VALUES),
    Key(0x00081110, "ReferencedStudySequence", "SQ", "1", _STUDY, _O, _O, _VALUES),
    Key(0x00101010, "PatientAge", "AS", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00101020, "PatientSize", "DS", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00101030, "PatientWeight", "DS", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00102180, "Occupation", "SH", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x001021B0, "AdditionalPatientHistory", "LT", "1", _STUDY, _O, _O, _COLUMN),
    Key(0x00201070, "OtherStudyNumbers", "IS", "1-n", _STUDY, _O, _O, _VALUES),
    Key(0x00201206, "NumberOfStudyRelatedSeries", "IS", "1", _STUDY, _O, _O, _COMPUTED),
    Key(0x00201208, "NumberOfStudyRelatedInstances", "IS", "1", _STUDY, _O, _O, _COMPUTED),
    # "All other study level attributes", those often asked for.
    Key(0x00081048, "PhysiciansOfRecord", "PN", "1-n", _STUDY, _O, _O, _VALUES),
    Key(0x00380010, "AdmissionID", "LO", "1", _STUDY, _O, _O, _COLUMN),
    # Table C.6-3, Series level.
    Key(0x00080060, "Modality", "CS", "1", _SERIES, _R, _R, _COLUMN),
    Key(0x00200011, "SeriesNumber", "IS", "1", _SERIES, _R, _R, _COLUMN),
    Key(0x0020000E, "SeriesInstanceUID", "UI", "1", _SERIES, _U, _U, _COLUMN),
    Key(0x00201209, "NumberOfSeriesRelatedInstances", "IS", "1", _SERIES, _O, _O, _COMPUTED),
    # "All other series level attributes", those often asked for.
    Key(0x00080021, "SeriesDate", "DA", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00080031, "SeriesTime", "TM", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x0008103E, "SeriesDescription", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00180015, "BodyPartExamined", "CS", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00200060, "Laterality", "CS", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00185100, "PatientPosition", "CS", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00181030, "ProtocolName", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00081050, "PerformingPhysicianName", "PN", "1-n", _SERIES, _O, _O, _VALUES),
    Key(0x00081070, "OperatorsName", "PN", "1-n", _SERIES, _O, _O, _VALUES),
    Key(0x00400244, "PerformedProcedureStepStartDate", "DA", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00400245, "PerformedProcedureStepStartTime", "TM", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00400253, "PerformedProcedureStepID", "SH", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00400254, "PerformedProcedureStepDescription", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00400275, "RequestAttributesSequence", "SQ", "1", _SERIES, _O, _O, _VALUES),
    Key(0x00080070, "Manufacturer", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00081090, "ManufacturerModelName", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00081010, "StationName", "SH", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00080080, "InstitutionName", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00081040, "InstitutionalDepartmentName", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00181000, "DeviceSerialNumber", "LO", "1", _SERIES, _O, _O, _COLUMN),
    Key(0x00181020, "SoftwareVersions", "LO", "1-n", _SERIES, _O, _O, _VALUES),
    Key(0x00200052, "FrameOfReferenceUID", "UI", "1", _SERIES, _O, _O, _COLUMN),
    # Table C.6-4, Composite Object Instance level.
    Key(0x00200013, "InstanceNumber", "IS", "1", _IMAGE, _R, _R, _COLUMN),
    Key(0x00080018, "SOPInstanceUID", "UI", "1", _IMAGE, _U, _U, _COLUMN),
    Key(0x00080016, "SOPClassUID", "UI", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00083002, "AvailableTransferSyntaxUID", "UI", "1-n", _IMAGE, _O, _O, _COMPUTED),
    Key(0x00083001, "AlternateRepresentationSequence", "SQ", "1", _IMAGE, _O, _O, _JSON),
    Key(0x0008001A, "RelatedGeneralSOPClassUID", "UI", "1-n", _IMAGE, _O, _O, _VALUES),
    Key(0x0040A043, "ConceptNameCodeSequence", "SQ", "1", _IMAGE, _O, _O, _VALUES),
    Key(0x0040A504, "ContentTemplateSequence", "SQ", "1", _IMAGE, _O, _O, _VALUES),
    Key(0x00400512, "ContainerIdentifier", "LO", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00400560, "SpecimenDescriptionSequence", "SQ", "1", _IMAGE, _O, _O, _VALUES),
    # "All other composite object instance level attributes", those often asked for.
    Key(0x00080012, "InstanceCreationDate", "DA", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080013, "InstanceCreationTime", "TM", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080023, "ContentDate", "DA", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080033, "ContentTime", "TM", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080022, "AcquisitionDate", "DA", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080032, "AcquisitionTime", "TM", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x0008002A, "AcquisitionDateTime", "DT", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00200012, "AcquisitionNumber", "IS", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00080008, "ImageType", "CS", "2-n", _IMAGE, _O, _O, _VALUES),
    Key(0x00280008, "NumberOfFrames", "IS", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00204000, "ImageComments", "LT", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x00700080, "ContentLabel", "CS", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x0040A491, "CompletionFlag", "CS", "1", _IMAGE, _O, _O, _COLUMN),
    Key(0x0040A493, "VerificationFlag", "CS", "1", _IMAGE, _O, _O, _COLUMN),
)
KEYS_BY_TAG: dict[int, Key] = {key.tag: key for key in KEYS}
KEYS_BY_KEYWORD: dict[str, Key] = {key.keyword: key for key in KEYS}

UNIQUE_KEYS: dict[Level, Key] = {key.level: key for key in KEYS if key.type is KeyType.UNIQUE}
"""The unique key of each level (PS3.4 C.3.1)."""


def key_type(tag: int, model: InformationModel) -> KeyType:
    """Return the type of a key under a model; a key without a row is optional.

    That is the last line of each table: "all other attributes of the level".
    """
    key = KEYS_BY_TAG.get(tag)
    if key is None:
        return KeyType.OPTIONAL
    return key.type if model.top is Level.PATIENT else key.study_root_type


EXISTENCE_ONLY: frozenset[int] = frozenset(
    key.tag for key in KEYS if key.storage is Storage.COMPUTED and key.vr == "IS"
) | {KEYS_BY_KEYWORD["AlternateRepresentationSequence"].tag}
"""Keys that are returned but not matched: counts, and one without a matching in C.6.1.1.5.1."""


class ItemKey(NamedTuple):
    """A key inside the one item of a sequence key; all of them are optional."""

    tag: int
    keyword: str
    vr: str


# Tables C.6-2a/b, with the tags of PS3.6 where the published tables misprint them.
CODE_SEQUENCE_KEYS = (
    ItemKey(0x00080100, "CodeValue", "SH"),
    ItemKey(0x00080102, "CodingSchemeDesignator", "SH"),
    ItemKey(0x00080103, "CodingSchemeVersion", "SH"),
    ItemKey(0x00080104, "CodeMeaning", "LO"),
    ItemKey(0x00080105, "MappingResource", "CS"),
    ItemKey(0x00080106, "ContextGroupVersion", "DT"),
    ItemKey(0x00080107, "ContextGroupLocalVersion", "DT"),
    ItemKey(0x0008010B, "ContextGroupExtensionFlag", "CS"),
    ItemKey(0x0008010D, "ContextGroupExtensionCreatorUID", "UI"),
    ItemKey(0x0008010F, "ContextIdentifier", "CS"),
    ItemKey(0x00080117, "ContextUID", "UI"),
    ItemKey(0x00080118, "MappingResourceUID", "UI"),
    ItemKey(0x00080119, "LongCodeValue", "UC"),
    ItemKey(0x00080120, "URNCodeValue", "UR"),
    ItemKey(0x00080121, "EquivalentCodeSequence", "SQ"),
)
_REFERENCE_KEYS = (
    ItemKey(0x00081150, "ReferencedSOPClassUID", "UI"),
    ItemKey(0x00081155, "ReferencedSOPInstanceUID", "UI"),
)
ITEM_KEYS: dict[str, tuple[ItemKey, ...]] = {
    "ReferencedPatientSequence": _REFERENCE_KEYS,
    "ReferencedStudySequence": _REFERENCE_KEYS,
    "ProcedureCodeSequence": CODE_SEQUENCE_KEYS,
    "AnatomicRegionsInStudyCodeSequence": CODE_SEQUENCE_KEYS,
    "ConceptNameCodeSequence": CODE_SEQUENCE_KEYS,
    "AlternateRepresentationSequence": (
        *_REFERENCE_KEYS,
        ItemKey(0x0020000E, "SeriesInstanceUID", "UI"),
        ItemKey(0x0040A170, "PurposeOfReferenceCodeSequence", "SQ"),
    ),
    "ContentTemplateSequence": (
        ItemKey(0x00080105, "MappingResource", "CS"),
        ItemKey(0x0040DB00, "TemplateIdentifier", "CS"),
    ),
    "SpecimenDescriptionSequence": (
        ItemKey(0x00400551, "SpecimenIdentifier", "LO"),
        ItemKey(0x00400554, "SpecimenUID", "UI"),
    ),
}
"""The item keys of the tables by sequence keyword; an item may have any other attribute, too."""


class DateTimePair(NamedTuple):
    """A date and a time of the same event, which combine to one instant (PS3.4 C.2.2.2.5.4)."""

    date: int
    time: int


DATE_TIME_PAIRS = (
    DateTimePair(0x00080012, 0x00080013),  # InstanceCreation
    DateTimePair(0x00080020, 0x00080030),  # Study
    DateTimePair(0x00080021, 0x00080031),  # Series
    DateTimePair(0x00080022, 0x00080032),  # Acquisition
    DateTimePair(0x00080023, 0x00080033),  # Content
    DateTimePair(0x00100030, 0x00100032),  # PatientBirth
    DateTimePair(0x00400002, 0x00400003),  # ScheduledProcedureStepStart
    DateTimePair(0x00400004, 0x00400005),  # ScheduledProcedureStepEnd
    DateTimePair(0x00400244, 0x00400245),  # PerformedProcedureStepStart
    DateTimePair(0x00400250, 0x00400251),  # PerformedProcedureStepEnd
    DateTimePair(0x00700082, 0x00700083),  # PresentationCreation
)

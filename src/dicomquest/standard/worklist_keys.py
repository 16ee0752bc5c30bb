"""The keys of the Modality Worklist Information Model, one row a key (PS3.4 Table K.6-1)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from dicomquest.standard.keys import snake_case
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE as STEPS

SCHEDULED_STATION_AE_TITLE = 0x00400001
START_DATE = 0x00400002
START_TIME = 0x00400003


class ReturnType(Enum):
    """The return key type: always with a value, always but perhaps empty, optional."""

    VALUE = "1"
    VALUE_IF = "1C"
    PRESENT = "2"
    PRESENT_IF = "2C"
    OPTIONAL = "3"


class WorklistKey(NamedTuple):
    """A key of an entry; ``is_of_step`` says that it stands in the item of the step."""

    tag: int
    keyword: str
    vr: str
    is_of_step: bool
    is_required: bool
    return_type: ReturnType

    @property
    def column(self) -> str:
        """The keyword in snake_case."""
        return snake_case(self.keyword)

    @property
    def path(self) -> tuple[int, ...]:
        """The tags from the root of the identifier to the key."""
        return (STEPS, self.tag) if self.is_of_step else (self.tag,)


_STEP, _ROOT = True, False
_R, _O = True, False
_1, _1C, _2, _2C, _3 = ReturnType

# fmt: off
WORKLIST_KEYS: tuple[WorklistKey, ...] = (
    # Scheduled Procedure Step.
    WorklistKey(0x00400001, "ScheduledStationAETitle", "AE", _STEP, _R, _1),
    WorklistKey(0x00400002, "ScheduledProcedureStepStartDate", "DA", _STEP, _R, _1),
    WorklistKey(0x00400003, "ScheduledProcedureStepStartTime", "TM", _STEP, _R, _1),
    WorklistKey(0x00080060, "Modality", "CS", _STEP, _R, _1),
    WorklistKey(0x00400006, "ScheduledPerformingPhysicianName", "PN", _STEP, _R, _2),
    WorklistKey(0x00400007, "ScheduledProcedureStepDescription", "LO", _STEP, _O, _1C),
    WorklistKey(0x00400010, "ScheduledStationName", "SH", _STEP, _O, _2),
    WorklistKey(0x00400011, "ScheduledProcedureStepLocation", "SH", _STEP, _O, _2),
    WorklistKey(0x00400008, "ScheduledProtocolCodeSequence", "SQ", _STEP, _O, _1C),
    WorklistKey(0x00400012, "PreMedication", "LO", _STEP, _O, _2C),
    WorklistKey(0x00400009, "ScheduledProcedureStepID", "SH", _STEP, _O, _1),
    WorklistKey(0x00321070, "RequestedContrastAgent", "LO", _STEP, _O, _2C),
    WorklistKey(0x00400020, "ScheduledProcedureStepStatus", "CS", _STEP, _O, _3),
    # Requested Procedure, Imaging Service Request, Visit.
    WorklistKey(0x00401001, "RequestedProcedureID", "SH", _ROOT, _O, _1),
    WorklistKey(0x00321060, "RequestedProcedureDescription", "LO", _ROOT, _O, _1C),
    WorklistKey(0x00321064, "RequestedProcedureCodeSequence", "SQ", _ROOT, _O, _1C),
    WorklistKey(0x0020000D, "StudyInstanceUID", "UI", _ROOT, _O, _1),
    WorklistKey(0x00080020, "StudyDate", "DA", _ROOT, _O, _3),
    WorklistKey(0x00080030, "StudyTime", "TM", _ROOT, _O, _3),
    WorklistKey(0x00081110, "ReferencedStudySequence", "SQ", _ROOT, _O, _2),
    WorklistKey(0x00401003, "RequestedProcedurePriority", "SH", _ROOT, _O, _2),
    WorklistKey(0x00401004, "PatientTransportArrangements", "LO", _ROOT, _O, _2),
    WorklistKey(0x00080050, "AccessionNumber", "SH", _ROOT, _O, _2),
    WorklistKey(0x00321032, "RequestingPhysician", "PN", _ROOT, _O, _2),
    WorklistKey(0x00080090, "ReferringPhysicianName", "PN", _ROOT, _O, _2),
    WorklistKey(0x00380010, "AdmissionID", "LO", _ROOT, _O, _2),
    WorklistKey(0x00380300, "CurrentPatientLocation", "LO", _ROOT, _O, _2),
    WorklistKey(0x00081120, "ReferencedPatientSequence", "SQ", _ROOT, _O, _2),
    # Patient.
    WorklistKey(0x00100010, "PatientName", "PN", _ROOT, _R, _1),
    WorklistKey(0x00100020, "PatientID", "LO", _ROOT, _R, _1),
    WorklistKey(0x00100021, "IssuerOfPatientID", "LO", _ROOT, _O, _3),
    WorklistKey(0x00100030, "PatientBirthDate", "DA", _ROOT, _O, _2),
    WorklistKey(0x00100040, "PatientSex", "CS", _ROOT, _O, _2),
    WorklistKey(0x00101030, "PatientWeight", "DS", _ROOT, _O, _2),
    WorklistKey(0x00403001, "ConfidentialityConstraintOnPatientDataDescription", "LO", _ROOT, _O,
                _2),
    WorklistKey(0x00380500, "PatientState", "LO", _ROOT, _O, _2),
    WorklistKey(0x001021C0, "PregnancyStatus", "US", _ROOT, _O, _2),
    WorklistKey(0x00102000, "MedicalAlerts", "LO", _ROOT, _O, _2),
    WorklistKey(0x00102110, "Allergies", "LO", _ROOT, _O, _2),
    WorklistKey(0x00380050, "SpecialNeeds", "LO", _ROOT, _O, _2),
    WorklistKey(0x00380100, "PertinentDocumentsSequence", "SQ", _ROOT, _O, _3),
)
# fmt: on

WORKLIST_KEYS_BY_KEYWORD = {key.keyword: key for key in WORKLIST_KEYS}

STEP_TAGS = frozenset(key.tag for key in WORKLIST_KEYS if key.is_of_step)
"""The attributes that an entry has in the item of its step."""

NEVER_MATCHED = frozenset({0x00380100, 0x00400440})
"""Sequences that are returned only: PertinentDocuments, ProtocolContext (Table K.6-1)."""

NEEDED: tuple[tuple[WorklistKey, ...], ...] = (
    *((key,) for key in WORKLIST_KEYS if key.return_type is ReturnType.VALUE),
    # Of a description and a code sequence one is enough.
    *(
        tuple(key for key in WORKLIST_KEYS if key.keyword in pair)
        for pair in (
            ("ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence"),
            ("RequestedProcedureDescription", "RequestedProcedureCodeSequence"),
        )
    ),
)
"""The keys of type 1 and 1C; of each group an entry has a value of one."""

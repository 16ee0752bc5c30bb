"""The attributes of a Modality Performed Procedure Step (PS3.4 Table F.7.2-1)."""

from __future__ import annotations

from enum import Enum

MPPS = "1.2.840.10008.3.1.2.3.3"
"""The SOP class."""


class StepStatus(Enum):
    """Performed Procedure Step Status (0040,0252): its enumerated values (PS3.3 C.4.14)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"

    @property
    def is_final(self) -> bool:
        """Tell whether the step may no longer be updated."""
        return self is not StepStatus.IN_PROGRESS


STATUS = 0x00400252
SCHEDULED_STEP_ATTRIBUTES = 0x00400270

NEEDED: dict[int, str] = {
    SCHEDULED_STEP_ATTRIBUTES: "SQ",
    0x00080060: "CS",  # Modality
    0x00400241: "AE",  # PerformedStationAETitle
    0x00400244: "DA",  # PerformedProcedureStepStartDate
    0x00400245: "TM",  # PerformedProcedureStepStartTime
    STATUS: "CS",
    0x00400253: "SH",  # PerformedProcedureStepID
}
"""The attributes of type 1 in N-CREATE, with their VR."""

NEEDED_AT_END: dict[int, str] = {
    0x00400250: "DA",  # PerformedProcedureStepEndDate
    0x00400251: "TM",  # PerformedProcedureStepEndTime
}
"""The attributes that need a value before the status is COMPLETED or DISCONTINUED."""

DATES_AND_TIMES = {tag: vr for tag, vr in (NEEDED | NEEDED_AT_END).items() if vr in {"DA", "TM"}}
"""The attributes whose values have to be dates and times."""

NEVER_SET = frozenset(
    {
        SCHEDULED_STEP_ATTRIBUTES,
        0x00080060,  # Modality
        0x00081120,  # ReferencedPatientSequence
        0x00100010,  # PatientName
        0x00100020,  # PatientID
        0x00100021,  # IssuerOfPatientID
        0x00100024,  # IssuerOfPatientIDQualifiersSequence
        0x00100030,  # PatientBirthDate
        0x00100040,  # PatientSex
        0x00200010,  # StudyID
        0x00380010,  # AdmissionID
        0x00380014,  # IssuerOfAdmissionIDSequence
        0x00380060,  # ServiceEpisodeID
        0x00380062,  # ServiceEpisodeDescription
        0x00380064,  # IssuerOfServiceEpisodeIDSequence
        0x00400241,  # PerformedStationAETitle
        0x00400242,  # PerformedStationName
        0x00400243,  # PerformedLocation
        0x00400244,  # PerformedProcedureStepStartDate
        0x00400245,  # PerformedProcedureStepStartTime
        0x00400253,  # PerformedProcedureStepID
    }
)
"""The attributes that N-SET may not change."""

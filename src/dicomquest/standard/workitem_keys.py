"""The keys of a Unified Procedure Step, one row a key (PS3.4 Table CC.2.5-3)."""

from __future__ import annotations

from enum import Enum

from dicomquest.standard.models import UPS_PULL, UPS_QUERY, UPS_WATCH
from dicomquest.standard.object_keys import MatchingKey, ObjectKey, ObjectModel
from dicomquest.standard.worklist_keys import ReturnType

UPS_PUSH = "1.2.840.10008.5.1.4.34.6.1"
"""The SOP class of all steps, by whichever one they are found."""

TRANSACTION_UID = 0x00081195
"""The lock of a step: neither matched nor returned (CC.2.8)."""

PROCEDURE_STEP_STATE = 0x00741000
SCHEDULED_START = 0x00404005
REFERENCED_REQUESTS = 0x0040A370


class StepState(Enum):
    """Procedure Step State (0074,1000): its enumerated values (PS3.3 C.30.1)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"


_U, _R, _N = MatchingKey
_1, _1C, _2, _2C, _3 = ReturnType
_PERFORMERS = (0x00404034,)
_REQUESTS = (REFERENCED_REQUESTS,)

# fmt: off
WORKITEM_KEYS: tuple[ObjectKey, ...] = (
    ObjectKey(0x00080018, "SOPInstanceUID", "UI", _U, _1),
    ObjectKey(0x00741200, "ScheduledProcedureStepPriority", "CS", _R, _1),
    ObjectKey(0x00741204, "ProcedureStepLabel", "LO", _R, _1),
    ObjectKey(0x00741202, "WorklistLabel", "LO", _R, _1),
    ObjectKey(0x00404025, "ScheduledStationNameCodeSequence", "SQ", _R, _2),
    ObjectKey(0x00404026, "ScheduledStationClassCodeSequence", "SQ", _R, _2),
    ObjectKey(0x00404027, "ScheduledStationGeographicLocationCodeSequence", "SQ", _R, _2),
    ObjectKey(0x00404034, "ScheduledHumanPerformersSequence", "SQ", _R, _2),
    ObjectKey(0x00404009, "HumanPerformerCodeSequence", "SQ", _R, _1, _PERFORMERS),
    ObjectKey(SCHEDULED_START, "ScheduledProcedureStepStartDateTime", "DT", _R, _1),
    ObjectKey(0x00404011, "ExpectedCompletionDateTime", "DT", _R, _3),
    ObjectKey(0x00404018, "ScheduledWorkitemCodeSequence", "SQ", _R, _2),
    ObjectKey(0x00404041, "InputReadinessState", "CS", _R, _1),
    ObjectKey(0x00100010, "PatientName", "PN", _R, _2),
    ObjectKey(0x00100020, "PatientID", "LO", _R, _2),
    ObjectKey(0x00100030, "PatientBirthDate", "DA", _R, _2),
    ObjectKey(0x00100040, "PatientSex", "CS", _R, _2),
    ObjectKey(0x00380010, "AdmissionID", "LO", _R, _2),
    ObjectKey(0x00380014, "IssuerOfAdmissionIDSequence", "SQ", _R, _2),
    ObjectKey(REFERENCED_REQUESTS, "ReferencedRequestSequence", "SQ", _R, _2),
    ObjectKey(0x00080050, "AccessionNumber", "SH", _R, _2, _REQUESTS),
    ObjectKey(0x00080051, "IssuerOfAccessionNumberSequence", "SQ", _R, _2, _REQUESTS),
    ObjectKey(0x00401001, "RequestedProcedureID", "SH", _R, _2, _REQUESTS),
    ObjectKey(0x00321033, "RequestingService", "LO", _R, _3, _REQUESTS),
    ObjectKey(0x00741224, "ReplacedProcedureStepSequence", "SQ", _R, _3),
    ObjectKey(PROCEDURE_STEP_STATE, "ProcedureStepState", "CS", _R, _1),
)
# fmt: on

WORKITEM_MODELS = (
    ObjectModel(UPS_PULL, "ups", (UPS_PUSH,), WORKITEM_KEYS),
    ObjectModel(UPS_WATCH, "ups-watch", (UPS_PUSH,), WORKITEM_KEYS),
    ObjectModel(UPS_QUERY, "ups-query", (UPS_PUSH,), WORKITEM_KEYS),
)
"""The SOP classes with the words of the command line: they have the same keys."""

OF_REQUEST = frozenset(key.tag for key in WORKITEM_KEYS if key.above == _REQUESTS)
"""The attributes that a step has in the items of its requests."""

NEEDED = tuple(key for key in WORKITEM_KEYS if key.return_type is _1 and not key.above)
"""The attributes of type 1."""

"""Keys that people type of habit in a model that has others (PS3.4 C.6, K.6, U.6, X.6, CC.2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.datadict import keyword_for_tag

from dicomquest.query.identifier.entry_models import EntryModel, TagPath
from dicomquest.query.identifier.key_arguments import Key
from dicomquest.standard.keys import KEYS_BY_TAG
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODALITY_WORKLIST, UPS_MODELS
from dicomquest.standard.worklist_keys import STEP_TAGS

_MOST_NAMED = 4
"""Keys of a model that a remark names."""

_UIDS = frozenset({0x00080016, 0x00080018})

_OF_A_WORKLIST = {
    "StudyDate": "ScheduledProcedureStepStartDate",
    "SeriesDate": "ScheduledProcedureStepStartDate",
    "AcquisitionDate": "ScheduledProcedureStepStartDate",
    "ContentDate": "ScheduledProcedureStepStartDate",
    "PerformedProcedureStepStartDate": "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartDateTime": "ScheduledProcedureStepStartDate",
    "StudyTime": "ScheduledProcedureStepStartTime",
    "SeriesTime": "ScheduledProcedureStepStartTime",
    "AcquisitionTime": "ScheduledProcedureStepStartTime",
    "PerformedProcedureStepStartTime": "ScheduledProcedureStepStartTime",
    "ModalitiesInStudy": "Modality",
    "StudyDescription": "RequestedProcedureDescription",
    "SeriesDescription": "ScheduledProcedureStepDescription",
    "ProtocolName": "ScheduledProcedureStepDescription",
    "PerformedProcedureStepDescription": "ScheduledProcedureStepDescription",
    "ProcedureStepLabel": "ScheduledProcedureStepDescription",
    "StudyID": "RequestedProcedureID",
    "PerformedProcedureStepID": "ScheduledProcedureStepID",
    "StationName": "ScheduledStationName",
    "PerformedStationAETitle": "ScheduledStationAETitle",
    "PerformingPhysicianName": "ScheduledPerformingPhysicianName",
    "ProcedureStepState": "ScheduledProcedureStepStatus",
    "PerformedProcedureStepStatus": "ScheduledProcedureStepStatus",
    "ScheduledProcedureStepPriority": "RequestedProcedurePriority",
    "ProcedureCodeSequence": "RequestedProcedureCodeSequence",
}
_OF_UPS = {
    "StudyDate": "ScheduledProcedureStepStartDateTime",
    "ScheduledProcedureStepStartDate": "ScheduledProcedureStepStartDateTime",
    "PerformedProcedureStepStartDate": "ScheduledProcedureStepStartDateTime",
    "Modality": "ScheduledStationClassCodeSequence.CodeValue",
    "ModalitiesInStudy": "ScheduledStationClassCodeSequence.CodeValue",
    "StationName": "ScheduledStationNameCodeSequence.CodeValue",
    "ScheduledStationName": "ScheduledStationNameCodeSequence.CodeValue",
    "ScheduledStationAETitle": "ScheduledStationNameCodeSequence.CodeValue",
    "StudyDescription": "ProcedureStepLabel",
    "RequestedProcedureDescription": "ProcedureStepLabel",
    "ScheduledProcedureStepDescription": "ProcedureStepLabel",
    "ScheduledProcedureStepStatus": "ProcedureStepState",
    "PerformedProcedureStepStatus": "ProcedureStepState",
    "RequestedProcedurePriority": "ScheduledProcedureStepPriority",
    "StudyInstanceUID": "ReferencedRequestSequence.StudyInstanceUID",
    "ScheduledProcedureStepID": "SOPInstanceUID",
}
_OF_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "hanging-protocol": {
        "ContentLabel": "HangingProtocolName",
        "ProtocolName": "HangingProtocolName",
        "ModalitiesInStudy": "Modality",
        "BodyPartExamined": "AnatomicRegionSequence.CodeMeaning",
    },
    "procedure-protocol": {"Modality": "EquipmentModality", "ContentLabel": "ProtocolName"},
    "implant-template": {"ContentLabel": "ImplantName"},
}
_ALSO_OF_STEPS = frozenset({
    "AdditionalPatientHistory", "AdmittingDiagnosesDescription", "InstitutionName", "Occupation",
    "PatientAge", "PatientSize", "PatientWeight",
})  # fmt: skip
"""Keys of a study or a series that the modules of a step's patient and visit have, too."""

_GROUPS = {0x0072: "hanging-protocol", 0x0074: "ups", 0x0078: "implant-template"}
"""The models whose attributes have a group of their own."""


def foreign_key_note(key: Key, row: EntryModel) -> str:
    """Return a remark on a key that a model without levels hardly has; empty if it has it."""
    tags = tuple(step.tag for step in key.path)
    meant = _meant(tags, row)
    if not meant and not _is_foreign(tags, row):
        return ""
    may = "may find nothing" if key.value else "may come back empty"
    value = f"={key.value}" if key.value else ""
    keys = f"the key there is {meant}{value}" if meant else f"keys there are {_names(row)}"
    return f"{key.name} is hardly ever in {row.kind}, so it {may}; {keys}"


def foreign_to_archives(tag: int) -> str:
    """Return the model without levels whose key an attribute is; empty for one of an archive."""
    if tag in KEYS_BY_TAG:
        return ""
    return "worklist" if tag in STEP_TAGS else _GROUPS.get(tag >> 16, "")


def _meant(tags: TagPath, row: EntryModel) -> str:
    # Above the last tag stand only the sequences that a model puts its keys in.
    name = keyword_for_tag(tags[-1])
    if tags[:-1] not in {(), *row.places.values()}:
        return ""
    if row.model is MODALITY_WORKLIST:
        return _OF_A_WORKLIST.get(name, "")
    if row.model in UPS_MODELS:
        return _OF_UPS.get(name, "")
    return _OF_OBJECTS.get(row.word, {}).get(name, "")


def _is_foreign(tags: TagPath, row: EntryModel) -> bool:
    key = KEYS_BY_TAG.get(tags[0])
    if key is None or any(tags[: len(path)] == path[: len(tags)] for path in row.rows):
        return False
    has_patient = row.model is MODALITY_WORKLIST or row.model in UPS_MODELS
    return not has_patient or not (key.level is Level.PATIENT or key.keyword in _ALSO_OF_STEPS)


def _names(row: EntryModel) -> str:
    """Return the first keys of a model that people type without a path."""
    tags = (path[-1] for path in row.rows if path[:-1] == row.places.get(path[-1], ()))
    names = [keyword_for_tag(tag) for tag in tags if tag not in _UIDS | row.never_matched]
    return ", ".join([each for each in names if not each.endswith("Sequence")][:_MOST_NAMED])

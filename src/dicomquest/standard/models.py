"""The information models of queries and their SOP classes (PS3.4 C.6.1 to C.6.4, K, U to II)."""

from __future__ import annotations

from typing import NamedTuple

from dicomquest.standard.levels import SCHEDULED_STEPS, UNIFIED_STEPS, Level


class InformationModel(NamedTuple):
    """An information model: its SOP classes (``uid`` is FIND) and its levels, top first.

    ``entities`` is the word for what a model without levels finds.
    """

    uid: str
    name: str
    words: str
    levels: tuple[Level, ...]
    clause: str
    move_uid: str
    get_uid: str
    entities: str = ""

    @property
    def top(self) -> Level:
        """The highest level that a query of this model may have."""
        return self.levels[0]

    @property
    def lowest(self) -> Level:
        """The lowest level that a query of this model may have."""
        return self.levels[-1]

    def query_level(self, entity: Level) -> Level:
        """Return the level at which attributes of an entity are keys.

        Under Study Root those of a patient are keys of STUDY level (PS3.4 C.6.2.1).
        """
        return max(entity, self.top)


PATIENT_ROOT = InformationModel(
    "1.2.840.10008.5.1.4.1.2.1.1",
    "Patient Root Query/Retrieve Information Model - FIND",
    "Patient Root",
    (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE),
    "C.6.1",
    "1.2.840.10008.5.1.4.1.2.1.2",
    "1.2.840.10008.5.1.4.1.2.1.3",
)
STUDY_ROOT = InformationModel(
    "1.2.840.10008.5.1.4.1.2.2.1",
    "Study Root Query/Retrieve Information Model - FIND",
    "Study Root",
    (Level.STUDY, Level.SERIES, Level.IMAGE),
    "C.6.2",
    "1.2.840.10008.5.1.4.1.2.2.2",
    "1.2.840.10008.5.1.4.1.2.2.3",
)
PATIENT_STUDY_ONLY = InformationModel(
    "1.2.840.10008.5.1.4.1.2.3.1",
    "Patient/Study Only Query/Retrieve Information Model - FIND (Retired)",
    "Patient/Study Only",
    (Level.PATIENT, Level.STUDY),
    "C.6.3",
    "1.2.840.10008.5.1.4.1.2.3.2",
    "1.2.840.10008.5.1.4.1.2.3.3",
)

REPOSITORY_QUERY = InformationModel(
    "1.2.840.10008.5.1.4.1.1.201.6",
    "Repository Query",
    "Repository Query",
    STUDY_ROOT.levels,
    "C.6.4",
    "",
    "",
)
"""Study Root with records that a later query goes on from; it has no retrieval."""

COMPOSITE_INSTANCE_ROOT = InformationModel(
    "",
    "Composite Instance Root Retrieve",
    "Composite Instance Root",
    (Level.IMAGE,),
    "Y.6",
    "1.2.840.10008.5.1.4.1.2.4.2",
    "1.2.840.10008.5.1.4.1.2.4.3",
)
"""It has no queries, so no FIND; and of its two levels FRAME makes new instances."""

MODALITY_WORKLIST = InformationModel(
    "1.2.840.10008.5.1.4.31",
    "Modality Worklist Information Model - FIND",
    "Modality Worklist",
    (),
    "K.6",
    "",
    "",
    SCHEDULED_STEPS.entities,
)
"""It has no levels: each response is one Scheduled Procedure Step (PS3.4 K.6.1.1)."""

UPS_PULL = InformationModel(
    "1.2.840.10008.5.1.4.34.6.3",
    "Unified Procedure Step - Pull SOP Class",
    "UPS Pull",
    (),
    "CC.2.8",
    "",
    "",
    UNIFIED_STEPS.entities,
)
UPS_WATCH = UPS_PULL._replace(
    uid="1.2.840.10008.5.1.4.34.6.2",
    name="Unified Procedure Step - Watch SOP Class",
    words="UPS Watch",
)
UPS_QUERY = UPS_PULL._replace(
    uid="1.2.840.10008.5.1.4.34.6.5",
    name="Unified Procedure Step - Query SOP Class",
    words="UPS Query",
)
UPS_MODELS = (UPS_PULL, UPS_WATCH, UPS_QUERY)
"""The SOP classes by which Unified Procedure Steps are found, each step by any (PS3.4 CC.2.8)."""

HANGING_PROTOCOL = InformationModel(
    "1.2.840.10008.5.1.4.38.2",
    "Hanging Protocol Information Model - FIND",
    "Hanging Protocol",
    (),
    "U.6",
    "1.2.840.10008.5.1.4.38.3",
    "1.2.840.10008.5.1.4.38.4",
    "hanging protocols",
)
COLOR_PALETTE = InformationModel(
    "1.2.840.10008.5.1.4.39.2",
    "Color Palette Query/Retrieve Information Model - FIND",
    "Color Palette",
    (),
    "X.6",
    "1.2.840.10008.5.1.4.39.3",
    "1.2.840.10008.5.1.4.39.4",
    "color palettes",
)
GENERIC_IMPLANT_TEMPLATE = InformationModel(
    "1.2.840.10008.5.1.4.43.2",
    "Generic Implant Template Information Model - FIND",
    "Generic Implant Template",
    (),
    "BB.6",
    "1.2.840.10008.5.1.4.43.3",
    "1.2.840.10008.5.1.4.43.4",
    "implant templates",
)
IMPLANT_ASSEMBLY_TEMPLATE = InformationModel(
    "1.2.840.10008.5.1.4.44.2",
    "Implant Assembly Template Information Model - FIND",
    "Implant Assembly Template",
    (),
    "BB.6",
    "1.2.840.10008.5.1.4.44.3",
    "1.2.840.10008.5.1.4.44.4",
    "implant assembly templates",
)
IMPLANT_TEMPLATE_GROUP = InformationModel(
    "1.2.840.10008.5.1.4.45.2",
    "Implant Template Group Information Model - FIND",
    "Implant Template Group",
    (),
    "BB.6",
    "1.2.840.10008.5.1.4.45.3",
    "1.2.840.10008.5.1.4.45.4",
    "implant template groups",
)
DEFINED_PROCEDURE_PROTOCOL = InformationModel(
    "1.2.840.10008.5.1.4.20.1",
    "Defined Procedure Protocol Information Model - FIND",
    "Defined Procedure Protocol",
    (),
    "HH.6",
    "1.2.840.10008.5.1.4.20.2",
    "1.2.840.10008.5.1.4.20.3",
    "procedure protocols",
)
PROTOCOL_APPROVAL = InformationModel(
    "1.2.840.10008.5.1.4.1.1.200.4",
    "Protocol Approval Information Model - FIND",
    "Protocol Approval",
    (),
    "II.6",
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "protocol approvals",
)
NON_PATIENT_MODELS = (
    HANGING_PROTOCOL,
    COLOR_PALETTE,
    GENERIC_IMPLANT_TEMPLATE,
    IMPLANT_ASSEMBLY_TEMPLATE,
    IMPLANT_TEMPLATE_GROUP,
    DEFINED_PROCEDURE_PROTOCOL,
    PROTOCOL_APPROVAL,
)
"""The models of objects that belong to no patient (PS3.4 GG); they have no levels."""

OBJECT_RETRIEVE_MODELS = {
    uid: model for model in NON_PATIENT_MODELS for uid in (model.get_uid, model.move_uid)
}
"""The same by the SOP classes of C-GET and C-MOVE."""

MODELS = (PATIENT_ROOT, STUDY_ROOT, PATIENT_STUDY_ONLY)
MODELS_BY_UID = {model.uid: model for model in (*MODELS, REPOSITORY_QUERY)}
"""The models with levels by the SOP classes of C-FIND."""
FIND_MODELS_BY_UID = {
    model.uid: model
    for model in (*MODELS, REPOSITORY_QUERY, MODALITY_WORKLIST, *UPS_MODELS, *NON_PATIENT_MODELS)
}
"""The models by the SOP classes of C-FIND, those without levels too."""

RETRIEVE_MODELS = (*MODELS, COMPOSITE_INSTANCE_ROOT)
RETRIEVE_MODELS_BY_UID = {
    uid: model for model in RETRIEVE_MODELS for uid in (model.get_uid, model.move_uid)
}
"""The models by the SOP classes of C-GET and C-MOVE."""

"""The information models of objects that belong to no patient, and their keys, one row a key.

PS3.4 U.6 (Hanging Protocol), X.6 (Color Palette), BB.6 (implant templates), HH.6 (Defined Procedure
Protocol) and II.6 (Protocol Approval).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from dicomquest.standard.models import (
    COLOR_PALETTE,
    DEFINED_PROCEDURE_PROTOCOL,
    GENERIC_IMPLANT_TEMPLATE,
    HANGING_PROTOCOL,
    IMPLANT_ASSEMBLY_TEMPLATE,
    IMPLANT_TEMPLATE_GROUP,
    PROTOCOL_APPROVAL,
    InformationModel,
)
from dicomquest.standard.worklist_keys import ReturnType


class MatchingKey(Enum):
    """The matching key type: unique, required, or returned only."""

    UNIQUE = "U"
    REQUIRED = "R"
    NONE = "-"


class ObjectKey(NamedTuple):
    """A key of a model; ``above`` are the sequences that it stands in.

    ``return_type`` is None where the digest of the Standard that this table follows has none.
    """

    tag: int
    keyword: str
    vr: str
    matching: MatchingKey
    return_type: ReturnType | None
    above: tuple[int, ...] = ()


class ObjectModel(NamedTuple):
    """A model with the word of the command line, the SOP classes that it finds, and its keys."""

    model: InformationModel
    word: str
    sop_classes: tuple[str, ...]
    keys: tuple[ObjectKey, ...]

    @property
    def never_matched(self) -> frozenset[int]:
        """The attributes that are returned only."""
        return frozenset(key.tag for key in self.keys if key.matching is MatchingKey.NONE)


_U, _R, _N = MatchingKey
_1, _1C, _2, _, _3 = ReturnType
_ANY = None

_DEFINITIONS = (0x0072000C,)
_SCREENS = (0x00720102,)
_CUSTODIAN = (0x0040A07C,)
_SPECIFICATION = (0x00189912,)
_SUBJECT = (0x00440109,)
_APPROVAL = (0x00440100,)
_ASSERTER = (*_APPROVAL, 0x00440103)

# fmt: off
_SOP = (
    ObjectKey(0x00080016, "SOPClassUID", "UI", _R, _1),
    ObjectKey(0x00080018, "SOPInstanceUID", "UI", _U, _1),
)


def _references(tag: int, keyword: str) -> tuple[ObjectKey, ...]:
    """Return the rows of a sequence of references, matched by lists of UIDs."""
    return (
        ObjectKey(tag, keyword, "SQ", _R, _ANY),
        ObjectKey(0x00081150, "ReferencedSOPClassUID", "UI", _R, _ANY, (tag,)),
        ObjectKey(0x00081155, "ReferencedSOPInstanceUID", "UI", _R, _ANY, (tag,)),
    )


OBJECT_MODELS: tuple[ObjectModel, ...] = (
    ObjectModel(HANGING_PROTOCOL, "hanging-protocol", ("1.2.840.10008.5.1.4.38.1",), (
        *_SOP,
        ObjectKey(0x00720002, "HangingProtocolName", "SH", _R, _1),
        ObjectKey(0x00720004, "HangingProtocolDescription", "LO", _N, _1),
        ObjectKey(0x00720006, "HangingProtocolLevel", "CS", _R, _1),
        ObjectKey(0x00720008, "HangingProtocolCreator", "LO", _N, _1),
        ObjectKey(0x0072000A, "HangingProtocolCreationDateTime", "DT", _N, _1),
        ObjectKey(0x0072000C, "HangingProtocolDefinitionSequence", "SQ", _R, _1),
        ObjectKey(0x00080060, "Modality", "CS", _R, _2, _DEFINITIONS),
        ObjectKey(0x00082218, "AnatomicRegionSequence", "SQ", _R, _2, _DEFINITIONS),
        ObjectKey(0x00200060, "Laterality", "CS", _R, _2, _DEFINITIONS),
        ObjectKey(0x00081032, "ProcedureCodeSequence", "SQ", _R, _2, _DEFINITIONS),
        ObjectKey(0x0040100A, "ReasonForRequestedProcedureCodeSequence", "SQ", _R, _2,
                  _DEFINITIONS),
        ObjectKey(0x00720014, "NumberOfPriorsReferenced", "US", _R, _1),
        ObjectKey(0x0072000E, "HangingProtocolUserIdentificationCodeSequence", "SQ", _R, _2),
        ObjectKey(0x00720010, "HangingProtocolUserGroupName", "LO", _R, _3),
        ObjectKey(0x00720100, "NumberOfScreens", "US", _R, _2),
        ObjectKey(0x00720102, "NominalScreenDefinitionSequence", "SQ", _N, _2),
        ObjectKey(0x00720104, "NumberOfVerticalPixels", "US", _N, _1, _SCREENS),
        ObjectKey(0x00720106, "NumberOfHorizontalPixels", "US", _N, _1, _SCREENS),
        ObjectKey(0x00720108, "DisplayEnvironmentSpatialPosition", "FD", _N, _1, _SCREENS),
        ObjectKey(0x0072010A, "ScreenMinimumGrayscaleBitDepth", "US", _N, _1C, _SCREENS),
        ObjectKey(0x0072010C, "ScreenMinimumColorBitDepth", "US", _N, _1C, _SCREENS),
        ObjectKey(0x0072010E, "ApplicationMaximumRepaintTime", "US", _N, _3, _SCREENS),
    )),
    ObjectModel(COLOR_PALETTE, "color-palette", ("1.2.840.10008.5.1.4.39.1",), (
        *_SOP,
        ObjectKey(0x00700080, "ContentLabel", "CS", _R, _1),
        ObjectKey(0x00700081, "ContentDescription", "LO", _N, _2),
        ObjectKey(0x00700084, "ContentCreatorName", "PN", _N, _2),
        ObjectKey(0x00700087, "AlternateContentDescriptionSequence", "SQ", _N, _3),
    )),
    ObjectModel(GENERIC_IMPLANT_TEMPLATE, "implant-template", ("1.2.840.10008.5.1.4.43.1",), (
        *_SOP,
        ObjectKey(0x00080070, "Manufacturer", "LO", _R, _ANY),
        ObjectKey(0x00221095, "ImplantName", "LO", _R, _ANY),
        ObjectKey(0x00686210, "ImplantSize", "LO", _R, _ANY),
        ObjectKey(0x00221097, "ImplantPartNumber", "LO", _R, _ANY),
        ObjectKey(0x00686226, "EffectiveDateTime", "DT", _R, _ANY),
        *_references(0x00686222, "ReplacedImplantTemplateSequence"),
        *_references(0x00686224, "DerivationImplantTemplateSequence"),
        *_references(0x00686225, "OriginalImplantTemplateSequence"),
        ObjectKey(0x00686230, "ImplantTargetAnatomySequence", "SQ", _R, _ANY),
        ObjectKey(0x006862A0, "ImplantRegulatoryDisapprovalCodeSequence", "SQ", _R, _ANY),
        ObjectKey(0x006863A0, "MaterialsCodeSequence", "SQ", _R, _ANY),
        ObjectKey(0x006863A4, "CoatingMaterialsCodeSequence", "SQ", _R, _ANY),
    )),
    ObjectModel(IMPLANT_ASSEMBLY_TEMPLATE, "implant-assembly", ("1.2.840.10008.5.1.4.44.1",), (
        *_SOP,
        ObjectKey(0x00760001, "ImplantAssemblyTemplateName", "LO", _R, _ANY),
        ObjectKey(0x00080070, "Manufacturer", "LO", _R, _ANY),
        ObjectKey(0x00760030, "SurgicalTechnique", "LO", _R, _ANY),
        ObjectKey(0x00760020, "ProcedureTypeCodeSequence", "SQ", _R, _ANY),
        *_references(0x00760008, "ReplacedImplantAssemblyTemplateSequence"),
        *_references(0x0076000C, "OriginalImplantAssemblyTemplateSequence"),
        *_references(0x0076000E, "DerivationImplantAssemblyTemplateSequence"),
    )),
    ObjectModel(IMPLANT_TEMPLATE_GROUP, "implant-group", ("1.2.840.10008.5.1.4.45.1",), (
        *_SOP,
        ObjectKey(0x00780001, "ImplantTemplateGroupName", "LO", _R, _ANY),
        ObjectKey(0x00780010, "ImplantTemplateGroupDescription", "ST", _N, _ANY),
        ObjectKey(0x00780020, "ImplantTemplateGroupIssuer", "LO", _R, _ANY),
        ObjectKey(0x00686226, "EffectiveDateTime", "DT", _R, _ANY),
        *_references(0x00780026, "ReplacedImplantTemplateGroupSequence"),
    )),
    ObjectModel(DEFINED_PROCEDURE_PROTOCOL, "procedure-protocol",
                ("1.2.840.10008.5.1.4.1.1.200.1", "1.2.840.10008.5.1.4.1.1.200.7"), (
        *_SOP,
        ObjectKey(0x0040A07C, "CustodialOrganizationSequence", "SQ", _R, _ANY),
        ObjectKey(0x00080080, "InstitutionName", "LO", _R, _ANY, _CUSTODIAN),
        ObjectKey(0x00080082, "InstitutionCodeSequence", "SQ", _R, _ANY, _CUSTODIAN),
        ObjectKey(0x00080220, "ResponsibleGroupCodeSequence", "SQ", _R, _ANY),
        ObjectKey(0x00181030, "ProtocolName", "LO", _R, _ANY),
        ObjectKey(0x00189906, "PotentialScheduledProtocolCodeSequence", "SQ", _R, _ANY),
        ObjectKey(0x00189907, "PotentialRequestedProcedureCodeSequence", "SQ", _R, _ANY),
        ObjectKey(0x00189909, "PotentialReasonsForProcedureCodeSequence", "SQ", _R, _ANY),
        *_references(0x0018990E, "PredecessorProtocolSequence"),
        ObjectKey(0x00700084, "ContentCreatorName", "PN", _R, _ANY),
        ObjectKey(0x00080012, "InstanceCreationDate", "DA", _R, _ANY),
        ObjectKey(0x00080013, "InstanceCreationTime", "TM", _R, _ANY),
        ObjectKey(0x00120010, "ClinicalTrialSponsorName", "LO", _R, _ANY),
        ObjectKey(0x00120020, "ClinicalTrialProtocolID", "LO", _R, _ANY),
        ObjectKey(0x00080221, "EquipmentModality", "CS", _R, _ANY),
        ObjectKey(0x00189912, "ModelSpecificationSequence", "SQ", _R, _ANY),
        ObjectKey(0x00080070, "Manufacturer", "LO", _R, _ANY, _SPECIFICATION),
        ObjectKey(0x00080222, "ManufacturerRelatedModelGroup", "LO", _R, _ANY, _SPECIFICATION),
        ObjectKey(0x00081090, "ManufacturerModelName", "LO", _R, _ANY, _SPECIFICATION),
        ObjectKey(0x00181020, "SoftwareVersions", "LO", _R, _ANY, _SPECIFICATION),
        ObjectKey(0x00082218, "AnatomicRegionSequence", "SQ", _R, _ANY),
        ObjectKey(0x00082228, "PrimaryAnatomicStructureSequence", "SQ", _R, _ANY),
    )),
    ObjectModel(PROTOCOL_APPROVAL, "protocol-approval", ("1.2.840.10008.5.1.4.1.1.200.3",), (
        *_SOP,
        ObjectKey(0x00080012, "InstanceCreationDate", "DA", _R, _ANY),
        ObjectKey(0x00080013, "InstanceCreationTime", "TM", _R, _ANY),
        *_references(0x00440109, "ApprovalSubjectSequence"),
        ObjectKey(0x00440100, "ApprovalSequence", "SQ", _R, _ANY),
        ObjectKey(0x00440101, "AssertionCodeSequence", "SQ", _R, _ANY, _APPROVAL),
        ObjectKey(0x00440102, "AssertionUID", "UI", _N, _ANY, _APPROVAL),
        ObjectKey(0x00440103, "AsserterIdentificationSequence", "SQ", _R, _ANY, _APPROVAL),
        ObjectKey(0x0040A123, "PersonName", "PN", _R, _ANY, _ASSERTER),
        ObjectKey(0x00401101, "PersonIdentificationCodeSequence", "SQ", _R, _ANY, _ASSERTER),
        ObjectKey(0x0044010A, "OrganizationalRoleCodeSequence", "SQ", _R, _ANY, _ASSERTER),
        ObjectKey(0x00080080, "InstitutionName", "LO", _R, _ANY, _ASSERTER),
        ObjectKey(0x00080082, "InstitutionCodeSequence", "SQ", _R, _ANY, _ASSERTER),
        ObjectKey(0x00440104, "AssertionDateTime", "DT", _R, _ANY, _APPROVAL),
        ObjectKey(0x00440105, "AssertionExpirationDateTime", "DT", _R, _ANY, _APPROVAL),
        ObjectKey(0x00440106, "AssertionComments", "UT", _N, _ANY, _APPROVAL),
    )),
)
# fmt: on

OBJECT_MODELS_BY_UID = {each.model.uid: each for each in OBJECT_MODELS}
"""The models by the SOP classes of C-FIND."""

OBJECT_CLASSES = {uid: each for each in OBJECT_MODELS for uid in each.sop_classes}
"""The models by the SOP classes of the instances that they find (PS3.4 GG.3)."""

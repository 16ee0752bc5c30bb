"""Ready-made presentation contexts by service, under pynetdicom's names (PS3.4, PS3.6 A)."""

from __future__ import annotations

from functools import cache

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from dicomquest.services.contexts import PresentationContext, build_context
from dicomquest.services.storage_classes import NOT_OF_PATIENTS

_QUERY_RETRIEVE = "QueryRetrieveInformationModel"

# One row a service: the keywords of its SOP classes (PS3.6 A).
SERVICES = {
    "VerificationPresentationContexts": ("Verification",),
    "QueryRetrievePresentationContexts": (
        "RepositoryQuery",
        *(f"PatientRoot{_QUERY_RETRIEVE}{verb}" for verb in ("Find", "Move", "Get")),
        *(f"StudyRoot{_QUERY_RETRIEVE}{verb}" for verb in ("Find", "Move", "Get")),
        *(f"PatientStudyOnly{_QUERY_RETRIEVE}{verb}" for verb in ("Find", "Move", "Get")),
        "CompositeInstanceRootRetrieveMove",
        "CompositeInstanceRootRetrieveGet",
        "CompositeInstanceRetrieveWithoutBulkDataGet",
    ),
    "BasicWorklistManagementPresentationContexts": ("ModalityWorklistInformationModelFind",),
    "RelevantPatientInformationPresentationContexts": (
        "GeneralRelevantPatientInformationQuery",
        "BreastImagingRelevantPatientInformationQuery",
        "CardiacRelevantPatientInformationQuery",
    ),
    "HangingProtocolPresentationContexts": tuple(
        f"HangingProtocolInformationModel{verb}" for verb in ("Find", "Move", "Get")
    ),
    "ColorPalettePresentationContexts": tuple(
        f"ColorPalette{_QUERY_RETRIEVE}{verb}" for verb in ("Find", "Move", "Get")
    ),
    "DefinedProcedureProtocolPresentationContexts": tuple(
        f"DefinedProcedureProtocolInformationModel{verb}" for verb in ("Find", "Move", "Get")
    ),
    "ProtocolApprovalPresentationContexts": tuple(
        f"ProtocolApprovalInformationModel{verb}" for verb in ("Find", "Move", "Get")
    ),
    "ImplantTemplatePresentationContexts": tuple(
        f"{template}InformationModel{verb}"
        for template in (
            "GenericImplantTemplate",
            "ImplantAssemblyTemplate",
            "ImplantTemplateGroup",
        )
        for verb in ("Find", "Move", "Get")
    ),
    "SubstanceAdministrationPresentationContexts": (
        "ProductCharacteristicsQuery",
        "SubstanceApprovalQuery",
    ),
    "UnifiedProcedurePresentationContexts": tuple(
        f"UnifiedProcedureStep{part}" for part in ("Push", "Watch", "Pull", "Event", "Query")
    ),
}
STORAGE = ("AllStoragePresentationContexts", "StoragePresentationContexts")

# Security screening and non-destructive testing have standards of their own.
OTHER_STANDARDS = ("DICOS", "EddyCurrent")

STORAGE_PROPOSED = 120
"""Contexts of ``StoragePresentationContexts``: few enough that others fit beside them.

An association has places for 128 (PS3.8 9.3.2.2).
"""


@cache
def _uids_by_keyword() -> dict[str, UID]:
    """Map keywords to SOP classes, but for retired ones of Storage, in the dictionary's order."""
    return {
        keyword: UID(uid)
        for uid, (_, kind, _, retired, keyword) in UID_dictionary.items()
        if kind == "SOP Class" and not (retired and "Storage" in keyword)
    }


def storage_sop_classes() -> list[UID]:
    """List the SOP classes of the Storage service that are not retired (PS3.4 B.5)."""
    left_out = tuple(f"{name}Storage" for name in NOT_OF_PATIENTS)
    return [
        uid
        for keyword, uid in _uids_by_keyword().items()
        if keyword.endswith(("Storage", "StorageForPresentation", "StorageForProcessing"))
        and keyword not in left_out
        and not keyword.startswith(OTHER_STANDARDS)
    ]


def context_list(name: str) -> list[PresentationContext]:
    """Build the list of contexts of this name, such as VerificationPresentationContexts."""
    if name in STORAGE:
        uids = storage_sop_classes()[
            : STORAGE_PROPOSED if name == "StoragePresentationContexts" else None
        ]
        return [build_context(uid) for uid in uids]
    return [build_context(_uids_by_keyword()[keyword]) for keyword in SERVICES[name]]

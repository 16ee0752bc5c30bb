"""A DICOM Query/Retrieve (Find) service: an SCP over an index or handlers, and an SCU (PS3.4 C).

The first use of a name imports its module, so a program loads only what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomquest import evt
    from dicomquest.ae import (
        AE,
        ALL_TRANSFER_SYNTAXES,
        DEFAULT_TRANSFER_SYNTAXES,
        AsynchronousOperationsWindowNegotiation,
        PresentationContext,
        SCP_SCU_RoleSelectionNegotiation,
        SOPClassCommonExtendedNegotiation,
        SOPClassExtendedNegotiation,
        UserIdentityNegotiation,
        build_context,
        build_role,
        debug_logger,
        find,
    )
    from dicomquest.ae.implementation import (
        PYNETDICOM_IMPLEMENTATION_UID,
        PYNETDICOM_IMPLEMENTATION_VERSION,
        PYNETDICOM_UID_PREFIX,
    )
    from dicomquest.errors import (
        ArchiveInUseError,
        AssociationAbortedError,
        AssociationError,
        AssociationRejectedError,
        ConnectionFailedError,
        ContextNotAcceptedError,
        DataSetError,
        DicomquestError,
        IdentifierError,
        IndexDatabaseError,
        LayoutError,
        LocalProtocolError,
        MissingContextsError,
        MissingIndexError,
        MissingPackageError,
        ProtocolError,
        QueryFailedError,
        RemoteProtocolError,
        StoreError,
        ValueFormatError,
    )
    from dicomquest.index import Index, open_index
    from dicomquest.query.options import QueryOptions
    from dicomquest.sync import Association

    AllStoragePresentationContexts: list[PresentationContext]
    BasicWorklistManagementPresentationContexts: list[PresentationContext]
    ColorPalettePresentationContexts: list[PresentationContext]
    DefinedProcedureProtocolPresentationContexts: list[PresentationContext]
    HangingProtocolPresentationContexts: list[PresentationContext]
    ImplantTemplatePresentationContexts: list[PresentationContext]
    ProtocolApprovalPresentationContexts: list[PresentationContext]
    QueryRetrievePresentationContexts: list[PresentationContext]
    RelevantPatientInformationPresentationContexts: list[PresentationContext]
    StoragePresentationContexts: list[PresentationContext]
    SubstanceAdministrationPresentationContexts: list[PresentationContext]
    UnifiedProcedurePresentationContexts: list[PresentationContext]
    VerificationPresentationContexts: list[PresentationContext]

__version__ = "0.1.0"

_HOMES = {
    # Name: module. Error classes are in dicomquest.errors, all others in dicomquest.ae.
    "Association": "dicomquest.sync",
    "Index": "dicomquest.index",
    "PYNETDICOM_IMPLEMENTATION_UID": "dicomquest.ae.implementation",
    "PYNETDICOM_IMPLEMENTATION_VERSION": "dicomquest.ae.implementation",
    "PYNETDICOM_UID_PREFIX": "dicomquest.ae.implementation",
    "QueryOptions": "dicomquest.query.options",
    "open_index": "dicomquest.index",
}

_MODULES = frozenset({
    "association", "events", "evt", "pdu_primitives", "presentation", "sop_class", "status",
})  # fmt: skip

__all__ = [
    "AE",
    "ALL_TRANSFER_SYNTAXES",
    "DEFAULT_TRANSFER_SYNTAXES",
    "PYNETDICOM_IMPLEMENTATION_UID",
    "PYNETDICOM_IMPLEMENTATION_VERSION",
    "PYNETDICOM_UID_PREFIX",
    "AllStoragePresentationContexts",
    "ArchiveInUseError",
    "Association",
    "AssociationAbortedError",
    "AssociationError",
    "AssociationRejectedError",
    "AsynchronousOperationsWindowNegotiation",
    "BasicWorklistManagementPresentationContexts",
    "ColorPalettePresentationContexts",
    "ConnectionFailedError",
    "ContextNotAcceptedError",
    "DataSetError",
    "DefinedProcedureProtocolPresentationContexts",
    "DicomquestError",
    "HangingProtocolPresentationContexts",
    "IdentifierError",
    "ImplantTemplatePresentationContexts",
    "Index",
    "IndexDatabaseError",
    "LayoutError",
    "LocalProtocolError",
    "MissingContextsError",
    "MissingIndexError",
    "MissingPackageError",
    "PresentationContext",
    "ProtocolApprovalPresentationContexts",
    "ProtocolError",
    "QueryFailedError",
    "QueryOptions",
    "QueryRetrievePresentationContexts",
    "RelevantPatientInformationPresentationContexts",
    "RemoteProtocolError",
    "SCP_SCU_RoleSelectionNegotiation",
    "SOPClassCommonExtendedNegotiation",
    "SOPClassExtendedNegotiation",
    "StoragePresentationContexts",
    "StoreError",
    "SubstanceAdministrationPresentationContexts",
    "UnifiedProcedurePresentationContexts",
    "UserIdentityNegotiation",
    "ValueFormatError",
    "VerificationPresentationContexts",
    "build_context",
    "build_role",
    "debug_logger",
    "evt",
    "find",
    "open_index",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dicomquest.{name}")
    if name not in __all__:
        raise import_module("dicomquest.absent_names").no_name(__name__, name)
    if name.endswith("PresentationContexts"):
        value = import_module("dicomquest.ae.context_lists").context_list(name)
    else:
        home = "dicomquest.errors" if name.endswith("Error") else _HOMES.get(name, "dicomquest.ae")
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

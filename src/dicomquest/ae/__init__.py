"""The front door: the application entity and the short ways, in the shapes that pynetdicom's users know."""

from __future__ import annotations

from dicomquest.ae.entity import AE
from dicomquest.ae.logs import debug_logger
from dicomquest.ae.negotiation_items import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
    build_role,
)
from dicomquest.ae.queries import find
from dicomquest.services.contexts import (
    ALL_TRANSFER_SYNTAXES,
    DEFAULT_TRANSFER_SYNTAXES,
    PresentationContext,
    build_context,
)

ApplicationEntity = AE

__all__ = [
    "AE",
    "ALL_TRANSFER_SYNTAXES",
    "DEFAULT_TRANSFER_SYNTAXES",
    "ApplicationEntity",
    "AsynchronousOperationsWindowNegotiation",
    "PresentationContext",
    "SCP_SCU_RoleSelectionNegotiation",
    "SOPClassCommonExtendedNegotiation",
    "SOPClassExtendedNegotiation",
    "UserIdentityNegotiation",
    "build_context",
    "build_role",
    "debug_logger",
    "find",
]

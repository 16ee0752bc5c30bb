"""The front door: the application entity and the short ways, in the shapes that pynetdicom's users know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from dicomquest.services.contexts import (
    ALL_TRANSFER_SYNTAXES,
    DEFAULT_TRANSFER_SYNTAXES,
    PresentationContext,
    build_context,
)

if TYPE_CHECKING:
    from dicomquest.ae.find_call import find

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


def __getattr__(name: str) -> Any:
    # What ``find`` knows of models and keys is a tenth of what there is to import, and an AE needs none of it.
    if name != "find":
        raise AttributeError(f"module 'dicomquest.ae' has no attribute {name!r}")
    from dicomquest.ae.find_call import find  # noqa: PLC0415

    globals()["find"] = find
    return find

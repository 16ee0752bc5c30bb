"""The front door: the application entity and ``find``, in pynetdicom's call shapes (PS3.8 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomquest.absent_names import no_name
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
    # The models and keys of ``find`` are a tenth of all imports, and an AE needs none of them.
    if name != "find":
        raise no_name(__name__, name)
    from dicomquest.ae.find_call import find  # noqa: PLC0415

    globals()["find"] = find
    return find

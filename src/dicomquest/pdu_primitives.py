"""The further items of an association request, under pynetdicom's module name (PS3.7 D.3.3)."""

from __future__ import annotations

from typing import Never

from dicomquest.absent_names import no_name
from dicomquest.ae.negotiation_items import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

__all__ = [
    "AsynchronousOperationsWindowNegotiation",
    "SCP_SCU_RoleSelectionNegotiation",
    "SOPClassCommonExtendedNegotiation",
    "SOPClassExtendedNegotiation",
    "UserIdentityNegotiation",
]


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)

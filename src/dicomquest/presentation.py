"""Presentation contexts and their ready-made lists, under pynetdicom's module name (PS3.8 7.1)."""

from __future__ import annotations

from dicomquest.absent_names import no_name
from dicomquest.ae.context_lists import SERVICES, STORAGE, context_list
from dicomquest.ae.negotiation_items import build_role
from dicomquest.handled_request import PresentationContextTuple
from dicomquest.services.contexts import (
    DEFAULT_TRANSFER_SYNTAXES,
    PresentationContext,
    build_context,
)

__all__ = [
    "DEFAULT_TRANSFER_SYNTAXES",
    "PresentationContext",
    "PresentationContextTuple",
    "build_context",
    "build_role",
]
# The lists are made when they are asked for.
__all__.extend((*SERVICES, *STORAGE))  # noqa: PYI056 (the page builder reads no other form)


def __getattr__(name: str) -> list[PresentationContext]:
    if name not in SERVICES and name not in STORAGE:
        raise no_name(__name__, name)
    contexts = context_list(name)
    globals()[name] = contexts
    return contexts

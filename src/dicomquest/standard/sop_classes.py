"""The SOP classes that this package serves or names, one row each (PS3.4 A, C.6; PS3.6 A)."""

from __future__ import annotations

from typing import NamedTuple

from dicomquest.standard.models import MODELS


class SOPClass(NamedTuple):
    """A service-object pair class; ``service`` is the DIMSE service on its contexts."""

    uid: str
    name: str
    service: str
    clause: str


VERIFICATION = SOPClass("1.2.840.10008.1.1", "Verification SOP Class", "C-ECHO", "A.4")

FIND_SOP_CLASSES: tuple[SOPClass, ...] = tuple(
    SOPClass(model.uid, model.name, "C-FIND", model.clause) for model in MODELS
)

SERVED: tuple[SOPClass, ...] = (VERIFICATION, *FIND_SOP_CLASSES)
SERVED_BY_UID = {sop_class.uid: sop_class for sop_class in SERVED}

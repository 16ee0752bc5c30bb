"""The SOP classes that this package serves or names, one row each (PS3.4 A, C.6; PS3.6 A)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dicomquest.standard.models import (
    COMPOSITE_INSTANCE_ROOT,
    MODALITY_WORKLIST,
    MODELS,
    NON_PATIENT_MODELS,
    REPOSITORY_QUERY,
    UPS_MODELS,
)


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

WORKLIST_FIND = SOPClass(
    MODALITY_WORKLIST.uid, MODALITY_WORKLIST.name, "C-FIND", MODALITY_WORKLIST.clause
)

REPOSITORY_FIND = SOPClass(
    REPOSITORY_QUERY.uid, REPOSITORY_QUERY.name, "C-FIND", REPOSITORY_QUERY.clause
)

OBJECT_FIND: tuple[SOPClass, ...] = tuple(
    SOPClass(model.uid, model.name, "C-FIND", model.clause) for model in NON_PATIENT_MODELS
)

UPS_FIND: tuple[SOPClass, ...] = tuple(
    SOPClass(model.uid, model.name, "C-FIND", model.clause) for model in UPS_MODELS
)
"""Of these SOP classes C-FIND alone is here."""

SERVED: tuple[SOPClass, ...] = (VERIFICATION, *FIND_SOP_CLASSES)
SERVED_BY_UID = {sop_class.uid: sop_class for sop_class in SERVED}


def _retrieve(suffix: str, service: str, uids: Sequence[str]) -> tuple[SOPClass, ...]:
    """Return the SOP classes of a retrieve service, named like those of FIND."""
    return tuple(
        SOPClass(uid, model.name.replace("FIND", suffix), service, model.clause)
        for model, uid in zip(MODELS, uids, strict=True)
    )


GET_SOP_CLASSES = _retrieve("GET", "C-GET", [model.get_uid for model in MODELS])
MOVE_SOP_CLASSES = _retrieve("MOVE", "C-MOVE", [model.move_uid for model in MODELS])
COMPOSITE_GET = SOPClass(
    COMPOSITE_INSTANCE_ROOT.get_uid,
    "Composite Instance Root Retrieve - GET",
    "C-GET",
    COMPOSITE_INSTANCE_ROOT.clause,
)
COMPOSITE_MOVE = SOPClass(
    COMPOSITE_INSTANCE_ROOT.move_uid,
    "Composite Instance Root Retrieve - MOVE",
    "C-MOVE",
    COMPOSITE_INSTANCE_ROOT.clause,
)
OBJECT_RETRIEVE: tuple[SOPClass, ...] = tuple(
    SOPClass(uid, model.name.replace("FIND", suffix), f"C-{suffix}", model.clause)
    for model in NON_PATIENT_MODELS
    for uid, suffix in ((model.get_uid, "GET"), (model.move_uid, "MOVE"))
)
RETRIEVE_SOP_CLASSES = (*GET_SOP_CLASSES, COMPOSITE_GET, *MOVE_SOP_CLASSES, COMPOSITE_MOVE)
QUERY_RETRIEVE_BY_UID = {
    each.uid: each
    for each in (
        *SERVED,
        REPOSITORY_FIND,
        WORKLIST_FIND,
        *UPS_FIND,
        *OBJECT_FIND,
        *OBJECT_RETRIEVE,
        *RETRIEVE_SOP_CLASSES,
    )
}

_ROOT = "1.2.840.10008.5.1.4.1"

# fmt: off
SOUGHT: tuple[SOPClass, ...] = (
    *SERVED,
    *GET_SOP_CLASSES[:2],
    *MOVE_SOP_CLASSES[:2],
    WORKLIST_FIND,
    SOPClass("1.2.840.10008.1.20.1", "Storage Commitment Push Model", "N-ACTION", "J.3"),
    SOPClass(f"{_ROOT}.1.1", "Computed Radiography Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.1.1", "Digital X-Ray Image Storage - For Presentation", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.2", "CT Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.2.1", "Enhanced CT Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.4", "MR Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.4.1", "Enhanced MR Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.6.1", "Ultrasound Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.7", "Secondary Capture Image Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.88.11", "Basic Text SR Storage", "C-STORE", "B.5"),
    SOPClass(f"{_ROOT}.1.104.1", "Encapsulated PDF Storage", "C-STORE", "B.5"),
)
"""SOP classes that somebody who looks at a peer wants to know about."""
# fmt: on

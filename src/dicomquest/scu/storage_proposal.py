"""The storage classes and transfer syntaxes in which we take instances (PS3.4 C.5.3)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.services.storage_classes import stored_sop_classes, stored_transfer_syntaxes
from dicomquest.standard.object_keys import OBJECT_CLASSES
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

if TYPE_CHECKING:
    from dicomquest.services.contexts import PresentationContext

MOST_CONTEXTS = MAXIMUM_CONTEXTS - 1
"""One of all is for the retrieve itself."""

UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

_IMAGES = "1.2.840.10008.5.1.4.1.1."
COMMON_CLASSES = tuple(
    f"{_IMAGES}{each}"
    for each in (
        "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1",  # CR, digital X-ray, mammography
        "2", "2.1", "2.2", "3.1", "4", "4.1", "4.2", "4.3", "4.4",  # CT, US multi-frame, MR
        "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4",  # US, secondary capture
        "9.1.1", "9.1.2", "9.1.3", "9.2.1",  # ECG and other waveforms
        "11.1", "11.2", "11.3", "11.4", "12.1", "12.1.1", "12.2", "12.2.1",  # states, XA, RF
        "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5", "20", "30",  # 3D, tomosynthesis, NM
        "66", "66.1", "66.2", "66.3", "66.4", "66.5",  # raw data, registration, segmentation
        "77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.3", "77.1.4", "77.1.4.1",  # visible light
        "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.6",  # ophthalmology, whole slides
        "88.11", "88.22", "88.33", "88.34", "88.40", "88.50", "88.59", "88.65", "88.67",  # SR
        "104.1", "104.2", "104.3", "128", "128.1", "130",  # documents, PET
        "481.1", "481.2", "481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9",  # RT
    )
)  # fmt: skip
"""The classes to propose if the peer does not say which ones it will send."""

_BY_MODALITY: dict[str, tuple[str, ...]] = {
    "CR": ("1",), "DX": ("1.1", "1.1.1"), "MG": ("1.2", "1.2.1", "13.1.3", "13.1.4"),
    "IO": ("1.3", "1.3.1"), "CT": ("2", "2.1", "2.2"), "MR": ("4", "4.1", "4.2", "4.3", "4.4"),
    "US": ("3.1", "6.1", "6.2"), "XA": ("12.1", "12.1.1", "13.1.1"), "RF": ("12.2", "12.2.1"),
    "NM": ("20",), "PT": ("128", "128.1", "130"), "ECG": ("9.1.1", "9.1.2", "9.1.3"),
    "SR": ("88.11", "88.22", "88.33", "88.34", "88.40", "88.65", "88.67"),
    "KO": ("88.59",), "PR": ("11.1", "11.2", "11.3", "11.4"), "SEG": ("66.4", "66.5"),
    "REG": ("66.1", "66.3"), "DOC": ("104.1", "104.2", "104.3"),
    "RTIMAGE": ("481.1",), "RTDOSE": ("481.2",), "RTSTRUCT": ("481.3",),
    "RTPLAN": ("481.5", "481.8"), "RTRECORD": ("481.4", "481.6", "481.7", "481.9"),
    "OT": ("7.1", "7.2", "7.3", "7.4"),
}  # fmt: skip
_CAPTURES = "7"


def classes_of_modality(modality: str) -> tuple[str, ...]:
    """Return the classes that series of a modality usually have; the common ones for others."""
    found = _BY_MODALITY.get(modality)
    if found is None:
        return COMMON_CLASSES
    return tuple(f"{_IMAGES}{each}" for each in (*found, _CAPTURES))


USUAL_SYNTAXES = (
    EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.2",
)  # fmt: skip
"""Transfer syntaxes that archives have, the usual ones first (PS3.5 10, A.4)."""


def storage_pairs(classes: Collection[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return SOP classes with the transfer syntaxes of a context; several contexts have one class.

    Behind the first context, which every acceptor can serve, each has one syntax: an acceptor
    chooses one of a context before it knows what it will send, and should not have to convert that.
    Where not all find room, each class has the usual ones.
    """
    chosen = sorted(classes) or list(COMMON_CLASSES)
    pairs: list[tuple[str, tuple[str, ...]]] = [(uid, UNCOMPRESSED) for uid in chosen]
    for syntax in USUAL_SYNTAXES:
        if len(pairs) + len(chosen) > MOST_CONTEXTS:
            break
        pairs += [(uid, (syntax,)) for uid in chosen]
    return pairs[:MOST_CONTEXTS]


def storage_contexts(pairs: Sequence[tuple[str, tuple[str, ...]]]) -> list[PresentationContext]:
    """Return the presentation contexts of such pairs."""
    from dicomquest.services.contexts import build_context  # noqa: PLC0415  it needs pydicom

    return [build_context(uid, list(syntaxes)) for uid, syntaxes in pairs]


def all_contexts() -> list[PresentationContext]:
    """Return a context for each storage class in each transfer syntax, for an acceptor."""
    from dicomquest.services.contexts import build_context  # noqa: PLC0415  it needs pydicom

    syntaxes = list(stored_transfer_syntaxes())
    return [build_context(uid, syntaxes) for uid in (*stored_sop_classes(), *OBJECT_CLASSES)]

"""The SOP classes and transfer syntaxes of the Storage service (PS3.4 B.5, PS3.5 10)."""

from __future__ import annotations

from functools import cache

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

# Instances that belong to no patient have a storage service of their own (PS3.4 GG).
NOT_OF_PATIENTS = (
    "CTDefinedProcedureProtocol",
    "XADefinedProcedureProtocol",
    "ProtocolApproval",
    "Inventory",
    "HangingProtocol",
    "ColorPalette",
    "GenericImplantTemplate",
    "ImplantAssemblyTemplate",
    "ImplantTemplateGroup",
    "MediaStorageDirectory",
)
# Transfer syntaxes that are no byte stream in a PDV, and one that nobody has ever sent.
NOT_OF_MESSAGES = ("RFC2557MIMEEncapsulation", "XMLEncoding", "Papyrus3ImplicitVRLittleEndian")

# StorageTrial ends the keywords of trial classes, StorageRetired those of a class that has a
# successor of the same name.
_ENDINGS = (
    "Storage",
    "StorageForPresentation",
    "StorageForProcessing",
    "StorageTrial",
    "StorageRetired",
)


def _keywords(kind: str) -> list[tuple[UID, str]]:
    """List UIDs of a kind with their keywords."""
    return [
        (UID(uid), keyword)
        for uid, (_, row_kind, _, _, keyword) in UID_dictionary.items()
        if row_kind == kind
    ]


@cache
def stored_sop_classes() -> tuple[UID, ...]:
    """List the SOP classes whose instances belong to a patient.

    Retired ones too: archives hold such instances for decades.
    """
    left_out = {f"{name}Storage" for name in NOT_OF_PATIENTS}
    return tuple(
        uid
        for uid, keyword in _keywords("SOP Class")
        if keyword.endswith(_ENDINGS) and keyword not in left_out
    )


@cache
def stored_transfer_syntaxes() -> tuple[UID, ...]:
    """List the transfer syntaxes of pydicom's dictionary, Implicit VR Little Endian first."""
    known = [uid for uid, keyword in _keywords("Transfer Syntax") if keyword not in NOT_OF_MESSAGES]
    return (
        UID(IMPLICIT_VR_LITTLE_ENDIAN),
        *(uid for uid in known if uid != IMPLICIT_VR_LITTLE_ENDIAN),
    )

"""What is stored: the SOP classes of the Storage service, and transfer syntaxes (PS3.4 B.5, PS3.5 10)."""

from __future__ import annotations

from functools import cache

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

# Storage of what belongs to no patient has its own service (PS3.4 GG).
NOT_OF_PATIENTS = (
    "CTDefinedProcedureProtocol", "XADefinedProcedureProtocol", "ProtocolApproval", "Inventory", "HangingProtocol",
    "ColorPalette", "GenericImplantTemplate", "ImplantAssemblyTemplate", "ImplantTemplateGroup",
    "MediaStorageDirectory",
)  # fmt: skip
# Of these the data set is no sequence of bytes in a PDV, or nobody has ever sent one.
NOT_OF_MESSAGES = ("RFC2557MIMEEncapsulation", "XMLEncoding", "Papyrus3ImplicitVRLittleEndian")

# Where its keyword stands in a row of the dictionary, which is (name, type, info, retired, keyword).
_ENDINGS = (
    "Storage",
    "StorageForPresentation",
    "StorageForProcessing",
    "StorageTrial",
    "StorageRetired",
)


def _rows(kind: str) -> list[tuple[UID, str]]:
    return [(UID(uid), row[4]) for uid, row in UID_dictionary.items() if row[1] == kind]


@cache
def stored_sop_classes() -> tuple[UID, ...]:
    """Every SOP class whose instances belong to a patient, retired ones too: archives hold them for decades."""
    left_out = {f"{name}Storage" for name in NOT_OF_PATIENTS}
    # Of a trial the keyword ends so; of a class that another of the same name followed, so.
    return tuple(
        uid
        for uid, keyword in _rows("SOP Class")
        if keyword.endswith(_ENDINGS) and keyword not in left_out
    )


@cache
def stored_transfer_syntaxes() -> tuple[UID, ...]:
    """Every transfer syntax of the dictionary, Implicit VR Little Endian first."""
    known = [uid for uid, keyword in _rows("Transfer Syntax") if keyword not in NOT_OF_MESSAGES]
    return (
        UID(IMPLICIT_VR_LITTLE_ENDIAN),
        *(uid for uid in known if uid != IMPLICIT_VR_LITTLE_ENDIAN),
    )

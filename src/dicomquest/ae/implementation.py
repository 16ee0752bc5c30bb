"""The words about this program, under pynetdicom's names (PS3.7 D.3.3.2)."""

from __future__ import annotations

from pydicom.uid import UID

from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PYNETDICOM_IMPLEMENTATION_UID = UID(IMPLEMENTATION_CLASS_UID)
PYNETDICOM_IMPLEMENTATION_VERSION = IMPLEMENTATION_VERSION_NAME

PYNETDICOM_UID_PREFIX = f"{IMPLEMENTATION_CLASS_UID}."
"""The root of the UIDs that this program makes: below the one that names it."""

"""Tags that more than one package names, and the arithmetic of private ones (PS3.5 7.1.1, 7.8.1).

A tag is one ``int``, ``group << 16 | element``. Query keys have their tags in ``keys``, by keyword.
"""

from __future__ import annotations

TRANSFER_SYNTAX_UID = 0x00020010
SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
QUERY_RETRIEVE_LEVEL = 0x00080052
QUERY_RETRIEVE_VIEW = 0x00080053
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
REMOVED_FROM_OPERATIONAL_USE = 0x00080405
RECORD_KEY = 0x0008041B
PRIOR_RECORD_KEY = 0x0008041C
MAXIMUM_NUMBER_OF_RECORDS = 0x00080429
TIMEZONE_OFFSET_FROM_UTC = 0x00080201
"""Belongs to every level: each entity keeps that of the instance received last which has one."""
RETRIEVE_URL = 0x00081190
"""The address by which an entity is retrieved (PS3.18 10.6.3.3)."""
ANATOMIC_REGION_SEQUENCE = 0x00082218
SCHEDULED_PROCEDURE_STEP_SEQUENCE = 0x00400100
RETRIEVE_LOCATION_UID = 0x0040E011
STORAGE_MEDIA_FILE_SET_ID = 0x00880130
STORAGE_MEDIA_FILE_SET_UID = 0x00880140

FIRST_TAG = 0x00080000
"""The first tag of a data set: lower groups are those of messages, files and directories."""

_BLOCK = 0x0000FF00


def tag_text(tag: int) -> str:
    """Return a tag as the Standard writes it: ``(0010,0020)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def private_tag_text(tag: int) -> str:
    """Return a private tag with its block left open: ``(0029,xx10)``."""
    return f"({tag >> 16:04X},xx{tag & 0xFF:02X})"


def is_private(tag: int) -> bool:
    """Tell whether the group is odd, which makes a tag private."""
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """Tell whether the tag reserves a block: (gggg,0010-00FF), gggg odd (PS3.5 7.8.1)."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def creator_tag(tag: int) -> int:
    """Return the tag of the creator that reserved a private tag's block."""
    return tag & 0xFFFF0000 | (tag >> 8 & 0xFF)


def without_block(tag: int) -> int:
    """Return a private tag with block 0: each data set may have its creator in another block."""
    return tag & ~_BLOCK


def in_block(tag: int, block: int) -> int:
    """Return a private tag moved to the block that its creator has reserved."""
    return tag & ~_BLOCK | block << 8

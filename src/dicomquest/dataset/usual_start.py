"""The usual beginning of a file, read without a decoder (PS3.10 7.1; PS3.5 7.1.2).

Whoever sends stored files asks each for its transfer syntax and its UIDs alone, and a decoder takes
eight times as long to tell.
"""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.value_fields import CODES
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS

_LONGEST_META: Final = 1024
"""Bytes of a File Meta Information that is remembered."""

_BEGINNING = b"DICM\x02\0\0\0UL\x04\0"
_BEGINNING_AT = 128
_META_AT = _BEGINNING_AT + len(_BEGINNING) + 4
_META_GROUP = b"\x02\0"
_INSTANCE_UID = b"\x02\0\x03\0UI"
_TRANSFER_SYNTAX_UID = 0x0010

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_UL = Struct("<I").unpack_from
_CODES = frozenset(CODES.values())
_SHORT_FORM = frozenset(CODES[row.vr] for row in VALUE_REPRESENTATIONS if not row.long_form)
_UI = b"UI"
_UID = re.compile(rb"([0-9.]{1,64})\0?")
_PLAIN = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN})
# Encapsulated pixel data: the elements around it are in Explicit VR Little Endian (PS3.5 A.4).
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(?:4\.\d+|5)")


class UsualStart(NamedTuple):
    """The offset and transfer syntax of a file's data set, and the UIDs in it."""

    start: int
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str


def usual_start(data: bytes) -> UsualStart | None:
    """Return the beginning of a file; None if anything of it is not as usual."""
    if not data.startswith(_BEGINNING, _BEGINNING_AT) or len(data) < _META_AT:
        return None
    start = _META_AT + _UL(data, _META_AT - 4)[0]
    meta = data[_META_AT:start]
    at = meta.find(_INSTANCE_UID)
    if at < 0 or len(meta) > _LONGEST_META or data.startswith(_META_GROUP, start):
        return None
    # All else of it is the same in the files of one writer.
    behind = at + 8 + int.from_bytes(meta[at + 6 : at + 8], "little")
    syntax = _transfer_syntax(meta[:at], meta[behind:]) if behind <= len(meta) else ""
    if not syntax or start > len(data):
        return None
    uids = _uids(data, start, is_explicit=syntax != IMPLICIT_VR_LITTLE_ENDIAN)
    return None if uids is None else UsualStart(start, syntax, *uids)


@lru_cache(maxsize=64)
def _transfer_syntax(before: bytes, behind: bytes) -> str:
    """Return the transfer syntax by the meta elements around the instance's UID; "" if unusual."""
    found = ""
    for part, first, last in ((before, 1, 2), (behind, 4, 0xFFFF)):
        position = 0
        previous = first - 1
        while position < len(part):
            if len(part) - position < 8:
                return ""
            group, number, code, length = _EXPLICIT(part, position)
            value = position + 8
            if code == b"OB" and value + 4 <= len(part):
                (length,) = _UL(part, value)
                value += 4
            elif code not in _SHORT_FORM:
                return ""
            position = value + length
            if group != 2 or not previous < number <= last or position > len(part):
                return ""
            previous = number
            if number == _TRANSFER_SYNTAX_UID:
                found = _uid(code, part[value:position])
    return found if found in _PLAIN or _ENCAPSULATED.fullmatch(found) else ""


def _uids(data: bytes, position: int, *, is_explicit: bool) -> tuple[str, str] | None:
    """Return the UIDs of class and instance; None unless short elements lead to them in order."""
    if not is_explicit and data[position + 4 : position + 6] in _CODES:
        return None
    sop_class = ""
    previous = 0
    last = len(data) - 8
    while position <= last:
        if is_explicit:
            group, number, code, length = _EXPLICIT(data, position)
        else:
            group, number, length = _IMPLICIT(data, position)
            code = IMPLICIT_CODES.get(group << 16 | number)
        tag = group << 16 | number
        if code not in _SHORT_FORM or not previous < tag <= SOP_INSTANCE_UID:
            return None
        previous = tag
        value = position + 8
        position = value + length
        if position > len(data):
            return None
        if tag == SOP_CLASS_UID:
            sop_class = _uid(code, data[value:position])
            if not sop_class:
                return None
        if tag == SOP_INSTANCE_UID:
            sop_instance = _uid(code, data[value:position])
            return (sop_class, sop_instance) if sop_class and sop_instance else None
    return None


def _uid(code: bytes | None, value: bytes) -> str:
    """Return a UID without its padding; "" if the VR or the value is that of none."""
    found = _UID.fullmatch(value)
    return found[1].decode() if found and code == _UI else ""

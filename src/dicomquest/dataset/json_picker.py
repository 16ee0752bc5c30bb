"""Attributes picked out of a DICOM JSON Model object, straight to bytes (PS3.5 7.1, PS3.18 F.2).

It knows ASCII text in little endian, which is nearly all of a worklist, and leaves the rest to the
plain encoder. A property test holds the two equal byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from dicomquest.standard.vr import VR, Kind

_LONGEST_SHORT = 0xFFFE
"""The largest even length of a 16-bit length field (PS3.5 7.1.2)."""


class Picked(NamedTuple):
    """An attribute to return; ``items`` are those of a sequence's items, None for whole items."""

    tag: int
    name: str
    vr: str
    items: tuple[Picked, ...] | None = None


class NotPlainError(Exception):
    """Some value is not ASCII text: the plain encoder has to write it."""


class _Head(NamedTuple):
    start: bytes
    is_long: bool
    pad: bytes


def picked_bytes(obj: Mapping[str, Any], picked: Sequence[Picked], *, is_implicit: bool) -> bytes:
    """Return the attributes in bytes, absent ones empty; NotPlainError if that is not possible."""
    parts: list[bytes] = []
    for each in picked:
        found = obj.get(each.name)
        if found is None:
            parts += _framed(_head(each.tag, each.vr, is_implicit), b"")
        else:
            _add(parts, each.tag, found, each.items, is_implicit=is_implicit)
    return b"".join(parts)


def _add(
    parts: list[bytes],
    tag: int,
    found: Mapping[str, Any],
    items: tuple[Picked, ...] | None,
    *,
    is_implicit: bool,
) -> None:
    vr = found["vr"]
    head = _head(tag, vr, is_implicit)
    values = found.get("Value", ())
    if vr == "SQ":
        data = b"".join(
            b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
            for item in (_item(each, items, is_implicit=is_implicit) for each in values)
        )
    else:
        data = _text(vr, values)
        if len(data) & 1:
            data += head.pad
    parts += _framed(head, data)


def _item(item: Mapping[str, Any], items: tuple[Picked, ...] | None, *, is_implicit: bool) -> bytes:
    if items is not None:
        return picked_bytes(item, items, is_implicit=is_implicit)
    parts: list[bytes] = []
    for name in sorted(item):
        _add(parts, int(name, 16), item[name], None, is_implicit=is_implicit)
    return b"".join(parts)


def _text(vr: str, values: Sequence[Any]) -> bytes:
    if vr == "PN":
        values = [_alphabetic(value) for value in values]
    text = "\\".join([value or "" for value in values])
    if not text.isascii():
        raise NotPlainError
    return text.encode("ascii")


def _alphabetic(name: Mapping[str, str] | None) -> str:
    """Return a name of one group; others have delimiters of their own."""
    if name is None:
        return ""
    if len(name) != 1 or "Alphabetic" not in name:
        raise NotPlainError
    return name["Alphabetic"]


def _framed(head: _Head, data: bytes) -> tuple[bytes, bytes, bytes]:
    if head.is_long:
        return head.start, len(data).to_bytes(4, "little"), data
    if len(data) > _LONGEST_SHORT:
        raise NotPlainError
    return head.start, len(data).to_bytes(2, "little"), data


@lru_cache(maxsize=4096)
def _head(tag: int, vr: str, is_implicit: bool) -> _Head:
    """Return the bytes before the length; NotPlainError for a VR that is no text."""
    facts = VR[vr]
    if facts.kind not in {Kind.TEXT, Kind.SEQUENCE}:
        raise NotPlainError
    place = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    pad = facts.pad.encode("ascii") if facts.kind is Kind.TEXT else b""
    if is_implicit:
        return _Head(place, True, pad)
    reserved = b"\0\0" if facts.long_form else b""
    return _Head(place + vr.encode("ascii") + reserved, facts.long_form, pad)

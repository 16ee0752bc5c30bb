"""The bytes that the headers of a series have in common, and the places of the rest (PS3.5 7.1).

Two headers of a series differ in some short values, such as the SOP Instance UID and the Instance
Number. A pattern compares all other bytes as long runs, and decodes these values alone.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.decoder import Decoder
from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.dataset.value_fields import (
    REMEMBERED_LENGTH,
    Place,
    Remarks,
    little_endian_element,
    scope_of,
)
from dicomquest.errors import DataSetError
from dicomquest.standard.vr import VALUE_REPRESENTATIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from dicomquest.dataset.elements import Element

LONGEST_HEADER = 16 * 1024
"""Bytes of a header that is worth a pattern, which is kept; usual ones have less than half."""

HEADER_TAG = 4
"""Bytes of the tag at which a header stops."""

_SHORT_CODES = frozenset(
    row.vr.encode("ascii") for row in VALUE_REPRESENTATIONS if not row.long_form
)
_SHORTEST_HEADER = 8
_short_length = struct.Struct("<H").unpack_from
_long_length = struct.Struct("<I").unpack_from


class _Part(NamedTuple):
    """A run of common bytes, which ends within the header of an element, and the VR of that."""

    run: bytes
    code: bytes


class Match(NamedTuple):
    """The changed elements of a header, in the order of the pattern's tags, and its end."""

    elements: list[Element]
    end: int


class HeaderPattern:
    """The runs of bytes of a header, and the elements between them, in little endian."""

    __slots__ = ("_explicit", "_last", "_parts", "_stops")

    def __init__(self, parts: list[_Part], last: bytes, *, explicit: bool, stops: bool) -> None:
        """Compare ``last`` behind all parts; it has the tag at which a header ``stops``."""
        self._parts = parts
        self._last = last
        self._explicit = explicit
        self._stops = stops

    def match(self, data: bytes, position: int) -> Match | None:
        """Return the changed elements of the header at a position; None if more is changed."""
        elements = []
        explicit, size = self._explicit, len(data)
        for run, code in self._parts:
            if not data.startswith(run, position):
                return None
            position += len(run)
            start = position + (2 if explicit else 4)
            if start > size:
                return None
            (length,) = (_short_length if explicit else _long_length)(data, position)
            position = start + length
            if length > REMEMBERED_LENGTH or position > size:
                return None
            element = little_endian_element(code, data[start:position])
            if element is None:
                return None
            elements.append(element)
        if not data.startswith(self._last, position):
            return None
        if not self._stops:
            end = position + len(self._last)
            return Match(elements, end) if end == size else None
        # A decoder stops at an element whose header is there: one that is cut off is no end.
        end = position + len(self._last) - HEADER_TAG
        return Match(elements, end) if end + _SHORTEST_HEADER <= size else None


def header_pattern(
    data: bytes, start: int, end: int, tags: Collection[int], *, explicit: bool, stops: bool
) -> HeaderPattern | None:
    """Return the pattern of the header in ``data[start:end]`` whose elements of ``tags`` change.

    The header has been decoded without a remark; with ``stops``, at a tag that stands behind it.
    None if one of these elements has no short form.
    """
    decoder = Decoder(data, limits=FILE_LIMITS, remarks=Remarks(), largest_opaque=0, start=start)
    place = Place(scope_of(()), explicit=explicit)
    parts: list[_Part] = []
    run = start
    try:
        for tag in sorted(tags):
            before = decoder.read(place, run, end, tag)
            behind = decoder.read(place, before, end, tag + 1)
            code = data[before + 4 : before + 6] if explicit else IMPLICIT_CODES.get(tag, b"")
            if behind == before or code not in _SHORT_CODES:
                return None
            parts.append(_Part(data[run : before + (6 if explicit else 4)], code))
            run = behind
    except DataSetError:
        return None
    last = data[run : end + HEADER_TAG if stops else end]
    return HeaderPattern(parts, last, explicit=explicit, stops=stops)

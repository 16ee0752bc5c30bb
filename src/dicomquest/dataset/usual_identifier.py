"""A quick way through a small data set of usual elements, such as an identifier's (PS3.5 7.1).

Most keys of an identifier have no value, and stand in few rows, which come again in each request of
the same program: a row is remembered as a whole. The decoder reads whatever is less usual.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import NamedTuple

from dicomquest.dataset.decoder import Decoder
from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.value_fields import (
    CODES,
    REMEMBERED_LENGTH,
    Place,
    Remarks,
    inner_scope,
    little_endian_element,
    scope_of,
)
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import FIRST_TAG, SPECIFIC_CHARACTER_SET
from dicomquest.standard.vr import VALUE_REPRESENTATIONS

LONGEST = 1024
"""Bytes of a data set that is read this way; usual identifiers have some hundred."""

MOST_ELEMENTS = LONGEST // 8
"""Elements that such a data set has at most, each with a header of eight bytes."""

_SHORT_FORM = frozenset(CODES[row.vr] for row in VALUE_REPRESENTATIONS if not row.long_form)
# Letters, not whole VRs, of which a pattern would try one by one; a long form is left to ``_row``.
_LETTERS = tuple(bytes(sorted({code[place] for code in _SHORT_FORM})) for place in (0, 1))
_EXPLICIT_ROW = re.compile(rb"(?:.{4}[%s][%s]\0\0)+" % _LETTERS, re.DOTALL)
_IMPLICIT_ROW = re.compile(rb"(?:.{4}\0\0\0\0)+", re.DOTALL)
_EXPLICIT_HEADER = struct.Struct("<HH2sH").unpack_from
_IMPLICIT_HEADER = struct.Struct("<HHI").unpack_from
_HEADER_SIZE = 8
_PIXEL_REPRESENTATION = 0x00280103
# Delimiters of items have this group.
_DELIMITERS = 0xFFFE


class _Row(NamedTuple):
    """Elements without a value that follow each other."""

    first: int
    last: int
    elements: DataSet


def usual_elements(data: bytes, *, explicit: bool) -> DataSet | None:
    """Return the elements of little endian bytes as the decoder does; None if it has to look."""
    header, rows = (
        (_EXPLICIT_HEADER, _EXPLICIT_ROW) if explicit else (_IMPLICIT_HEADER, _IMPLICIT_ROW)
    )
    elements: DataSet = {}
    position, end, previous = 0, len(data), FIRST_TAG - 1
    while position < end:
        if (found := rows.match(data, position)) is not None:
            row = _row(found[0], explicit)
            if row is None or row.first <= previous:
                return None
            elements.update(row.elements)
            position, previous = found.end(), row.last
            continue
        start = position + _HEADER_SIZE
        if start > end:
            return None
        if explicit:
            group, number, code, length = header(data, position)
        else:
            group, number, length = header(data, position)
            code = IMPLICIT_CODES.get(group << 16 | number)
        tag, position = group << 16 | number, start + length
        if (
            tag <= previous
            or not number
            or group & 1
            or group == _DELIMITERS
            or code not in _SHORT_FORM
            or length > REMEMBERED_LENGTH
            or position > end
        ):
            return None
        element = little_endian_element(code, data[start:position])
        if element is None or (tag in _CHANGES and not _changes_nothing(tag, element)):
            return None
        elements[tag] = element
        previous = tag
    return elements


_CHANGES = frozenset({SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION})


def _changes_nothing(tag: int, element: Element) -> bool:
    """Tell whether ASCII is read alike behind an element that says how to read the others."""
    remarks = Remarks()
    return (
        tag == SPECIFIC_CHARACTER_SET
        and inner_scope(scope_of(()), element, remarks).is_ascii
        and not remarks
    )


@lru_cache(maxsize=256)
def _row(data: bytes, explicit: bool) -> _Row | None:
    """Return a row of elements without a value; None if it is not plain that they are usual."""
    remarks, place = Remarks(), Place(scope_of(()), explicit=explicit)
    try:
        end = Decoder(data, remarks=remarks).read(place, 0, len(data))
    except DataSetError:
        return None
    elements = place.elements
    if (
        remarks
        or end < len(data)
        or len(elements) * _HEADER_SIZE < len(data)
        or any(
            element.values or tag >> 16 & 1 or tag in _CHANGES for tag, element in elements.items()
        )
    ):
        return None
    tags = tuple(elements)
    return _Row(tags[0], tags[-1], elements)

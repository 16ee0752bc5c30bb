"""The end of encapsulated pixel data, found by the headers of its fragments alone (PS3.5 A.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from dicomquest.dataset.codec import PIXEL_DATA
from dicomquest.dataset.decoder import ITEM, SEQUENCE_DELIMITER, UNDEFINED
from dicomquest.errors import DataSetError

_ELEMENT = struct.Struct("<HH2s2xI")
_FRAGMENT = struct.Struct("<HHI")

_MOST: Final = 1_000_000
"""Fragments after which the search ends: a larger one counts as whole."""

_READ: Final = 1 << 12
"""Bytes of one read: many small fragments, and of a large one no more than a page."""


def is_whole(read: Callable[[int, int], bytes], at: int) -> bool:
    """Tell whether a file has all of the encapsulated pixel data at ``at``, if there is any.

    ``read(count, at)`` returns bytes of the file. The element is in explicit VR little endian.
    DataSetError if anything but a fragment is in it.
    """
    data = read(_READ, at)
    if len(data) < _ELEMENT.size:
        return False
    group, number, _, length = _ELEMENT.unpack_from(data)
    if group << 16 | number != PIXEL_DATA or length != UNDEFINED:
        return True
    position, read_from = at + _ELEMENT.size, at
    for _ in range(_MOST):
        if position + _FRAGMENT.size > read_from + len(data):
            read_from, data = position, read(_READ, position)
            if len(data) < _FRAGMENT.size:
                return False
        group, number, length = _FRAGMENT.unpack_from(data, position - read_from)
        tag = group << 16 | number
        if tag == SEQUENCE_DELIMITER:
            return True
        if tag != ITEM or length == UNDEFINED:
            raise DataSetError("no fragment where one was expected in pixel data", offset=position)
        position += _FRAGMENT.size + length
    return True

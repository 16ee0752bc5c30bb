"""The bytes of a data set whose large values are elsewhere (PS3.5 7.1.2, 7.5, A.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dicomquest.dataset.charset import UTF_8
from dicomquest.dataset.codec import PIXEL_DATA
from dicomquest.dataset.elements import BulkAddress, DataSet, Element
from dicomquest.dataset.encoder import encode, encode_item
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import FIRST_TAG, SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VR, Kind

BULK_VRS = frozenset(
    ("DS", "FL", "FD", "IS", "LT", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "ST", "SV",
     "UC", "UL", "UN", "US", "UT", "UV")
)  # fmt: skip
"""The VRs whose value may have an address (PS3.18 Table F.2.3-1)."""

_LAST_TAG = 0xFFFCFFFC
_UNDEFINED = 0xFFFFFFFF
_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, _UNDEFINED)
_ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_NO_OFFSETS = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
_LONGEST_SHORT = 0xFFFE


class Extent(NamedTuple):
    """The place of bytes that the caller has."""

    start: int
    length: int


class BulkParts(NamedTuple):
    """The extents of a value at an address, each that of a frame if it is compressed."""

    extents: tuple[Extent, ...]
    is_compressed: bool = False


class Survey(NamedTuple):
    """The addresses in a data set, with the VRs of their elements, and the need of UTF-8."""

    addresses: dict[BulkAddress, str]
    needs_utf_8: bool


def survey(data_set: DataSet) -> Survey:
    """Return what a data set holds by address; DataSetError if it cannot be written."""
    addresses: dict[BulkAddress, str] = {}
    needs = SPECIFIC_CHARACTER_SET in data_set
    level = [data_set]
    for _ in range(FILE_LIMITS.depth):
        below: list[DataSet] = []
        for each in level:
            for tag, element in each.items():
                needs |= _look(tag, element, addresses, below)
        level = below
    if level:
        raise DataSetError(f"sequences are nested deeper than {FILE_LIMITS.depth}")
    return Survey(addresses, needs)


def _look(
    tag: int, element: Element, addresses: dict[BulkAddress, str], below: list[DataSet]
) -> bool:
    """Note the addresses and the items of an element; tell whether it needs UTF-8."""
    vr, values = element
    if not 0 <= tag <= _LAST_TAG:
        raise DataSetError(f"{tag:08X} is no tag of a data element")
    if values and isinstance(values[0], BulkAddress):
        if vr not in BULK_VRS:
            raise DataSetError(f"a value of VR {vr} cannot be by address", tag=tag)
        if values[0] in addresses:
            raise DataSetError("two values have one address", tag=tag)
        addresses[values[0]] = vr
        return VR[vr].charset
    if vr == "SQ":
        below += values
        return False
    return VR[vr].kind is Kind.TEXT and not all(map(str.isascii, values))


def encode_spliced(
    data_set: DataSet,
    parts_of: Callable[[BulkAddress], BulkParts],
    *,
    is_utf_8: bool,
) -> Iterator[bytes | Extent]:
    """Yield the bytes of a data set in explicit VR little endian; for some, the place of theirs.

    DataSetError for a value that cannot be written. ``survey`` has passed the data set.
    """
    terms = UTF_8 if is_utf_8 else ()
    if is_utf_8:
        data_set = data_set | {SPECIFIC_CHARACTER_SET: Element("CS", terms)}
    yield from _pieces(data_set, parts_of, terms)


def _pieces(
    data_set: DataSet, parts_of: Callable[[BulkAddress], BulkParts], terms: tuple[str, ...]
) -> Iterator[bytes | Extent]:
    plain: DataSet = {}
    for tag in sorted(data_set):
        if tag < FIRST_TAG or not tag & 0xFFFF:
            continue
        element = data_set[tag]
        is_bulk = bool(element.values) and isinstance(element.values[0], BulkAddress)
        if not is_bulk and not (element.vr == "SQ" and _has_bulk(element)):
            plain[tag] = element
            continue
        yield _plain(plain, terms)
        plain = {}
        if is_bulk:
            yield from _bulk(tag, element.vr, parts_of(element.values[0]))
            continue
        yield _header(tag, "SQ", _UNDEFINED)
        for item in element.values:
            yield _ITEM
            without = {each: item[each] for each in item if each != SPECIFIC_CHARACTER_SET}
            yield from _pieces(without, parts_of, terms)
            yield _ITEM_END
        yield _SEQUENCE_END
    yield _plain(plain, terms)


def _plain(elements: DataSet, terms: tuple[str, ...]) -> bytes:
    write = encode if SPECIFIC_CHARACTER_SET in elements else encode_item
    return write(elements, EXPLICIT_VR_LITTLE_ENDIAN, terms)


def _has_bulk(element: Element) -> bool:
    """Tell whether an item of a sequence, or one below it, has a value by address."""
    return any(
        isinstance(value, BulkAddress) or (found.vr == "SQ" and _has_bulk(found))
        for item in element.values
        for found in item.values()
        for value in found.values[:1]
    )


def _bulk(tag: int, vr: str, parts: BulkParts) -> Iterator[bytes | Extent]:
    if parts.is_compressed:
        if tag != PIXEL_DATA:
            raise DataSetError("only pixel data can be compressed", tag=tag)
        yield _header(tag, "OB", _UNDEFINED) + _NO_OFFSETS
        for extent in parts.extents:
            padded = extent.length + (extent.length & 1)
            if padded >= _UNDEFINED:
                raise DataSetError("a frame is longer than its length field can say", tag=tag)
            yield struct.pack("<HHI", 0xFFFE, 0xE000, padded)
            yield extent
            yield b"\0" * (extent.length & 1)
        yield _SEQUENCE_END
        return
    length = sum(extent.length for extent in parts.extents)
    yield _header(tag, vr, length + (length & 1))
    yield from parts.extents
    yield VR[vr].pad.encode("ascii") * (length & 1)


def _header(tag: int, vr: str, length: int) -> bytes:
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode("ascii"))
    if VR[vr].long_form:
        if length > _UNDEFINED:
            raise DataSetError("a value is longer than its length field can say", tag=tag)
        return start + struct.pack("<2xI", length)
    if length > _LONGEST_SHORT:
        raise DataSetError(f"a value of VR {vr} is longer than {_LONGEST_SHORT} bytes", tag=tag)
    return start + struct.pack("<H", length)

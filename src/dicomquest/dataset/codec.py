"""Data sets to bytes and back, in the transfer syntaxes of PS3.5 A."""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable
from typing import NamedTuple, cast

from dicomquest.dataset import usual_identifier
from dicomquest.dataset.charset import FALLBACK, Terms
from dicomquest.dataset.decoder import Decoder, TruncatedDataSetError, declared_end
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.encoder import deflate, encode
from dicomquest.dataset.limits import (
    FILE_LIMITS,
    IDENTIFIER_LIMITS,
    RESPONSE_LIMITS,
    Limits,
)
from dicomquest.dataset.value_fields import Place, Remark, RemarkKind, Remarks, scope_of
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VR

__all__ = [
    "FILE_LIMITS",
    "IDENTIFIER_LIMITS",
    "PIXEL_DATA",
    "RESPONSE_LIMITS",
    "Header",
    "Limits",
    "Remark",
    "RemarkKind",
    "Remarks",
    "TruncatedDataSetError",
    "decode",
    "decode_header",
    "deflate",
    "encode",
    "is_deflated",
    "is_implicit",
    "is_whole_stream",
]

PIXEL_DATA = 0x7FE00010

# 1.2.840.113619.5.2 is GE's private syntax: implicit VR little endian, only its pixel data is big
# endian. 1.2.840.10008.1.2.4.95 and .205 are the deflated ones of JPIP (PS3.6 A).
_IMPLICIT = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.113619.5.2"})
_DEFLATED = frozenset(
    {DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"},
)
# A header is looked for in this many inflated bytes first: most headers are smaller by far.
_FIRST_INFLATED = 1 << 20
# Bytes of a stream that are taken at a time: of a mapped file only what is needed is read.
_DEFLATED_PART = 1 << 16
_CODES = frozenset(vr.encode("ascii") for vr in VR)


def decode(
    data: bytes,
    transfer_syntax: str,
    *,
    fallback: Terms = FALLBACK,
    limits: Limits = RESPONSE_LIMITS,
    remarks: Remarks | None = None,
    charset: Terms = (),
) -> DataSet:
    """Return the elements of a whole data set; DataSetError for other bytes and beyond the limits.

    ``charset`` are the terms to read all text in, whatever the data set names; ``fallback`` are
    those tried in turn for 8-bit text that names no character set. Deviations that leave no doubt
    are read, and go to ``remarks``.
    """
    data = bytes(data)
    if transfer_syntax in _DEFLATED:
        data, is_whole = _inflate(data, 0, limits.inflated)
        if not is_whole:
            raise DataSetError(
                f"deflated: cut off, or more than {limits.inflated} bytes inflated",
                limit="inflated" if len(data) >= limits.inflated else "",
            )
    # A transfer syntax that is not named here is one of compressed pixel data: all those are
    # explicit VR little endian (PS3.5 A.4).
    explicit = _is_explicit(data, 0, transfer_syntax, remarks)
    is_little_endian = transfer_syntax != EXPLICIT_VR_BIG_ENDIAN
    if (
        len(data) <= usual_identifier.LONGEST
        and is_little_endian
        and not charset
        and limits.elements >= usual_identifier.MOST_ELEMENTS
    ):
        usual = usual_identifier.usual_elements(data, explicit=explicit)
        if usual is not None:
            return usual
    kind = _OwnCharsetDecoder if charset else Decoder
    decoder = kind(
        data,
        big_endian=not is_little_endian,
        limits=limits,
        fallback=fallback,
        remarks=remarks,
    )
    place = Place(scope_of(charset), explicit=explicit)
    end = decoder.read(place, 0, len(data))
    if end < len(data):
        raise DataSetError("an item or delimiter outside of any sequence", offset=end)
    return place.elements


class _OwnCharsetDecoder(Decoder):
    """Reads all text in the character set that its caller names."""

    def _change_scope(self, place: Place, tag: int, element: Element) -> bool:
        if tag == SPECIFIC_CHARACTER_SET:
            return place.scope.is_ascii
        return super()._change_scope(place, tag, element)


class Header(NamedTuple):
    """The elements before the pixel data, and the place where decoding ended.

    ``end`` is the offset of the first byte that was not decoded; ``stopped`` says that a tag at or
    above the one to stop at stands there. ``needed`` is the number of bytes that make the element
    at ``end`` whole: more than there are if the data is truncated, within the header or (if
    ``stopped``) within the pixel data; 0 if nobody can tell. Of deflated data, offsets and sizes
    are those of the inflated bytes, and ``needed`` is 0 where it stopped.
    """

    data_set: DataSet
    end: int
    stopped: bool
    needed: int


def decode_header(
    data: bytes,
    transfer_syntax: str,
    *,
    start: int = 0,
    stop_tag: int = PIXEL_DATA,
    fallback: Terms = FALLBACK,
    limits: Limits = FILE_LIMITS,
    remarks: Remarks | None = None,
    largest_opaque: int | None = None,
) -> Header:
    """Return the elements from ``start`` on below ``stop_tag``; the bytes may end early.

    ``data`` is the first part of a file or a memory map. With ``largest_opaque``, what no index
    keeps is left out, as ``Decoder`` says. DataSetError for bytes that are no data set; an end
    within an element is no error, the result tells it.
    """
    if transfer_syntax in _DEFLATED:

        def read(inflated: bytes) -> Header:
            return decode_header(
                inflated,
                EXPLICIT_VR_LITTLE_ENDIAN,
                stop_tag=stop_tag,
                fallback=fallback,
                limits=limits,
                remarks=remarks,
                largest_opaque=largest_opaque,
            )

        return _inflated_header(data, start, limits.inflated, read)
    is_big_endian = transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
    decoder = Decoder(
        data,
        big_endian=is_big_endian,
        limits=limits,
        fallback=fallback,
        remarks=remarks,
        largest_opaque=largest_opaque,
        start=start,
    )
    place = Place(scope_of(()), explicit=_is_explicit(data, start, transfer_syntax, remarks))
    try:
        end = decoder.read(place, start, len(data), stop_tag)
    except TruncatedDataSetError as error:
        # ``place`` holds the elements that were whole; their order was not put right yet.
        return Header(
            dict(sorted(place.elements.items())),
            error.offset or 0,
            stopped=False,
            needed=error.needed,
        )
    stopped = end < len(data)
    needed = (
        declared_end(data, end, explicit=place.explicit, big_endian=is_big_endian) if stopped else 0
    )
    return Header(place.elements, end, stopped=stopped, needed=needed)


def is_deflated(transfer_syntax: str) -> bool:
    """Tell whether data sets are deflated as a whole (PS3.5 A.5)."""
    return transfer_syntax in _DEFLATED


def is_implicit(transfer_syntax: str) -> bool:
    """Tell whether elements do not name their VR (PS3.5 A.1)."""
    return transfer_syntax in _IMPLICIT


def is_whole_stream(data: bytes, start: int, most: int) -> bool:
    """Tell whether a raw deflate stream has its end, or inflates to more than ``most`` bytes.

    ``data`` may be a memory map.
    """
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    count = 0
    for position in range(start, len(data), _DEFLATED_PART):
        part = data[position : position + _DEFLATED_PART]
        while part and not inflater.eof and count <= most:
            count += len(inflater.decompress(part, _FIRST_INFLATED))
            part = inflater.unconsumed_tail
    return inflater.eof or count > most


def _inflated_header(
    data: bytes, start: int, limit: int, read: Callable[[bytes], Header]
) -> Header:
    """Return the header of a deflated data set, inflated no further than it takes.

    A stream cannot be read on from the middle of a failed attempt, so each attempt begins anew,
    with four times the bytes: all attempts together cost little more than the last one.
    """
    size = min(_FIRST_INFLATED, limit)
    while True:
        inflated, is_whole = _inflate(data, start, size)
        header = read(inflated)
        if header.stopped:
            return header._replace(needed=0)
        if is_whole:
            return header
        if len(inflated) < size:  # the stream is cut off
            return header._replace(needed=max(header.needed, len(inflated) + 1))
        if size >= limit:
            raise DataSetError(f"more than {limit} inflated bytes before the pixel data")
        size = min(size * 4, limit)


def _inflate(data: bytes, start: int, size: int) -> tuple[bytes, bool]:
    """Return up to ``size`` bytes of a raw deflate stream, and whether these are all of it.

    Bytes behind the stream's end pass, such as the NUL that makes it even (PS3.5 A.5).
    """
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    # Joined parts would be in memory twice; a map grows in place, and its slices are bytes.
    inflated = mmap.mmap(-1, size)
    position, left, pending = start, size, b""
    try:
        while left and not inflater.eof:
            if not pending:
                pending = data[position : position + _DEFLATED_PART]
                position += _DEFLATED_PART
            is_last = position >= len(data)
            part = inflater.decompress(pending, min(left, _FIRST_INFLATED))
            pending = inflater.unconsumed_tail
            inflated.write(part)
            left -= len(part)
            # The inflater may still hold bytes when it has taken all.
            if is_last and not part and not pending:
                break
        # Output of exactly ``size`` bytes may be whole: the end mark of the stream is still to
        # come.
        rest = pending + data[position : position + _DEFLATED_PART]
        is_whole = inflater.eof or (not inflater.decompress(rest, 1) and inflater.eof)
    except zlib.error as error:
        raise DataSetError(f"no deflate stream: {error}") from error
    if size - left <= _FIRST_INFLATED:
        return inflated[: size - left], is_whole
    if left:
        inflated.resize(size - left)
    return cast("bytes", inflated), is_whole


def _is_explicit(data: bytes, start: int, transfer_syntax: str, remarks: Remarks | None) -> bool:
    """Tell whether the elements name their VR; where implicit VR is declared, the first one tells.

    Some peers send explicit VR where they have negotiated implicit.
    """
    if transfer_syntax not in _IMPLICIT:
        return True
    # As the beginning of a length these letters would say 16 KiB and more, and no first element is
    # so long.
    if data[start + 4 : start + 6] not in _CODES:
        return False
    if remarks is not None:
        remarks.add(0, RemarkKind.VR_FORM, "explicit VR, where implicit VR was declared")
    return True

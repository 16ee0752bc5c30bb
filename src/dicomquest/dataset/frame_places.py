"""The places of the frames in a data set, found without reading its pixels (PS3.5 A.4, 8).

Native frames follow each other. Compressed ones are found by an offset table, else by the headers
of their fragments, else by the marker that begins a codestream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dicomquest.dataset.codec import PIXEL_DATA, is_deflated
from dicomquest.dataset.decoder import ITEM, SEQUENCE_DELIMITER, UNDEFINED
from dicomquest.dataset.transcoding import Read, in_little_endian, walk_through
from dicomquest.dataset.transcoding_walk import StepKind
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import STREAM_SYNTAXES

NUMBER_OF_FRAMES: Final = 0x00280008
_SAMPLES_PER_PIXEL: Final = 0x00280002
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
_ROWS, _COLUMNS, _BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
_EXTENDED_OFFSETS: Final = 0x7FE00001

_PIXELS: Final = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
"""Pixel Data, and those of floating point numbers."""

_HEADER = struct.Struct("<HHI")
_STARTS: Final = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL ")
"""The first bytes of the codestreams of JPEG and JPEG-LS, JPEG 2000, and JPEG XL."""
_MOST_FRAGMENTS: Final = 4_000_000
_PIECE: Final = 1 << 18
"""Bytes of a stream that are read at a time."""
_LONGEST_KEPT: Final = 1 << 24
"""Bytes of the longest attribute that is kept: offsets of two million frames."""


@dataclass(frozen=True, slots=True)
class FramePlaces:
    """The frames of an image.

    - ``values`` are the attributes outside of sequences that were asked for, in little endian.
    - ``at`` is the place of the pixels, ``order`` their byte order with their ``vr``.
    - ``starts`` are the places of compressed frames, each that of its first fragment's header,
      and of the end behind them; empty for native frames. All frames of a video are one stream.
    """

    syntax: str
    values: Mapping[int, bytes]
    at: int
    vr: str
    order: str
    length: int
    starts: Sequence[int] = ()

    @property
    def count(self) -> int:
        """The number of frames."""
        return number_of_frames(self.values)

    @property
    def is_compressed(self) -> bool:
        """Tell whether the frames are codestreams."""
        return bool(self.starts)

    @property
    def is_float(self) -> bool:
        """Tell whether the samples are floating point numbers (PS3.3 C.7.6.24)."""
        return self.vr in {"OF", "OD"}

    @property
    def is_stream(self) -> bool:
        """Tell whether all frames are one stream, in which no frame stands alone."""
        return self.is_compressed and self.syntax in STREAM_SYNTAXES

    @property
    def frame_bits(self) -> int:
        """Bits of a native frame."""
        samples = _number(self.values, _SAMPLES_PER_PIXEL, 1)
        pixels = _number(self.values, _ROWS) * _number(self.values, _COLUMNS)
        bits = pixels * samples * _number(self.values, _BITS_ALLOCATED)
        colours = self.values.get(_PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0")
        # Native pixels share their colours by two (PS3.3 C.7.6.3.1.2).
        return bits * 2 // 3 if colours == b"YBR_FULL_422" else bits


def number_of_frames(values: Mapping[int, bytes]) -> int:
    """Return Number of Frames, 1 without it."""
    text = values.get(NUMBER_OF_FRAMES, b"").decode("latin-1").strip(" \0") or "1"
    if not text.isdecimal() or not int(text):
        raise DataSetError("no Number of Frames", tag=NUMBER_OF_FRAMES)
    return int(text)


def find_frames(
    read: Read, start: int, end: int, syntax: str, wanted: frozenset[int]
) -> FramePlaces | None:
    """Return the frames of a data set, None if it has no pixels; ``wanted`` are attributes."""
    source, walk = walk_through(read, start, end, syntax)
    values: dict[int, bytes] = {}
    for step in walk.steps():
        if step.depth or step.kind not in {StepKind.VALUE, StepKind.ENCAPSULATED}:
            continue
        at = source.position
        if step.kind is StepKind.ENCAPSULATED:
            if is_deflated(syntax):
                raise DataSetError("fragments in a deflated data set", tag=PIXEL_DATA)
            count = 1 if syntax in STREAM_SYNTAXES else number_of_frames(values)
            starts = _starts(read, at, end, values, count)
            return FramePlaces(syntax, values, at, step.vr, step.order, 0, starts)
        if step.tag in _PIXELS:
            return FramePlaces(syntax, values, at, step.vr, step.order, step.length)
        if step.tag in wanted and step.length <= _LONGEST_KEPT:
            values[step.tag] = in_little_endian(source.take(step.length), step.vr, step.order)
    return None


def read_frame(read: Read, start: int, end: int, places: FramePlaces, number: int) -> bytes:
    """Return a frame, from 1 on: its native pixels in little endian, or its codestream."""
    if places.is_compressed:
        return _codestream(read, places.starts[number - 1], places.starts[number])
    bits = places.frame_bits
    first, last = (number - 1) * bits, number * bits
    begin, stop = first // 8 & ~7, min(-(-last // 64) * 8, places.length)
    if -(-last // 8) > places.length:
        raise DataSetError(f"frame {number} is cut off", tag=PIXEL_DATA)
    source, _ = walk_through(read, start, end, places.syntax)
    source.skip(places.at + begin - source.position)
    # The words of OW have 16 bits, whatever the samples have (PS3.5 6.2, 7.3, 8.1.1).
    data = in_little_endian(source.take(stop - begin), places.vr, places.order)
    if bits % 8 or first % 8:
        return _aligned(data, first - begin * 8, bits)
    return data[first // 8 - begin : last // 8 - begin]


def _aligned(data: bytes, first: int, bits: int) -> bytes:
    """Return packed bits that begin anywhere in whole bytes of their own."""
    whole = int.from_bytes(data, "little") >> first & ((1 << bits) - 1)
    return whole.to_bytes(-(-bits // 8), "little")


def _number(values: Mapping[int, bytes], tag: int, default: int | None = None) -> int:
    data = values.get(tag, b"")
    if len(data) >= 2:
        return int.from_bytes(data[:2], "little")
    if default is None:
        raise DataSetError("an attribute of the pixels is missing", tag=tag)
    return default


def _starts(
    read: Read, at: int, end: int, values: Mapping[int, bytes], count: int
) -> Sequence[int]:
    """Return the place of each frame's first fragment, and the end."""
    tag, length = _fragment(read, at, end)
    if tag != ITEM:
        raise DataSetError("no offset table where the pixel data begins", offset=at)
    first = at + _HEADER.size + length
    offsets: Sequence[int] = ()
    if extended := values.get(_EXTENDED_OFFSETS):
        offsets = struct.unpack(f"<{len(extended) // 8}Q", extended[: len(extended) // 8 * 8])
    elif 4 <= length <= min(_LONGEST_KEPT, end - at - _HEADER.size):
        offsets = struct.unpack(f"<{length // 4}I", read(length // 4 * 4, at + _HEADER.size))
    if len(offsets) == count and _is_ascending(offsets, end - first):
        return (*(first + each for each in offsets), end)
    return _by_fragments(read, first, end, count)


def _is_ascending(offsets: Sequence[int], most: int) -> bool:
    if offsets[0] or offsets[-1] >= most:
        return False
    return all(one < two for one, two in pairwise(offsets))


def _by_fragments(read: Read, first: int, end: int, count: int) -> Sequence[int]:
    found: list[int] = []
    position = first
    while position + _HEADER.size <= end and len(found) < _MOST_FRAGMENTS:
        tag, length = _fragment(read, position, end)
        if tag != ITEM:
            break
        found.append(position)
        position += _HEADER.size + length
    if not found:
        raise DataSetError("pixel data without fragments", offset=first)
    position = min(position, end)
    if count == 1:
        return (first, position)
    if len(found) != count:
        found = [each for each in found if _begins(read, each, end)]
    if len(found) != count:
        raise DataSetError(
            f"{count} frames, which {len(found)} codestreams do not tell apart", tag=PIXEL_DATA
        )
    return (*found, position)


def _begins(read: Read, at: int, end: int) -> bool:
    """Tell whether a codestream begins in a fragment."""
    count = min(8, end - at - _HEADER.size)
    return count > 0 and read(count, at + _HEADER.size).startswith(_STARTS)


def _fragment(read: Read, at: int, end: int) -> tuple[int, int]:
    if at + _HEADER.size > end:
        raise DataSetError("pixel data is cut off", tag=PIXEL_DATA)
    group, number, length = _HEADER.unpack(read(_HEADER.size, at))
    tag = group << 16 | number
    if length == UNDEFINED or tag not in {ITEM, SEQUENCE_DELIMITER}:
        raise DataSetError("no fragment where one was expected in pixel data", offset=at)
    return tag, length


def _codestream(read: Read, at: int, end: int) -> bytes:
    """Join the fragments of a frame."""
    return b"".join(read(length, place) for place, length in fragments(read, at, end))


def fragments(read: Read, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the place and the length of each fragment of a frame, or of a stream."""
    while at + _HEADER.size <= end:
        tag, length = _fragment(read, at, end)
        if tag == SEQUENCE_DELIMITER:
            break
        if at + _HEADER.size + length > end:
            raise DataSetError("a fragment reaches behind its frame", offset=at)
        if length:
            yield at + _HEADER.size, length
        at += _HEADER.size + length


def stream_parts(
    read: Read, found: Sequence[tuple[int, int]], *, first: int, count: int
) -> Iterator[bytes]:
    """Yield bytes of a stream in these fragments, ``count`` of them from ``first`` on."""
    for place, length in found:
        begin, stop = min(first, length), min(first + count, length)
        first, count = first - begin, count - (stop - begin)
        while begin < stop:
            size = min(_PIECE, stop - begin)
            yield read(size, place + begin)
            begin += size

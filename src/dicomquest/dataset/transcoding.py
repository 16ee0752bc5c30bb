"""Stored data sets in another transfer syntax, element by element and piece by piece (PS3.5 A).

No value changes: only its VR's letters, the form of its length and the order of its bytes do.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from dicomquest.dataset.codec import is_deflated
from dicomquest.dataset.decoder import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, UNDEFINED
from dicomquest.dataset.transcoding_source import PART, InflatedSource, Source
from dicomquest.dataset.transcoding_walk import Step, StepKind, Walk
from dicomquest.dataset.value_fields import CODES
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import tag_text
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
    TransferSyntax,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR

_BY_UID: Final = {row.uid: row for row in TRANSFER_SYNTAXES}
_LONGEST_SHORT: Final = 0xFFFE
"""The largest even length of a 16-bit length field (PS3.5 7.1.2)."""
_LONGEST_WANTED: Final = 1 << 20
"""Bytes of the longest value that a survey keeps: offsets of a hundred thousand frames."""
_WIDTH: Final = {
    row.vr: struct.calcsize("<" + row.layout[:1]) if row.layout else 1
    for row in VALUE_REPRESENTATIONS
}
"""Bytes of the words that the byte orders differ in (PS3.5 7.3)."""
_ARRAY: Final = {array(code).itemsize: code for code in "HIQ"}

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that a re-encoding makes on purpose outside of sequences: to decompress pixels.

    ``elements`` are the VRs and values in little endian of those that it writes, there before or
    not; ``left_out`` are tags. ``pixels`` replace encapsulated pixel data: VR, length, and parts.
    """

    elements: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    pixels: tuple[str, int, Iterable[bytes]] | None = None


_NO_CHANGES: Final = Changes()


@dataclass(slots=True)
class Survey:
    """The findings of a walk through a data set before it is re-encoded.

    ``pixels_at`` is the place of encapsulated pixel data in the file, behind its header; None if
    there is none. ``values`` are those that were asked for, where they are short.
    """

    signed: bool = False
    pixels_at: int | None = None
    values: dict[int, bytes] = field(default_factory=dict)


def survey(
    read: Read,
    start: int,
    end: int,
    syntax: str,
    target: str,
    *,
    wanted: frozenset[int] = frozenset(),
) -> Survey:
    """Walk through a data set; DataSetError for what ``transcoded`` could not re-encode.

    Encapsulated pixel data passes. ``wanted`` are tags outside of sequences.
    """
    source = _source(read, start, end, syntax)
    walk = Walk(source, explicit=_form(syntax).explicit_vr, order=_order(syntax))
    order, found = _order(target), Survey()
    for step in walk.steps():
        if step.kind is StepKind.ENCAPSULATED:
            found.pixels_at = source.position
        if step.kind is not StepKind.VALUE:
            continue
        if step.order != order and step.length % _WIDTH[step.vr]:
            raise DataSetError(
                f"{tag_text(step.tag)}: {step.length} bytes of VR {step.vr}", tag=step.tag
            )
        if not step.depth and step.tag in wanted and step.length <= _LONGEST_WANTED:
            found.values[step.tag] = source.take(step.length)
    found.signed = walk.signed
    return found


def transcoded(
    read: Read,
    start: int,
    end: int,
    syntax: str,
    target: str,
    *,
    signed: bool,
    changes: Changes = _NO_CHANGES,
) -> Iterator[bytes]:
    """Yield a data set in the ``target`` syntax, in pieces of at most 128 KiB.

    ``read(count, at)`` returns bytes of the file, whose data set is from ``start`` to ``end`` in
    ``syntax``; ``signed`` is the answer of ``survey``. DataSetError as there.
    """
    source = _source(read, start, end, syntax)
    walk = Walk(source, explicit=_form(syntax).explicit_vr, order=_order(syntax), signed=signed)
    writer = _Writer(source, target, changes)
    pieces = _joined(writer.parts(walk.steps()))
    return _deflated(pieces) if _form(target).deflated else pieces


def walk_through(
    read: Read, start: int, end: int, syntax: str, *, signed: bool = False
) -> tuple[Source, Walk]:
    """Return a stored data set as a source, and the walk through it."""
    source = _source(read, start, end, syntax)
    explicit, order = _form(syntax).explicit_vr, _order(syntax)
    return source, Walk(source, explicit=explicit, order=order, signed=signed)


def written(source: Source, steps: Iterator[Step]) -> Iterator[bytes]:
    """Yield the steps of a walk in explicit VR little endian."""
    return _joined(_Writer(source, EXPLICIT_VR_LITTLE_ENDIAN, _NO_CHANGES).parts(steps))


def in_little_endian(part: bytes, vr: str, order: str) -> bytes:
    """Return whole words of a value in little endian; ``order`` is the one that they have."""
    return part if order == "<" else _swapped(part, _WIDTH[vr])


def _form(syntax: str) -> TransferSyntax:
    """Return the form of a syntax; that of compressed ones is explicit little endian (A.4)."""
    if is_deflated(syntax):
        return _BY_UID[DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN]
    return _BY_UID.get(syntax, _BY_UID[EXPLICIT_VR_LITTLE_ENDIAN])


def _order(syntax: str) -> str:
    return "<" if _form(syntax).little_endian else ">"


def _source(read: Read, start: int, end: int, syntax: str) -> Source:
    kind = InflatedSource if _form(syntax).deflated else Source
    return kind(read, start, end)


class _Writer:
    """Writes the steps of a walk in the form of a transfer syntax.

    Sequences and items are delimited: their lengths in another form are known only at their end.
    """

    def __init__(self, source: Source, target: str, changes: Changes) -> None:
        self._source = source
        self._order = _order(target)
        self._is_explicit = _form(target).explicit_vr
        self._tag = struct.Struct(self._order + "HH")
        self._short = struct.Struct(self._order + "HH2sH")
        self._long = struct.Struct(self._order + "HH2s2xI")
        self._plain = struct.Struct(self._order + "HHI")
        self._changes = changes
        self._to_insert = sorted(changes.elements, reverse=True)

    def parts(self, steps: Iterator[Step]) -> Iterator[bytes]:
        """Yield headers, and parts of values."""
        order = self._order
        for step in steps:
            if not step.depth and step.tag and step.kind is not StepKind.SEQUENCE_END:
                while self._to_insert and self._to_insert[-1] <= step.tag:
                    yield self._changed(self._to_insert.pop())
                if step.tag in self._changes.elements or step.tag in self._changes.left_out:
                    continue
            match step.kind:
                case StepKind.VALUE:
                    vr = step.vr
                    if step.length > _LONGEST_SHORT and self._is_explicit and not VR[vr].long_form:
                        vr = "UN"
                    yield self._header(step.tag, vr, step.length)
                    width = _WIDTH[vr] if step.order != order else 1
                    for part in self._source.parts(step.length):
                        yield part if width == 1 else _swapped(part, width)
                case StepKind.SEQUENCE:
                    yield self._header(step.tag, "SQ", UNDEFINED)
                case StepKind.ITEM:
                    yield self._plain.pack(ITEM >> 16, ITEM & 0xFFFF, UNDEFINED)
                case StepKind.ITEM_END:
                    yield self._plain.pack(ITEM_DELIMITER >> 16, ITEM_DELIMITER & 0xFFFF, 0)
                case StepKind.SEQUENCE_END:
                    yield self._plain.pack(SEQUENCE_DELIMITER >> 16, SEQUENCE_DELIMITER & 0xFFFF, 0)
                case StepKind.ENCAPSULATED:
                    yield from self._pixels(step.tag)
                case _:
                    assert_never(step.kind)
        while self._to_insert:
            yield self._changed(self._to_insert.pop())

    def _header(self, tag: int, vr: str, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if not self._is_explicit:
            return self._plain.pack(group, number, length)
        form = self._long if VR[vr].long_form else self._short
        return form.pack(group, number, CODES[vr], length)

    def _changed(self, tag: int) -> bytes:
        vr, value = self._changes.elements[tag]
        if self._order == ">":
            value = _swapped(value, _WIDTH[vr])
        return self._header(tag, vr, len(value)) + value

    def _pixels(self, tag: int) -> Iterator[bytes]:
        if self._changes.pixels is None:
            raise DataSetError(f"{tag_text(tag)}: encapsulated pixel data", tag=tag)
        vr, length, parts = self._changes.pixels
        yield self._header(tag, vr, length)
        yield from parts


def _swapped(data: bytes, width: int) -> bytes:
    """Return words in the other byte order."""
    if width == 1:
        return data
    words = array(_ARRAY[width], data)
    words.byteswap()
    return words.tobytes()


def _joined(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of ``PART`` bytes and more, less than twice as many."""
    pending = bytearray()
    for part in parts:
        pending += part
        if len(pending) >= PART:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)


def _deflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield one raw deflate stream, padded to even length (PS3.5 A.5)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for piece in pieces:
        part = compressor.compress(piece)
        size += len(part)
        if part:
            yield part
    part = compressor.flush()
    yield part + b"\0" * ((size + len(part)) & 1)

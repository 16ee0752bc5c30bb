"""The parts of a store request with metadata, in a file until all are there (PS3.18 8.6, 10.5)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from dicomquest.dataset.spliced_encoder import BulkParts, Extent
from dicomquest.services.limit_names import LimitName, reached
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.web.media_types import MediaRange, read_ranges
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_media import FRAME_TYPES, OCTETS, codestream_syntax
from dicomquest.web.store_parts import PartBegan, PartData, PartEnded, PartEvent


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """The bytes of one part of metadata, and of the notes in memory about all parts."""

    metadata: int = 16 << 20
    notes: int = 32 << 20


class SpoolLimitError(RefusalError):
    """A request with metadata goes beyond a limit."""

    def __init__(self, limit: LimitName, words: str) -> None:
        words = f"the request is too large: {words}, {reached(limit)}"
        super().__init__(413, words, {"Connection": "close"})
        self.limit = limit


NOTE: Final = 256
"""Bytes that the note of a part takes beside the text of its headers."""

PIECE: Final = 262_144
"""Bytes that are read from the file at a time."""

_FRAMES: Final = "/frames/"
_FIRST_LOOK: Final = 65_536
_JPEG_SYNTAX: Final = {
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: "1.2.840.10008.1.2.4.70",
}
"""The transfer syntax by the marker of a JPEG frame (PS3.5 A.4.1)."""


@dataclass(slots=True)
class SpooledPart:
    """One part: its place in the file, and the headers that say what it is."""

    kind: MediaRange
    location: str
    start: int
    length: int = 0
    is_whole: bool = False
    is_used: bool = False


@dataclass(slots=True)
class PartSpool:
    """A file of parts; its methods block, and are those of one thread at a time."""

    file: BinaryIO
    metadata_kinds: frozenset[str]
    limits: SpoolLimits
    metadata: list[SpooledPart] = field(default_factory=list)
    bulk: dict[str, list[SpooledPart]] = field(default_factory=dict)
    frames: dict[str, list[SpooledPart]] = field(default_factory=dict)
    _size: int = 0
    _noted: int = 0
    _part: SpooledPart | None = None

    def take(self, events: Iterable[PartEvent]) -> None:
        """Write what has come; SpoolLimitError, or OSError if the disk is full."""
        for event in events:
            match event:
                case PartBegan():
                    self._part = self._noted_part(event)
                case PartData(data):
                    assert self._part is not None  # noqa: S101  a part has begun
                    self.file.write(data)
                    self._size += len(data)
                    self._part.length += len(data)
                    most = self.limits.metadata
                    if self._part.length > most and self._is_metadata(self._part):
                        words = f"its metadata is longer than {most} bytes"
                        raise SpoolLimitError(LimitName.STOW_METADATA, words)
                case PartEnded():
                    assert self._part is not None  # noqa: S101  a part has begun
                    self._part.is_whole = True

    def _noted_part(self, began: PartBegan) -> SpooledPart:
        kind_text, location = began.header("content-type"), began.header("content-location")
        self._noted += NOTE + len(kind_text) + 2 * len(location)
        if self._noted > self.limits.notes:
            raise SpoolLimitError(LimitName.STOW_HEADERS, "it has too many parts")
        kind = (read_ranges([kind_text]) or [MediaRange("")])[0]
        part = SpooledPart(kind, location, self._size)
        if self._is_metadata(part):
            self.metadata.append(part)
        else:
            self.bulk.setdefault(location, []).append(part)
            base, _, frame = location.rpartition(_FRAMES)
            if base and frame.isdecimal():
                self.frames.setdefault(base, []).append(part)
        return part

    def _is_metadata(self, part: SpooledPart) -> bool:
        return part.kind.kind in self.metadata_kinds or not (part.kind.kind or part.location)

    def read(self, part: SpooledPart) -> bytes:
        """Return the content of a part."""
        return b"".join(self.pieces(Extent(part.start, part.length)))

    def pieces(self, extent: Extent) -> Iterator[bytes]:
        """Yield bytes of the file."""
        self.file.flush()
        at, end = extent.start, extent.start + extent.length
        while at < end:
            piece = os.pread(self.file.fileno(), min(PIECE, end - at), at)
            if not piece:
                raise OSError("the file of parts is cut off")
            yield piece
            at += len(piece)

    def value(self, address: str) -> tuple[BulkParts, str] | None:
        """Return the parts of a value and its transfer syntax, "" if unknown; None if not whole.

        A part is that of one value: a value may not grow by being named again.
        """
        parts = self.bulk.get(address) or self.frames.get(address, [])
        if not parts or not all(each.is_whole and not each.is_used for each in parts):
            return None
        for each in parts:
            each.is_used = True
        syntaxes = {self._syntax(each) for each in parts}
        extents = tuple(Extent(each.start, each.length) for each in _in_order(parts))
        syntax = syntaxes.pop() if len(syntaxes) == 1 else ""
        if syntax not in FRAME_TYPES and syntax != EXPLICIT_VR_LITTLE_ENDIAN:
            syntax = ""
        return BulkParts(extents, syntax in FRAME_TYPES), syntax

    def _syntax(self, part: SpooledPart) -> str:
        """Return the transfer syntax of a part's content, "" if it cannot be known."""
        syntax = part.kind.parameters.get("transfer-syntax", "").removeprefix("*")
        kind = part.kind.kind
        if kind == "image/jpeg" and not syntax:
            first = b"".join(self.pieces(Extent(part.start, min(part.length, _FIRST_LOOK))))
            return _jpeg_syntax(first)
        if kind.startswith(("image/", "video/")):
            return codestream_syntax(kind, syntax)
        if kind == OCTETS and syntax not in {"", IMPLICIT_VR_LITTLE_ENDIAN}:
            return "" if syntax == EXPLICIT_VR_BIG_ENDIAN else syntax
        # Whatever else has a media type is a document, which has no transfer syntax.
        return EXPLICIT_VR_LITTLE_ENDIAN

    @property
    def unused(self) -> int:
        """The number of parts that no metadata has named."""
        return sum(not each.is_used for parts in self.bulk.values() for each in parts)


def _in_order(parts: list[SpooledPart]) -> list[SpooledPart]:
    """Return the frames of a value in the order of their numbers, else in that of the message."""

    def number(part: SpooledPart) -> int:
        frame = part.location.rpartition(_FRAMES)[2]
        return int(frame) if frame.isdecimal() and len(frame) < 10 else 0

    return sorted(parts, key=number)


def _jpeg_syntax(first: bytes) -> str:
    """Return the transfer syntax of a JPEG codestream by the marker of its frame; "" if unknown."""
    at = 2
    while first[at : at + 1] == b"\xff" and at + 4 <= len(first):
        marker = first[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return _JPEG_SYNTAX.get(marker, "")
        at += 2 + int.from_bytes(first[at + 2 : at + 4], "big")
    return ""

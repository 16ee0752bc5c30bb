"""A stored instance on its way out: its data set as stored, or re-encoded (PS3.4 C.4.2, B.2).

The file stays open from the first look at it to the last piece, so that a file that takes its place
meanwhile is never mixed into it; one that somebody writes into is found out before the last piece.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from dicomquest.dataset.codec import (
    PIXEL_DATA,
    Header,
    RemarkKind,
    Remarks,
    decode_header,
    is_deflated,
)
from dicomquest.dataset.decoder import TruncatedDataSetError
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.part10 import FileStart, read_file_start
from dicomquest.dataset.transcoding import survey, transcoded
from dicomquest.dataset.usual_start import UsualStart, usual_start
from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.store.decompression import (
    IMAGE_TAGS,
    decompressed,
    is_decodable,
    is_image_syntax,
)

PIECE: Final = 640 * 1024
"""Bytes of a piece at most: an image of 512 x 512 pixels is one, and is copied no further."""

UNCOMPRESSED: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
)
"""Those that every one of them can be re-encoded to, in the order in which we prefer them."""
_DECOMPRESSED: Final = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
_FIRST_READ: Final = 32 * 1024
"""Bytes of the first read: most instances without pixel data are whole in it."""
_LARGEST_HEADER: Final = 1 << 26
"""Bytes in which the UID has to be found: only files out of order have it behind the first few."""


class _FileState(NamedTuple):
    size: int
    modified_ns: int


class StoredInstance:
    """An instance in an open file, which holds the SOP Instance UID that was asked for.

    ``transfer_syntax_uid`` is that of its data set; ``length`` are the bytes that are sent of that.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        """Take over an open file; ``open`` makes one from a path."""
        self.path = path
        self._descriptor = descriptor
        self._state = _state(descriptor)
        self._first = os.pread(descriptor, _FIRST_READ, 0)
        found = usual_start(self._first) or self._read_start()
        self._start, self.transfer_syntax_uid, self.sop_class_uid, self.sop_instance_uid = found
        # A deflate stream that its writer left odd: no message may be (PS3.5 A.5; PS3.8 D.1.1).
        size = self._state.size - self._start
        self._padding = b"\0" * (size & 1) if is_deflated(self.transfer_syntax_uid) else b""
        self.length = size + len(self._padding)

    @classmethod
    def open(cls, path: str, sop_instance_uid: str) -> Self:
        """Open a stored file; StoredInstanceError if it is not there, or another instance's."""
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise _failed(path, error.strerror or type(error).__name__) from error
        try:
            opened = cls(path, descriptor)
        except (OSError, DataSetError) as error:
            os.close(descriptor)
            reason = error.strerror if isinstance(error, OSError) else None
            raise _failed(path, reason or str(error)) from error
        if opened.sop_instance_uid != sop_instance_uid:
            opened.close()
            found = opened.sop_instance_uid or "none"
            raise _failed(path, f"SOP Instance UID {found}, but {sop_instance_uid} is indexed")
        return opened

    def pieces(self, transfer_syntax_uid: str) -> Iterator[bytes]:
        """Return the data set in a transfer syntax, in pieces of at most ``PIECE`` bytes.

        As stored where it is that of the file. StoredInstanceError at once if it cannot be had in
        this syntax, and from the iterator if the file fails or changes meanwhile.
        """
        if transfer_syntax_uid == self.transfer_syntax_uid:
            return self._guarded(self._stored_pieces())
        stored = self.transfer_syntax_uid
        if transfer_syntax_uid not in reachable(stored):
            remedy = ": install dicomquest[images]" if is_image_syntax(stored) else ""
            reason = f"stored in {stored}, not to be had in {transfer_syntax_uid}"
            raise _failed(self.path, reason if is_decodable(stored) else f"{reason}{remedy}")
        try:
            pieces = self._transcoded_pieces(transfer_syntax_uid)
        except DataSetError as error:
            raise _failed(self.path, str(error)) from error
        return self._guarded(pieces)

    @property
    def state(self) -> tuple[int, int]:
        """The size and the time of change of the file, which tell its versions apart."""
        return self._state

    @property
    def extent(self) -> tuple[int, int]:
        """The offsets in the file at which its data set begins and ends."""
        return self._start, self._state.size

    def read(self, count: int, position: int) -> bytes:
        """Return exactly so many bytes of the file; StoredInstanceError if they are not there."""
        return self._read(count, position)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_start(self) -> UsualStart:
        start, header = self._read_header()
        return UsualStart(
            start.start,
            start.transfer_syntax,
            _uid(header, SOP_CLASS_UID),
            _uid(header, SOP_INSTANCE_UID),
        )

    def _read_header(self) -> tuple[FileStart, DataSet]:
        """Return the beginning of the file, and the elements up to its UIDs."""
        try:
            start = read_file_start(self._first)
        except TruncatedDataSetError as error:
            self._first = os.pread(self._descriptor, max(error.needed, 4 * _FIRST_READ), 0)
            start = read_file_start(self._first)
        data = self._first
        stop_tag = SOP_INSTANCE_UID + 1
        while True:
            remarks = Remarks()
            header: Header = decode_header(
                data, start.transfer_syntax, start=start.start, stop_tag=stop_tag, remarks=remarks
            )
            found = header.data_set
            if SOP_INSTANCE_UID in found:
                break
            if header.stopped and stop_tag != PIXEL_DATA:
                # Out of order: it may stand anywhere before the pixel data.
                stop_tag = PIXEL_DATA
            elif header.stopped or len(data) >= min(self._state.size, _LARGEST_HEADER):
                break
            else:
                wanted = min(max(header.needed, 4 * len(data)), _LARGEST_HEADER)
                data = os.pread(self._descriptor, wanted, 0)
        if any(each.tag == 0 and each.kind is RemarkKind.VR_FORM for each in remarks):
            # The data set tells, not the File Meta Information: peers would misread it.
            start = start._replace(transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN)
        return start, found

    def _stored_pieces(self) -> Iterator[bytes]:
        position = self._start
        if self._state.size <= len(self._first):
            position = self._state.size
            yield self._first[self._start :]
        while position < self._state.size:
            piece = self._read(min(PIECE, self._state.size - position), position)
            yield piece
            position += len(piece)
        if self._padding:
            yield self._padding

    def _transcoded_pieces(self, target: str) -> Iterator[bytes]:
        """Survey the data set, so that a malformed one fails before its first piece."""
        read, start, syntax, end = (
            self._read,
            self._start,
            self.transfer_syntax_uid,
            self._state.size,
        )
        found = survey(read, start, end, syntax, target, wanted=IMAGE_TAGS)
        if found.pixels_at is None:
            return transcoded(read, start, end, syntax, target, signed=found.signed)
        if syntax in UNCOMPRESSED:
            raise DataSetError(f"encapsulated pixel data in {syntax}", tag=PIXEL_DATA)
        image = decompressed(self._descriptor, syntax, found)
        return transcoded(
            read, start, end, syntax, target, signed=found.signed, changes=image.changes()
        )

    def _guarded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield pieces, the last one only if the file is still the same."""
        last = b""
        try:
            for piece in pieces:
                if last:
                    yield last
                last = piece
        except DataSetError as error:
            raise _failed(self.path, f"changed while it was sent: {error}") from error
        self._check_unchanged()
        yield last

    def _read(self, count: int, position: int) -> bytes:
        """Return exactly so many bytes of the file."""
        try:
            data = os.pread(self._descriptor, count, position)
            while 0 < len(data) < count:
                more = os.pread(self._descriptor, count - len(data), position + len(data))
                data = data + more if more else b""
        except OSError as error:
            raise _failed(self.path, error.strerror or type(error).__name__) from error
        if not data and count:
            raise _failed(self.path, f"ends at byte {position} of {self._state.size}")
        return data

    def _check_unchanged(self) -> None:
        if _state(self._descriptor) != self._state:
            raise _failed(self.path, "changed while it was sent")


def reachable(transfer_syntax_uid: str) -> tuple[str, ...]:
    """Return the transfer syntaxes in which an instance can be sent; that of its file is first."""
    others: tuple[str, ...] = ()
    if transfer_syntax_uid in UNCOMPRESSED:
        others = UNCOMPRESSED
    elif is_decodable(transfer_syntax_uid):
        others = _DECOMPRESSED
    return (transfer_syntax_uid, *(uid for uid in others if uid != transfer_syntax_uid))


def _state(descriptor: int) -> _FileState:
    status = os.fstat(descriptor)
    return _FileState(status.st_size, status.st_mtime_ns)


def _uid(header: DataSet, tag: int) -> str:
    element = header.get(tag)
    return str(element.values[0]) if element and element.values else ""


def _failed(path: str, reason: str) -> StoredInstanceError:
    return StoredInstanceError(f"{path}: {reason}")

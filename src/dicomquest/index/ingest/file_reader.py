"""Files to instances: any name, headers only, and why a file is none (PS3.10 7; PS3.4 C.3.1)."""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from dicomquest.dataset.codec import (
    PIXEL_DATA,
    RemarkKind,
    Remarks,
    TruncatedDataSetError,
    decode_header,
    is_deflated,
    is_whole_stream,
)
from dicomquest.dataset.elements import Element
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.index.ingest.instance import Reason, Received, Skipped, receive
from dicomquest.index.ingest.pixel_fragments import is_whole
from dicomquest.index.tables.rows import LARGEST_BINARY
from dicomquest.standard.tags import FIRST_TAG, TRANSFER_SYNTAX_UID, tag_text
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from dicomquest.dataset.codec import Header
    from dicomquest.dataset.part10 import FileStart

FIRST_READ = 32 * 1024
"""Bytes that are read of a file at first: most headers fit. Others are read again, at least twice as much each time."""

_LARGEST_READ = 1 << 20
"""Bytes up to which a file that has arrived is read; a larger one is mapped."""
_PIXEL_DATA = frozenset(
    struct.pack(order + "HH", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF) for order in "<>"
)
"""Its tag in little endian, and in big endian."""
_MOST_INFLATED = 1 << 28
"""Inflated bytes after which nobody looks for the end of a deflate stream: a small one may come to a thousand times as
much."""


class FileState(NamedTuple):
    """A file as the last look found it; an unchanged one has nothing new to say."""

    path: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> Self:
        """Return the state that the system tells of a file."""
        return cls(path, status.st_size, status.st_mtime_ns)


def read_file(path: str, default_zone: int) -> Received | Skipped:
    """The instance in a file; reads no further than its header."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return _unreadable(error)
    try:
        return _read(descriptor, b"", None, default_zone)
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(descriptor)


def read_left(path: str, default_zone: int) -> Received | Skipped:
    """The instance in a file that has arrived and that nobody has looked at yet."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            first = file.read(FIRST_READ)
            return read_arrived(file.fileno(), first, read_file_start(first), default_zone)
    except OSError as error:
        return _unreadable(error)
    except DataSetError as error:
        return _malformed(error)


def read_arrived(
    descriptor: int, first: bytes, start: FileStart, default_zone: int
) -> Received | Skipped:
    """The instance in an open file that begins with ``first``, by whoever wrote it and knows where its data set is.

    To find that out again takes a third of the time. What others could not read, or not all of, is none.
    """
    try:
        return _read(descriptor, first, start, default_zone)
    except OSError as error:
        return _unreadable(error)


def _unreadable(error: OSError) -> Skipped:
    return Skipped(Reason.UNREADABLE, error.strerror or type(error).__name__)


def _read(
    descriptor: int, data: bytes, known_start: FileStart | None, default_zone: int
) -> Received | Skipped:
    """Decode ``data``, which the file begins with, and as much more of the file as that takes."""
    size = os.fstat(descriptor).st_size
    data = data or os.read(descriptor, FIRST_READ)
    while True:
        remarks = Remarks()
        try:
            start = known_start or read_file_start(data)
            header = decode_header(
                data,
                start.transfer_syntax,
                start=start.start,
                largest_opaque=LARGEST_BINARY,
                remarks=remarks,
            )
            if header.stopped or len(data) >= size:
                unfit = (
                    None
                    if known_start is None
                    else _unfit(descriptor, data, known_start, header, remarks)
                )
                return unfit or _received(start, header, size, default_zone)
            needed = header.needed
        except TruncatedDataSetError as error:
            if len(data) >= size:
                return Skipped(Reason.TRUNCATED, f"{error.needed} bytes expected, {size} there")
            needed = error.needed
        except DataSetError as error:
            if known_start is not None:
                return _malformed(error)
            return (
                _malformed(error, tells_byte=True)
                if data[128:132] == b"DICM"
                else Skipped(Reason.NOT_DICOM)
            )
        wanted = max(needed, 2 * len(data))
        if known_start is not None and min(wanted, size) > _LARGEST_READ:
            data = _mapped(descriptor)
            continue
        os.lseek(descriptor, len(data), os.SEEK_SET)
        data += _more(descriptor, wanted - len(data))
        if len(data) < min(needed, size):
            return Skipped(Reason.TRUNCATED, f"{size} bytes expected, {len(data)} could be read")


def _unfit(
    descriptor: int, data: bytes, start: FileStart, header: Header, remarks: Remarks
) -> Skipped | None:
    """Why nobody should keep what the index could read: others have to read it, and all of it."""
    # A header stops before an element whose first eight bytes are there; those of a deflated one are not in ``data``.
    unread = (
        data[header.end : header.end + 8]
        if header.stopped and not is_deflated(start.transfer_syntax)
        else b""
    )
    if _has_other_form(start.transfer_syntax, unread, remarks):
        is_implicit = start.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
        words = (
            "explicit VR in a syntax of implicit VR"
            if is_implicit
            else "implicit VR in a syntax of explicit VR"
        )
        return Skipped(Reason.MALFORMED, words)
    if is_deflated(start.transfer_syntax):
        stream = data if len(data) == os.fstat(descriptor).st_size else _mapped(descriptor)
        is_cut = not is_whole_stream(stream, start.start, _MOST_INFLATED)
    else:
        is_explicit = start.transfer_syntax not in {
            IMPLICIT_VR_LITTLE_ENDIAN,
            EXPLICIT_VR_BIG_ENDIAN,
        }
        is_cut = (
            header.stopped
            and not header.needed
            and is_explicit
            and not is_whole(descriptor, header.end)
        )
    return Skipped(Reason.TRUNCATED, "pixel data without an end") if is_cut else None


def _has_other_form(transfer_syntax: str, unread: bytes, remarks: Remarks) -> bool:
    """Whether anything, be it one element or the pixel data, has the form of VR that the transfer syntax does not have.

    Padding that reads as elements of group 0000 is let pass.
    """
    tags = [each.tag for each in remarks if each.kind is RemarkKind.VR_FORM]
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        # Told of the data set as a whole. As a length, which is odd then, nobody has these.
        return 0 in tags or unread[4:] in {b"OB\0\0", b"OW\0\0"}
    return any(tag >= FIRST_TAG for tag in tags) or (
        unread[:4] in _PIXEL_DATA and not unread[4:6].isalpha()
    )


def _mapped(descriptor: int) -> bytes:
    """The whole file, of which only what is looked at is in memory; whoever cut it short meanwhile would end us."""
    return cast("bytes", mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def _more(descriptor: int, count: int) -> bytes:
    """Up to ``count`` bytes more; a read call may give fewer than there are."""
    parts = []
    while count > 0:
        part = os.read(descriptor, min(count, 1 << 24))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _malformed(error: DataSetError, *, tells_byte: bool = False) -> Skipped:
    """Why it cannot be read, and where; the byte is of use to those who have the file."""
    message = str(error)
    tag = "" if error.tag is None else tag_text(error.tag)
    place = f" in {tag}" if tag not in message else ""
    at = f" at byte {error.offset}" if tells_byte and error.offset is not None else ""
    return Skipped(Reason.MALFORMED, f"{message}{place}{at}")


def _received(start: FileStart, header: Header, size: int, default_zone: int) -> Received | Skipped:
    # Behind the header only the file's size counts, which for deflated data says nothing.
    if header.needed > (size if header.stopped else 0):
        return Skipped(Reason.TRUNCATED, f"{header.needed} bytes expected, {size} there")
    data_set = header.data_set
    if not start.guessed:
        # Whatever a data set says, which should say nothing of it.
        syntax = {TRANSFER_SYNTAX_UID: Element("UI", (start.transfer_syntax,))}
        data_set = {**syntax, **data_set, **syntax}
    return receive(data_set, default_zone)

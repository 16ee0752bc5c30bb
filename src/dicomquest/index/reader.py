"""Files to instances: any name, headers only, and why a file is none (PS3.10 7; PS3.4 C.3.1)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.codec import TruncatedDataSetError, decode_header
from dicomquest.dataset.elements import Element
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.index.received import TRANSFER_SYNTAX_UID, Reason, Received, Skipped, receive
from dicomquest.index.records import LARGEST_BINARY

if TYPE_CHECKING:
    from dicomquest.dataset.codec import Header
    from dicomquest.dataset.part10 import FileStart

FIRST_READ = 32 * 1024
"""Bytes that are read of a file at first: most headers fit. Others are read again, at least twice as much each time."""


class FileState(NamedTuple):
    """A file as the last look found it; an unchanged one has nothing new to say."""

    path: str
    size: int
    modified_ns: int


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


def read_arrived(descriptor: int, first: bytes, start: FileStart, default_zone: int) -> Received | Skipped:
    """The instance in an open file that begins with ``first``, by whoever wrote it and knows where its data set is.

    To find that out again takes a third of the time.
    """
    try:
        return _read(descriptor, first, start, default_zone)
    except OSError as error:
        return _unreadable(error)


def _unreadable(error: OSError) -> Skipped:
    return Skipped(Reason.UNREADABLE, error.strerror or type(error).__name__)


def _read(descriptor: int, data: bytes, known_start: FileStart | None, default_zone: int) -> Received | Skipped:
    """Decode ``data``, which the file begins with, and as much more of the file as that takes."""
    size = os.fstat(descriptor).st_size
    data = data or os.read(descriptor, FIRST_READ)
    while True:
        try:
            start = known_start or read_file_start(data)
            header = decode_header(data, start.transfer_syntax, start=start.start, largest_opaque=LARGEST_BINARY)
        except TruncatedDataSetError as error:
            if len(data) >= size:
                return Skipped(Reason.TRUNCATED, f"{error.needed} bytes expected, {size} there")
            needed = error.needed
        except DataSetError as error:
            return _no_instance(error, is_dicom=known_start is not None or data[128:132] == b"DICM")
        else:
            if header.stopped or len(data) >= size:
                return _received(start, header, size, default_zone)
            needed = header.needed
        os.lseek(descriptor, len(data), os.SEEK_SET)
        data += _more(descriptor, max(needed, 2 * len(data)) - len(data))
        if len(data) < min(needed, size):
            return Skipped(Reason.TRUNCATED, f"{size} bytes expected, {len(data)} could be read")


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


def _no_instance(error: DataSetError, *, is_dicom: bool) -> Skipped:
    if is_dicom:
        tag = "" if error.tag is None else f" in ({error.tag >> 16:04X},{error.tag & 0xFFFF:04X})"
        at = "" if error.offset is None else f" at byte {error.offset}"
        return Skipped(Reason.MALFORMED, f"{at}{tag}".strip())
    return Skipped(Reason.NOT_DICOM)


def _received(start: FileStart, header: Header, size: int, default_zone: int) -> Received | Skipped:
    # Behind the header only the file's size counts, which for deflated data says nothing.
    if header.needed > (size if header.stopped else 0):
        return Skipped(Reason.TRUNCATED, f"{header.needed} bytes expected, {size} there")
    data_set = header.data_set
    if not start.guessed:
        data_set = {TRANSFER_SYNTAX_UID: Element("UI", (start.transfer_syntax,)), **data_set}
    return receive(data_set, default_zone)

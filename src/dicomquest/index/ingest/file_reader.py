"""Files become instances: any name, headers only, with the reason why a file is none (PS3.10 7)."""

from __future__ import annotations

import mmap
import os
import struct
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from dicomquest.dataset.codec import (
    PIXEL_DATA,
    Header,
    RemarkKind,
    Remarks,
    TruncatedDataSetError,
    decode_header,
    is_deflated,
    is_implicit,
    is_whole_stream,
)
from dicomquest.dataset.decoder import declared_end
from dicomquest.dataset.elements import Element
from dicomquest.dataset.part10 import read_file_start
from dicomquest.dataset.pixel_fragments import is_whole
from dicomquest.errors import DataSetError
from dicomquest.index.ingest.instance import Prepared, Reason, Received, Skipped, receive
from dicomquest.index.tables.rows import LARGEST_BINARY
from dicomquest.standard.tags import FIRST_TAG, TRANSFER_SYNTAX_UID, tag_text
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from dicomquest.dataset.part10 import FileStart
    from dicomquest.index.ingest.known_headers import KnownHeader, KnownHeaders

FIRST_READ = 32 * 1024
"""Bytes of the first read: most headers fit. For a longer one, each further read doubles them."""

_LARGEST_READ = 1 << 20
"""Bytes up to which a header that has arrived is read; for a longer one the file is mapped."""
_ELEMENT_HEADER = 8
"""Bytes that are there of an element at which a header stops."""

_PIXEL_DATA = frozenset(
    struct.pack(order + "HH", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF) for order in "<>"
)
"""The tag in little endian and in big endian."""
_MOST_INFLATED = 1 << 28
"""Inflated bytes after which the search for the end of a deflate stream stops.

A small stream may inflate to a thousand times its size.
"""


class FileState(NamedTuple):
    """The state of a file at one look: a file of the same state need not be read again."""

    path: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> Self:
        """Make the state of a file from its status."""
        return cls(path, status.st_size, status.st_mtime_ns)


def read_file(
    path: str, default_zone: int, headers: KnownHeaders | None = None
) -> Prepared | Skipped:
    """Return the instance in a file, of which only the header is read.

    ``headers`` are those of earlier files.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return _unreadable(error)
    try:
        return _read(descriptor, b"", None, default_zone, headers)
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(descriptor)


def read_left(path: str, default_zone: int) -> Prepared | Skipped:
    """Return the instance in a file that has arrived whole, but that nobody has looked at yet."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            first = file.read(FIRST_READ)
            return read_arrived(file.fileno(), first, read_file_start(first), default_zone)
    except OSError as error:
        return _unreadable(error)
    except DataSetError as error:
        return _malformed(error)


def read_arrived(
    descriptor: int,
    first: bytes,
    start: FileStart,
    default_zone: int,
    headers: KnownHeaders | None = None,
) -> Prepared | Skipped:
    """Return the instance in an open file that has just arrived; it begins with ``first``.

    Its writer knows where the data set begins and in which transfer syntax (``start``): to find
    that out again would take a third of the time. A data set that other readers could not read, or
    not as a whole, is refused. ``headers`` are those of earlier instances.
    """
    try:
        return _read(descriptor, first, start, default_zone, headers)
    except OSError as error:
        return _unreadable(error)


def _known_instance(
    descriptor: int,
    data: bytes,
    start: FileStart,
    known: KnownHeader,
    default_zone: int,
    *,
    size: int,
    arrived: bool,
) -> Received | None:
    """Return the instance of a known header; None if it has to be looked at as a whole."""
    stopped = known.end < len(data)
    if len(data) < (known.end + _ELEMENT_HEADER if stopped else size):
        return None
    is_explicit = not is_implicit(start.transfer_syntax)
    needed = declared_end(data, known.end, explicit=is_explicit) if stopped else 0
    if needed > size:
        return None
    header = Header(known.changed, known.end, stopped, needed)
    if arrived and _unfit(descriptor, data, start, header, Remarks()) is not None:
        return None
    return known.instance(default_zone)


def _unreadable(error: OSError) -> Skipped:
    return Skipped(Reason.UNREADABLE, error.strerror or type(error).__name__)


def _read(
    descriptor: int,
    data: bytes,
    known_start: FileStart | None,
    default_zone: int,
    headers: KnownHeaders | None = None,
) -> Prepared | Skipped:
    """Decode the header, of which ``data`` is the beginning; read more of the file as needed.

    ``known_start`` is there for a file that has arrived, which has to be fit for other readers.
    """
    arrived = known_start is not None
    size = os.fstat(descriptor).st_size
    data = data or os.read(descriptor, FIRST_READ)
    while True:
        remarks = Remarks()
        try:
            start = known_start or read_file_start(data)
            if start.guessed or type(start.transfer_syntax) is not str:
                # Only the instance of a file that names its syntax has one.
                headers = None
            if headers is not None and len(data) <= FIRST_READ:
                known = headers.find(data, start.start, start.transfer_syntax)
                if known is not None and (
                    found := _known_instance(
                        descriptor, data, start, known, default_zone, size=size, arrived=arrived
                    )
                ):
                    return found
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
                received = unfit or _received(start, header, size, default_zone)
                if headers is not None and isinstance(received, Received) and not remarks:
                    headers.learn(data, start.start, start.transfer_syntax, header, received)
                return received
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
    """Return why other readers could not read the instance, or not as a whole; None if they can."""
    # A header stops before an element whose first eight bytes are there. Those of a deflated data
    # set are not in ``data``.
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
            and not is_whole(partial(os.pread, descriptor), header.end)
        )
    return Skipped(Reason.TRUNCATED, "pixel data without an end") if is_cut else None


def _has_other_form(transfer_syntax: str, unread: bytes, remarks: Remarks) -> bool:
    """Tell whether any element, or the pixel data, is in the form of VR of the other syntax.

    Padding that reads as elements of group 0000 passes.
    """
    tags = [each.tag for each in remarks if each.kind is RemarkKind.VR_FORM]
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        # Tag 0 is a remark about the data set as a whole. Read as lengths, the letters OB and OW
        # would be odd numbers, which no length is.
        return 0 in tags or unread[4:] in {b"OB\0\0", b"OW\0\0"}
    return any(tag >= FIRST_TAG for tag in tags) or (
        unread[:4] in _PIXEL_DATA and not unread[4:6].isalpha()
    )


def _mapped(descriptor: int) -> bytes:
    """Map the whole file, of which only the parts in use are in memory.

    Only for the archive's own temporary files: if anybody cut a mapped file short, a read of the
    missing part would kill this process.
    """
    return cast("bytes", mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def _more(descriptor: int, count: int) -> bytes:
    """Read up to ``count`` bytes more; one call may return fewer than there are."""
    parts = []
    while count > 0:
        part = os.read(descriptor, min(count, 1 << 24))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _malformed(error: DataSetError, *, tells_byte: bool = False) -> Skipped:
    """Say why and where a data set is malformed; with the byte, for those who have the file."""
    message = str(error)
    tag = "" if error.tag is None else tag_text(error.tag)
    place = f" in {tag}" if tag not in message else ""
    at = f" at byte {error.offset}" if tells_byte and error.offset is not None else ""
    return Skipped(Reason.MALFORMED, f"{message}{place}{at}")


def _received(start: FileStart, header: Header, size: int, default_zone: int) -> Prepared | Skipped:
    # Pixel data has to fit into the file. Where there is none, all bytes are decoded, and any
    # further need is one of missing bytes, however many: those of deflated data count inflated.
    if header.needed > (size if header.stopped else 0):
        return Skipped(Reason.TRUNCATED, f"{header.needed} bytes expected, {size} there")
    data_set = header.data_set
    if not start.guessed:
        # First and last: an element of this tag in a data set, where it must not be, counts for
        # nothing.
        syntax = {TRANSFER_SYNTAX_UID: Element("UI", (start.transfer_syntax,))}
        data_set = {**syntax, **data_set, **syntax}
    return receive(data_set, default_zone)

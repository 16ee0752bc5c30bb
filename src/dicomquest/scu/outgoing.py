"""Instances on their way to a peer, from files in parts or from Datasets (PS3.4 B.2)."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from dicomquest.dataset.codec import (
    FILE_LIMITS,
    Header,
    decode,
    decode_header,
    deflate,
    is_deflated,
    is_whole_stream,
)
from dicomquest.dataset.part10 import FileStart, read_file_start
from dicomquest.dataset.pixel_fragments import is_whole
from dicomquest.errors import DataSetError
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.tags import FIRST_TAG
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.ul.negotiation import AcceptedContext

PART = 256 * 1024
"""Bytes that are read of a file at a time."""

CONVERTIBLE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""Transfer syntaxes between which a data set changes its form, and none of its values."""

_HEAD = 32 * 1024
"""Bytes at the start of a file: its meta information, and the data set as far as the two UIDs."""

_LARGEST_OPAQUE = 0
"""Bytes of an opaque value that are kept: none, as only the end of the data set matters."""

_UNCOMPRESSED = {*CONVERTIBLE, EXPLICIT_VR_BIG_ENDIAN}

_SOP_CLASS_UID = KEYS_BY_KEYWORD["SOPClassUID"].tag
_SOP_INSTANCE_UID = KEYS_BY_KEYWORD["SOPInstanceUID"].tag

_DIRECTORY_GROUP = 0x0004
"""The group whose elements a DICOMDIR alone has (PS3.3 F)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The facts by which a presentation context is chosen for an instance.

    ``transfer_syntaxes`` are those that it can be sent in; the first is the one that it has.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance that can be sent, with its presentation context.

    ``parts`` are those of its data set, each with True if it is the last one.
    """

    context: AcceptedContext
    sop_instance_uid: str
    parts: Iterator[tuple[bytes, bool]]


def prepare(
    what: Dataset | str | os.PathLike[str],
    context_for: Callable[[str, Sequence[str]], AcceptedContext],
) -> Outgoing:
    """Return a file or Dataset ready to be sent, after its first part has been read.

    An instance that cannot be sent fails here, before a byte of it is on its way: DataSetError for
    its content, OSError for its file, and the errors of ``context_for``, which chooses a
    presentation context by SOP class and transfer syntaxes.
    """
    instance = describe(what)
    context = context_for(instance.sop_class_uid, instance.transfer_syntaxes)
    rest = parts(what, context.transfer_syntax)
    return Outgoing(context, instance.sop_instance_uid, chain([next(rest)], rest))


def describe(what: Dataset | str | os.PathLike[str]) -> Instance:
    """Describe a file or Dataset.

    DataSetError if it cannot be sent, OSError if the file cannot be read.
    """
    if isinstance(what, Dataset):
        named = getattr(getattr(what, "file_meta", None), "TransferSyntaxUID", None)
        uids = tuple(str(what.get(keyword, "")) for keyword in ("SOPClassUID", "SOPInstanceUID"))
        return _instance(uids[0], uids[1], str(named or EXPLICIT_VR_LITTLE_ENDIAN))
    with open(what, "rb") as file:  # noqa: PTH123
        head = file.read(_HEAD)
        start = read_file_start(head)
        found = decode_header(
            head, start.transfer_syntax, start=start.start, stop_tag=_SOP_INSTANCE_UID + 1
        ).data_set
        if any(tag >> 16 == _DIRECTORY_GROUP for tag in found):
            raise DataSetError("DICOMDIR")
        _refuse_truncated(file, head, start)
    elements = [found.get(tag) for tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID)]
    uids = tuple(
        str(element.values[0]) if element and element.values else "" for element in elements
    )
    return _instance(uids[0], uids[1], start.transfer_syntax)


def _refuse_truncated(file: BinaryIO, head: bytes, start: FileStart) -> None:
    """Raise DataSetError for a file that ends too early: many peers wait for the rest of it.

    A file that is malformed in another way is sent as it is: the peer may read it.
    """
    size = os.fstat(file.fileno()).st_size
    if is_deflated(start.transfer_syntax):
        with suppress(zlib.error):
            if not is_whole_stream(head + file.read(), start.start, FILE_LIMITS.inflated):
                raise DataSetError("truncated (a deflated data set without its end)")
        return
    try:
        header = _header(file, head, start, size)
    except DataSetError:
        return
    if header.needed > size:
        raise DataSetError(f"truncated ({header.needed} bytes expected, {size} there)")
    if start.transfer_syntax not in _UNCOMPRESSED and not _has_all_fragments(file, header):
        raise DataSetError("truncated (pixel data without an end)")


def _header(file: BinaryIO, data: bytes, start: FileStart, size: int) -> Header:
    """Decode the elements before the pixel data, of which ``data`` is the beginning."""
    while True:
        header = decode_header(
            data, start.transfer_syntax, start=start.start, largest_opaque=_LARGEST_OPAQUE
        )
        if header.stopped or len(data) >= size:
            return header
        # Twice the bytes at least, so that all attempts together cost little more than the last.
        more = file.read(max(header.needed, 2 * len(data)) - len(data))
        if not more:
            return header
        data += more


def _has_all_fragments(file: BinaryIO, header: Header) -> bool:
    """Tell whether the encapsulated pixel data ends in the file; True for other content, too."""

    def read(count: int, at: int) -> bytes:
        file.seek(at)
        return file.read(count)

    try:
        return not header.stopped or is_whole(read, header.end)
    except DataSetError:
        return True


def _instance(sop_class: str, sop_instance: str, transfer_syntax: str) -> Instance:
    if not (sop_class and sop_instance):
        raise DataSetError(
            "no SOP Class UID or no SOP Instance UID: an instance needs both to be sent"
        )
    others = CONVERTIBLE if transfer_syntax in CONVERTIBLE else ()
    return Instance(
        sop_class,
        sop_instance,
        (transfer_syntax, *(uid for uid in others if uid != transfer_syntax)),
    )


def parts(
    what: Dataset | str | os.PathLike[str], transfer_syntax: str
) -> Iterator[tuple[bytes, bool]]:
    """Yield the data set of a file or Dataset in parts, each with True if it is the last one.

    DataSetError if it is empty, or cannot be brought to this transfer syntax.
    """
    if not isinstance(what, Dataset):
        with open(what, "rb") as file:  # noqa: PTH123
            start = read_file_start(file.read(_HEAD))
            if transfer_syntax == start.transfer_syntax:
                file.seek(start.start)
                yield from _parts(file)
                return
            # The peer accepted the other form only. That is rare, and takes the whole data set in
            # memory. It is decoded first: a file that was cut off must not be made a whole one.
            file.seek(start.start)
            decode(file.read(), start.transfer_syntax, limits=FILE_LIMITS)
    try:
        data = encoded(
            what if isinstance(what, Dataset) else dcmread(what, force=True), transfer_syntax
        )
    except Exception as error:
        # pydicom raises anything for values that it cannot write, with patient data in its words.
        words = f"a value cannot be brought to {UID(transfer_syntax).name} ({type(error).__name__})"
        raise DataSetError(words) from error
    yield from _parts(BytesIO(data))


def _parts(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    part = file.read(PART)
    if not part:
        raise DataSetError("an empty data set: there is nothing to send")
    while part:
        following = file.read(PART)
        # No fragment may have an odd length, and a deflated data set may end anywhere (PS3.5 A.5).
        yield part + b"\0" * (len(part) % 2), not following
        part = following


def encoded(data_set: Dataset, transfer_syntax: str) -> bytes:
    """Encode the data set of an instance.

    The transfer syntax is an uncompressed one, or the one that its pixel data already have.
    """
    buffer = DicomBytesIO()
    uid = UID(transfer_syntax)
    buffer.is_implicit_VR, buffer.is_little_endian = uid.is_implicit_VR, uid.is_little_endian
    write_dataset(buffer, data_set[FIRST_TAG:])
    plain = buffer.getvalue()
    return deflate(plain) if transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else plain

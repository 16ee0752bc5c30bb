"""Instances on their way to a peer: from files, of which only a part is in memory, or from Datasets (PS3.4 B.2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from dicomquest.dataset.codec import FILE_LIMITS, decode, decode_header, deflate
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.tags import FIRST_TAG
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.ul.negotiation import AcceptedContext

PART = 256 * 1024
"""Bytes that are read of a file at a time."""

_HEAD = 32 * 1024
_SOP_CLASS_UID = KEYS_BY_KEYWORD["SOPClassUID"].tag
_SOP_INSTANCE_UID = KEYS_BY_KEYWORD["SOPInstanceUID"].tag
_DIRECTORY_GROUP = 0x0004  # only a DICOMDIR has elements of it (PS3.3 F)

CONVERTIBLE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""Between these a data set changes its form, and not one of its values."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What a presentation context is chosen by; of the transfer syntaxes the first is that of the file."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance that can be sent: on which context, and its data set, each part with whether it is the last."""

    context: AcceptedContext
    sop_instance_uid: str
    parts: Iterator[tuple[bytes, bool]]


def prepare(
    what: Dataset | str | os.PathLike[str],
    context_for: Callable[[str, Sequence[str]], AcceptedContext],
) -> Outgoing:
    """Look at a file or Dataset, and read its first part: what cannot be sent fails here, before anything is.

    ``context_for`` chooses among the transfer syntaxes that it can be sent in. DataSetError, OSError, or what that
    raises.
    """
    instance = describe(what)
    context = context_for(instance.sop_class_uid, instance.transfer_syntaxes)
    rest = parts(what, context.transfer_syntax)
    return Outgoing(context, instance.sop_instance_uid, chain([next(rest)], rest))


def describe(what: Dataset | str | os.PathLike[str]) -> Instance:
    """What a file or Dataset is; DataSetError if it cannot be sent, OSError if it cannot be read."""
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
        raise DataSetError("a DICOMDIR")
    elements = [found.get(tag) for tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID)]
    uids = tuple(
        str(element.values[0]) if element and element.values else "" for element in elements
    )
    return _instance(uids[0], uids[1], start.transfer_syntax)


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
    """Give the data set of a file or Dataset in this transfer syntax, each part with whether it is the last."""
    if not isinstance(what, Dataset):
        with open(what, "rb") as file:  # noqa: PTH123
            start = read_file_start(file.read(_HEAD))
            if transfer_syntax == start.transfer_syntax:
                file.seek(start.start)
                yield from _parts(file)
                return
            # The peer takes another form only: rare, and then the data set has to be in memory, and whole.
            file.seek(start.start)
            decode(file.read(), start.transfer_syntax, limits=FILE_LIMITS)
    try:
        data = encoded(
            what if isinstance(what, Dataset) else dcmread(what, force=True), transfer_syntax
        )
    except Exception as error:
        # What pydicom raises of values that it cannot write may be anything; its words hold patient data.
        words = f"a value cannot be brought to {UID(transfer_syntax).name} ({type(error).__name__})"
        raise DataSetError(words) from error
    yield from _parts(BytesIO(data))


def _parts(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    part = file.read(PART)
    if not part:
        raise DataSetError("an empty data set: there is nothing to send")
    while part:
        following = file.read(PART)
        # A deflated data set may end anywhere (PS3.5 A.5), and no fragment may be odd.
        yield part + b"\0" * (len(part) % 2), not following
        part = following


def encoded(data_set: Dataset, transfer_syntax: str) -> bytes:
    """Encode the data set of an instance in an uncompressed transfer syntax, or in that of its own pixel data."""
    buffer = DicomBytesIO()
    uid = UID(transfer_syntax)
    buffer.is_implicit_VR, buffer.is_little_endian = uid.is_implicit_VR, uid.is_little_endian
    write_dataset(buffer, data_set[FIRST_TAG:])
    plain = buffer.getvalue()
    return deflate(plain) if transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else plain

"""The beginning of a file that arrives: is it one that C-STORE would take? (PS3.18 10.5.1, I.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.dataset.codec import decode_header, is_deflated
from dicomquest.dataset.decoder import TruncatedDataSetError
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.part10 import FileStart, read_file_start
from dicomquest.errors import DataSetError
from dicomquest.services.storage_classes import stored_sop_classes, stored_transfer_syntaxes
from dicomquest.standard import statuses
from dicomquest.standard.object_keys import OBJECT_CLASSES
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID

LONGEST_START = 65_536
"""Bytes of preamble and File Meta Information; private information is seldom a tenth of it."""

TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
"""Failure Reason of Table I.2-2."""

_MEDIA_SOP_CLASS_UID, _MEDIA_SOP_INSTANCE_UID = 0x00020002, 0x00020003


@dataclass(frozen=True, slots=True)
class ArrivedStart:
    """The offset of the data set in a file, its transfer syntax, and the UIDs of the instance.

    ``status`` is that of a file that is not taken, with ``words`` that say why; else 0.
    """

    offset: int = 0
    transfer_syntax: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    status: int = 0
    words: str = ""


def read_start(first: bytes, *, is_whole: bool) -> ArrivedStart | None:
    """Read the first bytes of a file; None if more are needed, which cannot be if it is whole."""
    may_grow = not is_whole and len(first) < LONGEST_START
    try:
        start = read_file_start(first)
        # More of the File Meta Information may follow, if there is no byte of the data set yet.
        if start.start + 2 > len(first) and not is_whole:
            return None if may_grow else _unfit("the File Meta Information is too long")
        if start.guessed:
            return _unfit("the File Meta Information has no Transfer Syntax UID")
        uids = _uids(first, start)
    except TruncatedDataSetError as error:
        return None if may_grow else _unfit(str(error))
    except DataSetError as error:
        return _unfit(str(error))
    if "" in uids and may_grow:
        return None
    return _judged(start, *uids)


def _uids(first: bytes, start: FileStart) -> tuple[str, str]:
    """Return class and instance as the File Meta Information has them, else the data set.

    pydicom writes files without them unless it is told to hold to the Standard.
    """
    meta = start.meta
    uids = _text(meta, _MEDIA_SOP_CLASS_UID), _text(meta, _MEDIA_SOP_INSTANCE_UID)
    # Nothing is inflated here: a few bytes may become very many.
    if "" not in uids or is_deflated(start.transfer_syntax):
        return uids
    stop_tag = SOP_INSTANCE_UID + 1
    header = decode_header(first, start.transfer_syntax, start=start.start, stop_tag=stop_tag)
    found = header.data_set
    return uids[0] or _text(found, SOP_CLASS_UID), uids[1] or _text(found, SOP_INSTANCE_UID)


def _judged(start: FileStart, sop_class: str, sop_instance: str) -> ArrivedStart:
    """Return the start of a file, with the objection of C-STORE's negotiation if it has one."""
    status, words = 0, ""
    if not sop_class or not sop_instance:
        missing = "SOP Instance UID" if sop_class else "SOP Class UID"
        status, words = statuses.CANNOT_UNDERSTAND, f"the file has no {missing} at its beginning"
    elif start.transfer_syntax not in stored_transfer_syntaxes():
        status, words = TRANSFER_SYNTAX_NOT_SUPPORTED, "transfer syntax not supported"
    elif sop_class in OBJECT_CLASSES:
        status = statuses.SOP_CLASS_NOT_SUPPORTED
        words = "the instance belongs to no patient, and so to no study: send it by C-STORE"
    elif sop_class not in stored_sop_classes():
        status, words = statuses.SOP_CLASS_NOT_SUPPORTED, "SOP class not supported"
    return ArrivedStart(start.start, start.transfer_syntax, sop_class, sop_instance, status, words)


def _unfit(words: str) -> ArrivedStart:
    return ArrivedStart(status=statuses.CANNOT_UNDERSTAND, words=words)


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return str(element.values[0]) if element and element.values else ""

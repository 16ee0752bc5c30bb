"""The beginning of a DICOM file: preamble, prefix, File Meta Information (PS3.10 7.1).

Files that lack some of it are read too: most old ones, and what writers of bare data sets leave.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dicomquest.dataset.decoder import Decoder, TruncatedDataSetError, declared_end
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.dataset.remembering import is_short, remembered
from dicomquest.dataset.value_fields import CODES, Place, scope_of
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import FIRST_TAG, TRANSFER_SYNTAX_UID
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

_PREAMBLE_LENGTH = 128
_PREFIX = b"DICM"
_META_GROUP = b"\x02\x00"

_META_ELEMENT = struct.Struct("<HH2sH")
_LONG_META_ELEMENT = struct.Struct("<HH2sHI")

_VR_CODES = frozenset(CODES.values())
# A data set without File Meta Information begins with group 0008, in the oldest files with its
# length. Read in the wrong byte order, a small group is a large one: 0008 is 0800.
_FIRST_GROUP = FIRST_TAG >> 16
_LARGEST_FIRST_GROUP = 0x0400
# The first element is short, so its length ends with two zeros, which other files seldom have
# there.
_LARGEST_FIRST_VALUE = 0x10000


class FileStart(NamedTuple):
    """The offset and the transfer syntax of a file's data set, and its File Meta Information.

    ``guessed`` says that the file names no transfer syntax: its first element told it.
    """

    start: int
    transfer_syntax: str
    meta: DataSet
    guessed: bool


def encode_file_meta(
    sop_class: str,
    sop_instance: str,
    transfer_syntax: str,
    *,
    implementation: tuple[str, str],
    source_ae_title: str = "",
) -> bytes:
    """Return the File Meta Information of an instance (PS3.10 Table 7.1-1).

    ``implementation`` are the class UID and the version name of the writer; without a
    ``source_ae_title`` no sender is named.
    """
    before, after = _around_sop_instance(
        sop_class, transfer_syntax, implementation, source_ae_title
    )
    # File Meta Information Version: two bytes, 00 01.
    body = b"".join(
        (
            _LONG_META_ELEMENT.pack(2, 0x0001, b"OB", 0, 2),
            b"\0\1",
            before,
            _meta_element(0x0003, b"UI", sop_instance),
            after,
        )
    )
    return _META_ELEMENT.pack(2, 0x0000, b"UL", 4) + struct.pack("<I", len(body)) + body


@remembered(256, lambda *texts: is_short("".join((*texts[:2], *texts[2], texts[3]))))
def _around_sop_instance(
    sop_class: str, transfer_syntax: str, implementation: tuple[str, str], source_ae_title: str
) -> tuple[bytes, bytes]:
    """Return the elements before and behind the UID of an instance, by which alone many differ."""
    implementation_class, version_name = implementation
    after = [
        _meta_element(0x0010, b"UI", transfer_syntax),
        _meta_element(0x0012, b"UI", implementation_class),
        _meta_element(0x0013, b"SH", version_name),
    ]
    if source_ae_title:
        after.append(_meta_element(0x0016, b"AE", source_ae_title))
    return _meta_element(0x0002, b"UI", sop_class), b"".join(after)


def _meta_element(number: int, vr: bytes, text: str) -> bytes:
    data = text.encode("ascii", "replace")
    data += (b"\0" if vr == b"UI" else b" ") * (len(data) % 2)
    return _META_ELEMENT.pack(2, number, vr, len(data)) + data


def read_file_start(data: bytes) -> FileStart:
    """Read the first bytes of a file; DataSetError if it is no DICOM file, or cut off."""
    has_prefix = data[_PREAMBLE_LENGTH : _PREAMBLE_LENGTH + len(_PREFIX)] == _PREFIX
    start = _PREAMBLE_LENGTH + len(_PREFIX) if has_prefix else 0
    start, meta = _read_meta(data, start)
    element = meta.get(TRANSFER_SYNTAX_UID)
    if element and element.values:
        return FileStart(start, element.values[0], meta, guessed=False)
    transfer_syntax = _guess(data, start, is_dicom=has_prefix or bool(meta))
    if transfer_syntax is None:
        raise DataSetError(
            "no DICOM file: no prefix, and no data set at its beginning", offset=start
        )
    return FileStart(start, transfer_syntax, meta, guessed=True)


def _read_meta(data: bytes, start: int) -> tuple[int, DataSet]:
    """Return the end of group 0002 and its elements, whatever its group length says.

    Some writers get that length wrong, so the tags tell.
    """
    decoder = Decoder(data, limits=FILE_LIMITS)
    end = start
    while data[end : end + len(_META_GROUP)] == _META_GROUP:
        element, end = end, declared_end(data, end, explicit=True)
        if not element < end <= len(data):
            # A header that is cut off does not say how much is missing: a byte more, at least.
            needed = max(end, len(data) + 1)
            message = f"File Meta Information ends within an element: {len(data)} of {needed} bytes"
            raise TruncatedDataSetError(message, offset=element, tag=None, needed=needed)
    place = Place(scope_of(()), explicit=True)
    decoder.read(place, start, end)
    return end, place.elements


def _guess(data: bytes, start: int, *, is_dicom: bool) -> str | None:
    """Guess the transfer syntax from the first element; None if there seems to be none.

    Without prefix and File Meta Information (``is_dicom``) only a first group of 0008 counts.
    """
    if len(data) < start + 8:
        return IMPLICIT_VR_LITTLE_ENDIAN if is_dicom else None
    group, _, length = struct.unpack_from("<HHI", data, start)
    if data[start + 4 : start + 6] in _VR_CODES:
        if group > _LARGEST_FIRST_GROUP:
            (group,) = struct.unpack_from(">H", data, start)
            transfer_syntax = EXPLICIT_VR_BIG_ENDIAN
        else:
            transfer_syntax = EXPLICIT_VR_LITTLE_ENDIAN
        return transfer_syntax if is_dicom or group == _FIRST_GROUP else None
    if is_dicom or (group == _FIRST_GROUP and length < _LARGEST_FIRST_VALUE):
        return IMPLICIT_VR_LITTLE_ENDIAN
    return None

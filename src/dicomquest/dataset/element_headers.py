"""Headers of elements as they stand on the wire, and all that follows from them (PS3.5 7.1.2)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from pydicom.tag import BaseTag

from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.value_fields import CODES
from dicomquest.standard.tags import FIRST_TAG, SPECIFIC_CHARACTER_SET
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, Kind, Spaces

REMEMBERED_HEADERS = 4096
"""Headers that are kept; a query asks for tens."""

# ASCII text of these VRs without a backslash is its value once the padding is off.
_PLAIN_VRS = frozenset(
    row.vr
    for row in VALUE_REPRESENTATIONS
    if row.kind is Kind.TEXT and row.multiple and row.spaces is Spaces.BOTH
)
_CODED_VRS = frozenset(row.vr for row in VALUE_REPRESENTATIONS if row.charset)
SHORT_VRS = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if not row.long_form}

# Values, without padding, that pydicom reads to the very value that the sure way gives, and without
# a warning. Other values are converted here, and pydicom gets the result.
_PATTERNS_OF_PYDICOM = {
    vr: pattern.encode("ascii")
    for vr, pattern in {
        "AE": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "AS": r"\d{3}[DWMY]",
        "CS": r"[A-Z0-9_]{1,16}(?:\\[A-Z0-9_]{1,16})*",
        "DA": r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",
        "IS": r"-?\d{1,9}",
        "LO": r"[\x20-\x5b\x5d-\x7e]{1,64}",
        "PN": r"[\x20-\x3c\x3e-\x5b\x5d-\x7e]{1,64}",
        "SH": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "TM": r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?",
        "UI": r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*",
    }.items()
}
_READ_BY_PYDICOM: dict[str, Callable[[bytes], object]] = {
    vr: re.compile((rb"(?=.{1,64}\Z)" if vr == "UI" else b"") + pattern).fullmatch
    for vr, pattern in _PATTERNS_OF_PYDICOM.items()
}


class Header(NamedTuple):
    """Tag and VR as they stand on the wire, and all that follows from them.

    ``name`` is that of the DICOM JSON Model. ``is_plain`` says that a value may take the short cut,
    ``is_coded`` that Specific Character Set holds for it.
    """

    key: bytes
    tag: int
    name: str
    vr: str
    is_plain: bool
    is_coded: bool
    base_tag: BaseTag
    is_read_by_pydicom: Callable[[bytes], object] | None


def header_of(key: bytes, tag: int) -> Header | None:
    """Return the header that ``key`` stands for; None if its element has to go the sure way."""
    vr = SHORT_VRS.get(key[4:] or IMPLICIT_CODES.get(tag) or b"")
    # The decoder leaves group lengths out, and remarks on groups that data sets do not have.
    if vr is None or not tag & 0xFFFF or not FIRST_TAG <= tag < 0xFFFE0000:
        return None
    is_plain = vr in _PLAIN_VRS
    # Specific Character Set decides on the text behind it, so it is looked at, not passed on.
    pattern = _READ_BY_PYDICOM.get(vr) if is_plain and tag != SPECIFIC_CHARACTER_SET else None
    return Header(key, tag, f"{tag:08X}", vr, is_plain, vr in _CODED_VRS, BaseTag(tag), pattern)


class Headers(dict[bytes, "Header | None"]):
    """The header by the bytes before a length; None for one that goes the sure way."""

    def __missing__(self, key: bytes) -> Header | None:
        group, number = struct.unpack_from("<HH", key)
        if len(self) >= REMEMBERED_HEADERS:
            self.clear()
        header = self[key] = header_of(key, group << 16 | number)
        return header

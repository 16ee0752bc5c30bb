"""The quick way through a small data set finds what the decoder finds, or leaves it to that."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.codec import decode
from dicomquest.dataset.decoder import Decoder
from dicomquest.dataset.usual_identifier import LONGEST, usual_elements
from dicomquest.dataset.value_fields import Place, Remarks, scope_of
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

SHORT = b"AE AS AT CS DA DS DT FL IS LO LT PN SH SL SS ST TM UI UL US".split()
VRS = [*SHORT, b"SQ", b"OB", b"UN", b"??", b"\0\0"]
TAGS = [
    0x00080005, 0x00080020, 0x00080052, 0x00080056, 0x00081110, 0x00100010, 0x00100020,
    0x00280103, 0x00280106, 0x0020000D, 0x00200000, 0x00020010, 0x00091001, 0x7FE00010,
    0xFFFEE00D, 0x0008FFFF,
]  # fmt: skip
VALUES = [
    b"", b"", b"", b"STUDY ", b"P0000001", b"A\\B ", b"1.2.3\0", b"ISO_IR 100", b"ISO_IR 13 ",
    b"NONE", b"\xc4BC ", b"\x1b$B;3", b"\1\0", b"\1", b"x" * 64, b"x" * 66,
]  # fmt: skip

elements = st.tuples(st.sampled_from(TAGS), st.sampled_from(VRS), st.sampled_from(VALUES))
usual = st.tuples(st.sampled_from(TAGS[:8]), st.sampled_from(SHORT), st.sampled_from(VALUES[:7]))


def encoded(made: list[tuple[int, bytes, bytes]], *, explicit: bool) -> bytes:
    data = b""
    for tag, vr, value in made:
        length = struct.pack("<2sH", vr, len(value)) if explicit else struct.pack("<I", len(value))
        data += struct.pack("<HH", tag >> 16, tag & 0xFFFF) + length + value
    return data


def plainly(data: bytes, *, explicit: bool) -> tuple[object, Remarks]:
    """The elements in their order as the decoder reads them, None if it refuses them."""
    remarks, place = Remarks(), Place(scope_of(()), explicit=explicit)
    try:
        end = Decoder(data, remarks=remarks).read(place, 0, len(data))
    except DataSetError:
        return None, remarks
    return (list(place.elements.items()) if end == len(data) else None), remarks


@given(
    st.lists(elements, max_size=12) | st.lists(usual, max_size=12), st.booleans(), st.booleans(),
    st.integers(0, 8),
)  # fmt: skip
def test_found_is_what_the_decoder_finds(
    made: list[tuple[int, bytes, bytes]], explicit: bool, in_order: bool, cut: int
) -> None:
    if in_order:
        made = sorted({tag: (tag, vr, value) for tag, vr, value in made}.values())
    data = encoded(made, explicit=explicit)
    data = data[: len(data) - cut]
    found = usual_elements(data, explicit=explicit)
    if found is not None:
        assert (list(found.items()), []) == plainly(data, explicit=explicit)


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_are_read_alike(data: bytes, explicit: bool) -> None:
    found = usual_elements(data, explicit=explicit)
    if found is not None:
        assert (list(found.items()), []) == plainly(data, explicit=explicit)


@pytest.mark.parametrize("explicit", [True, False])
def test_usual_identifiers_go_the_quick_way(explicit: bool) -> None:
    made = [
        (0x00080005, b"CS", b"ISO_IR 100"), (0x00080020, b"DA", b""), (0x00080030, b"TM", b""),
        (0x00080052, b"CS", b"STUDY "), (0x00100010, b"PN", b"CITIZEN*"), (0x00100020, b"LO", b""),
    ]  # fmt: skip
    found = usual_elements(encoded(made, explicit=explicit), explicit=explicit)
    assert found is not None
    assert list(found) == [tag for tag, _, _ in made]


def test_elements_found_are_not_shared() -> None:
    """A caller may change what it got, though a row is remembered."""
    data = encoded([(0x00080020, b"DA", b""), (0x00080030, b"TM", b"")], explicit=True)
    first = decode(data, EXPLICIT_VR_LITTLE_ENDIAN)
    first.clear()
    assert len(decode(data, EXPLICIT_VR_LITTLE_ENDIAN)) == 2
    assert len(data) <= LONGEST

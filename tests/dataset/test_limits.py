"""An identifier is refused on its bytes, before anything of it is decoded."""

from __future__ import annotations

import struct
import zlib

import pytest

from dicomquest.dataset.codec import FILE_LIMITS, IDENTIFIER_LIMITS, decode, decode_header
from dicomquest.dataset.limits import MOST_KEPT, MOST_VALUES
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED,
)
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN as BIG_ENDIAN
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT


def long_element(tag: int, vr: str, value: bytes) -> bytes:
    """An element with a length of 32 bits; UN has the VR of the dictionary."""
    padded = value + b" " * (len(value) % 2)
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(padded)) + padded


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (long_element(0x00189004, "UC", b"a\\" * 8000), "8001 values, at most 100"),
        (long_element(0x00189004, "UC", b"a" * 20_000), "a text of 20000 bytes, at most 16384"),
        (long_element(0x00189004, "UC", b"a\\" * 500_000), "a text of 1000000 bytes"),
        (long_element(0x0020000D, "UN", b"1\\" * 20_001), "20002 values, at most 20000"),
        (long_element(0x00091000, "OB", bytes(1 << 21)), "a value of 2097152 bytes"),
    ],
)
def test_value_fields_are_bounded(data: bytes, words: str) -> None:
    with pytest.raises(DataSetError, match=words):
        decode(data, EXPLICIT, limits=IDENTIFIER_LIMITS)


def test_inflated_bytes_are_bounded() -> None:
    bomb = deflated(long_element(0x00189004, "UC", b"a\\" * 5_000_000))
    assert len(bomb) < 16_384
    with pytest.raises(DataSetError, match="more than 1048576 bytes inflated"):
        decode(bomb, DEFLATED, limits=IDENTIFIER_LIMITS)


def test_ten_thousand_uids_pass() -> None:
    uids = [f"1.2.826.0.1.3680043.8.498.{number:038}" for number in range(10_000)]
    data = long_element(0x0020000D, "UN", "\\".join(uids).encode())
    assert decode(data, EXPLICIT, limits=IDENTIFIER_LIMITS)[0x0020000D].values == tuple(uids)


def test_headers_leave_out_too_many_values() -> None:
    """A file's header is read; its field with more values than an index keeps is left out."""
    data = long_element(0x00189004, "UC", b"a\\" * MOST_VALUES) + b"\x20\0\x10\0SH\2\0A1"
    found = decode_header(data, EXPLICIT, limits=FILE_LIMITS, largest_opaque=1024).data_set
    assert found.keys() == {0x00200010}
    assert decode(data, EXPLICIT, limits=FILE_LIMITS).keys() == {0x00189004, 0x00200010}


def short_element(tag: int, vr: str, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def kept(data: bytes) -> set[int]:
    header = decode_header(data, EXPLICIT, limits=FILE_LIMITS, largest_opaque=1024)
    assert header.end == len(data)
    return set(header.data_set)


ID = short_element(0x00100020, "LO", b"P1")
NAMED = long_element(0x00400555, "SQ", b"\xfe\xff\x00\xe0\0\0\0\0")
CREATOR = short_element(0x00090010, "LO", b"X ")
MANY = b"".join(
    short_element(tag, "LO", b"%08d" % tag) for tag in range(0x00091010, 0x00091010 + 66_000)
)


def test_headers_keep_a_mebibyte() -> None:
    """Behind that, short attributes of the Standard outside of sequences are kept."""
    assert MOST_KEPT < len(MANY) < MOST_KEPT + 20_000
    found = kept(MANY + ID + short_element(0x00111001, "LO", b"ab") + NAMED)
    assert 0x00100020 in found
    assert 65_000 < len(found) < 66_000
    assert found.isdisjoint({0x00111001, 0x00400555})


def test_fields_left_out_take_no_room() -> None:
    left_out = long_element(0x00091001, "OB", bytes(3 * MOST_KEPT))
    private = short_element(0x00111001, "LO", b"ab")
    assert kept(CREATOR + left_out + private + NAMED) == {0x00090010, 0x00111001, 0x00400555}


def test_numbers_take_more_room() -> None:
    """A number of two bytes becomes an object."""
    numbers = b"".join(short_element(0x00091001 + n, "US", b"\1\0" * 20_000) for n in range(20))
    assert len(kept(CREATOR + numbers)) == 1 + 7


def test_items_take_room_in_big_endian_too() -> None:
    """A sequence sent as UN is little endian, and is bounded as all else is."""
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", 10) + struct.pack("<HHI", 9, 16, 2) + b"AB"
    value = item * 80_000
    data = struct.pack(">HH2sHI", 0x0040, 0x0555, b"UN", 0, len(value)) + value
    found = decode_header(data, BIG_ENDIAN, limits=FILE_LIMITS, largest_opaque=1024).data_set
    (items,) = (element.values for element in found.values())
    assert 58_000 < len(items) < 58_300

"""The end of encapsulated pixel data, found from the headers of its fragments (PS3.5 A.4)."""

from __future__ import annotations

import struct

import pytest

from dicomquest.dataset.pixel_fragments import is_whole
from dicomquest.errors import DataSetError

BEFORE = b"before"
PIXEL_DATA = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def fragment(size: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, size) + bytes(size)


def asked(data: bytes) -> bool:
    whole = BEFORE + data
    return is_whole(lambda size, at: whole[at : at + size], len(BEFORE))


@pytest.mark.parametrize("sizes", [[], [0], [0, 100, 2], [0] * 2000, [5000, 4096, 9000]])
def test_fragments_with_an_end_are_whole(sizes: list[int]) -> None:
    data = PIXEL_DATA + b"".join(map(fragment, sizes)) + END
    assert asked(data)
    assert asked(data + b"\xfc\xff\xfc\xffOB\0\0\2\0\0\0ab")


@pytest.mark.parametrize("sizes", [[], [100], [5000, 4096]])
@pytest.mark.parametrize("cut", [1, 4, 8])
def test_fragments_without_an_end_are_cut(sizes: list[int], cut: int) -> None:
    data = PIXEL_DATA + b"".join(map(fragment, sizes)) + END
    assert not asked(data[:-cut])


def test_header_that_is_cut_is_not_whole() -> None:
    assert not asked(PIXEL_DATA[:-1])
    assert not asked(b"")


def test_other_element_is_whole() -> None:
    assert asked(b"\xe0\x7f\x10\x00OW\0\0\4\0\0\0abcd")


@pytest.mark.parametrize(
    "stray",
    [
        struct.pack("<HHI", 0xFFFE, 0xE00D, 0),
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF),
        bytes(8),
    ],
)
def test_stray_item_is_an_error_with_its_offset(stray: bytes) -> None:
    first = fragment(10)
    with pytest.raises(DataSetError) as raised:
        asked(PIXEL_DATA + first + stray + END)
    assert raised.value.offset == len(BEFORE + PIXEL_DATA + first)

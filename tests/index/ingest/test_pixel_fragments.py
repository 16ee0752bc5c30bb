"""The end of encapsulated pixel data, found from the headers of its fragments (PS3.5 A.4)."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from dicomquest.index.ingest.pixel_fragments import is_whole

from dicomquest.errors import DataSetError

BEFORE = b"before"
PIXEL_DATA = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def fragment(size: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, size) + bytes(size)


def asked(folder: Path, data: bytes) -> bool:
    path = folder / "file"
    path.write_bytes(BEFORE + data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return is_whole(descriptor, len(BEFORE))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("sizes", [[], [0], [0, 100, 2], [0] * 2000, [5000, 4096, 9000]])
def test_fragments_with_an_end_are_whole(tmp_path: Path, sizes: list[int]) -> None:
    data = PIXEL_DATA + b"".join(map(fragment, sizes)) + END
    assert asked(tmp_path, data)
    assert asked(tmp_path, data + b"\xfc\xff\xfc\xffOB\0\0\2\0\0\0ab")


@pytest.mark.parametrize("sizes", [[], [100], [5000, 4096]])
@pytest.mark.parametrize("cut", [1, 4, 8])
def test_fragments_without_an_end_are_cut(tmp_path: Path, sizes: list[int], cut: int) -> None:
    data = PIXEL_DATA + b"".join(map(fragment, sizes)) + END
    assert not asked(tmp_path, data[:-cut])


def test_header_that_is_cut_is_not_whole(tmp_path: Path) -> None:
    assert not asked(tmp_path, PIXEL_DATA[:-1])
    assert not asked(tmp_path, b"")


def test_other_element_is_whole(tmp_path: Path) -> None:
    assert asked(tmp_path, b"\xe0\x7f\x10\x00OW\0\0\4\0\0\0abcd")


@pytest.mark.parametrize(
    "stray",
    [
        struct.pack("<HHI", 0xFFFE, 0xE00D, 0),
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF),
        bytes(8),
    ],
)
def test_stray_item_is_an_error_with_its_offset(tmp_path: Path, stray: bytes) -> None:
    first = fragment(10)
    with pytest.raises(DataSetError) as raised:
        asked(tmp_path, PIXEL_DATA + first + stray + END)
    assert raised.value.offset == len(BEFORE + PIXEL_DATA + first)

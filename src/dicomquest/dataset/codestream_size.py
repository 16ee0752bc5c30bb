"""Rows and columns in the header of a codestream, read before anything is decoded (PS3.5 A.4)."""

from __future__ import annotations

from typing import Final

_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of JPEG without a length: TEM, RST and SOI."""
_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG and JPEG-LS that begin a frame (ISO/IEC 10918-1 B.1.1.3, 14495-1 C.2.2)."""


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Return rows and columns of a codestream; None if its header does not tell them."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    at = data.find(b"\xff\x4f\xff\x51", 0, 4096)  # behind the boxes of a JP2 file, if it is one
    return _jpeg_2000_size(data[at + 4 : at + 42]) if at >= 0 else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            size = data[at + 5 : at + 9]
            return int.from_bytes(size[:2], "big"), int.from_bytes(size[2:], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _jpeg_2000_size(segment: bytes) -> tuple[int, int] | None:
    """Return the size of the image area, without its offsets (ISO/IEC 15444-1 A.5.1)."""
    if len(segment) < 20:
        return None
    width, height, left, top = (
        int.from_bytes(segment[at : at + 4], "big") for at in (4, 8, 12, 16)
    )
    return height - top, width - left

"""Retrieved parts on their way to the client: one after the other, one piece at a time.

A part waits until the client has taken the one before, so that memory holds one piece (PS3.18 8.6).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dicomquest.errors import DataSetError

if TYPE_CHECKING:
    from dicomquest.web.retrieve_request import Retrieval

PIECE = 256 * 1024
"""Bytes that are sent together: small values share a write."""


class Multipart:
    """A multipart message that is sent part by part (RFC 2046 5.1, PS3.18 8.6.1.2)."""

    def __init__(self, retrieval: Retrieval, kind: str) -> None:
        self._retrieval = retrieval
        self._boundary = secrets.token_hex(16)
        self.content_type = f'multipart/related; type="{kind}"; boundary={self._boundary}'

    async def part(self, content_type: str, location: str, pieces: Iterable[bytes]) -> int:
        """Send a part; return the bytes of its content."""
        place = f"Content-Location: {location}\r\n" if location else ""
        head = f"--{self._boundary}\r\nContent-Type: {content_type}\r\n{place}\r\n".encode("ascii")
        size = await send_pieces(self._retrieval, pieces, before=head, after=b"\r\n")
        return size - len(head) - 2

    async def end(self) -> None:
        """Send the closing delimiter."""
        closing = f"--{self._boundary}--\r\n".encode("ascii")
        await self._retrieval.exchange.write(closing, more=False)


async def send_pieces(
    retrieval: Retrieval, pieces: Iterable[bytes], *, before: bytes = b"", after: bytes = b""
) -> int:
    """Send bytes that threads make; return their number. The caller ends the response."""
    following = _grouped(pieces, before, after)
    size = 0
    while piece := await retrieval.service.run(next, following, b""):
        retrieval.request.check_association()
        await retrieval.exchange.write(piece, more=True)
        size += len(piece)
    return size


def _grouped(pieces: Iterable[bytes], before: bytes, after: bytes) -> Iterator[bytes]:
    """Join small pieces, the first one with what stands before, the last one with what follows."""
    held, size = [before], len(before)
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    held.append(after)
    last = b"".join(held)
    if last:
        yield last


def range_of(text: str, length: int) -> tuple[int, int] | None:
    """Return the first byte and the number of bytes of a Range header; None for all of them.

    DataSetError if the range is not within the value (RFC 9110 14.1.2).
    """
    unit, _, spec = text.partition("=")
    first, dash, last = spec.strip().partition("-")
    digits = [each for each in (first, last) if each]
    if unit.strip().lower() != "bytes" or not dash or not digits:
        return None
    if not all(each.isascii() and each.isdigit() for each in digits):
        return None  # several ranges, or none: all of it is right, too
    if not first:
        begin, end = max(length - int(last), 0), length - 1
    else:
        begin, end = int(first), min(int(last), length - 1) if last else length - 1
        if last and int(last) < begin:
            return None
    if begin >= length or end < begin:
        raise DataSetError(f"the value has {length} bytes")
    return begin, end - begin + 1

"""Random changes of recorded bytes: of bits, lengths and pieces, and of two records in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from struct import pack

LONGEST = 64 * 1024
"""Bytes of an input; the limits on larger ones have tests of their own."""

INTERESTING = (0, 1, 2, 3, 4, 6, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
PIECES = (b"\\", b"*", b"?", b"^", b"=", b"\x1b$B", b"\x1b(B", b"\xfe\xff\x00\xe0", b"\xff" * 4)

Mutation = Callable[[Random, bytearray, bytes], None]


def mutated(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return one record of the corpus after one to eight changes."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        random.choice(MUTATIONS)(random, data, random.choice(corpus))
    return bytes(data[:LONGEST])


def flip_bit(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Change one bit."""
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_byte(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Set one byte to any value."""
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def set_number(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Write a number that is often a limit over two or four bytes, in either byte order."""
    form = random.choice(("<H", ">H", "<I", ">I"))
    value = random.choice((*INTERESTING, len(data), random.randrange(1 << 16)))
    number = pack(form, value)
    if len(data) > len(number):
        at = random.randrange(len(data) - len(number))
        data[at : at + len(number)] = number


def drop(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Leave a piece out."""
    start = random.randrange(len(data) + 1)
    del data[start : start + random.choice((1, 2, 8, random.randrange(len(data) + 1)))]


def double(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Repeat a piece, up to sixteen times."""
    start = random.randrange(len(data) + 1)
    piece = data[start : start + random.choice((1, 2, 8, 64))]
    data[start:start] = piece * random.choice((1, 1, 2, 16))


def insert(random: Random, data: bytearray, other: bytes) -> None:  # noqa: ARG001
    """Insert bytes that mean something somewhere."""
    start = random.randrange(len(data) + 1)
    data[start:start] = random.choice(PIECES) * random.choice((1, 1, 2, 100))


def splice(random: Random, data: bytearray, other: bytes) -> None:
    """Go on with another record from any place on."""
    at, start = random.randrange(len(data) + 1), random.randrange(len(other) + 1)
    data[at:] = other[start:]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, set_byte, set_number, set_number, drop, double, insert, splice,
)  # fmt: skip

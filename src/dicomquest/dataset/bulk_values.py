"""Large binary values of a stored data set, left where they are (PS3.18 10.4.1.1.2, F.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from dicomquest.dataset.codec import FILE_LIMITS, PIXEL_DATA, decode
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.transcoding import Read, in_little_endian, survey, walk_through, written
from dicomquest.dataset.transcoding_source import Source
from dicomquest.dataset.transcoding_walk import Step, StepKind, Walk
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VR, Kind

LONGEST_INLINE: Final = 1024
"""Bytes of a binary value that stands in the metadata itself; viewers expect short ones there."""

BulkPath: TypeAlias = tuple[int, ...]
"""The place of an element: tag, then item number from 1 and tag for each sequence around it."""


class BulkValue(NamedTuple):
    """A value that stands in a file; ``length`` is None for encapsulated pixel data."""

    vr: str
    at: int
    length: int | None
    order: str


@dataclass(frozen=True, slots=True)
class BulkFree:
    """A data set whose large binary values are empty, and the places of these."""

    data_set: DataSet
    values: dict[BulkPath, BulkValue]


def without_bulk(read: Read, start: int, end: int, syntax: str) -> BulkFree:
    """Read a data set but for its large binary values; DataSetError if it is malformed."""
    signed = False
    if syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        # US or SS is told by an element that may follow.
        signed = survey(read, start, end, syntax, EXPLICIT_VR_LITTLE_ENDIAN).signed
    source, walk = walk_through(read, start, end, syntax, signed=signed)
    values: dict[BulkPath, BulkValue] = {}
    encoded = b"".join(written(source, _emptied(source, walk, values)))
    return BulkFree(decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN, limits=FILE_LIMITS), values)


def find_bulk(read: Read, start: int, end: int, syntax: str, path: BulkPath) -> BulkValue | None:
    """Return the place of one binary value, of any length; None if there is none."""
    source, walk = walk_through(read, start, end, syntax)
    return next((value for at, value in _opaque(source, walk) if at == path), None)


def find_short(read: Read, start: int, end: int, syntax: str, tag: int) -> bytes:
    """Return a short value outside of sequences, empty if there is none."""
    source, walk = walk_through(read, start, end, syntax)
    for step in walk.steps():
        is_it = step.tag == tag and not step.depth and step.kind is StepKind.VALUE
        if is_it and step.length <= LONGEST_INLINE:
            return source.take(step.length)
    return b""


def value_parts(
    read: Read, extent: tuple[int, int], syntax: str, value: BulkValue, *, first: int, count: int
) -> Iterator[bytes]:
    """Yield bytes of a value in little endian, ``count`` of them from ``first`` on."""
    source, _ = walk_through(read, *extent, syntax)
    skipped = first & ~7  # whole words, which may have to be turned round
    source.skip(value.at + skipped - source.position)
    left = min(-(-(first + count) // 8) * 8, value.length or 0) - skipped
    drop = first - skipped
    for part in source.parts(left):
        piece = in_little_endian(part, value.vr, value.order)[drop : drop + count]
        drop, count = max(drop - len(part), 0), count - len(piece)
        yield piece


def _emptied(source: Source, walk: Walk, found: dict[BulkPath, BulkValue]) -> Iterator[Step]:
    """Yield the steps of a walk with large values empty, which go to ``found``."""
    for step, path in _paths(walk):
        bulk = _bulk(source, step)
        is_short = bulk is not None and bulk.length is not None and bulk.length <= LONGEST_INLINE
        if bulk is None or (is_short and step.tag != PIXEL_DATA):
            yield step
        else:
            found[path] = bulk
            yield step._replace(kind=StepKind.VALUE, length=0)


def _opaque(source: Source, walk: Walk) -> Iterator[tuple[BulkPath, BulkValue]]:
    for step, path in _paths(walk):
        bulk = _bulk(source, step)
        if bulk is not None:
            yield path, bulk


def _bulk(source: Source, step: Step) -> BulkValue | None:
    if step.kind is StepKind.ENCAPSULATED:
        return BulkValue(step.vr, source.position, None, step.order)
    if step.kind is StepKind.VALUE and step.length and VR[step.vr].kind is Kind.OPAQUE:
        return BulkValue(step.vr, source.position, step.length, step.order)
    return None


def _paths(walk: Walk) -> Iterator[tuple[Step, BulkPath]]:
    """Yield the steps of a walk with their places."""
    around: list[int] = []  # tag and item number of each sequence
    for step in walk.steps():
        match step.kind:
            case StepKind.SEQUENCE:
                around += [step.tag, 0]
            case StepKind.SEQUENCE_END:
                del around[-2:]
            case StepKind.ITEM:
                around[-1] += 1
            case _:
                pass
        yield step, (*around, step.tag)

"""Learned layouts: data sets that repeat their elements, taken apart by one pattern (PS3.5 7.1).

The identifiers that answer one query have the same elements in the same order: their headers (tag
and VR) are always the same, lengths and values differ. Such an order is a *layout*.
``fast_decoder`` has one ``Layouts`` for each transfer syntax and result.

*Learned*: a data set that took the pass over its headers is told to ``note``, as columns: the
header of each element, and a pattern of the values that may take the short cut. Once
``REPETITIONS`` data sets had the same columns, they become one regular expression. Headers stand in
it as they are; each length (its first byte, the others are zero) and each value is a group.

*Checked*: the bytes of a value may look like a header, so a match proves nothing yet. It counts
only if each length is that of its value. Then, from the first element on, each header stands where
the element before it ends, and the values are those that the pass would find. All lengths together
are compared at once. Matching and comparing happen in C: an answer of 13 elements takes a third
less time altogether than by the pass.

*Bounded*, because a peer decides what there is to learn: ``REMEMBERED_LAYOUTS`` are counted and
kept, ``TRIED_LAYOUTS`` are tried on each data set, ``LONGEST_LAYOUT`` elements make a pattern, and
after ``_PATIENCE`` data sets in vain few are looked at. The pattern cannot backtrack: each value
with the header behind it is an atomic group.

*The fall-back*: ``take_apart`` returns None, and the data set takes the pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import AnyStr, Generic, NamedTuple, TypeAlias, TypeVar

REPETITIONS = 64
"""Data sets of a layout before its pattern is made: that takes the time of some hundred passes."""

REMEMBERED_LAYOUTS = 32
"""Layouts that are counted, and patterns that are kept; a query has one or a few."""

TRIED_LAYOUTS = 4
"""Layouts tried on each data set: those with and without a character set, of two queries."""

# Data sets in a row that took the pass and taught nothing; afterwards one of so many is looked at.
_PATIENCE = 512

LONGEST_LAYOUT = 40
"""Elements of a layout; a pattern of more would take too long to make."""

C = TypeVar("C")
T = TypeVar("T")


class Column(NamedTuple, Generic[C]):
    """An element of a layout: its header up to the length, a pattern of its value, its meaning.

    ``value`` is a pattern without groups, of up to ``longest`` bytes.
    """

    key: bytes
    value: bytes
    longest: int
    meaning: C


class Layout(NamedTuple, Generic[T, AnyStr]):
    """The pattern of a layout, and the function that makes a result of its values."""

    match: Callable[[AnyStr], re.Match[AnyStr] | None]
    make: Callable[[Sequence[AnyStr]], T]


# Layouts differ in the header of an element, or in the pattern of its value.
_Key: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Layouts(Generic[C, T, AnyStr]):
    """The layouts of one transfer syntax; the last few met are tried, the newest first."""

    def __init__(
        self,
        length_end: bytes,
        read: Callable[[bytes], AnyStr],
        maker: Callable[[tuple[C, ...]], Callable[[Sequence[AnyStr]], T]],
    ) -> None:
        """Begin without any layout.

        ``length_end`` are the bytes of a length behind its first one, zero in all that goes this
        way.

        ``read`` turns a data set into bytes, or into text of one character a byte.

        ``maker`` turns the meanings of a layout's elements into the function that makes a result of
        their values, padding included.
        """
        self._length_end = re.escape(length_end)
        self._read: Callable[[bytes], AnyStr] = read
        self._nothing: AnyStr = read(b"")
        self._maker: Callable[[tuple[C, ...]], Callable[[Sequence[AnyStr]], T]] = maker
        self._layouts: dict[_Key, Layout[T, AnyStr]] = {}
        self._seen: dict[_Key, int] = {}
        self._tried: Sequence[Layout[T, AnyStr]] = ()
        self._in_vain = 0

    def take_apart(self, data: bytes) -> T | None:
        """Return the result made of a data set; None if it has to take the pass."""
        content = self._read(data)
        for layout in self._tried:
            # A data set of another layout fails within its first headers.
            if (match := layout.match(content)) is not None:
                groups = match.groups()
                values = groups[1::2]
                # Every length fits one byte, so all of them are one string, and one comparison
                # does. A pattern may take a longer value, for which the pass has the words.
                try:
                    lengths = self._read(bytes(map(len, values)))
                except ValueError:
                    return None
                return layout.make(values) if self._nothing.join(groups[::2]) == lengths else None
        return None

    @property
    def learns(self) -> bool:
        """Tell whether to call ``note``, and count: after many in vain, only now and then."""
        self._in_vain += 1
        return self._in_vain < _PATIENCE or self._in_vain % _PATIENCE == 0

    def note(self, columns: Sequence[Column[C]]) -> None:
        """Count a data set of these columns that took the pass."""
        if not 0 < len(columns) <= LONGEST_LAYOUT:
            return
        key = tuple([(column.key, column.value) for column in columns])
        layout = self._layouts.get(key)
        if layout is None:
            seen = self._seen[key] = self._seen.get(key, 0) + 1
            if seen < REPETITIONS or len(self._layouts) >= REMEMBERED_LAYOUTS:
                # All counts go at once: what a query repeats is soon counted again.
                if len(self._seen) > REMEMBERED_LAYOUTS:
                    self._seen.clear()
                return
            layout = self._layouts[key] = self._compile(columns)
        if layout not in self._tried:
            tried = [layout]
            tried += self._tried[: TRIED_LAYOUTS - 1]
            self._tried = tried
            self._in_vain = 0

    def clear(self) -> None:
        """Forget all layouts."""
        self._layouts.clear()
        self._seen.clear()
        self._tried = ()
        self._in_vain = 0

    def _compile(self, columns: Sequence[Column[C]]) -> Layout[T, AnyStr]:
        # Each value is tried together with the header behind it, and once both fit never again, so
        # a data set that does not match is found out in one go, whatever a peer sends.
        pattern = self._header(columns[0])
        for column, following in pairwise(columns):
            pattern += b"(?>(" + column.value + b")" + self._header(following) + b")"
        pattern += b"(" + columns[-1].value + b")"
        make = self._maker(tuple(column.meaning for column in columns))
        return Layout(re.compile(self._read(pattern), re.DOTALL).fullmatch, make)

    def _header(self, column: Column[C]) -> bytes:
        # One byte of length says 254 at most in even lengths (PS3.5 7.1).
        longest = min(column.longest, 0xFE)
        return re.escape(column.key) + b"([\\x00-\\x%02x])" % longest + self._length_end

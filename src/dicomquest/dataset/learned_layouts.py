r"""Learned layouts: data sets that repeat their elements, taken apart by one pattern (PS3.5 7.1).

The identifiers that answer one query have the same elements in the same order: their headers (tag
and VR) are always the same, lengths and values differ. Such an order is a *layout*.
``fast_decoder`` has one ``Layouts`` for each transfer syntax and result.

*Learned*: a data set that took the pass over its headers is told to ``note``, as columns: the
header of each element, and the kind of its value (``Values``). Once ``REPETITIONS`` data sets had
the same headers, their columns become one regular expression. A later value of another kind widens
its column; that happens twice a column at most.

*Checked*: the bytes of a value may look like a header, so a match proves nothing yet. In a fixed
column, header, length and so many bytes of value stand in the pattern. Elsewhere the length is a
group, and generated code compares it with that of the value. Then, from the first element on, each
header stands where the element before it ends, and the values are those that the pass would find.

*Bounded*, because a peer decides what there is to learn: ``REMEMBERED_LAYOUTS`` are counted and
kept, ``TRIED_LAYOUTS`` are tried on each data set, ``LONGEST_LAYOUT`` elements make a pattern, and
after ``_PATIENCE`` data sets in vain few are looked at. The pattern cannot backtrack: each value
with the header behind it is an atomic group.

*The fall-back*: ``take_apart`` returns None, and the data set takes the pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any, AnyStr, Generic, NamedTuple, TypeAlias, TypeVar, assert_never

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

LONGEST_VALUE = 0xFE
"""Bytes of a value: one byte of length says 254 at most in even lengths (PS3.5 7.1)."""

C = TypeVar("C")
T = TypeVar("T")


class Values(IntEnum):
    """The kind of a column's values; a greater one takes all that a smaller one takes."""

    CONSTANT = 0
    """The same bytes in all data sets of the layout."""
    FIXED = 1
    """Visible ASCII without separators, always of one length; an odd one has a byte of padding."""
    PLAIN = 2
    """ASCII without separators, spaces anywhere."""
    ANY = 3
    """Text of any kind that the column allows."""


@dataclass(frozen=True, slots=True)
class Column(Generic[C]):
    r"""An element of a layout: its header up to the length, the kind of its values, its meaning.

    Separators are the backslash, and ``"``, which JSON escapes; ``is_name`` makes ``=`` another.
    ``is_coded`` lets bytes of a character set be part of a value, in which the bytes of ASCII are
    ASCII. ``constant`` is the value field of a CONSTANT, ``length`` that of FIXED values without
    their padding.
    """

    key: bytes
    meaning: C
    values: Values
    is_name: bool = False
    is_coded: bool = False
    constant: bytes = b""
    length: int = 0

    def widened(self, other: Column[C]) -> Column[C]:
        """Return the column for the values of both."""
        if self.values is other.values is Values.FIXED and self.length != other.length:
            return replace(self, values=Values.PLAIN, length=0)
        return other if other.values > self.values else self


def column_of(
    key: bytes, meaning: C, value: bytes, *, is_name: bool, is_coded: bool
) -> Column[C] | None:
    """Return the column of a value field, of the smallest kind; None for one of no kind."""
    column = Column(key, meaning, Values.ANY, is_name, is_coded)
    if len(value) % 2 == 0 and (visible := _FIXED[is_name].fullmatch(value)) is not None:
        return replace(column, values=Values.FIXED, length=visible.end(1))
    if _PLAIN[is_name].fullmatch(value):
        return replace(column, values=Values.PLAIN)
    return column if _ANY[is_coded].fullmatch(value) else None


# By whether the column is a name, or may have text of a character set.
_VISIBLE = (rb"[!#-\[\]-~]", rb"[!#-<>-\[\]-~]")
_PLAIN_VALUE = (rb"[ !#-\[\]-~]*\x00?", rb"[ !#-<>-\[\]-~]*\x00?")
_ANY_VALUE = (rb"[ -~]*\x00?", rb"[\x1b -~\x80-\xff]*\x00?")
_FIXED = [re.compile(b"(" + visible + rb"*)[ \x00]?") for visible in _VISIBLE]
_PLAIN, _ANY = list(map(re.compile, _PLAIN_VALUE)), list(map(re.compile, _ANY_VALUE))


def _value(column: Column[C]) -> bytes:
    """Return the pattern of a column's values, with one group."""
    match column.values:
        case Values.CONSTANT:
            return b"(" + re.escape(column.constant) + b")"
        case Values.FIXED:
            padding = rb"[ \x00]" if column.length % 2 else b""
            return b"(%b{%d})%b" % (_VISIBLE[column.is_name], column.length, padding)
        case Values.PLAIN:
            return b"(" + _PLAIN_VALUE[column.is_name] + b")"
        case Values.ANY:
            return b"(" + _ANY_VALUE[column.is_coded] + b")"
        case _:
            assert_never(column.values)


# The first byte of a length, by the bytes of a value.
_LENGTHS = [bytes([length]) for length in range(256)]


Read: TypeAlias = Callable[[tuple[AnyStr, ...], bytes], T | None]


class Layout(NamedTuple, Generic[C, T, AnyStr]):
    """The pattern of a layout, and the function that makes a result of its groups."""

    columns: tuple[Column[C], ...]
    match: Callable[[AnyStr], re.Match[AnyStr] | None]
    read: Read[AnyStr, T]


_Key: TypeAlias = tuple[tuple[bytes, bytes], ...]


def _key(columns: Sequence[Column[C]]) -> _Key:
    """Return what tells layouts apart: headers, and the character set."""
    return tuple([(column.key, column.constant) for column in columns])


def _widened(columns: Sequence[Column[C]], others: Sequence[Column[C]]) -> tuple[Column[C], ...]:
    return tuple(map(Column.widened, columns, others))


class Layouts(Generic[C, T, AnyStr]):
    """The layouts of one transfer syntax; the last few met are tried, the newest first."""

    def __init__(
        self,
        length_end: bytes,
        content: Callable[[bytes], AnyStr],
        maker: Callable[[Sequence[Column[C]]], tuple[str, dict[str, Any]]],
    ) -> None:
        """Begin without any layout.

        ``length_end`` are the bytes of a length behind its first one, zero in all that goes this
        way.

        ``content`` turns a data set into bytes, or into text of one character a byte.

        ``maker`` returns the expression that makes a result, and the names that it uses. The values
        are ``v0`` and so on, FIXED ones without padding; ``groups`` are all that
        the pattern took, ``data`` is the data set.
        """
        self._length_end = re.escape(length_end)
        self._content: Callable[[bytes], AnyStr] = content
        self._maker = maker
        self._layouts: dict[_Key, Layout[C, T, AnyStr]] = {}
        self._seen: dict[_Key, tuple[int, tuple[Column[C], ...]]] = {}
        self._tried: Sequence[Layout[C, T, AnyStr]] = ()
        self._in_vain = 0

    def take_apart(self, data: bytes) -> T | None:
        """Return the result made of a data set; None if it has to take the pass."""
        content = self._content(data)
        for _, fullmatch, read in self._tried:
            # A data set of another layout fails within its first headers.
            if (match := fullmatch(content)) is not None:
                return read(match.groups(), data)
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
        key = _key(columns)
        known = self._layouts.get(key)
        if known is None:
            seen, before = self._seen.get(key, (0, columns))
            widened = _widened(before, columns)
            self._seen[key] = seen + 1, widened
            if seen + 1 < REPETITIONS or len(self._layouts) >= REMEMBERED_LAYOUTS:
                # All counts go at once: what a query repeats is soon counted again.
                if len(self._seen) > REMEMBERED_LAYOUTS:
                    self._seen.clear()
                return
            del self._seen[key]
        else:
            widened = _widened(known.columns, columns)
        if known is None or widened != known.columns:
            known = self._layouts[key] = self._compile(widened)
        if known not in self._tried:
            tried = [known]
            tried += [each for each in self._tried if _key(each.columns) != key]
            self._tried = tried[:TRIED_LAYOUTS]
            self._in_vain = 0

    def clear(self) -> None:
        """Forget all layouts."""
        self._layouts.clear()
        self._seen.clear()
        self._tried = ()
        self._in_vain = 0

    def _compile(self, columns: tuple[Column[C], ...]) -> Layout[C, T, AnyStr]:
        # Each value is tried together with the header behind it, and once both fit never again, so
        # a data set that does not match is found out in one go, whatever a peer sends.
        pattern = self._header(columns[0])
        for column, following in pairwise(columns):
            part = _value(column) + self._header(following)
            # Fixed columns have one way to match in any case.
            pattern += part if column.values <= Values.FIXED else b"(?>" + part + b")"
        pattern += _value(columns[-1])
        match = re.compile(self._content(pattern), re.DOTALL).fullmatch
        expression, names = self._maker(columns)
        read = function_of(columns, expression, names, self._content)
        return Layout(columns, match, read)

    def _header(self, column: Column[C]) -> bytes:
        if column.values is Values.CONSTANT:
            length = re.escape(bytes([len(column.constant)]))
        elif column.values is Values.FIXED:
            length = re.escape(bytes([(column.length + 1) // 2 * 2]))
        else:
            length = rb"([\x00-\x%02x])" % LONGEST_VALUE
        return re.escape(column.key) + length + self._length_end


_FUNCTION = """
def read(groups, data):
    {groups}, = groups
    try:
        return ({expression}) if {tests} else None
    # A value too long for any length of one byte.
    except IndexError:
        return None
"""


def function_of(
    columns: Sequence[Column[C]],
    expression: str,
    names: dict[str, Any],
    content: Callable[[bytes], AnyStr],
) -> Read[AnyStr, Any]:
    """Generate the function from groups to a result; None if a length is not that of its value.

    All of its code that depends on the peer is the number and the kind of columns, beside
    ``expression``.
    """
    groups, tests = [], []
    for number, column in enumerate(columns):
        if column.values > Values.FIXED:
            groups.append(f"l{number}")
            tests.append(f"l{number} == lengths[len(v{number})]")
        groups.append(f"v{number}")
    code = _FUNCTION.format(
        groups=", ".join(groups), expression=expression, tests=" and ".join(tests) or True
    )
    names = {**names, "lengths": list(map(content, _LENGTHS))}
    exec(compile(code, "<layout>", "exec"), names)  # noqa: S102
    read: Read[AnyStr, Any] = names["read"]
    return read

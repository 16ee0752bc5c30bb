"""One value field as an element, by its VR and the scope that it stands in (PS3.5 6.1, 6.2, 6.4).

There are two ways. Short values of ASCII or of whole words are looked up by VR and bytes: they need
no scope. All others are read by a ``ValueReader``, which knows the character set, the fall-back and
where to remark on deviations.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from dicomquest.dataset.charset import Charset, Terms, charset_of
from dicomquest.dataset.elements import DataSet, Element, split_text
from dicomquest.dataset.iso2022 import ESCAPE
from dicomquest.standard.character_sets import JIS_X_0201
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR, Kind

CODES = {row.vr: row.vr.encode("ascii") for row in VALUE_REPRESENTATIONS}
REMEMBERED_LENGTH = 64
"""The longest value that is remembered.

Most values of a header are short and come again in the next header: a look-up takes a fifth of the
time of decoding them. Longer ones seldom do, and would fill the memory.
"""

_REMEMBERED = 16_384
_EMPTY = {row.vr: Element(row.vr, ()) for row in VALUE_REPRESENTATIONS}


class RemarkKind(Enum):
    """A deviation that a decoder puts up with."""

    OUT_OF_ORDER = "tags are not in ascending order"
    DUPLICATE = "the tag has been there before; the first one is kept"
    FOREIGN_GROUP = "a group that data sets do not have"
    NO_CHARSET = "8-bit text, but no Specific Character Set"
    UNKNOWN_CHARSET = "no defined term of Specific Character Set"
    UNDECODABLE = "bytes that are no text of the Specific Character Set"
    LENGTH = "a value length that is no multiple of the VR's size; the rest is left out"
    DELIMITER = "a delimiter in an item or sequence of explicit length"
    VR_FORM = "not the form of VR that the transfer syntax says"
    PADDING = "bytes of zero behind the last element"


class Remark(NamedTuple):
    """A deviation that was read all the same: its tag, its kind, and the particulars."""

    tag: int
    kind: RemarkKind
    text: str = ""


class Remarks(list[Remark]):
    """Remarks on one data set."""

    # A peer can make each element of a large header deviate; the first hundred tell enough.
    _MOST = 100

    def add(self, tag: int, kind: RemarkKind, text: str = "") -> None:
        """Take down one remark."""
        if len(self) < self._MOST:
            self.append(Remark(tag, kind, text))


class Scope(NamedTuple):
    """The character set that a data set hands to its items, and ``signed``: ``US or SS`` is SS.

    ``is_ascii`` says that bytes below 80H are ISO 646, whatever other characters the set has.
    """

    charset: Charset
    is_ascii: bool
    signed: bool


@dataclass(slots=True)
class Place:
    """The data set or item that is being read, and what it inherits."""

    scope: Scope
    explicit: bool
    depth: int = 0
    elements: DataSet = field(default_factory=dict)
    in_order: bool = True


def scope_of(terms: Terms, *, signed: bool = False) -> Scope:
    """Return the scope under a Specific Character Set."""
    charset = charset_of(terms)
    codec = charset.codec if charset.extensions is None else charset.extensions.home_g0.codec
    return Scope(charset, codec != JIS_X_0201, signed)


def inner_scope(scope: Scope, element: Element, remarks: Remarks) -> Scope:
    """Return the scope behind a Specific Character Set; one of zero length changes nothing."""
    terms = tuple(term for term in element.values if isinstance(term, str))
    if not any(terms):
        return scope
    changed = scope_of(terms, signed=scope.signed)
    for term in changed.charset.unknown:
        remarks.add(SPECIFIC_CHARACTER_SET, RemarkKind.UNKNOWN_CHARSET, term)
    return changed


def _plain_element(order: str, code: bytes, data: bytes) -> Element | None:
    """Return an element of ASCII text or of whole words; None for values that take more care."""
    vr = code.decode("ascii")
    facts = VR[vr]
    if facts.kind is Kind.TEXT:
        # An escape is ASCII and still switches to another set.
        if not data.isascii() or (facts.charset and ESCAPE in data):
            return None
        return Element(vr, split_text(vr, data.decode("ascii")))
    if facts.kind is Kind.OPAQUE:
        return Element(vr, (swapped(data, facts.layout) if order == ">" else data,) if data else ())
    size = struct.calcsize(order + facts.layout)
    if len(data) % size:
        return None
    if facts.kind is Kind.TAG:
        return Element(
            vr,
            tuple(group << 16 | number for group, number in struct.iter_unpack(order + "HH", data)),
        )
    return Element(vr, struct.unpack(f"{order}{len(data) // size}{facts.layout}", data))


def swapped(data: bytes, layout: str) -> bytes:
    """Return words in the other byte order; a part of a word at the end stays."""
    size = struct.calcsize("<" + layout)
    count = len(data) // size
    return (
        struct.pack(f"<{count}{layout}", *struct.unpack_from(f">{count}{layout}", data))
        + data[count * size :]
    )


# Two functions with two caches, not one with the byte order as an argument: the decoder calls one
# for every element, and each argument is part of the key that is hashed.
@lru_cache(maxsize=_REMEMBERED)
def little_endian_element(code: bytes, data: bytes) -> Element | None:
    """Return an element of ASCII text, or of whole words in little endian; else None."""
    return _plain_element("<", code, data)


@lru_cache(maxsize=_REMEMBERED)
def big_endian_element(code: bytes, data: bytes) -> Element | None:
    """Return an element of ASCII text, or of whole words in big endian; else None."""
    return _plain_element(">", code, data)


class ValueReader:
    """Reads value fields that are long, coded, or do not fit their VR."""

    def __init__(self, order: str, fallback: Terms, remarks: Remarks) -> None:
        self._order = order
        self._fallback = fallback
        self._remarks = remarks

    def element(self, tag: int, vr: str, data: bytes, scope: Scope) -> Element:
        """Return the element of one value field."""
        facts = VR[vr]
        if not data:
            return _EMPTY[vr]
        if facts.kind is Kind.TEXT:
            return Element(vr, split_text(vr, self._text(tag, vr, data, scope.charset)))
        if facts.kind is not Kind.OPAQUE:
            excess = len(data) % struct.calcsize(self._order + facts.layout)
            if excess:
                self._remarks.add(tag, RemarkKind.LENGTH, f"{len(data)} bytes of {vr}")
                data = data[: len(data) - excess]
        return _plain_element(self._order, CODES[vr], data) or _EMPTY[vr]

    def _text(self, tag: int, vr: str, data: bytes, charset: Charset) -> str:
        if not VR[vr].charset:
            if not data.isascii():
                self._remarks.add(tag, RemarkKind.UNDECODABLE, f"8-bit bytes in {vr}")
            return data.decode("latin-1")
        if charset.is_default and ESCAPE not in data:
            if data.isascii():
                return data.decode("ascii")
            self._remarks.add(tag, RemarkKind.NO_CHARSET)
            return self._fall_back(vr, data)
        # Text in a wrong set is no reason to refuse a header: its other characters are of use.
        try:
            return charset.decode(data, vr)
        except UnicodeDecodeError as error:
            self._remarks.add(tag, RemarkKind.UNDECODABLE, error.reason)
            return charset.decode(data, vr, "replace")

    def _fall_back(self, vr: str, data: bytes) -> str:
        for term in self._fallback:
            try:
                return charset_of((term,)).decode(data, vr)
            except UnicodeDecodeError:
                continue
        return charset_of(self._fallback[-1:]).decode(data, vr, "replace")

"""Answers of one shape read as rows of text, without an object for each element (PS3.5 7.1).

An archive answers a query with the same elements in the same order, again and again. Of a shape
that has been decoded once a function is generated, which cuts the values out of further answers and
refuses whatever is less usual: other elements, text beyond ASCII, odd padding. The decoder reads
these. The code has numbers alone, never a byte of an answer; a table for each element knows the
bytes before its value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from dicomquest.dataset.charset import charset_of, decode_text, extends_ascii, normalise_terms
from dicomquest.dataset.codec import Remarks
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.response_fields import text_element
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VR, Kind

LONGEST: Final = 8192
"""Bytes of an answer that is read this way."""

MOST_ELEMENTS: Final = 200
"""Elements of such an answer."""

_PLAIN_CODECS = ("utf_8", "iso8859", "iso_8859", "latin")
"""The codecs in which ASCII is the same bytes, and no byte of another character is one of it."""

Values: TypeAlias = "tuple[str, ...]"
"""The values of the elements of a shape, several values of one joined by backslashes."""

Read: TypeAlias = "Callable[[bytes], Values | None]"


class _OtherShapeError(Exception):
    """The bytes before a value are not those of the shape."""


class _Lengths(dict[str, int]):
    """The length of a value by the eight characters before it."""

    def __init__(self, tag: int, vr: str, *, explicit: bool) -> None:
        super().__init__()
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + (vr.encode() if explicit else b"")
        self._start = start.decode("latin-1")
        self._layout = "<H" if explicit else "<I"

    def __missing__(self, header: str) -> int:
        if len(header) != 8 or not header.startswith(self._start):
            raise _OtherShapeError
        data = header[len(self._start) :].encode("latin-1")
        length: int = struct.unpack(self._layout, data)[0]
        if length > LONGEST:
            raise _OtherShapeError
        self[header] = length
        return length


class Shape:
    """The elements of answers: tags with their VRs; ``charset`` is the value of (0008,0005)."""

    def __init__(
        self, elements: tuple[tuple[int, str], ...], charset: str | None, transfer_syntax: str
    ) -> None:
        self.elements = elements
        self.charset = charset
        self.transfer_syntax = transfer_syntax
        self.places = {tag: place for place, (tag, _) in enumerate(elements)}
        self.read = _generated(elements, charset, transfer_syntax)

    def data_set(self, values: Values) -> DataSet:
        """Return an answer as the decoder would."""
        return {
            tag: text_element(vr, value)
            for (tag, vr), value in zip(self.elements, values, strict=True)
        }


def shape_of(answer: DataSet, remarks: Remarks, transfer_syntax: str) -> Shape | None:
    """Return the shape of a decoded answer; None for one that is not usual."""
    if transfer_syntax not in {EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN}:
        return None
    if remarks or not 0 < len(answer) <= MOST_ELEMENTS or TIMEZONE_OFFSET_FROM_UTC in answer:
        return None
    charset = None
    for tag, (vr, values) in answer.items():
        row = VR.get(vr)
        if row is None or row.kind is not Kind.TEXT or row.long_form or tag >> 16 & 1:
            return None
        if tag == SPECIFIC_CHARACTER_SET:
            charset = "\\".join(values)
            if normalise_terms(values) and not extends_ascii(values):
                return None
    return _shape(
        tuple((tag, element.vr) for tag, element in answer.items()), charset, transfer_syntax
    )


@lru_cache(maxsize=256)
def _shape(
    elements: tuple[tuple[int, str], ...], charset: str | None, transfer_syntax: str
) -> Shape:
    """Return the shape of some elements; making one takes a millisecond."""
    return Shape(elements, charset, transfer_syntax)


def _generated(
    elements: tuple[tuple[int, str], ...], charset: str | None, transfer_syntax: str
) -> Read:
    names: dict[str, Any] = {"Other": _OtherShapeError, "LONGEST": LONGEST, "charset": charset}
    names["decoded"] = _decoder(charset)
    cuts: list[str] = []
    pads: list[str] = []
    texts: list[str] = []
    explicit = transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
    for place, (tag, vr) in enumerate(elements):
        names[f"L{place}"] = _Lengths(tag, vr, explicit=explicit)
        names[f"P{place}"] = VR[vr].pad
        cuts += [
            "        start = end + 8",
            f"        length = L{place}[text[end:start]]",
            "        end = start + length",
            f"        v{place} = text[start:end]",
        ]
        pads += [f"    if v{place}[-1:] == P{place}: v{place} = v{place}[:-1]"]
        if VR[vr].charset:
            texts += [f"            if not v{place}.isascii(): v{place} = decoded(v{place})"]
        if tag == SPECIFIC_CHARACTER_SET:
            pads += [f"    if v{place} != charset: return None"]
    code = _TEMPLATE.format(
        cuts="\n".join(cuts),
        pads="\n".join(pads),
        texts="\n".join(texts or ["            pass"]),
        ascii="".join(
            f"{{v{place}}}" for place, (_, vr) in enumerate(elements) if not VR[vr].charset
        ),
        shown="|".join(f"{{v{place}}}" for place in range(len(elements))),
        values="".join(f"v{place}, " for place in range(len(elements))),
    )
    exec(compile(code, "<answer reader>", "exec"), names)  # noqa: S102
    read: Read = names["read"]
    return read


def _decoder(charset: str | None) -> Callable[[str], str]:
    """Return the function from the characters of bytes to text, of a set without escapes."""
    terms = tuple(charset.split("\\")) if charset else ()
    known = charset_of(terms)
    is_plain = known.extensions is None and known.codec.startswith(_PLAIN_CODECS)

    def decoded(text: str) -> str:
        if not is_plain or "\x1b" in text:
            raise _OtherShapeError
        return decode_text(text.encode("latin-1"), terms)

    return lru_cache(maxsize=4096)(decoded)


# Spaces beside a value, or an empty first one, are what the decoder takes away.
_TEMPLATE = """\
def read(data):
    if len(data) > LONGEST: return None
    text = data.decode('latin-1')
    end = 0
    try:
{cuts}
        if end != len(text): return None
        if not text.isascii():
            if not f'{ascii}'.isascii(): return None
{texts}
    except (Other, UnicodeError):
        return None
{pads}
    shown = f'|{shown}|'
    if (
        not shown.isprintable() or ' |' in shown or '| ' in shown
        or '\\\\' in shown and ('|\\\\' in shown or '\\\\|' in shown or ' \\\\' in shown
        or '\\\\ ' in shown or '\\\\\\\\' in shown)
    ):
        return None
    return ({values})
"""

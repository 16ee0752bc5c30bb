"""Code extension: text that switches between sets by escape sequences (PS3.5 6.1.2.4, 6.1.2.5; ISO/IEC 2022)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

from dicomquest.standard.character_sets import CODE_ELEMENTS, JIS_X_0201, CodeElement

_ESCAPES = {element.escape: element for element in CODE_ELEMENTS}
_ESCAPE = 0x1B
# End of line, end of page and TAB: the sets of value 1 are active again behind each (PS3.5 6.1.2.5.3).
_RESETS = b"\t\n\f\r"

# 5CH shows as a yen sign, yet is the delimiter of values; so it stays what delimits (PS3.5 6.1.2.5.3).
_JIS_DECODED = (
    "".join(map(chr, range(0x7E))).ljust(0x7E)
    + "\u203e\x7f"
    + "\ufffe" * 0x21
    + "".join(map(chr, range(0xFF61, 0xFFA0)))
    + "\ufffe" * 0x20
)
_JIS_ENCODED = {
    ord(character): byte for byte, character in enumerate(_JIS_DECODED) if character != "\ufffe"
}

# Decoded text is in NFC, which takes these characters of two-byte sets apart from their sets.
_BEFORE_NFC = {"\xc5": "\u212b", "\u96b8": "\uf9b8", "\u90ce": "\uf92c"}


def decode_set(codec: str, data: bytes, errors: str = "strict") -> str:
    """Bytes of one set as text; UnicodeDecodeError where ``errors`` is strict."""
    if codec == JIS_X_0201:
        return codecs.charmap_decode(data, errors, _JIS_DECODED)[0]
    return data.decode(codec, errors)


def encode_set(codec: str, text: str) -> bytes:
    """Text as bytes of one set; UnicodeEncodeError if it has characters of others."""
    if codec == JIS_X_0201:
        return codecs.charmap_encode(text, "strict", _JIS_ENCODED)[0]
    return text.encode(codec)


@lru_cache(maxsize=8192)
def _encode_character(element: CodeElement, character: str) -> bytes | None:
    """The bytes of one character in one code element, without its escape; None if it has none there."""
    try:
        data = encode_set(element.codec, character).removesuffix(b"\x1b(B")
    except UnicodeEncodeError:
        return None
    if not data.startswith(element.prefix):
        return None
    data = data[len(element.prefix) :]
    above = all(byte >= 0x80 for byte in data)
    fits = len(data) == element.size and _ESCAPE not in data and above == (element.element == 1)
    return data if fits else None


@dataclass(frozen=True, slots=True)
class CodeExtensions:
    """The sets of a multi-valued Specific Character Set.

    ``home_g0`` and ``home_g1`` are those of value 1, active at the start; ``declared`` are all, in order.
    """

    home_g0: CodeElement
    home_g1: CodeElement | None
    declared: tuple[CodeElement, ...]

    def decode(self, data: bytes, delimiters: bytes = b"", errors: str = "strict") -> str:
        """The text of a value field; behind each of ``delimiters`` the sets of value 1 are active again.

        Known escapes are obeyed even where their term is not declared. UnicodeDecodeError where ``errors`` is strict.
        """
        if _ESCAPE not in data and data.isascii():
            return decode_set(self.home_g0.codec, data, errors)
        # Where value 1 has no G1, writers that forget the escape mean the one G1 that they declare.
        undesignated = next((element for element in self.declared if element.element == 1), None)
        home = (self.home_g0, self.home_g1 or undesignated)
        g0, g1 = home
        pieces: list[str] = []
        position = 0
        while position < len(data):
            byte = data[position]
            if byte == _ESCAPE:
                length, element = _designated(data, position)
                if element is None:
                    if errors == "strict":
                        raise UnicodeDecodeError(
                            "iso2022", data, position, position + 1, "unknown escape sequence"
                        )
                    pieces.append("\ufffd")
                elif element.element == 0:
                    g0 = element
                else:
                    g1 = element
                position += length
            elif byte >= 0x80:
                end = _end_of_run(data, position, high=True, size=1, delimiters=b"")
                pieces.append(_decode_run(g1, data[position:end], errors))
                position = end
            elif byte <= 0x20 or byte == 0x7F or (g0.size == 1 and byte in delimiters):
                if byte in _RESETS or byte in delimiters:
                    g0, g1 = home
                pieces.append(chr(byte))
                position += 1
            else:
                end = _end_of_run(data, position, high=False, size=g0.size, delimiters=delimiters)
                pieces.append(_decode_run(g0, data[position:end], errors))
                position = end
        return "".join(pieces)

    def encode(self, text: str, delimiters: str = "") -> bytes:
        """Text with the escapes it needs; UnicodeEncodeError if a character is in none of the declared sets.

        Value 1's sets are active again before each of ``delimiters``, each end of line or page, and the end.
        """
        g0, g1 = self.home_g0, self.home_g1
        data = bytearray()
        for position, character in enumerate(text):
            if character in delimiters or character in "\t\n\f\r":
                data += self._way_home(g0, g1) + character.encode("ascii")
                g0, g1 = self.home_g0, self.home_g1
                continue
            if character < " ":
                data += character.encode("ascii")
                continue
            found = self._find(character, g0, g1) or self._find(
                _BEFORE_NFC.get(character, ""), g0, g1
            )
            if found is None:
                terms = ", ".join(dict.fromkeys(each.term for each in self.declared))
                raise UnicodeEncodeError(
                    "iso2022", text, position, position + 1, f"in none of {terms}"
                )
            element, encoded = found
            if element.element == 0 and element is not g0:
                data += element.escape
                g0 = element
            elif element.element == 1 and element is not g1:
                data += element.escape
                g1 = element
            data += encoded
        return bytes(data + self._way_home(g0, g1))

    def _find(
        self, character: str, g0: CodeElement, g1: CodeElement | None
    ) -> tuple[CodeElement, bytes] | None:
        """The element to write a character in, and its bytes: an active one, one of value 1, any declared."""
        for element in (g0, g1, self.home_g0, self.home_g1, *self.declared):
            encoded = None if element is None else _encode_character(element, character)
            if element is not None and encoded is not None:
                return element, encoded
        return None

    def _way_home(self, g0: CodeElement, g1: CodeElement | None) -> bytes:
        # A G1 need not be given back where value 1 has none (PS3.5 6.1.2.5.3).
        back = b"" if g0 is self.home_g0 else self.home_g0.escape
        return back if self.home_g1 is None or g1 is self.home_g1 else back + self.home_g1.escape


def _designated(data: bytes, position: int) -> tuple[int, CodeElement | None]:
    for length in (3, 4):
        element = _ESCAPES.get(data[position : position + length])
        if element is not None:
            return length, element
    return 1, None


_HIGH = re.compile(rb"[\x80-\xff]+")
_LOW = re.compile(rb"[\x21-\x7e]+")


def _end_of_run(data: bytes, position: int, *, high: bool, size: int, delimiters: bytes) -> int:
    """Where bytes of one set end. Bytes of two-byte characters are never taken for delimiters."""
    match = (_HIGH if high else _LOW).match(data, position)
    end = match.end() if match else position + 1
    if not high and size == 1 and delimiters:
        for index in range(position, end):
            if data[index] in delimiters:
                return index
    return end


def _decode_run(element: CodeElement | None, data: bytes, errors: str) -> str:
    if element is None:
        return decode_set("ascii", data, errors)
    if element.size == 2 and len(data) % 2:
        if errors == "strict":
            raise UnicodeDecodeError(
                "iso2022", data, len(data) - 1, len(data), f"half a character of {element.term}"
            )
        return decode_set(element.codec, element.prefix + data[:-1], errors) + "\ufffd"
    return decode_set(element.codec, element.prefix + data, errors)

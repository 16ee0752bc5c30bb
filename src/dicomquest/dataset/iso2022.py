r"""Code extensions: text that switches between sets by escapes (PS3.5 6.1.2.4, 6.1.2.5).

ISO/IEC 2022 has two places for sets at a time: bytes below 80H are characters of the set in G0,
those above of the set in G1. An escape sequence puts a set into its place. Text begins with the
sets of value 1 of Specific Character Set, *home* below, and comes back to them at each line, each
value, and each component of a name. A set has characters of one or of two bytes; a two-byte one in
G0 (Japanese) uses the bytes of ``\``, ``^`` and ``=`` too, so nothing is split or searched before
it is decoded.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

from dicomquest.standard.character_sets import CODE_ELEMENTS, JIS_X_0201, CodeElement

_ESCAPES = {element.escape: element for element in CODE_ELEMENTS}
ESCAPE = 0x1B
# Behind TAB and each end of line or page the sets of value 1 are active again (PS3.5 6.1.2.5.3).
_RESETS = b"\t\n\f\r"

# No codec of Python has JIS X 0201 alone. Its 5CH shows as a yen sign, yet it delimits values, so
# it stays a backslash (PS3.5 6.1.2.5.3).
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

# Decoded text is in NFC, which replaces these characters of two-byte sets by others, which the sets
# do not have: the encoder undoes it.
_BEFORE_NFC = {"\xc5": "\u212b", "\u96b8": "\uf9b8", "\u90ce": "\uf92c"}


def decode_set(codec: str, data: bytes, errors: str = "strict") -> str:
    """Return bytes of one set as text; UnicodeDecodeError where ``errors`` is strict."""
    if codec == JIS_X_0201:
        return codecs.charmap_decode(data, errors, _JIS_DECODED)[0]
    return data.decode(codec, errors)


def encode_set(codec: str, text: str) -> bytes:
    """Return text as bytes of one set; UnicodeEncodeError if it has characters of others."""
    if codec == JIS_X_0201:
        return codecs.charmap_encode(text, "strict", _JIS_ENCODED)[0]
    return text.encode(codec)


@lru_cache(maxsize=8192)
def _encode_character(element: CodeElement, character: str) -> bytes | None:
    """Return the bytes of one character in one set, without an escape; None if the set lacks it."""
    try:
        # The codecs of Japanese end with an escape back to ASCII.
        data = encode_set(element.codec, character).removesuffix(b"\x1b(B")
    except UnicodeEncodeError:
        return None
    if not data.startswith(element.prefix):
        return None
    data = data[len(element.prefix) :]
    # Codecs know more than the one set: ASCII besides, and their own escapes. Those do not count.
    above = all(byte >= 0x80 for byte in data)
    fits = len(data) == element.size and ESCAPE not in data and above == (element.element == 1)
    return data if fits else None


@dataclass(frozen=True, slots=True)
class CodeExtensions:
    """The sets of a multi-valued Specific Character Set.

    ``home_g0`` and ``home_g1`` are those of value 1, active at the start; ``declared`` are all
    sets, in the order of the terms.
    """

    home_g0: CodeElement
    home_g1: CodeElement | None
    declared: tuple[CodeElement, ...]

    def decode(self, data: bytes, delimiters: bytes = b"", errors: str = "strict") -> str:
        """Return the text of a value field; behind ``delimiters`` the sets of value 1 are active.

        Known escapes are obeyed even if their term is not declared. Raises UnicodeDecodeError where
        ``errors`` is strict.
        """
        # Nothing switches and nothing is in G1: nearly every value.
        if ESCAPE not in data and data.isascii():
            return decode_set(self.home_g0.codec, data, errors)
        # Where value 1 has no G1, writers that forget the escape mean the one G1 that they declare.
        undesignated = next((element for element in self.declared if element.element == 1), None)
        home = (self.home_g0, self.home_g1 or undesignated)
        g0, g1 = home
        pieces: list[str] = []
        position = 0
        while position < len(data):
            byte = data[position]
            if byte == ESCAPE:
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
            # Space and controls are in no set. Within a two-byte set no byte delimits.
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
        """Return text with the escapes it needs; UnicodeEncodeError if no set has a character.

        The sets of value 1 are active again before each of ``delimiters``, before TAB and each end
        of line or page, and at the end (PS3.5 6.1.2.5.3).
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
        """Return the set to write a character in, and its bytes there; None if no set has it."""
        # An active set needs no escape, one of value 1 none on the way home; then the first
        # declared.
        for element in (g0, g1, self.home_g0, self.home_g1, *self.declared):
            encoded = None if element is None else _encode_character(element, character)
            if element is not None and encoded is not None:
                return element, encoded
        return None

    def _way_home(self, g0: CodeElement, g1: CodeElement | None) -> bytes:
        """Return the escapes that make the sets of value 1 active again."""
        # Value 1 without a G1 has nothing to put back there (PS3.5 6.1.2.5.3).
        back = b"" if g0 is self.home_g0 else self.home_g0.escape
        return back if self.home_g1 is None or g1 is self.home_g1 else back + self.home_g1.escape


def _designated(data: bytes, position: int) -> tuple[int, CodeElement | None]:
    """Return the length of the escape at ``position`` and its set; one byte and None if unknown."""
    for length in (3, 4):
        element = _ESCAPES.get(data[position : position + length])
        if element is not None:
            return length, element
    return 1, None


_HIGH = re.compile(rb"[\x80-\xff]+")
_LOW = re.compile(rb"[\x21-\x7e]+")


def _end_of_run(data: bytes, position: int, *, high: bool, size: int, delimiters: bytes) -> int:
    """Return the end of the bytes of one set; no byte of a two-byte character is a delimiter."""
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

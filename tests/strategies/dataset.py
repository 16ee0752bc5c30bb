"""Hypothesis strategies for data sets: decoded elements of every VR, text by character set."""

from __future__ import annotations

import struct
import unicodedata
from functools import cache

from hypothesis import strategies as st

from dicomquest.dataset.charset import encode_text
from dicomquest.dataset.elements import DataSet, Element, split_text
from dicomquest.dataset.iso2022 import decode_set
from dicomquest.standard.character_sets import CODE_ELEMENTS, JIS_X_0201, SINGLE_SETS, CodeElement
from dicomquest.standard.transfer_syntaxes import TRANSFER_SYNTAXES
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR, Kind

TEXT_VRS = [row.vr for row in VALUE_REPRESENTATIONS if row.kind is Kind.TEXT]
NUMBER_LIMITS = {
    "US": (0, 2**16 - 1), "SS": (-(2**15), 2**15 - 1), "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1), "UV": (0, 2**64 - 1), "SV": (-(2**63), 2**63 - 1),
}  # fmt: skip

ASCII_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
PROSE = st.text(st.characters(codec="utf-8", exclude_characters="\0\x1b"), max_size=30)

transfer_syntaxes = st.sampled_from([syntax.uid for syntax in TRANSFER_SYNTAXES])
# No text stands before Specific Character Set (0008,0005): no decoder could read it.
tags = st.integers(0x00080006, 0x7FE0FFFF).filter(
    lambda tag: tag & 0xFFFF and tag not in (0x00280103, 0x7FE00010)
)


def canonical(vr: str, text: str) -> Element:
    """Text as the element that a decoder makes of it."""
    return Element(vr, split_text(vr, text))


def text_elements(vr: str, text: st.SearchStrategy[str] = ANY_TEXT) -> st.SearchStrategy[Element]:
    """Elements of a string VR; of the default repertoire where the VR has no other."""
    if not VR[vr].charset:
        text = ASCII_TEXT
    return text.map(lambda value: canonical(vr, unicodedata.normalize("NFC", value)))


def elements_of(vr: str, items: st.SearchStrategy[DataSet]) -> st.SearchStrategy[Element]:
    """Elements of one VR."""
    match VR[vr].kind:
        case Kind.TEXT:
            return text_elements(vr)
        case Kind.SEQUENCE:
            return st.lists(items, max_size=3).map(lambda values: Element(vr, tuple(values)))
        case Kind.OPAQUE:
            size = struct.calcsize("<" + VR[vr].layout)
            data = (
                st.binary(max_size=8)
                .map(lambda value: value * size)
                .filter(lambda value: len(value) % 2 == 0)
            )
            return data.map(lambda value: Element(vr, (value,) if value else ()))
        case Kind.TAG:
            return st.lists(st.integers(0, 2**32 - 1), max_size=3).map(
                lambda values: Element(vr, tuple(values))
            )
        case Kind.NUMBER:
            width = {"FL": 32, "FD": 64}.get(vr)
            number: st.SearchStrategy[float] = (
                st.integers(*NUMBER_LIMITS[vr])
                if width is None
                else st.floats(allow_nan=False, width=width)  # type: ignore[arg-type]
            )
            return st.lists(number, max_size=3).map(lambda values: Element(vr, tuple(values)))


def ascending(data_set: DataSet) -> DataSet:
    return dict(sorted(data_set.items()))


# UN is left to its own tests: what it holds is read by the dictionary.
_VRS = [vr for vr in VR if vr not in ("SQ", "UN")]
data_sets: st.SearchStrategy[DataSet] = st.recursive(
    st.dictionaries(
        tags, st.sampled_from(_VRS).flatmap(lambda vr: elements_of(vr, st.nothing())), max_size=6
    ),
    lambda items: st.dictionaries(
        tags,
        st.one_of(
            elements_of("SQ", items),
            st.sampled_from(_VRS).flatmap(lambda vr: elements_of(vr, st.nothing())),
        ),
        max_size=4,
    ),
    max_leaves=8,
).map(ascending)


def repertoire(element: CodeElement) -> str:
    """Every character of one code element, but for control characters and the space."""
    lead = range(0x21, 0x7F) if element.element == 0 else range(0xA0, 0x100)
    if element.size == 1:
        codes = [bytes([byte]) for byte in lead]
    else:
        codes = [bytes([first, second]) for first in lead for second in lead]
    return "".join(filter(None, (_decoded(element.codec, element.prefix + code) for code in codes)))


def _decoded(codec: str, data: bytes) -> str:
    try:
        return decode_set(codec, data)
    except UnicodeDecodeError:
        return ""


def single_byte_repertoire(term: str) -> str:
    """Every character above 7FH of a term that is one single-byte set."""
    codec = next(row.codec for row in SINGLE_SETS if row.term == term)
    return "".join(_decoded(codec, bytes([byte])) for byte in range(0x80, 0x100))


REPERTOIRES = {element.escape: repertoire(element) for element in CODE_ELEMENTS}

# Specific Character Set terms of several values, and the characters that text in them may have.
EXTENDED_TERMS = (
    ("", "ISO 2022 IR 87"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    ("", "ISO 2022 IR 149"),
    ("", "ISO 2022 IR 58"),
    ("ISO 2022 IR 100", "ISO 2022 IR 126", "ISO 2022 IR 144"),
    ("", "ISO 2022 IR 100", "ISO 2022 IR 149", "ISO 2022 IR 87"),
    ("ISO 2022 IR 166", "ISO 2022 IR 203"),
)


def characters_of(terms: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Characters of all sets that the terms name, each set as likely as the others."""
    sets = [REPERTOIRES[element.escape] for element in CODE_ELEMENTS if element.term in terms]
    romaji = "".join(chr(code) for code in range(0x20, 0x7E) if code != 0x5C)
    return st.sampled_from([*sets, romaji]).flatmap(st.sampled_from)


@cache
def characters_in(codec: str) -> st.SearchStrategy[str]:
    """Characters of a codec but for control characters, ASCII as likely as all others together.

    Hypothesis finds out what a codec has by an attempt on each of a million characters.
    """
    if codec in {"utf_8", "gb18030"}:
        return st.characters(codec="utf-8", exclude_categories=["Cc"])
    codes = [bytes([byte]) for byte in range(0x100)]
    if codec == "gbk":
        codes += [bytes([a, b]) for a in range(0x81, 0xFF) for b in range(0x40, 0xFF)]
    found = {_decoded(codec, code) for code in codes}
    printable = sorted(each for each in found if each and unicodedata.category(each) != "Cc")
    ascii_ones = [each for each in printable if each.isascii()]
    others = [each for each in printable if not each.isascii()]
    return st.sampled_from(ascii_ones) | st.sampled_from(others or ascii_ones)


@cache
def encoded_text(terms: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Value fields in the character set of one term, or in the sets of several."""
    codec = next((row.codec for row in SINGLE_SETS if (row.term,) == terms), None)
    if codec is None:
        characters = characters_of(terms)
    elif codec == JIS_X_0201:
        characters = st.sampled_from(single_byte_repertoire(terms[0]))
    else:
        characters = characters_in(codec)
    encoded = st.text(characters, max_size=8).map(lambda text: encode_text(text, terms, "PN"))
    return encoded.map(lambda data: data + b" " * (len(data) % 2))

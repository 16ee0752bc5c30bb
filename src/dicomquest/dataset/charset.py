"""Specific Character Set (0008,0005): text by its terms (PS3.3 C.12.1.1.2, PS3.5 6.1).

The terms are a tuple of ``str``, the values of the attribute; ``()`` is the default repertoire,
ASCII. They mean one of two things: a single Python codec, or code extensions, where escape
sequences within the text switch between several sets (``iso2022``). Peers misspell terms, declare
several where one is meant, and use escapes that they do not declare; ``charset_of`` puts that
right once for each tuple, and all else asks the ``Charset`` that it returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.iso2022 import ESCAPE, CodeExtensions, decode_set, encode_set
from dicomquest.dataset.remembering import LONGEST_REMEMBERED, remembered
from dicomquest.standard.character_sets import (
    ALONE,
    CODE_ELEMENTS,
    DEFAULT_TERM,
    JIS_X_0201,
    LATIN_PARTS,
    MISSPELT,
    READ_ONLY_SETS,
    SINGLE_SETS,
    CodeElement,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR

Terms = tuple[str, ...]

UTF_8: Terms = ("ISO_IR 192",)
FALLBACK: Terms = ("ISO_IR 192", "ISO_IR 100")
"""The sets tried for 8-bit text that names none, in this order.

Text of another set is seldom valid UTF-8 by accident; any bytes are valid Latin-1.
"""

_SINGLE = {row.term: row for row in SINGLE_SETS}
_EXTENSIONS: dict[str, tuple[CodeElement, ...]] = {
    element.term: tuple(each for each in CODE_ELEMENTS if each.term == element.term)
    for element in CODE_ELEMENTS
}
_ASCII = _EXTENSIONS[DEFAULT_TERM][0]
_SINGLE_SPELLING = re.compile(r"ISO[ _-]?IR[ _-]?(\d+)", re.ASCII)
_PART_SPELLING = re.compile(r"ISO[ _-]?8859[ _-]?(\d+)", re.ASCII)
_EXTENSION_SPELLING = re.compile(r"ISO[ _-]?2022[ _-]?IR[ _-]?(\d+)", re.ASCII)

# Behind these characters the sets of value 1 are active again: at each value, and at each
# component and group of a name (PS3.5 6.1.2.5.3).
_DELIMITERS = {row.vr: "\\" if row.multiple else "" for row in VALUE_REPRESENTATIONS} | {
    "PN": "\\^="
}
_DELIMITER_BYTES = {vr: delimiters.encode("ascii") for vr, delimiters in _DELIMITERS.items()}


@dataclass(frozen=True, slots=True)
class Charset:
    """The meaning of terms: either one Python codec or code extensions.

    ``escapes`` read text that has escapes though one set alone is declared; None for sets that
    allow no escapes. ``unknown`` are the terms that the Standard does not define, even misspelt.
    """

    terms: Terms
    codec: str
    extensions: CodeExtensions | None
    escapes: CodeExtensions | None
    unknown: Terms

    @property
    def is_default(self) -> bool:
        """Tell whether no set is declared that has characters besides ISO 646."""
        return self.codec == "ascii"

    def decode(self, data: bytes, vr: str = "LO", errors: str = "strict") -> str:
        """Return a value field as text, with its backslashes.

        Raises UnicodeDecodeError where ``errors`` is strict.
        """
        # A set that declares no escapes is read by its codec, which is written in C, unless there
        # is an escape: some writers leave the second term out.
        if self.escapes is not None and (self.extensions is not None or ESCAPE in data):
            return self.escapes.decode(data, _DELIMITER_BYTES[vr], errors)
        if self.codec == JIS_X_0201 and errors != "strict":
            # Writers that declare katakana alone and use kanji write Shift JIS, of which
            # JIS X 0201 is a part: that is what bytes mean which the set leaves undefined.
            for codec in (self.codec, "shift_jis"):
                with suppress(UnicodeDecodeError):
                    return decode_set(codec, data)
        return decode_set(self.codec, data, errors)

    def encode(self, text: str, vr: str = "LO") -> bytes:
        """Return a value field, unpadded; UnicodeEncodeError if no set has a character."""
        if self.extensions is not None:
            return self.extensions.encode(text, _DELIMITERS[vr])
        return encode_set(self.codec, text)


def normalise_term(term: str) -> str | None:
    """Return the defined term that a peer means; '' stays '', None if it means none."""
    term = term.strip(" \0")
    if not term or term in _SINGLE or term in _EXTENSIONS or term in READ_ONLY_SETS:
        return term
    upper = term.upper()
    if upper in _SINGLE or upper in _EXTENSIONS:
        return upper
    if upper in MISSPELT:
        return MISSPELT[upper]
    if match := _PART_SPELLING.fullmatch(upper):
        return LATIN_PARTS.get(match[1])
    # Not every register number has both forms: ISO 2022 IR 192 is meant as ISO_IR 192.
    if match := _SINGLE_SPELLING.fullmatch(upper):
        candidates = (f"ISO_IR {match[1]}", f"ISO 2022 IR {match[1]}")
    elif match := _EXTENSION_SPELLING.fullmatch(upper):
        candidates = (f"ISO 2022 IR {match[1]}", f"ISO_IR {match[1]}")
    else:
        return None
    return next((each for each in candidates if each in _SINGLE or each in _EXTENSIONS), None)


@remembered(256, lambda terms: sum(map(len, terms)) <= LONGEST_REMEMBERED)
def charset_of(terms: Terms) -> Charset:
    """Return the meaning of Specific Character Set, its wrong and superfluous values put right.

    Cached, because the instances and the responses of one system have few different tuples; the
    bound keeps a peer that invents terms from filling the memory.
    """
    known = tuple(normalise_term(term) for term in terms)
    unknown = tuple(term for term, normal in zip(terms, known, strict=True) if normal is None)
    normal = [term or "" for term in known]
    # UTF-8, GB 18030 and GBK allow no other term beside them (PS3.3 C.12.1.1.2). Where one stands
    # with others all the same, it is the one that the text is in.
    for term in normal:
        if term in ALONE:
            return Charset((term,), _SINGLE[term].codec, None, None, unknown)
    # Of several values each has the ISO 2022 form (PS3.3 C.12.1.1.2); the single form is taken
    # for it.
    extended = [term.replace("ISO_IR", "ISO 2022 IR") for term in normal]
    if len(normal) == 1 and normal[0] in READ_ONLY_SETS:
        # Without terms, because no response can name the set.
        return Charset((), READ_ONLY_SETS[normal[0]], None, None, unknown)
    if len(normal) == 1:
        single = normal[0].replace("ISO 2022 IR", "ISO_IR")
        if single in _SINGLE:
            return Charset((single,), _SINGLE[single].codec, None, _extensions(extended), unknown)
        # A set of two-byte characters cannot be value 1 alone: it extends the default repertoire.
        extended.insert(0, "")
    if not any(normal):
        return Charset((), "ascii", None, _extensions([""]), unknown)
    terms = tuple(term for index, term in enumerate(extended) if term or index == 0)
    extensions = _extensions(extended)
    return Charset(terms, "", extensions, extensions, unknown)


def _extensions(terms: list[str]) -> CodeExtensions:
    first = _EXTENSIONS.get(terms[0] or DEFAULT_TERM, ())
    # Home are the sets of value 1, where each value begins and where text returns to. A two-byte
    # set is no home: delimiters could not be told from its bytes.
    home_g0 = next((each for each in first if each.element == 0 and each.size == 1), _ASCII)
    home_g1 = next((each for each in first if each.element == 1), None)
    declared = [home_g0] if home_g1 is None else [home_g0, home_g1]
    declared += [element for term in terms for element in _EXTENSIONS.get(term, ())]
    return CodeExtensions(home_g0, home_g1, tuple(dict.fromkeys(declared)))


def normalise_terms(terms: Terms) -> Terms:
    """Return the terms as the Standard writes them; () if they come to the default repertoire."""
    charset = charset_of(terms)
    return () if charset.is_default else charset.terms


def decode_text(data: bytes, terms: Terms, vr: str = "LO", errors: str = "strict") -> str:
    """Return a value field as text in the sets of ``terms``.

    Raises UnicodeDecodeError where ``errors`` is strict.
    """
    return charset_of(terms).decode(data, vr, errors)


def encode_text(text: str, terms: Terms, vr: str = "LO") -> bytes:
    """Return text as an unpadded value field; UnicodeEncodeError if no set has a character."""
    return charset_of(terms).encode(text, vr)


def extends_ascii(terms: Terms) -> bool:
    """Tell whether a response may name ``terms``, and ASCII text is the same bytes in them.

    False for terms that the Standard writes otherwise, which a response must not repeat, and for
    the default repertoire, which it leaves out.
    """
    charset = charset_of(terms)
    if charset.is_default or charset.terms != terms:
        return False
    if charset.extensions is not None:
        return charset.extensions.home_g0 is _ASCII
    return charset.codec != JIS_X_0201


def choose(data_set: DataSet, requested: Terms = (), otherwise: Terms = UTF_8) -> Terms:
    """Return the terms to send a data set with (PS3.4 C.4.1.1.3.2).

    None for ASCII; else ``requested`` if they hold all its text, else ``otherwise``, else UTF-8.
    """
    texts = list(_coded_texts(data_set))
    if all(text.isascii() for _, text in texts):
        return ()
    # ASCII texts are looked at too: ISO_IR 13 has neither the tilde nor the backslash of ASCII.
    for terms in (requested, otherwise):
        if (
            terms
            and normalise_terms(terms) == terms
            and all(_holds(terms, vr, text) for vr, text in texts)
        ):
            return terms
    return UTF_8


def _coded_texts(data_set: DataSet) -> Iterator[tuple[str, str]]:
    for vr, values in data_set.values():
        if vr == "SQ":
            for item in values:
                yield from _coded_texts(item)
        elif VR[vr].charset:
            for text in values:
                yield vr, text


def _holds(terms: Terms, vr: str, text: str) -> bool:
    try:
        encode_text(text, terms, vr)
    except UnicodeEncodeError:
        return False
    return True

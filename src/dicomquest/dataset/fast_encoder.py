"""The fast encoder: rows of the index to the bytes of response identifiers (PS3.5 7).

A C-FIND answers with thousands of identifiers that have the same elements in the same order: most
of their bytes are known before the first row. ``ResponseEncoder`` compiles what is known to a
function, and no Dataset and no object per element is built.

*Once per query shape* (fields, transfer syntax, requested character sets) it computes for each
element, in the order of the tags, the bytes before the length (the tag, and the VR if explicit),
the table of the length field, the padding, and the whole element if it is constant. These become
the literal parts of one f-string, whose holes are the values and their lengths. The string is a
``str`` of Latin-1, one character a byte: text is spliced in as it comes from the database, and one
``encode`` at the end makes the bytes. For StudyDate, PatientName and a constant QueryRetrieveLevel
the generated loop is, with its escapes left out::

    for row in rows:
        v0, v1, = row
        if v1 is None: v1 = ''
        elif len(v1) & 1: v1 += ' '
        if f'{v1}'.isascii():
            append(f'{E0[v0]}(0008,0052)CS..STUDY (0010,0010)PN{L1[len(v1)]}{v1}'.encode('latin-1'))
        else:
            append(other(row))

*Once per row* it makes each text even, looks up lengths (``L``), looks up whole elements in columns
of few values (``E``), and tests all texts together for ASCII. With 11 to 14 keys a row takes about
1.3 microseconds, a third of a loop with ``bytes.join`` and a hundredth of a pydicom Dataset.

ASCII is the short cut because it is the same bytes in the default repertoire: the response names no
character set. A row with other text takes a second generated function, which recodes it into the
request's set, or into UTF-8, and begins with Specific Character Set (PS3.4 C.4.1.1.3.2). Elements
of the JSON column (``J``) are encoded one by one and remembered, as most come again and again.

``encode_plain`` is the oracle: the same row by way of decoded elements and pydicom's writer. A
property test holds both equal, byte for byte. It is the fall-back too: for values over the 16-bit
length (PS3.5 6.2.2), for text where the requested set is no superset of ASCII (ISO_IR 13), and for
all rows in big endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.dataset.charset import (
    UTF_8,
    Terms,
    choose,
    encode_text,
    extends_ascii,
)
from dicomquest.dataset.elements import DataSet, element_from_json
from dicomquest.dataset.encoder import deflate, encode
from dicomquest.dataset.response_fields import Field, Row, Source, row_element, text_element
from dicomquest.errors import ValueFormatError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VR, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Columns of these VRs have few distinct values: the whole element is looked up (30 ns) instead of
# built (90 ns).
_FEW_VALUES = frozenset({"CS", "DA", "AS", "IS"})
# Elements in the table of such a column: the days of a century fit, and a column with a value of
# its own in each row does not grow the table for ever.
_TABLE_LIMIT = 50_000
# Characters of a text, or of an element's JSON, that is remembered; longer ones seldom come again.
_LONGEST_REMEMBERED = 256


class _NotFastError(Exception):
    """The fast path cannot take a row: a value is too long (PS3.5 6.2.2), or has no set."""


# The two kinds of table are dicts with ``__missing__``: a hit, nearly always, is a look-up in C.
class _Lengths(dict[int, str]):
    """The characters of the length field by even value length, made when first met."""

    def __init__(self, layout: str, limit: int) -> None:
        super().__init__()
        self._pack = struct.Struct(layout).pack
        self._limit = limit

    def __missing__(self, length: int) -> str:
        if length > self._limit:
            raise _NotFastError
        field = self[length] = self._pack(length).decode("latin-1")
        return field


class _Elements(dict[Any, str]):
    """The whole element by value of one column, made when first met."""

    def __init__(self, header: str, lengths: _Lengths, pad: str) -> None:
        super().__init__()
        self._header = header
        self._lengths = lengths
        self._pad = pad

    def __missing__(self, value: str | int | None) -> str:
        text = "" if value is None else str(value)
        if not text.isascii():
            raise _NotFastError
        if len(text) & 1:
            text += self._pad
        if len(self) >= _TABLE_LIMIT:
            self.clear()
        element = self[value] = f"{self._header}{self._lengths[len(text)]}{text}"
        return element


_IMPLICIT_LENGTHS = _Lengths("<I", 0xFFFFFFFE)
_SHORT_LENGTHS = _Lengths("<H", 0xFFFE)
_LONG_LENGTHS = _Lengths("<2xI", 0xFFFFFFFE)


def _layout(tag: int, vr: str, *, explicit: bool) -> tuple[str, _Lengths]:
    """Return the characters before an element's length, and the table of its length field."""
    header = struct.pack("<HH", tag >> 16, tag & 0xFFFF).decode("latin-1")
    if not explicit:
        return header, _IMPLICIT_LENGTHS
    return header + vr, _LONG_LENGTHS if VR[vr].long_form else _SHORT_LENGTHS


def _json_element(tag: int, text: str, transfer_syntax: str, terms: Terms) -> str:
    """Return the characters of an element of the JSON column, its text encoded in ``terms``."""
    element = element_from_json(json.loads(text))
    vr, values = element
    if not terms and choose({tag: element}):
        raise _NotFastError
    if VR[vr].kind is Kind.TEXT:
        # Text differs most from row to row: this takes a quarter of the time of pydicom's writer.
        joined = "\\".join(values)
        if not joined.isascii():
            joined = _recoded(joined, vr, terms)
        header, lengths = _layout(tag, vr, explicit=transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN)
        joined += VR[vr].pad * (len(joined) & 1)
        return f"{header}{lengths[len(joined)]}{joined}"
    # The encoder puts Specific Character Set first; the response has it already.
    data = encode({tag: element}, transfer_syntax, terms)
    return data.removeprefix(encode({}, transfer_syntax, terms)).decode("latin-1")


_remembered_json_element = lru_cache(maxsize=16384)(_json_element)


class _JsonElements:
    """Makes the elements of one JSON column from their text, in the terms of the response."""

    def __init__(self, tag: int, transfer_syntax: str) -> None:
        self._tag = tag
        self._transfer_syntax = transfer_syntax

    def __call__(self, text: str, terms: Terms = ()) -> str:
        # The same element whatever the terms: one entry in the memory.
        if text.isascii():
            terms = ()
        elif not terms:
            raise _NotFastError
        make = _remembered_json_element if len(text) <= _LONGEST_REMEMBERED else _json_element
        return make(self._tag, text, self._transfer_syntax, terms)


def _recode(text: str, vr: str, terms: Terms) -> str:
    """Return the characters of text that is not ASCII; UnicodeEncodeError if ``terms`` lack one."""
    if not VR[vr].charset:
        raise _NotFastError  # only the default repertoire is allowed: the plain path replaces
    return encode_text(text, terms, vr).decode("latin-1")


_remembered_recode = lru_cache(maxsize=16384)(_recode)


def _recoded(text: str, vr: str, terms: Terms) -> str:
    return (_remembered_recode if len(text) <= _LONGEST_REMEMBERED else _recode)(text, vr, terms)


def _literal(text: str) -> str:
    r"""Return Latin-1 text as the inside of an f-string literal, every character as ``\xNN``.

    So no character is syntax: no quote, no brace, no backslash, no end of the line.
    """
    return "".join(f"\\x{ord(character):02x}" for character in text)


class ResponseEncoder:
    """The encoder of one query shape.

    ``fields`` are the row's columns in order, and any number of constants. ``requested`` are the
    terms of Specific Character Set in the request: the response uses them where it can.
    """

    def __init__(
        self, fields: Sequence[Field], transfer_syntax: str, requested: tuple[str, ...] = ()
    ) -> None:
        self.fields = tuple(fields)
        self.transfer_syntax = transfer_syntax
        self.requested = requested
        self._columns = tuple(field for field in self.fields if field.source is not Source.CONSTANT)
        self._constants = tuple(field for field in self.fields if field.source is Source.CONSTANT)
        self._explicit = transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN
        self._deflated = transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
        self._flat_syntax = EXPLICIT_VR_LITTLE_ENDIAN if self._deflated else transfer_syntax
        self._generated = self._generate() if self._is_fast() else None
        # The sets that a response may use, in order. None if one of them is not for the fast path:
        # trying only the other would choose another set than the plain path does.
        candidates = (requested, UTF_8) if requested else (UTF_8,)
        self._charsets = [
            (
                terms,
                self._constant(
                    Field(SPECIFIC_CHARACTER_SET, "CS", Source.CONSTANT, "\\".join(terms))
                ),
            )
            for terms in candidates
            if all(map(extends_ascii, candidates))
        ]

    def encode(self, rows: Iterable[Row]) -> list[bytes]:
        """Return the identifiers of ``rows`` in their order, in the query's transfer syntax."""
        if self._generated is None:
            return [self.encode_plain(row) for row in rows]
        encoded: list[bytes] = []
        self._generated.encode_rows(rows, encoded.append, self._encode_other)
        return [deflate(data) for data in encoded] if self._deflated else encoded

    def encode_plain(self, row: Row) -> bytes:
        """Return the same identifier by way of decoded elements: the oracle and the fall-back."""
        data_set = self.data_set(row)
        return encode(data_set, self.transfer_syntax, choose(data_set, self.requested))

    def data_set(self, row: Row) -> DataSet:
        """Return the response identifier as decoded elements, without Specific Character Set."""
        elements = {field.tag: text_element(field.vr, field.text) for field in self._constants}
        for field, value in zip(self._columns, row, strict=True):
            elements[field.tag] = row_element(field, value)
        return dict(sorted(elements.items()))

    def _is_fast(self) -> bool:
        little_endian = self._deflated or self.transfer_syntax in (
            IMPLICIT_VR_LITTLE_ENDIAN,
            EXPLICIT_VR_LITTLE_ENDIAN,
        )
        # The second function puts Specific Character Set in front of all else.
        begins_with_charset = all(field.tag > SPECIFIC_CHARACTER_SET for field in self.fields)
        return (
            little_endian
            and begins_with_charset
            and all(field.text.isascii() for field in self._constants)
        )

    def _encode_other(self, row: Row) -> bytes:
        """Encode a row that is not all ASCII, recoded into a character set or by the plain path."""
        if self._generated is not None:
            for terms, charset_element in self._charsets:
                try:
                    return self._generated.encode_row(row, terms, charset_element)
                except (UnicodeError, ValueFormatError, _NotFastError):
                    continue
        # ``encode`` deflates all rows alike, those of the plain path too.
        data = self.encode_plain(row)
        return inflate(data) if self._deflated else data

    def _generate(self) -> _Generated:
        """Generate the two functions of this query shape, from ``_TEMPLATE`` and the fields.

        The code holds numbered names (``v0``, ``E0``), VRs that are rows of the table (``VR[...]``
        fails for others), and literals for tags, VRs, padding and constants. A peer has a say in
        literals only: a tag, and the private creator among the constants. ``_literal`` escapes each
        of their characters, so nothing that a peer sends becomes syntax. Values of rows are never
        part of the code: they are its arguments.
        """
        names: dict[str, Any] = {"NotFast": _NotFastError, "recoded": _recoded}
        prepare: list[str] = []
        recode: list[str] = []
        pieces = [(field.tag, _literal(self._constant(field))) for field in self._constants]
        coded: dict[int, str] = {}
        text = ""
        for index, field in enumerate(self._columns):
            header, lengths = _layout(field.tag, field.vr, explicit=self._explicit)
            value, pad = f"v{index}", VR[field.vr].pad
            if field.source is Source.JSON:
                names[f"N{index}"] = header + lengths[0]
                names[f"J{index}"] = _JsonElements(field.tag, self._flat_syntax)
                pieces.append(
                    (field.tag, f"{{N{index} if {value} is None else J{index}({value})}}")
                )
                coded[field.tag] = f"{{N{index} if {value} is None else J{index}({value}, terms)}}"
            elif field.source is Source.NUMBER or field.vr in _FEW_VALUES:
                names[f"E{index}"] = _Elements(header, lengths, pad)
                pieces.append((field.tag, f"{{E{index}[{value}]}}"))
            else:
                names[f"L{index}"] = lengths
                prepare += [
                    f"if {value} is None: {value} = ''",
                    f"elif len({value}) & 1: {value} += '{_literal(pad)}'",
                ]
                pieces.append(
                    (field.tag, f"{_literal(header)}{{L{index}[len({value})]}}{{{value}}}")
                )
                text += f"{{{value}}}"
                recode.append(f"if {value} is not None and not {value}.isascii():")
                recode.append(f"    {value} = recoded({value}, '{field.vr}', terms)")
        unpack = (
            "".join(f"v{index}, " for index in range(len(self._columns))) + "= row"
            if self._columns
            else "pass"
        )
        # Ascending by tag (PS3.5 7.1).
        pieces.sort()
        code = _TEMPLATE.format(
            unpack=unpack,
            prepare_rows=_indented(prepare, 8),
            prepare_row=_indented([*recode, *prepare], 4),
            condition=f"f'{text}'.isascii()" if text else "True",
            identifier="".join(piece for _, piece in pieces),
            coded_identifier="".join(coded.get(tag, piece) for tag, piece in pieces),
        )
        exec(compile(code, "<response encoder>", "exec"), names)  # noqa: S102
        return _Generated(names["encode_rows"], names["encode_row"])

    def _constant(self, field: Field) -> str:
        header, lengths = _layout(field.tag, field.vr, explicit=self._explicit)
        text = field.text + VR[field.vr].pad * (len(field.text) & 1)
        return f"{header}{lengths[len(text)]}{text}"


class _Generated(NamedTuple):
    """The two functions of a query shape: for many rows of ASCII, and for one row of other text."""

    encode_rows: Callable[[Iterable[Row], Callable[[bytes], None], Callable[[Row], bytes]], None]
    encode_row: Callable[[Row, Terms, str], bytes]


_TEMPLATE = """\
def encode_rows(rows, append, other):
    for row in rows:
        {unpack}
{prepare_rows}
        if {condition}:
            try:
                append(f'{identifier}'.encode('latin-1'))
            except (NotFast, UnicodeEncodeError):
                append(other(row))
        else:
            append(other(row))

def encode_row(row, terms, charset_element):
    {unpack}
{prepare_row}
    return f'{{charset_element}}{coded_identifier}'.encode('latin-1')
"""


def _indented(lines: list[str], spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in lines)


def inflate(data: bytes) -> bytes:
    """Return the data set inside a raw deflate stream of our own, so without a bound."""
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data)

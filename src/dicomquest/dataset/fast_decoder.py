"""The fast decoder: response identifiers to pydicom Datasets or DICOM JSON (PS3.5 7.1, PS3.18 F).

An SCU may read a hundred thousand identifiers from one query. Nearly all are alike and simple:
little endian, tags in ascending order, short values, no sequences. They take one of two fast ways;
all others take the sure way, ``codec.decode``. The way that bytes take never shows in the result:
property tests hold the fast ways equal to the sure one, for changed and cut off bytes too.

1. *A known layout.* The identifiers of one query repeat their elements in the same order. Once that
   has been seen often enough, ``learned_layouts`` takes a whole identifier apart by one pattern,
   and a generated expression makes the result of its values.
2. *A pass over the headers.* ``_fields`` finds each header, tag and VR together, in a table by its
   bytes, and cuts its value out. A header that is not of the simple kind ends the fast way.

On both ways a value takes a short cut if it can:

- JSON: ASCII text without a backslash only loses its padding. The bytes are decoded once, as
  Latin-1 with one character a byte: that costs as much as decoding one value.
- Dataset: the elements of a known layout are made at the Dataset's first use, and pydicom converts
  a ``RawDataElement`` not before somebody reads it. A value is left to that if pydicom makes of it
  the very value that the sure way makes, and warns of nothing; ``_PATTERNS_OF_PYDICOM`` says by VR
  which values these are.

Other values, of several parts or in a character set, are read by the ``ValueReader`` of the sure
way; known layouts remember the short ones, such as the name on all studies of a patient.

``LONGEST`` bounds the data sets that go the fast ways: none so short is beyond the limits of the
sure way. The tables of headers, character sets and values are bounded, as a peer fills them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import methodcaller
from typing import Any, AnyStr, Generic, NamedTuple, TypeAlias, TypeVar, assert_never

from pydicom.charset import python_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomquest.dataset.charset import FALLBACK
from dicomquest.dataset.codec import decode
from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.elements import (
    Element,
    element_to_json,
    pydicom_element,
    to_json,
    to_pydicom,
)
from dicomquest.dataset.learned_layouts import (
    LONGEST_VALUE,
    Column,
    Layouts,
    Values,
    column_of,
    function_of,
)
from dicomquest.dataset.unread_dataset import Elements, dataset_of, unread
from dicomquest.dataset.value_fields import (
    CODES,
    RemarkKind,
    Remarks,
    Scope,
    ValueReader,
    inner_scope,
    scope_of,
)
from dicomquest.standard.character_sets import SINGLE_SETS
from dicomquest.standard.tags import FIRST_TAG, SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, Kind, Spaces

T = TypeVar("T")

_KNOWN_TERMS = frozenset(row.term for row in SINGLE_SETS if row.term in python_encoding)

LONGEST = 1 << 16
"""The longest data set on a fast way: so few bytes cannot be beyond any of the decoder's limits."""

REMEMBERED_HEADERS = 4096
"""Headers that are kept; a query asks for tens."""

# ASCII text of these VRs without a backslash is its value once the padding is off.
_PLAIN_VRS = frozenset(
    row.vr
    for row in VALUE_REPRESENTATIONS
    if row.kind is Kind.TEXT and row.multiple and row.spaces is Spaces.BOTH
)
_CODED_VRS = frozenset(row.vr for row in VALUE_REPRESENTATIONS if row.charset)
_SHORT_VRS = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if not row.long_form}

# Values, without padding, that pydicom reads to the very value that the sure way gives, and without
# a warning. Other values are converted here, and pydicom gets the result.
_PATTERNS_OF_PYDICOM = {
    vr: pattern.encode("ascii")
    for vr, pattern in {
        "AE": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "AS": r"\d{3}[DWMY]",
        "CS": r"[A-Z0-9_]{1,16}(?:\\[A-Z0-9_]{1,16})*",
        "DA": r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",
        "IS": r"-?\d{1,9}",
        "LO": r"[\x20-\x5b\x5d-\x7e]{1,64}",
        "PN": r"[\x20-\x3c\x3e-\x5b\x5d-\x7e]{1,64}",
        "SH": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "TM": r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?",
        "UI": r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*",
    }.items()
}
_READ_BY_PYDICOM: dict[str, Callable[[bytes], object]] = {
    vr: re.compile((rb"(?=.{1,64}\Z)" if vr == "UI" else b"") + pattern).fullmatch
    for vr, pattern in _PATTERNS_OF_PYDICOM.items()
}


class Header(NamedTuple):
    """Tag and VR as they stand on the wire, and all that follows from them.

    ``name`` is that of the DICOM JSON Model. ``is_plain`` says that a value may take the short cut,
    ``is_coded`` that Specific Character Set holds for it.
    """

    key: bytes
    tag: int
    name: str
    vr: str
    is_plain: bool
    is_coded: bool
    base_tag: BaseTag
    is_read_by_pydicom: Callable[[bytes], object] | None


_Unpack: TypeAlias = Callable[[bytes, int], tuple[Any, ...]]
# A tuple's own constructor takes a third of the time of that of a NamedTuple.
_new = tuple.__new__


def _header(key: bytes, tag: int) -> Header | None:
    """Return the header that ``key`` stands for; None if its element has to go the sure way."""
    vr = _SHORT_VRS.get(key[4:] or IMPLICIT_CODES.get(tag) or b"")
    # The decoder leaves group lengths out, and remarks on groups that data sets do not have.
    if vr is None or not tag & 0xFFFF or not FIRST_TAG <= tag < 0xFFFE0000:
        return None
    is_plain = vr in _PLAIN_VRS
    # Specific Character Set decides on the text behind it, so it is looked at, not passed on.
    pattern = _READ_BY_PYDICOM.get(vr) if is_plain and tag != SPECIFIC_CHARACTER_SET else None
    return Header(key, tag, f"{tag:08X}", vr, is_plain, vr in _CODED_VRS, BaseTag(tag), pattern)


class _Headers(dict[bytes, "Header | None"]):
    """The header by the bytes before a length; None for one that goes the sure way."""

    def __missing__(self, key: bytes) -> Header | None:
        group, number = struct.unpack_from("<HH", key)
        if len(self) >= REMEMBERED_HEADERS:
            self.clear()
        header = self[key] = _header(key, group << 16 | number)
        return header


class _NoRemarks(Remarks):
    """Remarks that nobody reads: the SCU does not report on the responses of a peer."""

    def add(self, tag: int, kind: RemarkKind, text: str = "") -> None:
        """Keep nothing."""


_READER = ValueReader("<", FALLBACK, _NoRemarks())
_DEFAULT_SCOPE = scope_of(())


@lru_cache(maxsize=64)
def _charset(value: bytes) -> tuple[Element, Scope]:
    """Return Specific Character Set and its scope; the responses of a query have one or two."""
    element = _READER.element(SPECIFIC_CHARACTER_SET, "CS", value, _DEFAULT_SCOPE)
    return element, inner_scope(_DEFAULT_SCOPE, element, Remarks())


def _element(vr: str, value: bytes, charset: bytes) -> Element:
    """Return the element of a value field; ``charset`` is the value of Specific Character Set."""
    return _READER.element(0, vr, value, _charset(charset)[1])


_remembered_element = lru_cache(maxsize=1024)(_element)
"""The same for short values: modalities, and the name that all studies of a patient have."""


def _fields(data: bytes, content: AnyStr, form: _Form) -> list[tuple[Header, AnyStr]] | None:
    """Return headers with their value fields, by one pass; None if they have to go the sure way.

    The value fields are cut out of ``content``: the data, or its text of one character a byte.
    """
    # This loop runs for each element of each response: the names are local, and one ``unpack``
    # takes the key and the length together.
    unpack, headers, size = form.unpack, form.headers, len(data)
    fields: list[tuple[Header, AnyStr]] = []
    position = previous = 0
    while position + 8 <= size:
        key, length = unpack(data, position)
        header = headers[key]
        # Out of order or twice (PS3.5 7.1): the decoder knows what to keep.
        if header is None or header.tag <= previous:
            return None
        previous = header.tag
        start = position + 8
        position = start + length
        fields.append((header, content[start:position]))
    # A value that runs over the end was cut short by its slice, and its position ended the loop.
    return fields if position == size else None


def _columns(data: bytes, form: _Form) -> list[Column[Header]]:
    """Return the columns of a data set that took the pass; none if an element is not plain."""
    columns: list[Column[Header]] = []
    is_coded = False
    for header, value in _fields(data, data, form) or ():
        if header.tag == SPECIFIC_CHARACTER_SET:
            # The value is part of the pattern: another character set is another layout.
            columns.append(Column(header.key, header, Values.CONSTANT, constant=value))
            is_coded = True
            continue
        column = header.is_plain and column_of(
            header.key, header, value,
            is_name=header.vr == "PN", is_coded=is_coded and header.is_coded,
        )  # fmt: skip
        if not column or len(value) > LONGEST_VALUE:
            return []
        columns.append(column)
    return columns


def decode_to_json(data: bytes, transfer_syntax: str) -> dict[str, Any]:
    """Return a data set as an object of the DICOM JSON Model; DataSetError for other bytes."""
    form = _form(data, transfer_syntax)
    if form is None:
        return to_json(decode(data, transfer_syntax))
    if (known := form.json_layouts.take_apart(data)) is not None:
        return known
    # Decoded once, which costs as much as decoding one value.
    text = data.decode("latin-1")
    fields = _fields(data, text, form)
    is_plain = text.isascii() and "\\" not in text and "\x1b" not in text
    attributes = None if fields is None else _json(fields, is_all_plain=is_plain)
    if attributes is None:
        return to_json(decode(data, transfer_syntax))
    if form.json_layouts.learns:
        form.json_layouts.note(_columns(data, form))
    return attributes


def _json_maker(columns: Sequence[Column[Header]]) -> tuple[str, dict[str, Any]]:
    r"""Return the expression that makes the object of a layout's values.

    Values are text of one character a byte. It is one dictionary display, which takes half the time
    of a loop::

        {'00080020': {'vr': 'DA', 'Value': [v0]},
         '00081030': ({'vr': 'LO', 'Value': [t]} if (t := v1.strip(' \0')) else {'vr': 'LO'}), ...}

    It is generated from headers alone: a VR is a row of our table, a name is eight hexadecimal
    digits made of the tag's number, and all else is written here. The peer chooses which tags there
    are, and can put nothing else into the code: values are its arguments.
    """
    attributes = []
    names: dict[str, Any] = {"other": _other_json, "single": _single_text}
    charset = "''"
    for number, column in enumerate(columns):
        header, value = column.meaning, f"v{number}"
        empty = f"{{'vr': '{header.vr}'}}"
        filled = f"{{'vr': '{header.vr}', 'Value': [%s]}}"
        if column.is_name:
            filled %= "{'Alphabetic': %s}"
        stripped = rf"(t := {value}.strip(' \0'))"
        other = f"other('{header.vr}', {value}, {charset})"
        match column.values:
            case Values.FIXED:
                made = filled % value if column.length else empty
            case Values.PLAIN:
                made = f"{filled % 't'} if {stripped} else {empty}"
            case Values.CONSTANT:
                names[f"c{number}"] = element_to_json(_charset(column.constant)[0]).get("Value", ())
                made = filled % f"*c{number}" if names[f"c{number}"] else empty
            case Values.ANY:
                plain = r"'\\' not in t"
                plain += " and '=' not in t" if column.is_name else ""
                if column.is_coded:
                    plain += r" and t.isascii() and '\x1b' not in t"
                    plain = f"({plain} or (t := single('{header.vr}', {value}, {charset})))"
                made = f"{empty} if not {stripped} else {filled % 't'} if {plain} else {other}"
            case _:
                assert_never(column.values)
        attributes.append(f"'{header.name}': ({made})")
        if header.tag == SPECIFIC_CHARACTER_SET:
            charset = value
    return f"{{{', '.join(attributes)}}}", names


def _other_json(vr: str, value: str, charset: str) -> dict[str, Any]:
    # The element is remembered, its JSON is not: the caller may change the object that it gets.
    return element_to_json(
        _remembered_element(vr, value.encode("latin-1"), charset.encode("latin-1"))
    )


@lru_cache(maxsize=1024)
def _single_text(vr: str, value: str, charset: str) -> str | None:
    """Return the text of a value field that is a single one, and no name of several groups."""
    values = _element(vr, value.encode("latin-1"), charset.encode("latin-1")).values
    text: str = values[0] if len(values) == 1 else ""
    return None if vr == "PN" and "=" in text else text or None


def _json(fields: Iterable[tuple[Header, str]], *, is_all_plain: bool) -> dict[str, Any] | None:
    """Return the object of a data set that took the pass; None if it has to go the sure way.

    ``is_all_plain`` says that all of it is ASCII of single values, so no value is tested for that.
    """
    charset = ""
    attributes: dict[str, Any] = {}
    for (_, tag, name, vr, is_plain, _, _, _), value in fields:
        if tag == SPECIFIC_CHARACTER_SET:
            charset = value
            if not _charset(charset.encode("latin-1"))[1].is_ascii:
                return None
        if is_plain and (
            is_all_plain or (value.isascii() and "\\" not in value and "\x1b" not in value)
        ):
            text = value.strip(" \0")
            if vr != "PN":
                attributes[name] = {"vr": vr, "Value": [text]} if text else {"vr": vr}
                continue
            if "=" not in text:
                attributes[name] = (
                    {"vr": vr, "Value": [{"Alphabetic": text}]} if text else {"vr": vr}
                )
                continue
        attributes[name] = element_to_json(
            _element(vr, value.encode("latin-1"), charset.encode("latin-1"))
        )
    return attributes


def decode_to_pydicom(data: bytes, transfer_syntax: str) -> Dataset:
    """Return a data set as a pydicom Dataset, most values not converted yet.

    Raises DataSetError for bytes that are no data set.
    """
    form = _form(data, transfer_syntax)
    if form is None:
        return to_pydicom(decode(data, transfer_syntax))
    if (known := form.pydicom_layouts.take_apart(data)) is not None:
        return known
    fields = _fields(data, data, form)
    elements = None if fields is None else _pydicom_elements(fields)
    if elements is None:
        return to_pydicom(decode(data, transfer_syntax))
    if form.pydicom_layouts.learns:
        form.pydicom_layouts.note(_columns(data, form))
    return dataset_of(elements)


def _pydicom_maker(columns: Sequence[Column[Header]]) -> tuple[str, dict[str, Any]]:
    r"""Return the expression that makes the Dataset of a layout's values.

    It is one dictionary display, as in ``_json_maker``, and generated from headers alone::

        dataset({t[0]: raw(Raw, (t[0], 'DA', len(v0), v0, 0, ...)) if not v0 or fits[0](v0)
            else element(t[0], other('DA', v0, b'')), ...})
    """
    elements = []
    charset = "b''"
    for number, column in enumerate(columns):
        header, key, value = column.meaning, f"t[{number}]", f"v{number}"
        is_stripped = column.values is Values.FIXED
        strip = value if is_stripped else rf"(x := {value}.strip(b' \0'))"
        text = value if is_stripped else "x"
        raw = f"raw(Raw, ({key}, '{header.vr}', len({text}), {text}, 0, False, True, True, False))"
        other = f"element({key}, other('{header.vr}', {value}, {charset}))"
        if column.values is Values.CONSTANT:
            made, charset = f"element({key}, charset({value})[0])", value
        elif header.is_read_by_pydicom is None:
            made = other
        else:
            made = f"{raw} if not {strip} or fits[{number}]({text}) else {other}"
        elements.append(f"{key}: ({made})")
    names: dict[str, Any] = {
        "Raw": RawDataElement,
        "raw": _new,
        "t": tuple(column.meaning.base_tag for column in columns),
        "fits": tuple(column.meaning.is_read_by_pydicom for column in columns),
        "element": pydicom_element,
        "charset": _charset,
        "other": _remembered_element,
    }
    make = function_of(columns, f"{{{', '.join(elements)}}}", names, bytes)
    return "unread(make, groups)", {"unread": unread, "make": make}


def _pydicom_elements(fields: Iterable[tuple[Header, bytes]]) -> Elements | None:
    """Return the elements of a data set that took the pass; None if it has to go the sure way."""
    charset = b""
    elements: Elements = {}
    for (_, tag, _, vr, _, _, base_tag, is_read_by_pydicom), padded in fields:
        if is_read_by_pydicom is not None:
            value = padded.strip(b" \0")
            if not value or is_read_by_pydicom(value):
                raw = (base_tag, vr, len(value), value, 0, False, True, True, False)
                elements[base_tag] = _new(RawDataElement, raw)
                continue
        if tag == SPECIFIC_CHARACTER_SET:
            charset = padded
            element, scope = _charset(charset)
            # pydicom looks for a codec by the term when it reads a value, and warns of a term that
            # it does not know.
            if (
                not scope.is_ascii
                or element.values != scope.charset.terms
                or not _KNOWN_TERMS.issuperset(element.values)
            ):
                return None
        else:
            element = _element(vr, padded, charset)
        elements[base_tag] = pydicom_element(base_tag, element)
    return elements


class _Form(NamedTuple):
    """The headers of a transfer syntax, and the layouts met in it, apart for JSON and Datasets."""

    unpack: _Unpack
    headers: _Headers
    json_layouts: Layouts[Header, dict[str, Any], str]
    pydicom_layouts: Layouts[Header, Dataset, bytes]


def _form_of(layout: str, length_end: bytes) -> _Form:
    # JSON wants text: decoding all bytes at once costs as much as decoding one value.
    json_layouts: Layouts[Header, dict[str, Any], str] = Layouts(
        length_end, methodcaller("decode", "latin-1"), _json_maker
    )
    pydicom_layouts: Layouts[Header, Dataset, bytes] = Layouts(length_end, bytes, _pydicom_maker)
    return _Form(struct.Struct(layout).unpack_from, _Headers(), json_layouts, pydicom_layouts)


# Both forms have 8 bytes before a value: the key of the header, and the length (PS3.5 7.1).
_FORMS = {
    EXPLICIT_VR_LITTLE_ENDIAN: _form_of("<6sH", b"\0"),
    IMPLICIT_VR_LITTLE_ENDIAN: _form_of("<4sI", b"\0\0\0"),
}


def _form(data: bytes, transfer_syntax: str) -> _Form | None:
    """Return the form of a data set's headers; None if it has to go the sure way."""
    # Some peers send explicit VR where they declare implicit.
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN and data[4:6] in _SHORT_VRS:
        return None
    return _FORMS.get(transfer_syntax) if len(data) <= LONGEST else None


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """A way to read identifiers; ``layouts`` are those that it knows, by transfer syntax."""

    read: Callable[[bytes, str], T]
    layouts: Mapping[str, Layouts[Header, T, Any]]

    def known_layouts(self, transfer_syntax: str) -> Callable[[bytes], T | None]:
        """Return the short way of ``read``, for many data sets: it gives None for others."""
        layouts = self.layouts.get(transfer_syntax)
        return _nothing if layouts is None else layouts.take_apart


def _nothing(data: bytes) -> None:
    del data


JSON_READER = Reader(decode_to_json, {syntax: form.json_layouts for syntax, form in _FORMS.items()})
PYDICOM_READER = Reader(
    decode_to_pydicom, {syntax: form.pydicom_layouts for syntax, form in _FORMS.items()}
)


def forget_layouts() -> None:
    """Forget all layouts, so that tests begin alike."""
    for form in _FORMS.values():
        form.json_layouts.clear()
        form.pydicom_layouts.clear()

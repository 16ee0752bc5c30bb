"""Identifiers of responses straight from the wire to pydicom Datasets or the DICOM JSON Model (PS3.5 7.1, PS3.18 F).

This is the fast way for what nearly every response is: short values in little endian, in ascending order. Whatever else
there is, a value or the whole data set, goes the sure way, through the decoder.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from operator import methodcaller
from typing import Any, AnyStr, NamedTuple, TypeAlias

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
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
from dicomquest.dataset.learned_layouts import Column, Layouts
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

_KNOWN_TERMS = frozenset(row.term for row in SINGLE_SETS if row.term in python_encoding)

LONGEST = 1 << 16
"""Bytes of a data set that goes the fast way: so many cannot be beyond any of the decoder's limits."""

REMEMBERED_HEADERS = 4096
"""Tags with their VR that are kept; a query asks for tens."""

# Text without a backslash of these needs no more than its padding taken off, as far as it is ASCII.
_PLAIN_VRS = frozenset(
    row.vr
    for row in VALUE_REPRESENTATIONS
    if row.kind is Kind.TEXT and row.multiple and row.spaces is Spaces.BOTH
)
_CODED_VRS = frozenset(row.vr for row in VALUE_REPRESENTATIONS if row.charset)
_SHORT_VRS = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if not row.long_form}

# What pydicom reads, without its padding, to the very value that we give, and without a warning: of other values it
# gets ours instead.
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
    """Tag and VR as they stand on the wire, and what follows from them; ``name`` is that of the DICOM JSON Model."""

    key: bytes
    tag: int
    name: str
    vr: str
    is_plain: bool
    is_coded: bool
    base_tag: BaseTag
    is_read_by_pydicom: Callable[[bytes], object] | None


_Elements: TypeAlias = dict[BaseTag, DataElement | RawDataElement]
_Unpack: TypeAlias = Callable[[bytes, int], tuple[Any, ...]]
_new = tuple.__new__


def _header(key: bytes, tag: int) -> Header | None:
    vr = _SHORT_VRS.get(key[4:] or IMPLICIT_CODES.get(tag) or b"")
    # Group lengths, and groups that data sets do not have, are the decoder's business.
    if vr is None or not tag & 0xFFFF or not FIRST_TAG <= tag < 0xFFFE0000:
        return None
    is_plain = vr in _PLAIN_VRS
    # What follows depends on Specific Character Set, so that it is looked at, whatever it holds.
    pattern = _READ_BY_PYDICOM.get(vr) if is_plain and tag != SPECIFIC_CHARACTER_SET else None
    return Header(key, tag, f"{tag:08X}", vr, is_plain, vr in _CODED_VRS, BaseTag(tag), pattern)


class _Headers(dict[bytes, "Header | None"]):
    """By the bytes before a length: the header, None for one that goes the sure way."""

    def __missing__(self, key: bytes) -> Header | None:
        group, number = struct.unpack_from("<HH", key)
        if len(self) >= REMEMBERED_HEADERS:
            self.clear()
        header = self[key] = _header(key, group << 16 | number)
        return header


class _NoRemarks(Remarks):
    """Keeps none: nobody asks what was put up with in a response."""

    def add(self, tag: int, kind: RemarkKind, text: str = "") -> None:
        """Take nothing down."""


_READER = ValueReader("<", FALLBACK, _NoRemarks())
_DEFAULT_SCOPE = scope_of(())


@lru_cache(maxsize=64)
def _charset(value: bytes) -> tuple[Element, Scope]:
    """Specific Character Set, and the scope behind it: all responses of a query have the same, or one of two."""
    element = _READER.element(SPECIFIC_CHARACTER_SET, "CS", value, _DEFAULT_SCOPE)
    return element, inner_scope(_DEFAULT_SCOPE, element, Remarks())


def _element(vr: str, value: bytes, charset: bytes) -> Element:
    """The element of a value field; ``charset`` is that of Specific Character Set, nothing where there is none."""
    return _READER.element(0, vr, value, _charset(charset)[1])


_remembered_element = lru_cache(maxsize=1024)(_element)
"""The same for short values: modalities of a study, and names, of which a patient's studies have the same."""


def _fields(data: bytes, content: AnyStr, form: _Form) -> list[tuple[Header, AnyStr]] | None:
    """Give headers with their value fields, by one pass over all headers; None if they have to go the sure way.

    The value fields are cut out of ``content``: the data itself, or its text of one character a byte.
    """
    unpack, headers, size = form.unpack, form.headers, len(data)
    fields: list[tuple[Header, AnyStr]] = []
    position = previous = 0
    while position + 8 <= size:
        key, length = unpack(data, position)
        header = headers[key]
        if header is None or header.tag <= previous:
            return None
        previous = header.tag
        start = position + 8
        position = start + length
        fields.append((header, content[start:position]))
    # A value that runs over the end has been cut off by its slice, and ended the loop.
    return fields if position == size else None


# Values of layouts. Beside a character set there may be any text in it: in all that get here, ASCII is ASCII.
_ASCII_VALUE = rb"[\x20-\x7e]*\x00?"
_CODED_VALUE = rb"[\x1b\x20-\x7e\x80-\xff]*\x00?"


def _columns(data: bytes, form: _Form, values: dict[str, bytes] | None) -> list[Column[Header]]:
    """Give the columns of a data set that was passed over; none where an element needs more than a plain value's way.

    ``values`` are the patterns of values in ASCII by VR, None for any text.
    """
    columns: list[Column[Header]] = []
    is_coded = False
    for header, value in _fields(data, data, form) or ():
        if header.tag == SPECIFIC_CHARACTER_SET:
            # Another character set is another layout.
            columns.append(Column(header.key, re.escape(value), 0xFE, header))
            is_coded = True
        elif not header.is_plain or (values is not None and header.vr not in values):
            return []
        elif is_coded and header.is_coded:
            columns.append(Column(header.key, _CODED_VALUE, 0xFE, header))
        elif values is None:
            columns.append(Column(header.key, _ASCII_VALUE, 0xFE, header))
        else:
            columns.append(
                Column(header.key, b"(?:" + values[header.vr] + rb")?\x20*\x00?", 64, header)
            )
    return columns


def decode_to_json(data: bytes, transfer_syntax: str) -> dict[str, Any]:
    """A data set as an object of the DICOM JSON Model; DataSetError for bytes that are none."""
    form = _form(data, transfer_syntax)
    if form is None:
        return to_json(decode(data, transfer_syntax))
    if (known := form.json_layouts.take_apart(data)) is not None:
        return known
    # Decoded as one, which costs as much as decoding one value.
    text = data.decode("latin-1")
    fields = _fields(data, text, form)
    is_plain = text.isascii() and "\\" not in text and "\x1b" not in text
    attributes = None if fields is None else _json(fields, is_all_plain=is_plain)
    if attributes is None:
        return to_json(decode(data, transfer_syntax))
    if form.json_layouts.learns:
        form.json_layouts.note(_columns(data, form, None))
    return attributes


def _json_maker(headers: tuple[Header, ...]) -> Callable[[Sequence[str]], dict[str, Any]]:
    """Compile what makes the object of text of one character a byte: one expression takes half as long as a loop.

    The code is made of our own tags and VRs only; no value of a peer is part of it.
    """
    attributes = []
    charset = "''"
    for number, header in enumerate(headers):
        vr, is_coded = header.vr, header.is_coded and charset != "''"
        plain = r"'\\' not in t"
        plain += " and '=' not in t" if vr == "PN" else ""
        plain += r" and t.isascii() and '\x1b' not in t" if is_coded else ""
        text = "{'Alphabetic': t}" if vr == "PN" else "t"
        attributes.append(
            f"'{header.name}': ({{'vr': '{vr}'}} if not (t := v[{number}].strip(' \\0'))"
            f" else {{'vr': '{vr}', 'Value': [{text}]}} if {plain} else other('{vr}', v[{number}], {charset}))"
        )
        if header.tag == SPECIFIC_CHARACTER_SET:
            charset = f"v[{number}]"
    code = f"def make(v):\n    return {{{', '.join(attributes)}}}"
    names: dict[str, Any] = {"other": _other_json}
    exec(compile(code, "<layout>", "exec"), names)  # noqa: S102
    make: Callable[[Sequence[str]], dict[str, Any]] = names["make"]
    return make


def _other_json(vr: str, value: str, charset: str) -> dict[str, Any]:
    return element_to_json(
        _remembered_element(vr, value.encode("latin-1"), charset.encode("latin-1"))
    )


def _json(fields: Iterable[tuple[Header, str]], *, is_all_plain: bool) -> dict[str, Any] | None:
    """Make the object of a data set that was passed over; None if it has to go the sure way.

    ``is_all_plain``: all of it is ASCII of single values, so that none of them has to be looked at for that.
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
    """A data set as a pydicom Dataset that converts most values when they are read; DataSetError for bytes of none."""
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
        form.pydicom_layouts.note(_columns(data, form, _PATTERNS_OF_PYDICOM))
    return Dataset(elements)


def _pydicom_maker(headers: tuple[Header, ...]) -> Callable[[Sequence[bytes]], Dataset]:
    return partial(_dataset_of_layout, headers)


def _dataset_of_layout(headers: tuple[Header, ...], values: Sequence[bytes]) -> Dataset:
    """Make the data set of values that pydicom reads as we do, but for those in a character set."""
    elements: _Elements = {}
    charset: bytes | None = None
    for (_, tag, _, vr, _, is_coded, base_tag, is_read_by_pydicom), padded in zip(
        headers, values, strict=True
    ):
        value = padded.strip(b" \0")
        if (
            is_coded
            and charset is not None
            and value
            and is_read_by_pydicom is not None
            and not is_read_by_pydicom(value)
        ):
            elements[base_tag] = pydicom_element(base_tag, _remembered_element(vr, padded, charset))
        elif tag == SPECIFIC_CHARACTER_SET:
            charset = padded
            elements[base_tag] = pydicom_element(base_tag, _charset(charset)[0])
        else:
            elements[base_tag] = _new(
                RawDataElement, (base_tag, vr, len(value), value, 0, False, True, True, False)
            )
    return Dataset(elements)


def _pydicom_elements(fields: Iterable[tuple[Header, bytes]]) -> _Elements | None:
    """Make the elements of a data set that was passed over; None if it has to go the sure way."""
    charset = b""
    elements: _Elements = {}
    for (_, tag, _, vr, _, _, base_tag, is_read_by_pydicom), padded in fields:
        if is_read_by_pydicom is not None:
            value = padded.strip(b" \0")
            if not value or is_read_by_pydicom(value):
                # A tuple's own constructor takes a third of the time of that of a NamedTuple.
                raw = (base_tag, vr, len(value), value, 0, False, True, True, False)
                elements[base_tag] = _new(RawDataElement, raw)
                continue
        if tag == SPECIFIC_CHARACTER_SET:
            charset = padded
            element, scope = _charset(charset)
            # pydicom looks its codec up by the term when it reads a value, and warns of one that it does not know.
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
    """How the headers of a transfer syntax are read, and the layouts met in it, by what they are turned into."""

    unpack: _Unpack
    headers: _Headers
    json_layouts: Layouts[Header, dict[str, Any], str]
    pydicom_layouts: Layouts[Header, Dataset, bytes]


def _form_of(layout: str, length_end: bytes) -> _Form:
    # The values of JSON are text: decoding all bytes at once costs as much as decoding one value.
    json_layouts = Layouts(length_end, methodcaller("decode", "latin-1"), _json_maker)
    pydicom_layouts = Layouts(length_end, bytes, _pydicom_maker)
    return _Form(struct.Struct(layout).unpack_from, _Headers(), json_layouts, pydicom_layouts)


# Both forms take 8 bytes: what the header is found by, and the length.
_FORMS = {
    EXPLICIT_VR_LITTLE_ENDIAN: _form_of("<6sH", b"\0"),
    IMPLICIT_VR_LITTLE_ENDIAN: _form_of("<4sI", b"\0\0\0"),
}


def _form(data: bytes, transfer_syntax: str) -> _Form | None:
    """How the headers of a data set are read; None if it has to go the sure way."""
    # Some peers send explicit VR where they declare implicit.
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN and data[4:6] in _SHORT_VRS:
        return None
    return _FORMS.get(transfer_syntax) if len(data) <= LONGEST else None


def forget_layouts() -> None:
    """Begin anew with what has been seen of layouts."""
    for form in _FORMS.values():
        form.json_layouts.clear()
        form.pydicom_layouts.clear()

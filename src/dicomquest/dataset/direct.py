"""Identifiers of responses straight from the wire to pydicom Datasets or the DICOM JSON Model (PS3.5 7.1, PS3.18 F).

This is the fast way for what nearly every response is: short values in little endian, in ascending order. Whatever else
there is, a value or the whole data set, goes the sure way, through the decoder.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomquest.dataset.charset import FALLBACK, SPECIFIC_CHARACTER_SET
from dicomquest.dataset.codec import decode
from dicomquest.dataset.dictionary import IMPLICIT_CODES
from dicomquest.dataset.elements import Element, element_to_json, pydicom_element, to_json, to_pydicom
from dicomquest.dataset.layouts import Column, Layouts
from dicomquest.dataset.value_fields import CODES, Remarks, Scope, ValueReader, inner_scope, scope_of
from dicomquest.standard.character_sets import SINGLE_SETS
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, Kind, Spaces

_KNOWN_TERMS = frozenset(row.term for row in SINGLE_SETS if row.term in python_encoding)

LONGEST = 1 << 16
"""Bytes of a data set that goes the fast way: so many cannot be beyond any of the decoder's limits."""

REMEMBERED_HEADERS = 4096
"""Tags with their VR that are kept; a query asks for tens."""

# Text without a backslash of these needs no more than its padding taken off, as far as it is ASCII.
_PLAIN_VRS = frozenset(
    row.vr for row in VALUE_REPRESENTATIONS if row.kind is Kind.TEXT and row.multiple and row.spaces is Spaces.BOTH
)
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

    tag: int
    name: str
    vr: str
    is_plain: bool
    base_tag: BaseTag
    is_read_by_pydicom: Callable[[bytes], object] | None


_Elements: TypeAlias = dict[BaseTag, DataElement | RawDataElement]
_Unpack: TypeAlias = Callable[[bytes, int], tuple[Any, ...]]
_new = tuple.__new__


def _header(tag: int, code: bytes | None) -> Header | None:
    vr = _SHORT_VRS.get(code or b"")
    # Group lengths, and groups that data sets do not have, are the decoder's business.
    if vr is None or not tag & 0xFFFF or not 0x00080000 <= tag < 0xFFFE0000:
        return None
    # Specific Character Set is looked at, whatever it holds.
    is_plain = vr in _PLAIN_VRS and tag != SPECIFIC_CHARACTER_SET
    return Header(tag, f"{tag:08X}", vr, is_plain, BaseTag(tag), _READ_BY_PYDICOM.get(vr) if is_plain else None)


class _Headers(dict[bytes, "Header | None"]):
    """By the bytes before a length: the header, None for one that goes the sure way."""

    def __missing__(self, key: bytes) -> Header | None:
        group, number = struct.unpack_from("<HH", key)
        tag = group << 16 | number
        if len(self) >= REMEMBERED_HEADERS:
            self.clear()
        header = self[key] = _header(tag, key[4:] or IMPLICIT_CODES.get(tag))
        return header


_DEFAULT_SCOPE = scope_of(())


# A character set in which bytes of ASCII are ASCII has no say in the values of these layouts.
_ASCII_VALUE = rb"[\x20-\x7e]*\x00?"


def _columns(data: bytes, form: _Form, values: dict[str, bytes] | None) -> list[Column[Header]]:
    """Give the columns of a data set that was passed over; none where an element needs more than a plain value's way.

    ``values`` are the patterns of values by VR, None for any text in ASCII.
    """
    columns: list[Column[Header]] = []
    position = 0
    while position < len(data):
        key, length = form.unpack(data, position)
        header = form.headers[key]
        start, position = position + 8, position + 8 + length
        if header is None:
            return []
        if header.tag == SPECIFIC_CHARACTER_SET:
            # Another character set is another layout.
            columns.append(Column(key, re.escape(data[start:position]), 0xFE, header))
        elif not header.is_plain or (values is not None and header.vr not in values):
            return []
        elif values is None:
            columns.append(Column(key, _ASCII_VALUE, 0xFE, header))
        else:
            columns.append(Column(key, b"(?:" + values[header.vr] + rb")?\x20*\x00?", 64, header))
    return columns


def decode_to_json(data: bytes, transfer_syntax: str) -> dict[str, Any]:
    """A data set as an object of the DICOM JSON Model; DataSetError for bytes that are none."""
    form = _form(data, transfer_syntax)
    if form is None:
        return to_json(decode(data, transfer_syntax))
    if (known := form.json_layouts.take_apart(data)) is not None:
        return known
    attributes = _json(data, form.unpack, form.headers)
    if attributes is None:
        return to_json(decode(data, transfer_syntax))
    if form.json_layouts.learns:
        form.json_layouts.note(_columns(data, form, None))
    return attributes


def _json_maker(headers: tuple[Header, ...]) -> Callable[[Sequence[bytes]], dict[str, Any]]:
    """Compile what makes the object of values in ASCII: one expression, which takes half as long as a loop.

    The code is made of our own tags and VRs only; no value of a peer is part of it.
    """
    attributes = []
    for number, (tag, name, vr, _, _, _) in enumerate(headers):
        value = f"v[{number}]"
        other = f"other({tag}, '{vr}', {value})"
        if tag == SPECIFIC_CHARACTER_SET:
            attributes.append(f"'{name}': {other}")
            continue
        text = "{'Alphabetic': t}" if vr == "PN" else "t"
        plain = "'\\\\' not in t" + (" and '=' not in t" if vr == "PN" else "")
        attributes.append(
            f"'{name}': ({{'vr': '{vr}'}} if not (t := {value}.decode('ascii').strip(' \\0'))"
            f" else {{'vr': '{vr}', 'Value': [{text}]}} if {plain} else {other})"
        )
    code = f"def make(v):\n    return {{{', '.join(attributes)}}}"
    names: dict[str, Any] = {"other": _other_json}
    exec(compile(code, "<layout>", "exec"), names)  # noqa: S102
    make: Callable[[Sequence[bytes]], dict[str, Any]] = names["make"]
    return make


def _other_json(tag: int, vr: str, value: bytes) -> dict[str, Any]:
    return element_to_json(_ascii_element(tag, vr, value))


def _json(data: bytes, unpack: _Unpack, headers: _Headers) -> dict[str, Any] | None:
    """One pass over all bytes; None if they have to go the sure way."""
    scope = _DEFAULT_SCOPE
    attributes: dict[str, Any] = {}
    # Decoded as one, which costs as much as decoding one value; where all is plain, no value has to be looked at.
    text = data.decode("latin-1")
    is_all_plain = data.isascii() and "\\" not in text and "\x1b" not in text
    size = len(data)
    position = previous = 0
    while position < size:
        if position + 8 > size:
            return None
        key, length = unpack(data, position)
        header = headers[key]
        if header is None:
            return None
        tag, name, vr, is_plain, _, _ = header
        if tag <= previous:
            return None
        previous = tag
        start = position + 8
        position = start + length
        if is_plain:
            value = text[start:position].strip(" \0")
            if not value:
                attributes[name] = {"vr": vr}
                continue
            if is_all_plain or (value.isascii() and "\\" not in value and "\x1b" not in value):
                if vr != "PN":
                    attributes[name] = {"vr": vr, "Value": [value]}
                    continue
                if "=" not in value:
                    attributes[name] = {"vr": vr, "Value": [{"Alphabetic": value}]}
                    continue
        if tag == SPECIFIC_CHARACTER_SET:
            element, scope = _charset_element(data[start:position])
            if not scope.is_ascii:
                return None
        else:
            element = _element(tag, vr, data[start:position], scope)
        attributes[name] = element_to_json(element)
    # A value that runs over the end has been cut off by its slice, and ended the loop.
    return attributes if position == size else None


def decode_to_pydicom(data: bytes, transfer_syntax: str) -> Dataset:
    """A data set as a pydicom Dataset that converts most values when they are read; DataSetError for bytes of none."""
    form = _form(data, transfer_syntax)
    if form is None:
        return to_pydicom(decode(data, transfer_syntax))
    if (known := form.pydicom_layouts.take_apart(data)) is not None:
        return known
    elements = _pydicom_elements(data, form.unpack, form.headers)
    if elements is None:
        return to_pydicom(decode(data, transfer_syntax))
    if form.pydicom_layouts.learns:
        form.pydicom_layouts.note(_columns(data, form, _PATTERNS_OF_PYDICOM))
    return Dataset(elements)


def _pydicom_maker(headers: tuple[Header, ...]) -> Callable[[Sequence[bytes]], Dataset]:
    return partial(_dataset_of_layout, headers)


def _dataset_of_layout(headers: tuple[Header, ...], values: Sequence[bytes]) -> Dataset:
    """Make the data set of values that pydicom reads as we do."""
    elements: _Elements = {}
    for (tag, _, vr, _, base_tag, _), padded in zip(headers, values, strict=True):
        if tag == SPECIFIC_CHARACTER_SET:
            elements[base_tag] = pydicom_element(base_tag, _charset_element(padded)[0])
        else:
            value = padded.strip(b" \0")
            elements[base_tag] = _new(RawDataElement, (base_tag, vr, len(value), value, 0, False, True, True, False))
    return Dataset(elements)


def _pydicom_elements(data: bytes, unpack: _Unpack, headers: _Headers) -> _Elements | None:
    """One pass over all bytes; None if they have to go the sure way."""
    scope = _DEFAULT_SCOPE
    elements: _Elements = {}
    size = len(data)
    position = previous = 0
    while position < size:
        if position + 8 > size:
            return None
        key, length = unpack(data, position)
        header = headers[key]
        if header is None:
            return None
        tag, _, vr, _, base_tag, is_read_by_pydicom = header
        if tag <= previous:
            return None
        previous = tag
        start = position + 8
        position = start + length
        value = data[start:position]
        if is_read_by_pydicom is not None:
            value = value.strip(b" \0")
            if not value or is_read_by_pydicom(value):
                # A tuple's own constructor takes a third of the time of that of a NamedTuple.
                raw = (base_tag, vr, len(value), value, 0, False, True, True, False)
                elements[base_tag] = _new(RawDataElement, raw)
                continue
        if tag == SPECIFIC_CHARACTER_SET:
            element, scope = _charset_element(value)
            # pydicom looks its codec up by the term when it reads a value, and warns of one that it does not know.
            if (
                not scope.is_ascii
                or element.values != scope.charset.terms
                or not _KNOWN_TERMS.issuperset(element.values)
            ):
                return None
        else:
            element = _element(tag, vr, data[start:position], scope)
        elements[base_tag] = pydicom_element(base_tag, element)
    return elements if position == size else None


class _Form(NamedTuple):
    """How the headers of a transfer syntax are read, and the layouts met in it, by what they are turned into."""

    unpack: _Unpack
    headers: _Headers
    json_layouts: Layouts[Header, dict[str, Any]]
    pydicom_layouts: Layouts[Header, Dataset]


def _form_of(layout: str, length_end: bytes) -> _Form:
    unpack = struct.Struct(layout).unpack_from
    return _Form(unpack, _Headers(), Layouts(length_end, _json_maker), Layouts(length_end, _pydicom_maker))


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


@lru_cache(maxsize=64)
def _charset_element(value: bytes) -> tuple[Element, Scope]:
    """Specific Character Set, and the scope behind it: all responses of a query have the same, or one of two."""
    element = _element(SPECIFIC_CHARACTER_SET, "CS", value, _DEFAULT_SCOPE)
    return element, inner_scope(_DEFAULT_SCOPE, element, Remarks())


def _element(tag: int, vr: str, value: bytes, scope: Scope) -> Element:
    return ValueReader("<", FALLBACK, Remarks()).element(tag, vr, value, scope)


@lru_cache(maxsize=1024)
def _ascii_element(tag: int, vr: str, value: bytes) -> Element:
    """An element with several values or parts in ASCII, such as the modalities of a study: there are few of them."""
    return _element(tag, vr, value, _DEFAULT_SCOPE)


def forget_layouts() -> None:
    """Begin anew with what has been seen of layouts."""
    for form in _FORMS.values():
        form.json_layouts.clear()
        form.pydicom_layouts.clear()

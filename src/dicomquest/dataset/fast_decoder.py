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

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, AnyStr, Generic, NamedTuple, TypeAlias, TypeVar

from pydicom.charset import python_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dicomquest.dataset.codec import decode
from dicomquest.dataset.element_headers import SHORT_VRS, Header, Headers
from dicomquest.dataset.elements import (
    element_to_json,
    pydicom_element,
    to_json,
    to_pydicom,
)
from dicomquest.dataset.layout_expressions import (
    charset_element,
    json_expression,
    json_text,
    json_text_expression,
    pydicom_expression,
    value_element,
)
from dicomquest.dataset.learned_layouts import (
    LONGEST_VALUE,
    Column,
    Layouts,
    Values,
    column_of,
)
from dicomquest.dataset.unread_dataset import Elements, dataset_of
from dicomquest.standard.character_sets import SINGLE_SETS
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

T = TypeVar("T")

_KNOWN_TERMS = frozenset(row.term for row in SINGLE_SETS if row.term in python_encoding)

LONGEST = 1 << 16
"""The longest data set on a fast way: so few bytes cannot be beyond any of the decoder's limits."""

_Unpack: TypeAlias = Callable[[bytes, int], tuple[Any, ...]]


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
            if not charset_element(value)[1].is_ascii:
                return []
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


def decode_to_json_text(data: bytes, transfer_syntax: str) -> str:
    """Return the object of ``decode_to_json`` as one line of text; DataSetError as that."""
    form = _form(data, transfer_syntax)
    if form is not None:
        if (known := form.json_text_layouts.take_apart(data)) is not None:
            return known
        if form.json_text_layouts.learns and _fields(data, data, form) is not None:
            form.json_text_layouts.note(_columns(data, form))
    return json_text(decode_to_json(data, transfer_syntax))


def _json(fields: Iterable[tuple[Header, str]], *, is_all_plain: bool) -> dict[str, Any] | None:
    """Return the object of a data set that took the pass; None if it has to go the sure way.

    ``is_all_plain`` says that all of it is ASCII of single values, so no value is tested for that.
    """
    charset = ""
    attributes: dict[str, Any] = {}
    for (_, tag, name, vr, is_plain, _, _, _), value in fields:
        if tag == SPECIFIC_CHARACTER_SET:
            charset = value
            if not charset_element(charset.encode("latin-1"))[1].is_ascii:
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
            value_element(vr, value.encode("latin-1"), charset.encode("latin-1"))
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


def _pydicom_elements(fields: Iterable[tuple[Header, bytes]]) -> Elements | None:
    """Return the elements of a data set that took the pass; None if it has to go the sure way."""
    charset = b""
    elements: Elements = {}
    for (_, tag, _, vr, _, _, base_tag, is_read_by_pydicom), padded in fields:
        if is_read_by_pydicom is not None:
            value = padded.strip(b" \0")
            if not value or is_read_by_pydicom(value):
                raw = (base_tag, vr, len(value), value, 0, False, True, True, False)
                elements[base_tag] = tuple.__new__(RawDataElement, raw)
                continue
        if tag == SPECIFIC_CHARACTER_SET:
            charset = padded
            element, scope = charset_element(charset)
            # pydicom looks for a codec by the term when it reads a value, and warns of a term that
            # it does not know.
            if (
                not scope.is_ascii
                or element.values != scope.charset.terms
                or not _KNOWN_TERMS.issuperset(element.values)
            ):
                return None
        else:
            element = value_element(vr, padded, charset)
        elements[base_tag] = pydicom_element(base_tag, element)
    return elements


class _Form(NamedTuple):
    """The headers of a transfer syntax, and the layouts met in it, apart for JSON and Datasets."""

    unpack: _Unpack
    headers: Headers
    json_layouts: Layouts[Header, dict[str, Any], str]
    json_text_layouts: Layouts[Header, str, str]
    pydicom_layouts: Layouts[Header, Dataset, bytes]


def _form_of(layout: str, length_end: bytes) -> _Form:
    # JSON wants text: decoding all bytes at once costs as much as decoding one value.
    json_layouts: Layouts[Header, dict[str, Any], str] = Layouts(
        length_end, methodcaller("decode", "latin-1"), json_expression
    )
    json_text_layouts: Layouts[Header, str, str] = Layouts(
        length_end, methodcaller("decode", "latin-1"), json_text_expression
    )
    pydicom_layouts: Layouts[Header, Dataset, bytes] = Layouts(
        length_end, bytes, pydicom_expression
    )
    return _Form(
        struct.Struct(layout).unpack_from,
        Headers(),
        json_layouts,
        json_text_layouts,
        pydicom_layouts,
    )


# Both forms have 8 bytes before a value: the key of the header, and the length (PS3.5 7.1).
_FORMS = {
    EXPLICIT_VR_LITTLE_ENDIAN: _form_of("<6sH", b"\0"),
    IMPLICIT_VR_LITTLE_ENDIAN: _form_of("<4sI", b"\0\0\0"),
}


def _form(data: bytes, transfer_syntax: str) -> _Form | None:
    """Return the form of a data set's headers; None if it has to go the sure way."""
    # Some peers send explicit VR where they declare implicit.
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN and data[4:6] in SHORT_VRS:
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
JSON_TEXT_READER = Reader(
    decode_to_json_text, {syntax: form.json_text_layouts for syntax, form in _FORMS.items()}
)
PYDICOM_READER = Reader(
    decode_to_pydicom, {syntax: form.pydicom_layouts for syntax, form in _FORMS.items()}
)


def forget_layouts() -> None:
    """Forget all layouts, so that tests begin alike."""
    for form in _FORMS.values():
        form.json_layouts.clear()
        form.json_text_layouts.clear()
        form.pydicom_layouts.clear()

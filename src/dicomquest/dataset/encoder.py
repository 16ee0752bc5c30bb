"""The plain encoder: elements to bytes, by pydicom's writer (PS3.5 6, 7).

A property test holds the fast encoder equal to it, byte for byte. pydicom lays out elements,
sequences and numbers. It gets strings as bytes: by itself it pads them by their characters rather
than their bytes, and switches character sets otherwise than PS3.5 6.1.2.5.3 asks.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from dicomquest.dataset.charset import (
    Terms,
    encode_text,
)
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.value_fields import swapped
from dicomquest.dataset.values import check_uid
from dicomquest.errors import DataSetError, ValueFormatError
from dicomquest.standard.tags import FIRST_TAG, SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.standard.vr import VR, Kind

# The largest even length of a 16-bit length field (PS3.5 7.1.2).
_SHORT_FORM_LIMIT = 0xFFFE


@dataclass(frozen=True, slots=True)
class _Form:
    implicit: bool
    big_endian: bool
    terms: Terms
    strict: bool


def encode(
    data_set: DataSet, transfer_syntax: str, terms: Terms = (), *, strict: bool = False
) -> bytes:
    """Return the bytes of a data set, its text in the character sets of ``terms``.

    Its own Specific Character Set gives way to ``terms``, in items too; group lengths are left out
    (PS3.5 7.2). ValueFormatError if text does not fit ``terms``; if ``strict``, also for malformed
    UIDs and for characters outside the default repertoire in VRs that have no other. Else these
    characters become question marks.
    """
    form = _Form(
        transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN,
        transfer_syntax == EXPLICIT_VR_BIG_ENDIAN,
        terms,
        strict,
    )
    if terms:
        data_set = data_set | {SPECIFIC_CHARACTER_SET: Element("CS", terms)}
    data = _written(data_set, form, is_item=False)
    return deflate(data) if transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else data


def encode_item(item: DataSet, transfer_syntax: str, terms: Terms) -> bytes:
    """Return the bytes of an item's elements; their text has the character sets of its data set.

    ValueFormatError if text does not fit ``terms``.
    """
    implicit = transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
    form = _Form(implicit, transfer_syntax == EXPLICIT_VR_BIG_ENDIAN, terms, strict=False)
    return _written(item, form, is_item=True)


def _written(data_set: DataSet, form: _Form, *, is_item: bool) -> bytes:
    file = DicomBytesIO()
    file.is_implicit_VR = form.implicit
    file.is_little_endian = not form.big_endian
    for element in _elements(data_set, form, is_item=is_item):
        try:
            write_data_element(file, element)
        except (OSError, struct.error) as error:
            raise DataSetError(
                f"{element.tag} has no value of its VR: {error}", tag=int(element.tag)
            ) from error
    return file.getvalue()


def deflate(data: bytes) -> bytes:
    """Return one raw deflate stream of the data, padded to even length (PS3.5 A.5)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = compressor.compress(data) + compressor.flush()
    return deflated + b"\0" * (len(deflated) & 1)


def _elements(
    data_set: DataSet, form: _Form, *, is_item: bool
) -> list[DataElement | RawDataElement]:
    """Return pydicom's elements in ascending order, their values as pydicom writes them as is."""
    return [
        _element(BaseTag(tag), data_set[tag], form)
        for tag in sorted(data_set)
        if tag & 0xFFFF
        and tag >= FIRST_TAG
        and (tag != SPECIFIC_CHARACTER_SET or (form.terms and not is_item))
    ]


def _element(tag: BaseTag, element: Element, form: _Form) -> DataElement | RawDataElement:
    vr, values = element
    facts = VR[vr]
    match facts.kind:
        case Kind.SEQUENCE:
            return DataElement(
                tag, vr, Sequence([_item(item, form) for item in values]), already_converted=True
            )
        case Kind.NUMBER | Kind.TAG:
            return DataElement(tag, vr, list(values), already_converted=True)
        case Kind.OPAQUE:
            data = values[0] if values else b""
            if form.big_endian:
                data = swapped(data, facts.layout)
            data += b"\0" * (len(data) & 1)
        case Kind.TEXT:
            data = _text(tag, element, form)
            data += facts.pad.encode("ascii") * (len(data) & 1)
            if not form.implicit and not facts.long_form and len(data) > _SHORT_FORM_LIMIT:
                vr = "UN"  # the only way to say such a length (PS3.5 6.2.2)
    return RawDataElement(tag, vr, len(data), data, 0, form.implicit, not form.big_endian)


def _item(item: DataSet, form: _Form) -> Dataset:
    dataset = Dataset({element.tag: element for element in _elements(item, form, is_item=True)})
    # pydicom takes the raw values apart again unless it believes them read in the form that it
    # writes.
    charset = dataset._character_set  # noqa: SLF001
    dataset.set_original_encoding(form.implicit, not form.big_endian, charset)
    return dataset


def _text(tag: BaseTag, element: Element, form: _Form) -> bytes:
    vr, values = element
    if form.strict and vr == "UI":
        for uid in values:
            check_uid(uid)
    text = "\\".join(values)
    if text.isascii() and (not form.terms or not VR[vr].charset):
        return text.encode("ascii")
    if VR[vr].charset:
        try:
            return encode_text(text, form.terms, vr)
        except UnicodeEncodeError as error:
            sets = ", ".join(term for term in form.terms if term) or "the default repertoire"
            raise ValueFormatError(vr, text, f"in {tag} only characters of {sets}") from error
    if form.strict:
        raise ValueFormatError(vr, text, f"in {tag} only characters of the default repertoire")
    return text.encode("ascii", "replace")

"""A decoded data set as plain values; as pydicom's Dataset; as the DICOM JSON Model (PS3.18 F)."""

from __future__ import annotations

import base64
import binascii
import math
import struct
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import DS, IS
from pydicom.valuerep import PersonName as PydicomPersonName

from dicomquest.dataset.python_values import value_text
from dicomquest.errors import DataSetError
from dicomquest.standard.vr import DICTIONARY_CHOICES, VR, Kind, Spaces


class Element(NamedTuple):
    """One data element without its tag.

    ``values`` holds, by value representation:

    - text and other strings: ``str``, decoded, in Unicode NFC, split at backslashes where the VR
      has multiplicity, without insignificant padding (PS3.5 6.2); IS and DS keep their text, PN
      all its component groups
    - US SS UL SL SV UV FL FD: ``int`` or ``float``; AT: ``int`` (group << 16 | element)
    - OB OD OF OL OV OW UN: one ``bytes``, or one ``str``: the URI at which the value is
    - SQ: one ``DataSet`` an item

    No values at all, ``()``, is an element of zero length.
    """

    # A NamedTuple, where other values are dataclasses: it is built for each of a header's hundreds
    # of elements, and a tuple costs a fraction of a frozen dataclass.
    vr: str
    values: tuple[Any, ...]


class BulkAddress(str):
    """The URI at which the value of an element is, whatever its VR; its only value."""

    __slots__ = ()


DataSet: TypeAlias = dict[int, Element]
"""Elements by tag (group << 16 | element), in ascending order."""

_GROUP_NAMES = ("Alphabetic", "Ideographic", "Phonetic")
# The largest integer that every reader of JSON reads exactly (RFC 8259 section 6).
_LARGEST_JSON_INTEGER = 2**53 - 1
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def clean_text(vr: str, text: str) -> str:
    """Return a decoded value in Unicode NFC, without the padding that means nothing in its VR."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.strip(" \0") if VR[vr].spaces is Spaces.BOTH else text.rstrip(" \0")


def split_text(vr: str, text: str) -> tuple[str, ...]:
    r"""Return the values of a decoded string value field: ``\`` is two empty ones (PS3.5 6.4)."""
    if not text.rstrip(" \0"):
        return ()
    return tuple(
        clean_text(vr, value) for value in (text.split("\\") if VR[vr].multiple else (text,))
    )


# pydicom raises all of these for values that do not fit their VR, and has no error of its own.
_PYDICOM_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    EOFError,
    TypeError,
    ValueError,
    struct.error,
)


def from_pydicom(dataset: Dataset) -> DataSet:
    """Return the elements of a pydicom Dataset; DataSetError if a value does not fit its VR.

    Group lengths are left out (PS3.5 7.2).
    """
    data_set: DataSet = {}
    for tag in sorted(dataset.keys()):
        if tag & 0xFFFF:
            try:
                element = dataset[tag]
                data_set[int(tag)] = _element_from_pydicom(element.VR, element.value)
            except DataSetError:
                # Of an element in an item, which it names; it is a ValueError, too.
                raise
            except _PYDICOM_ERRORS as error:
                raise DataSetError(
                    f"{tag} has no value of its VR: {error}", tag=int(tag)
                ) from error
    return data_set


def _element_from_pydicom(vr: str, value: Any) -> Element:
    facts = VR[DICTIONARY_CHOICES.get(vr, vr)]
    vr = facts.vr  # a plain str: pydicom's own is an enumeration
    if facts.kind is Kind.SEQUENCE:
        return Element(vr, tuple(from_pydicom(item) for item in value or ()))
    if facts.kind is Kind.OPAQUE:
        return Element(vr, (bytes(value),) if value else ())
    if value is None or value == "":
        return Element(vr, ())
    if facts.kind is Kind.TEXT:
        if isinstance(value, (list, tuple, MultiValue)):
            return Element(vr, tuple(clean_text(vr, value_text(vr, each)) for each in value))
        return Element(vr, split_text(vr, value_text(vr, value)))
    if isinstance(value, bytes):
        size = struct.calcsize("<" + facts.layout)
        value = [
            each[0]
            for each in struct.iter_unpack("<" + facts.layout, value[: len(value) // size * size])
        ]
    values = value if isinstance(value, (list, tuple, MultiValue)) else (value,)
    number = float if vr in ("FL", "FD") else int
    return Element(vr, tuple(number(each) for each in values))


def to_pydicom(data_set: DataSet) -> Dataset:
    """Return a pydicom Dataset of the same elements; a malformed number stays text."""
    elements: dict[BaseTag, DataElement | RawDataElement] = {}
    for tag, element in data_set.items():
        base_tag = BaseTag(tag)
        elements[base_tag] = pydicom_element(base_tag, element)
    return Dataset(elements)


def pydicom_element(tag: BaseTag, element: Element) -> DataElement:
    """Return a pydicom DataElement of the same value."""
    value = _to_pydicom_value(*element)
    return DataElement(
        tag, element.vr, value, already_converted=True, validation_mode=config.IGNORE
    )


def _to_pydicom_value(vr: str, values: tuple[Any, ...]) -> Any:
    if vr == "SQ":
        return Sequence([to_pydicom(item) for item in values])
    convert = _PYDICOM_TYPES.get(vr, _same)
    if len(values) == 1:
        return convert(values[0])
    if not values:
        return _PYDICOM_EMPTY.get(vr, "" if VR[vr].kind is Kind.TEXT else None)
    return MultiValue(convert, values)


def _same(value: Any) -> Any:
    return value


def _integer_string(text: str) -> Any:
    try:
        return IS(text, config.IGNORE)
    except (ValueError, ArithmeticError):
        return text


def _decimal_string(text: str) -> Any:
    try:
        return DS(text, validation_mode=config.IGNORE)
    except (ValueError, ArithmeticError):
        return text


def _person_name(text: str) -> PydicomPersonName:
    return PydicomPersonName(text, validation_mode=config.IGNORE)


def _uid(text: str) -> UID:
    return UID(text, config.IGNORE)


_PYDICOM_TYPES: dict[str, Callable[[Any], Any]] = {
    "AT": BaseTag,
    "DS": _decimal_string,
    "IS": _integer_string,
    "PN": _person_name,
    "UI": _uid,
}
_PYDICOM_EMPTY: dict[str, Any] = {"DS": None, "IS": None, "PN": _person_name("")}


def to_json(data_set: DataSet) -> dict[str, Any]:
    """Return an object of the DICOM JSON Model, binary values inline.

    IS and DS are strings there, as Table F.2.3-1 allows, so that their text stays as it was sent.
    """
    return {f"{tag:08X}": element_to_json(element) for tag, element in data_set.items()}


def element_to_json(element: Element) -> dict[str, Any]:
    """Return one attribute of the DICOM JSON Model: ``{"vr": ..., "Value": [...]}``."""
    vr, values = element
    if not values:
        return {"vr": vr}
    match VR[vr].kind:
        case Kind.TEXT if vr == "PN":
            return {"vr": vr, "Value": [_name_to_json(value) for value in values]}
        case Kind.TEXT:
            return {"vr": vr, "Value": [value or None for value in values]}
        case Kind.SEQUENCE:
            return {"vr": vr, "Value": [to_json(item) for item in values]}
        case Kind.TAG:
            return {"vr": vr, "Value": [f"{value:08X}" for value in values]}
        case Kind.OPAQUE if isinstance(values[0], str):
            return {"vr": vr, "BulkDataURI": values[0]}
        case Kind.OPAQUE:
            return {"vr": vr, "InlineBinary": base64.b64encode(values[0]).decode("ascii")}
        case Kind.NUMBER:
            return {"vr": vr, "Value": [_number_to_json(value) for value in values]}


def _name_to_json(text: str) -> dict[str, str] | None:
    if "=" not in text:  # nearly all names, in a fifth of the time that groups take
        return {_GROUP_NAMES[0]: text} if text else None
    groups = zip(_GROUP_NAMES, text.split("=", 2), strict=False)
    return {name: group for name, group in groups if group} or None


def _number_to_json(value: float) -> float | str:
    # JSON has no number that is not finite, and not every reader has 64-bit integers: both become
    # strings.
    if isinstance(value, int):
        return value if -_LARGEST_JSON_INTEGER <= value <= _LARGEST_JSON_INTEGER else str(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def from_json(obj: Any, *, keeps_addresses: bool = False) -> DataSet:
    """Return the elements of a DICOM JSON Model object; DataSetError if it is none.

    A value by BulkDataURI is left empty, or becomes a BulkAddress if it ``keeps_addresses``.
    """
    if not isinstance(obj, dict):
        raise DataSetError(
            f"a data set in the DICOM JSON Model is an object, not {type(obj).__name__}"
        )
    try:
        tags = [(int(tag, 16), tag) for tag in sorted(obj)]
    except ValueError as error:
        raise DataSetError(f"expected tags of eight hexadecimal digits: {error}") from error
    return {
        number: element_from_json(obj[tag], keeps_addresses=keeps_addresses) for number, tag in tags
    }


def element_from_json(obj: Any, *, keeps_addresses: bool = False) -> Element:
    """Return one attribute of the DICOM JSON Model as an element; DataSetError if it is none."""
    try:
        vr = obj["vr"]
        kind = VR[vr].kind
        if keeps_addresses and "BulkDataURI" in obj:
            return Element(vr, (BulkAddress(obj["BulkDataURI"]),))
        if kind is Kind.OPAQUE:
            data = obj.get("InlineBinary")
            return Element(vr, (base64.b64decode(data, validate=True),) if data else ())
        values = obj.get("Value") or ()
        if kind is Kind.TEXT:
            read = _name_from_json if vr == "PN" else _text_from_json
            return Element(vr, tuple([read(value) for value in values]))
        if kind is Kind.SEQUENCE:
            items = [from_json(item or {}, keeps_addresses=keeps_addresses) for item in values]
            return Element(vr, tuple(items))
        if kind is Kind.TAG:
            return Element(vr, tuple([int(value, 16) for value in values]))
        number = float if vr in ("FL", "FD") else int
        return Element(
            vr,
            tuple([_NOT_FINITE[each] if each in _NOT_FINITE else number(each) for each in values]),
        )
    except DataSetError:
        # Of an item, which has the words; it is a ValueError, too.
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        binascii.Error,
    ) as error:
        raise DataSetError(f"no attribute of the DICOM JSON Model: {error!r}") from error


def _text_from_json(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _name_from_json(value: Any) -> str:
    if not isinstance(value, dict):  # some services send the text itself
        return _text_from_json(value)
    return "=".join(value.get(name) or "" for name in _GROUP_NAMES).rstrip("=")

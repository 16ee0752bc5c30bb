"""The elements of a response identifier, and the columns they come from (PS3.4 C.4.1.1.3.2).

The index says by ``Field`` values what its rows hold; the fast encoder compiles them to code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from dicomquest.dataset.elements import Element, element_from_json
from dicomquest.standard.vr import VR

Row: TypeAlias = "tuple[Any, ...]"
"""One match: a value for each field that is not CONSTANT, in the order of the fields."""


class Source(Enum):
    """The source of a response element's value."""

    TEXT = "a text column: str with values joined by backslash, or None for no value"
    NUMBER = "an integer column of a string VR (the counts): int"
    JSON = "an element of the DICOM JSON Model as text, {'vr': ..., 'Value': [...]}, or None"
    BYTES = "a text column of ASCII: the bytes of an OB"
    CONSTANT = "no column: the same text in every response of the query"


@dataclass(frozen=True, slots=True)
class Field:
    """One element of every response of a query; ``text`` is the value of a CONSTANT one."""

    tag: int
    vr: str
    # An Enum hashes in Python code: for the fields of a small query 5 % of its time.
    source: Source = field(hash=False)
    text: str = ""


def text_element(vr: str, text: str) -> Element:
    """Return the element of a text whose values are joined by backslashes; "" has no value."""
    if not text:
        return Element(vr, ())
    return Element(vr, tuple(text.split("\\")) if VR[vr].multiple else (text,))


def row_element(field: Field, value: Any) -> Element:
    """Return the element of a row's value; None is no value."""
    if value is None:
        return Element(field.vr, ())
    if field.source is Source.JSON:
        return element_from_json(json.loads(value))
    if field.source is Source.BYTES:
        return Element(field.vr, (str(value).encode("ascii"),))
    return text_element(field.vr, str(value))

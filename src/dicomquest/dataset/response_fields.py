"""The elements of a response identifier, and the columns they come from (PS3.4 C.4.1.1.3.2).

The index says by ``Field`` values what its rows hold; the fast encoder compiles them to code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """The source of a response element's value."""

    TEXT = "a text column: str with values joined by backslash, or None for no value"
    NUMBER = "an integer column of a string VR (the counts): int"
    JSON = "an element of the DICOM JSON Model as text, {'vr': ..., 'Value': [...]}, or None"
    CONSTANT = "no column: the same text in every response of the query"


@dataclass(frozen=True, slots=True)
class Field:
    """One element of every response of a query; ``text`` is the value of a CONSTANT one."""

    tag: int
    vr: str
    source: Source
    text: str = ""

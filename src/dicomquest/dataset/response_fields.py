"""What each column of a result row is in the response identifier (PS3.4 C.4.1.1.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """Where the value of a response element comes from."""

    TEXT = "a text column: str with values joined by backslash, or None for no value"
    NUMBER = "an integer column of a string VR (the counts): int"
    JSON = "an element of the DICOM JSON Model as text ({'vr': ..., 'Value': [...]}), or None for no value"
    CONSTANT = "no column: the same text in every response of the query"


@dataclass(frozen=True, slots=True)
class Field:
    """One element of every response of a query; ``text`` is the value of a CONSTANT one."""

    tag: int
    vr: str
    source: Source
    text: str = ""

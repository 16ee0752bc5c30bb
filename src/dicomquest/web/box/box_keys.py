"""One key of the search box: what was typed, and what it asks (PS3.4 C.2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

Counts: TypeAlias = "dict[str, int]"


class Matching(Enum):
    """The way in which a key is matched."""

    WORDS = "words of a name in any order, each a beginning"
    SOUND = "words of a name, or words that sound like them"
    PHRASE = "text that the value contains, without case"
    PATTERN = "text with wild cards, without case"
    STANDARD = "a key as the Standard has it"
    ALL_VALUES = "each of several values"
    EMPTY = "no value"


@dataclass(frozen=True, slots=True)
class BoxKey:
    """One key.

    - ``keyword`` is the attribute, or its path, as ``KEY=VALUE`` has it; ``value`` is the key's
      value for DICOM, several with backslashes.
    - ``words`` stand in the sentence, ``chip`` on the key's own button.
    - ``text`` is what one types for this key alone, without a look-up.
    - ``relative`` is the date as typed if it moves with the day: ``last month``.
    """

    keyword: str
    value: str
    matching: Matching
    words: str
    chip: str
    text: str
    relative: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of the text that cannot be read: its place, and a sentence with the remedy."""

    start: int
    end: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several meanings, or an offer: its words, and the text that has it alone."""

    label: str
    text: str


class LookUp(Protocol):
    """The look-ups for numbers and codes, under the visibility of the one who asks."""

    def counts(self, code: str) -> Counts:
        """Return the studies with this AccessionNumber, PatientID and StudyID, by keyword."""

    def beginning(self, code: str) -> int:
        """Return the number of Patient IDs that begin with a text."""


class NoLookUp:
    """Look-ups that find nothing, for texts that name the kind of each number."""

    def counts(self, code: str) -> Counts:
        """Return nothing."""
        del code
        return {}

    def beginning(self, code: str) -> int:
        """Return none."""
        del code
        return 0

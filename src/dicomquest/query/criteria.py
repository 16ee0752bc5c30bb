"""What one key asks of an attribute: one frozen class for each kind of matching (PS3.4 C.2.2.2).

Criteria are in the search form of their VR (``search_forms`` in ``matching``): text as it is, names folded by group,
numbers canonical, dates and times sortable. There is no criterion for universal matching: it asks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from dicomquest.query.model import KeyCriterion


class Wild(Enum):
    """The two wild cards (PS3.4 C.2.2.2.4)."""

    ANY = "*"
    ONE = "?"


Pattern: TypeAlias = tuple[str | Wild, ...]
"""Literal texts and wild cards in turn. A literal may hold ``*`` and ``?`` too: a folded full-width one."""


@dataclass(frozen=True, slots=True)
class SingleValue:
    """Equality of text, case-sensitive (C.2.2.2.1): AE AS CS LO LT SH ST UC UI UR UT; AT as eight hex digits."""

    value: str


@dataclass(frozen=True, slots=True)
class SingleNumber:
    """Equality of numbers (C.2.2.2.1): IS DS US SS UL SL SV UV FL FD, as ``canonical_number`` writes them."""

    number: str


@dataclass(frozen=True, slots=True)
class SingleInterval:
    """A date or time by its meaning (C.2.2.2.1.3): first and last instant of what the key's precision leaves open."""

    lower: str
    upper: str
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """A range of dates or times (C.2.2.2.5), both ends included; None is an open end, and one end is always there."""

    lower: str | None
    upper: str | None
    text: str


@dataclass(frozen=True, slots=True)
class UIDList:
    """Any of several UIDs (C.2.2.2.2), in the key's order, each once."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WildCard:
    """Text with wild cards (C.2.2.2.4), case-sensitive, anchored at both ends."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name (C.2.2.2.1.1, C.2.2.2.4): folded patterns, of which one may be a plain text.

    ``any_group``: ``groups`` has one member, and it holds for any of the stored name's three component groups.
    Otherwise it has three, by group, and None asks nothing of its group. Each member is one or more alternatives:
    ``DOE^*`` is also ``DOE``, because trailing empty components mean nothing. ``text`` is the key as sent, for its
    words.
    """

    groups: tuple[tuple[Pattern, ...] | None, ...]
    any_group: bool
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FuzzyWord:
    """One word of a fuzzy name: a stored word begins with (or, with wild cards, matches) it, or sounds like it.

    ``code`` is the phonetic code, empty where there is none (wild cards, scripts other than Latin).
    """

    pattern: Pattern
    code: str


@dataclass(frozen=True, slots=True)
class FuzzyName:
    """Fuzzy semantic matching of names (C.2.2.2.1.1): literally, or each word of the key is found in any order."""

    literal: PersonName
    words: tuple[FuzzyWord, ...]


@dataclass(frozen=True, slots=True)
class DateTimePairMatch:
    """A date key and the time key of the same event, read together (C.2.2.2.5.4).

    The criterion stands on the date's path. ``combined`` is one range of instants ``YYYYMMDDHHMMSS.ffffff``; else
    ``date_key`` and ``time_key`` hold independently. With ``zone_minutes`` the stored pair is first moved from its own
    zone into this one (time zone adjustment).
    """

    date: int
    time: int
    date_key: SingleInterval | Range | AnyOf | None
    time_key: SingleInterval | Range | AnyOf | None
    combined: Range | None
    zone_minutes: int | None


@dataclass(frozen=True, slots=True)
class SequenceMatch:
    """One stored item satisfies all item keys (C.2.2.2.6); there is at least one."""

    keys: tuple[KeyCriterion, ...]


@dataclass(frozen=True, slots=True)
class EmptyValue:
    """The attribute is absent or without value (C.2.2.2.7)."""


@dataclass(frozen=True, slots=True)
class HasValue:
    """The attribute has a value: an entity without one in its unique key is none to be returned (C.2.2.1.1)."""


@dataclass(frozen=True, slots=True)
class MultipleValue:
    """Each part is met by some stored value (C.2.2.2.8)."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some stored value meets some part: several values in a key where the Standard leaves their meaning open."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class ByStoredVR:
    """A key whose own VR is unknown (a private one in implicit VR): read with the VR of the stored element."""

    data: bytes
    text: str


@dataclass(frozen=True, slots=True)
class TextByStoredVR:
    """Text of a private key that the dictionary does not know: read with the VR of the stored element.

    Whoever asks cannot know the VR either, and LO holds any text. ``as_text`` is what the key asks of an element of its
    own VR, or of an unknown one.
    """

    values: tuple[str, ...]
    as_text: Criterion


Criterion: TypeAlias = (
    SingleValue
    | SingleNumber
    | SingleInterval
    | Range
    | UIDList
    | WildCard
    | PersonName
    | FuzzyName
    | DateTimePairMatch
    | SequenceMatch
    | EmptyValue
    | HasValue
    | MultipleValue
    | AnyOf
    | ByStoredVR
    | TextByStoredVR
)

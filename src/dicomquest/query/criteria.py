"""One key of a query and what it asks: one frozen class for each kind of matching (PS3.4 C.2.2.2).

Criteria hold search forms (see ``search_forms``): text as it is, names folded by group, numbers
canonical, dates and times sortable. Universal matching asks nothing, so it has no criterion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from dicomquest.standard.levels import Level


class Wild(Enum):
    """The two wild cards (PS3.4 C.2.2.2.4)."""

    ANY = "*"
    ONE = "?"


Pattern: TypeAlias = tuple[str | Wild, ...]
"""Literals and wild cards in turn; a literal may hold a folded full-width ``*`` or ``?`` too."""


class Step(NamedTuple):
    """An attribute within one data set or item.

    A private tag stands with its creator and with block number 0 (``gggg00ee``): each data set
    chooses the block anew (PS3.5 7.8.1).
    """

    tag: int
    creator: str | None = None


class KeyCriterion(NamedTuple):
    """One key that restricts the result; ``path`` runs from the data set's root, sequences first.

    ``level`` is the entity that owns the attribute: above the query level an ancestor; below it,
    one chain of descendants must meet all keys. ``or_unknown``: an empty stored value matches too.
    """

    path: tuple[Step, ...]
    level: Level
    vr: str
    criterion: Criterion
    or_unknown: bool = False

    @property
    def tag(self) -> int:
        """The tag of the attribute itself, the last of the path."""
        return self.path[-1].tag


@dataclass(frozen=True, slots=True)
class SingleValue:
    """Equality of text, with case (C.2.2.2.1): AE AS CS LO LT SH ST UC UI UR UT; AT in hex."""

    value: str


@dataclass(frozen=True, slots=True)
class SingleNumber:
    """Equality of numbers (C.2.2.2.1): IS DS US SS UL SL SV UV FL FD, by ``canonical_number``."""

    number: str


@dataclass(frozen=True, slots=True)
class SingleInterval:
    """A date or time by its meaning (C.2.2.2.1.3): the first and last instant that it may name."""

    lower: str
    upper: str
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """A range of dates or times, both ends included (C.2.2.2.5); one end may be open (None)."""

    lower: str | None
    upper: str | None
    text: str


@dataclass(frozen=True, slots=True)
class UIDList:
    """Any of several UIDs (C.2.2.2.2), in the key's order, each once."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WildCard:
    """Text with wild cards (C.2.2.2.4), with case, anchored at both ends."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class CaseFree:
    """Text without case, perhaps with wild cards: a pattern as ``fold_case`` makes it.

    No kind of matching of the Standard, which compares text with case (C.2.2.2.1).
    """

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name (C.2.2.2.1.1, C.2.2.2.4): folded patterns, some of them plain texts.

    ``any_group``: ``groups`` has one member, for any of the three stored component groups. Else it
    has three, one a group, and None asks nothing of its group. A member holds alternatives:
    ``DOE^*`` is also ``DOE``, because trailing empty components mean nothing. ``text`` is the key
    as sent, for its words.
    """

    groups: tuple[tuple[Pattern, ...] | None, ...]
    any_group: bool
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FuzzyWord:
    """One word of a fuzzy name: a stored word fits the pattern, or sounds like it.

    ``code`` is the phonetic code; words with wild cards or beyond Latin letters have none ("").
    ``others`` are the patterns of the same word in the other kind of kana.
    """

    pattern: Pattern
    code: str
    others: tuple[Pattern, ...] = ()

    @property
    def spellings(self) -> tuple[Pattern, ...]:
        """All patterns of the word."""
        return (self.pattern, *self.others)


@dataclass(frozen=True, slots=True)
class FuzzyName:
    """Fuzzy semantic matching of names (C.2.2.2.1.1): literally, or by all words in any order."""

    literal: PersonName
    words: tuple[FuzzyWord, ...]


@dataclass(frozen=True, slots=True)
class DateTimePairMatch:
    """A date key and the time key of the same event, read together (C.2.2.2.5.4).

    The criterion stands on the date's path. ``combined`` is one range of instants
    ``YYYYMMDDHHMMSS.ffffff``; without it ``date_key`` and ``time_key`` hold independently.
    ``zone_minutes`` moves the stored pair from its own zone into this one first (time zone
    adjustment), in minutes east of UTC.
    """

    date: int
    time: int
    date_key: SingleInterval | Range | AnyOf | None
    time_key: SingleInterval | Range | AnyOf | None
    combined: Range | None
    zone_minutes: int | None


@dataclass(frozen=True, slots=True)
class SequenceMatch:
    """One stored item satisfies all item keys (C.2.2.2.6); there is at least one key."""

    keys: tuple[KeyCriterion, ...]


@dataclass(frozen=True, slots=True)
class EmptyValue:
    """The attribute is absent or without value (C.2.2.2.7)."""


@dataclass(frozen=True, slots=True)
class HasValue:
    """The attribute has a value: responses leave out entities without a unique key (C.2.2.1.1)."""


@dataclass(frozen=True, slots=True)
class MultipleValue:
    """Some stored value meets each part (C.2.2.2.8)."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some stored value meets some part; the Standard leaves the meaning of such keys open."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class ByStoredVR:
    """A private key of unknown VR (implicit VR): its bytes, read with the stored element's VR."""

    data: bytes
    text: str


@dataclass(frozen=True, slots=True)
class TextByStoredVR:
    """Text of a private key outside the dictionary: read with the stored element's VR.

    An SCU that does not know the VR sends LO, which holds any text. ``as_text`` is the criterion
    for stored elements of the key's own VR, or of an unknown one.
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
    | CaseFree
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

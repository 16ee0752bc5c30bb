"""A look at answers while they come: what contradicts the question (PS3.4 C.4.1.2.1, notes).

An SCP may ignore an optional key, or know no value of it: then it must not look as if all answers
had matched. ``AnswerReview`` counts; it keeps no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.query.criteria import (
    AnyOf,
    Criterion,
    DateTimePairMatch,
    FuzzyName,
    HasValue,
    SingleValue,
    WildCard,
)
from dicomquest.query.evaluate import find_element, matches_data_set
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query

MOST_REMEMBERED = 1_000_000
"""Unique keys that are kept to find duplicates; later answers are not looked at for them."""

MOST_JUDGED = 10_000
"""Values of dates and codes whose result is kept."""

_FEW_VALUES = frozenset({"DA", "CS", "AE", "AS"})


@dataclass(frozen=True, slots=True)
class AnswerRemark:
    """A remark on one key: ``count`` of the ``total`` answers give reason for it."""

    tag: int
    name: str
    remark: str
    count: int
    total: int


@dataclass(frozen=True, slots=True)
class KeyReview:
    """A key with a value in the answers so far: how many lack it, and how many contradict it."""

    tag: int
    name: str
    absent: int
    empty: int
    other: int
    total: int

    @property
    def is_ignored(self) -> bool:
        """Tell whether the peer seems to have ignored the key."""
        return self.other > 0 or (self.total > 0 and self.absent == self.total)


@dataclass(slots=True)
class _Count:
    absent: int = 0
    empty: int = 0
    other: int = 0


@dataclass(slots=True)
class AnswerReview:
    """The counts over the answers to ``query``, the SCU's own reading of its identifier."""

    query: Query
    total: int = 0
    duplicates: int = 0
    without_unique_key: int = 0
    _counts: dict[KeyCriterion, _Count] = field(default_factory=dict)
    _missing: dict[int, int] = field(default_factory=dict)
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _lenient: dict[KeyCriterion, KeyCriterion | None] = field(default_factory=dict)
    _tags: frozenset[int] = frozenset()
    _judged: dict[tuple[int, object], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tags = frozenset(key.tag for key in self.query.return_keys)
        # An SCP returns no value of a lower level, so such a key cannot be seen to hold. The sound
        # of names is each SCP's own affair (C.2.2.2.1.1).
        for key in self.query.criteria:
            if key.level <= self.query.level and not isinstance(
                key.criterion, HasValue | FuzzyName
            ):
                self._counts[key] = _Count()
                self._lenient[key] = _without_case(key)

    def add(self, answer: DataSet) -> bool:
        """Count one answer; False if a value in it, or an empty one, contradicts a key."""
        self.total += 1
        self._note_unique_key(answer)
        # Nearly all answers have all attributes: one comparison of sets tells.
        if not self._tags <= answer.keys():
            for returned in self.query.return_keys:
                if find_element(answer, returned.step) is None:
                    self._missing[returned.tag] = self._missing.get(returned.tag, 0) + 1
        fits = True
        for key, count in self._counts.items():
            element = find_element(answer, key.path[0])
            if element is None:
                # An answer without the key of an upper level is incomplete, but no other study.
                count.absent += self.query.model.query_level(key.level) == self.query.level
            elif is_empty(element):
                count.empty += 1
                fits = fits and key.or_unknown
            elif not self._judge(answer, key, element):
                count.other += 1
                fits = False
        return fits

    def keys(self) -> tuple[KeyReview, ...]:
        """Return the review of each key with a value."""
        return tuple(
            KeyReview(
                key.path[0].tag, attribute_name(*key.path[0]), count.absent, count.empty,
                count.other, self.total,
            )
            for key, count in self._counts.items()
        )  # fmt: skip

    def remarks(self) -> tuple[AnswerRemark, ...]:
        """Remark on keys with other values, and on attributes that were not returned, by tag."""
        remarks = [
            AnswerRemark(
                key.tag, key.name, "the value returned does not match the key", key.other, key.total
            )
            for key in self.keys()
            if key.other
        ]
        for returned in self.query.return_keys:
            if missing := self._missing.get(returned.tag):
                name = attribute_name(*returned.step)
                remarks.append(
                    AnswerRemark(returned.tag, name, "asked for, not returned", missing, self.total)
                )
        return tuple(sorted(remarks, key=lambda remark: remark.tag))

    def _note_unique_key(self, answer: DataSet) -> None:
        unique = answer.get(UNIQUE_KEYS[self.query.level].tag)
        if unique is None or is_empty(unique):
            self.without_unique_key += 1
            return
        # A patient of another issuer may have the same ID: there the whole answer counts.
        values = tuple(map(str, unique.values))
        if self.query.level is Level.PATIENT:
            values = tuple(f"{tag:08X}{each.values}" for tag, each in answer.items())
        if values in self._seen:
            self.duplicates += 1
        elif len(self._seen) < MOST_REMEMBERED:
            self._seen.add(values)

    def _judge(self, answer: DataSet, key: KeyCriterion, element: Element) -> bool:
        """Tell whether an answer fits a key; dates and codes come again, and are known then."""
        if element.vr not in _FEW_VALUES or isinstance(key.criterion, DateTimePairMatch):
            return self._fits(answer, key)
        place = (key.tag, element.values)
        judged = self._judged.get(place)
        if judged is None:
            judged = self._fits(answer, key)
            if len(self._judged) < MOST_JUDGED:
                self._judged[place] = judged
        return judged

    def _fits(self, answer: DataSet, key: KeyCriterion) -> bool:
        zone = self.query.options.timezone_offset_minutes
        if matches_data_set(answer, (key,), zone):
            return True
        lenient = self._lenient[key]
        return lenient is not None and matches_data_set(
            _folded(answer, key.path[-1].tag), (lenient,), zone
        )


def review_answers(query: Query, answers: Sequence[DataSet]) -> tuple[AnswerRemark, ...]:
    """Remark on keys with returned values that do not match, and on keys missing from answers.

    ``query`` is the SCU's own reading of its identifier. An empty value gives no remark, because
    the SCP may not know it.
    """
    review = AnswerReview(query)
    for answer in answers:
        review.add(answer)
    return review.remarks()


def _without_case(key: KeyCriterion) -> KeyCriterion | None:
    """Return a key on folded text: many SCPs compare text without case, and ignore no key so."""
    criterion = None if key.path[-1].creator else _folded_criterion(key.criterion)
    return None if criterion is None else key._replace(criterion=criterion)


def _folded_criterion(criterion: Criterion) -> Criterion | None:
    match criterion:
        case SingleValue(value):
            return SingleValue(value.casefold())
        case WildCard(pattern):
            folded = (part.casefold() if isinstance(part, str) else part for part in pattern)
            return WildCard(tuple(folded))
        case AnyOf(parts):
            return AnyOf(tuple(_folded_criterion(part) or part for part in parts))
        case _:
            return None


def _folded(answer: DataSet, tag: int) -> DataSet:
    """Return a data set of one attribute, its text folded and without spaces around it."""
    element = answer[tag]
    values = tuple(
        value.strip().casefold() if isinstance(value, str) else value for value in element.values
    )
    return {tag: element._replace(values=values)}

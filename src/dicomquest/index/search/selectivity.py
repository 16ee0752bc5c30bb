"""How few entities a key leaves, guessed from its kind alone: which index a query starts from.

The database has no statistics, on purpose: a plan must not change under a running archive. SQLite's planner takes an
equality on an index for ten rows and knows nothing of value tables, so ``compile`` asks here which key shall lead.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from dicomquest.index.tables.promoted import searched_path
from dicomquest.index.tables.schema import INDEXED, TABLES, TRIGRAMS, search_columns
from dicomquest.query import patterns
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    FuzzyName,
    MultipleValue,
    PersonName,
    Range,
    SequenceMatch,
    SingleInterval,
    SingleNumber,
    SingleValue,
    UIDList,
    WildCard,
)
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG, Storage

if TYPE_CHECKING:
    from collections.abc import Collection

    from dicomquest.query.criteria import Criterion, KeyCriterion, Pattern


class Selectivity(IntEnum):
    """What is left of the entities of a level, and whether an index finds it."""

    SCAN = 0
    MANY = 1
    SOME = 2
    FEW = 3


_FEW = frozenset(
    KEYS_BY_KEYWORD[keyword].tag
    for keyword in (
        "PatientID",
        "StudyInstanceUID",
        "AccessionNumber",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    )
)
_MANY = frozenset(
    KEYS_BY_KEYWORD[keyword].tag
    for keyword in (
        "Modality",
        "ModalitiesInStudy",
        "SOPClassesInStudy",
        "SOPClassUID",
        "BodyPartExamined",
    )
)
"""Keys that tell an entity, and keys of a handful of values."""

TRIGRAM = 3
"""Characters that a literal must have at least for the trigram tables to know it."""

_INDEXED = frozenset((indexed.table, indexed.columns[0]) for indexed in INDEXED)


def selectivity(key: KeyCriterion, occurrences: Collection[tuple[str, int]] = ()) -> Selectivity:
    """The guess for one key, in an index where ``occurrences`` (see ``plan.Facts``) exist."""
    if key.or_unknown:
        return Selectivity.SCAN
    found = _selectivity(key.criterion)
    step = key.path[0]
    stored = KEYS_BY_TAG.get(step.tag) if step.creator is None else None
    if stored is None or stored.storage is Storage.JSON:
        return Selectivity.SCAN if searched_path(key, occurrences) is None else found
    if (
        stored.storage is Storage.COLUMN
        and (TABLES[stored.level], search_columns(stored)[0]) not in _INDEXED
    ):
        return Selectivity.SCAN
    if stored.tag in _MANY:
        return min(found, Selectivity.MANY)
    return Selectivity.FEW if stored.tag in _FEW and found is Selectivity.SOME else found


def is_led_by_rows(key: KeyCriterion) -> bool:
    """Whether the entities of a key are found by other rows than their own: value rows, not a column's B-tree."""
    step = key.path[0]
    stored = KEYS_BY_TAG.get(step.tag) if step.creator is None else None
    return (
        stored is None
        or stored.storage is not Storage.COLUMN
        or isinstance(key.criterion, FuzzyName)
    )


def is_found_by_trigrams(key: KeyCriterion) -> bool:
    """Whether a trigram table has the candidates of a key that no B-tree serves."""
    stored = KEYS_BY_TAG.get(key.tag)
    if (
        key.or_unknown
        or stored is None
        or search_columns(stored)[0] not in TRIGRAMS.get(stored.level, ())
    ):
        return False
    match key.criterion:
        case WildCard(pattern):
            wanted: tuple[Pattern, ...] = (pattern,)
        case PersonName((alternatives,), any_group=True):
            wanted = alternatives or ()
        case _:
            return False
    return all(
        any(isinstance(token, str) and len(token) >= TRIGRAM for token in pattern)
        for pattern in wanted
    )


def _selectivity(criterion: Criterion) -> Selectivity:
    match criterion:
        case SingleValue() | SingleNumber() | UIDList() | SingleInterval():
            return Selectivity.SOME
        case (
            Range(lower, upper) | DateTimePairMatch(combined=Range(lower, upper), zone_minutes=None)
        ):
            return Selectivity.MANY if lower is None or upper is None else Selectivity.SOME
        case DateTimePairMatch(date_key=date, zone_minutes=None) if date is not None:
            return _selectivity(date)
        case WildCard(pattern):
            return Selectivity.SOME if patterns.prefix(pattern) else Selectivity.SCAN
        case PersonName(groups):
            begin = [all(map(patterns.prefix, group)) for group in groups if group is not None]
            return Selectivity.SOME if any(begin) else Selectivity.SCAN
        case FuzzyName(words=words):
            return (
                Selectivity.SOME
                if all(patterns.prefix(word.pattern) for word in words)
                else Selectivity.SCAN
            )
        case AnyOf(parts):
            return min(map(_selectivity, parts))
        case MultipleValue(parts):
            return max(map(_selectivity, parts))
        case SequenceMatch(keys):
            return max(
                _selectivity(key.criterion) for key in keys if not key.or_unknown or key is keys[0]
            )
        case _:
            return Selectivity.SCAN

"""Trigrams before a pattern that no B-tree serves: the rows that may match it (PS3.4 C.2.2.2.4).

SQLite has trigram tables (FTS5), which a statement asks for candidates; PostgreSQL has trigram
indexes, which its planner uses by itself.
"""

from __future__ import annotations

from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.place import Place
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.schema import TRIGRAMS, search_columns
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    HasValue,
    KeyCriterion,
    MultipleValue,
    Pattern,
    PersonName,
    Range,
    SequenceMatch,
    SingleInterval,
    SingleNumber,
    SingleValue,
    TextByStoredVR,
    UIDList,
    WildCard,
)
from dicomquest.query.patterns import prefix
from dicomquest.standard.keys import KEYS_BY_TAG

_LENGTH = 3
# So many trigrams of a literal leave few enough candidates; each more costs a lookup.
_MOST_TRIGRAMS = 12


def is_found_by_trigrams(key: KeyCriterion) -> bool:
    """Tell whether trigrams lead to the few entities that may meet a key."""
    stored = KEYS_BY_TAG.get(key.tag)
    if (
        key.or_unknown
        or stored is None
        or search_columns(stored)[0] not in TRIGRAMS.get(stored.level, ())
    ):
        return False
    wanted = _patterns_anywhere(key.criterion)
    return bool(wanted) and all(map(_has_trigram, wanted))


def _patterns_anywhere(criterion: Criterion) -> tuple[Pattern, ...]:
    """Return the patterns of which one must fit in some column of the key."""
    match criterion:
        case WildCard(pattern):
            return (pattern,)
        case PersonName((alternatives,), any_group=True):
            return alternatives or ()
        case (
            PersonName()
            | FuzzyName()
            | SingleValue()
            | SingleNumber()
            | SingleInterval()
            | Range()
            | UIDList()
            | DateTimePairMatch()
            | SequenceMatch()
            | EmptyValue()
            | HasValue()
            | MultipleValue()
            | AnyOf()
            | ByStoredVR()
            | TextByStoredVR()
        ):
            return ()
        case _:
            assert_never(criterion)


def _has_trigram(pattern: Pattern) -> bool:
    return any(isinstance(token, str) and len(token) >= _LENGTH for token in pattern)


def with_candidates(
    found: Sql | None, alternatives: tuple[Pattern, ...], columns: tuple[str, ...], place: Place
) -> Sql | None:
    """Put the candidates of the trigram table before patterns that no B-tree serves."""
    names = [column.partition(".")[2] for column in columns]
    known = TRIGRAMS.get(place.level, ())
    words = DIALECTS[place.facts.dialect]
    if found is None or words.candidates is None:
        return found
    if not (place.uses_trigrams and place.facts.trigrams and all(name in known for name in names)):
        return found
    if all(map(prefix, alternatives)):
        return found
    terms = [_trigrams(pattern) for pattern in alternatives]
    if not all(terms):
        return found
    wanted = " OR ".join(f"({' AND '.join(each)})" for each in terms)
    candidates = words.candidates.format(table=f"{place.table}_trigram")
    parameter = f"{{{' '.join(names)}}} : ({wanted})"
    return joined("AND", [(f"{place.table}.id IN ({candidates})", (parameter,)), found])


def _trigrams(pattern: Pattern) -> list[str]:
    """Return the trigrams that every match of a pattern has, quoted for FTS5."""
    texts = [token for token in pattern if isinstance(token, str)]
    found = dict.fromkeys(
        text[at : at + _LENGTH]
        for text in texts
        for at in range(len(text) - _LENGTH + 1)
        if "\0" not in text
    )
    return ['"' + each.replace('"', '""') + '"' for each in list(found)[:_MOST_TRIGRAMS]]

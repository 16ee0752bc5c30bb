"""Trigrams before a pattern that no B-tree serves: the rows that may match it (PS3.4 C.2.2.2.4).

SQLite has trigram tables (FTS5), which a statement asks for candidates; PostgreSQL has trigram
indexes, which its planner uses by itself.
"""

from __future__ import annotations

from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.pattern_sql import has_few_spellings
from dicomquest.index.search.place import Place
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.schema import TRIGRAMS, search_columns
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
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
from dicomquest.query.patterns import prefix, spellings
from dicomquest.standard.keys import KEYS_BY_TAG

_LENGTH = 3
# So many trigrams of a literal leave few enough candidates; each more costs a lookup.
_MOST_TRIGRAMS = 12
# Without case each trigram is up to eight.
_MOST_OF_ANY_CASE = 4


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
        case CaseFree(pattern):
            return () if has_few_spellings(pattern) else (pattern,)
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
    found: Sql | None,
    alternatives: tuple[Pattern, ...],
    columns: tuple[str, ...],
    place: Place,
    *,
    case_free: bool = False,
) -> Sql | None:
    """Put the candidates of the trigram table before patterns that no B-tree serves."""
    names = [column.partition(".")[2] for column in columns]
    known = TRIGRAMS.get(place.level, ())
    words = DIALECTS[place.facts.dialect]
    if found is None or words.candidates is None:
        return found
    if not (place.uses_trigrams and place.facts.trigrams and all(name in known for name in names)):
        return found
    if all(map(has_few_spellings if case_free else prefix, alternatives)):
        return found
    trigrams = _case_free_trigrams if case_free else _trigrams
    terms = [trigrams(pattern) for pattern in alternatives]
    if not all(terms):
        return found
    wanted = " OR ".join(f"({' AND '.join(each)})" for each in terms)
    candidates = words.candidates.format(table=f"{place.table}_trigram")
    parameter = f"{{{' '.join(names)}}} : ({wanted})"
    return joined("AND", [(f"{place.table}.id IN ({candidates})", (parameter,)), found])


def _trigrams(pattern: Pattern) -> list[str]:
    """Return the trigrams that every match of a pattern has, quoted for FTS5."""
    return [_quoted(each) for each in _texts(pattern)[:_MOST_TRIGRAMS]]


def _case_free_trigrams(pattern: Pattern) -> list[str]:
    """Return the trigrams of a pattern without case, each with all its spellings."""
    found = [spellings(each, _MOST_TRIGRAMS) for each in _texts(pattern)]
    known = [each for each in found if each is not None]
    return [f"({' OR '.join(map(_quoted, each))})" for each in known[:_MOST_OF_ANY_CASE]]


def _texts(pattern: Pattern) -> list[str]:
    texts = [token for token in pattern if isinstance(token, str)]
    return list(
        dict.fromkeys(
            text[at : at + _LENGTH]
            for text in texts
            for at in range(len(text) - _LENGTH + 1)
            if "\0" not in text
        )
    )


def _quoted(trigram: str) -> str:
    return '"' + trigram.replace('"', '""') + '"'

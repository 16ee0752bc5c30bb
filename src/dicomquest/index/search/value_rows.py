"""A key on the value rows of its attribute: one row a search form of a value (PS3.4 C.2.2.2).

They hold the attributes that may have several values or stand in the items of a sequence.
``schema.VALUE`` says which parts a value has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import alternatives_sql, are_taken, pattern_sql
from dicomquest.index.search.place import MOST_PARTS, PYTHON, Place, Predicate, of_parts
from dicomquest.index.tables.dialects import DIALECTS, Dialect
from dicomquest.index.tables.schema import CODE_PART, GROUP_PARTS, VALUE_PART, WORD_PART
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    FuzzyWord,
    HasValue,
    MultipleValue,
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
from dicomquest.standard.keys import KEYS_BY_KEYWORD

_LISTS = {
    f"{key.tag:08X}": key.column
    for key in map(KEYS_BY_KEYWORD.__getitem__, ("ModalitiesInStudy", "SOPClassesInStudy"))
}
_ANY_GROUP = f"part IN ({', '.join(map(str, GROUP_PARTS))})"


def on_values(criterion: Criterion, path: str, place: Place) -> Predicate:
    """Return the predicate of a criterion on the value rows of ``path``."""
    if not are_taken(criterion):
        return PYTHON
    match criterion:
        case (
            SingleValue()
            | SingleNumber()
            | SingleInterval()
            | Range()
            | UIDList()
            | WildCard()
            | CaseFree()
        ):
            return _on_one_form(criterion, path, place)
        case PersonName():
            return _on_groups(criterion, path, place)
        case FuzzyName(literal, words):
            whole = on_values(literal, path, place).sql
            return Predicate(by_words(words, whole, path, place), exact=False)
        case AnyOf() if is_one_list(criterion):
            return _on_one_form(criterion, path, place)
        case AnyOf(parts) | MultipleValue(parts):
            if len(parts) > MOST_PARTS:
                return PYTHON
            return of_parts(criterion, [on_values(part, path, place) for part in parts], place)
        case (
            DateTimePairMatch()
            | SequenceMatch()
            | EmptyValue()
            | HasValue()
            | ByStoredVR()
            | TextByStoredVR()
        ):
            return PYTHON
        case _:
            assert_never(criterion)


def is_one_list(criterion: Criterion) -> bool:
    """Tell whether any of several values is one list to SQL: all are texts, or all numbers."""
    return isinstance(criterion, AnyOf) and (
        all(isinstance(part, SingleValue) for part in criterion.parts)
        or all(isinstance(part, SingleNumber) for part in criterion.parts)
    )


def _on_one_form(criterion: Criterion, path: str, place: Place) -> Predicate:
    dialect = place.facts.dialect
    column = "search"
    if not place.leads and isinstance(criterion, (AnyOf, CaseFree, UIDList)):
        # SQLite would look up each value of a list for an entity that has one or two rows.
        column = f"{DIALECTS[dialect].off_index}search"
    found = criterion_sql(criterion, column, dialect)
    if found is None:
        return PYTHON
    condition = (f"part = {VALUE_PART} AND {found[0]}", found[1])
    rows = _lookup(path, condition, place)
    # PostgreSQL can begin with the value rows of a rare value, unless they stand in a CASE.
    begins_with_rows = place.leads or (dialect == "postgresql" and not place.is_narrowed)
    if path in _LISTS and not begins_with_rows:
        rows = _on_list(criterion, f"{place.table}.{_LISTS[path]}", rows, dialect)
    return Predicate(rows, exact=True)


def _on_list(criterion: Criterion, column: str, rows: Sql, dialect: Dialect) -> Sql:
    """Return the condition on the text of a list, and on its value rows if it has several."""
    own = criterion_sql(criterion, column, dialect)
    if own is None:
        return rows
    words = DIALECTS[dialect]
    has_several = words.contains.format(column=column, text=words.backslash)
    text = f"CASE WHEN {has_several} THEN {rows[0]} ELSE {own[0]} END"
    return text, (*rows[1], *own[1])


def _on_groups(criterion: PersonName, path: str, place: Place) -> Predicate:
    dialect = place.facts.dialect
    if criterion.any_group:
        text, parameters = alternatives_sql(criterion.groups[0] or (), "search", dialect)
        condition = (f"{_ANY_GROUP} AND ({text})", parameters)
        return Predicate(_lookup(path, condition, place), exact=True)
    found = []
    for part, group in zip(GROUP_PARTS, criterion.groups, strict=True):
        if group is not None:
            text, parameters = alternatives_sql(group, "search", dialect)
            found.append(_lookup(path, (f"part = {part} AND ({text})", parameters), place))
    # With several groups each may be another value's: only Python sees that.
    return Predicate(joined("AND", found), exact=len(found) == 1)


def _lookup(path: str, condition: Sql, place: Place) -> Sql:
    """Return that an entity has a value row of ``path`` with ``condition`` on part and search."""
    text, parameters = condition
    rows = f"{place.table}_value WHERE path = '{path}' AND ({text})"
    if place.leads:
        return f"{place.table}.id IN (SELECT owner FROM {rows})", parameters
    return f"EXISTS (SELECT 1 FROM {rows} AND owner = {place.table}.id)", parameters


def by_words(words: Sequence[FuzzyWord], literal: Sql | None, path: str, place: Place) -> Sql:
    """Return that a fuzzy name fits: literally, or by all words, each stored or by its sound."""
    found = [_of_word(word, place) for word in words[:MOST_PARTS]]
    if not place.leads:
        each = [
            joined("OR", [_lookup(path, condition, place) for condition in either])
            for either in found
        ]
        all_words = joined("AND", each)
        return all_words if literal is None else joined("OR", [literal, all_words])
    # One set of entities, because the planners find no index in an OR of ANDs of ORs.
    table = place.table
    selects = [
        " UNION ALL ".join(
            f"SELECT owner FROM {table}_value WHERE path = '{path}' AND {text}"
            for text, _ in either
        )
        for either in found
    ]
    text = " INTERSECT ".join(f"SELECT owner FROM ({select}) AS word" for select in selects)
    parameters = tuple(parameter for either in found for _, each in either for parameter in each)
    if literal is not None:
        text += f" UNION SELECT id FROM {table} WHERE {literal[0]}"
        parameters += literal[1]
    return f"{table}.id IN ({text})", parameters


def _of_word(word: FuzzyWord, place: Place) -> list[Sql]:
    """Return the conditions of which one holds for a value row that fits a word."""
    either: list[Sql] = []
    for pattern in word.spellings:
        text, parameters = pattern_sql(pattern, "search", place.facts.dialect)
        either.append((f"part = {WORD_PART} AND {text}", parameters))
    if word.code:
        either.append((f"part = {CODE_PART} AND search = ?", (word.code,)))
    return either

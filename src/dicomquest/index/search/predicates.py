"""One key to a predicate on the tables of its level, or to what of it SQL can say (PS3.4 C.2.2.2).

The predicates on one column or value row are those of ``query.matching``; here they are put where the values are: typed
columns, value rows where there are several values, trigrams before a wild card that begins a pattern.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.plan import element_sql
from dicomquest.index.search.selectivity import TRIGRAM
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.promoted import searched_path
from dicomquest.index.tables.rows import CODE_PART, WORD_PART, item_key_vr, value_path
from dicomquest.index.tables.schema import ATTRIBUTES, TABLES, TRIGRAMS, search_columns
from dicomquest.query import patterns
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    HasValue,
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
from dicomquest.query.matching import alternatives_sql, joined, pattern_sql, sql
from dicomquest.standard.keys import KEYS_BY_TAG, Key, Storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomquest.index.search.plan import Facts
    from dicomquest.query.criteria import Criterion, FuzzyWord, KeyCriterion, Pattern
    from dicomquest.query.matching import Sql
    from dicomquest.standard.levels import Level

# SQLITE_LIMIT_LIKE_PATTERN_LENGTH, in bytes.
_LONGEST_PATTERN = 50_000
# So many trigrams of a literal leave few enough candidates; each more costs a lookup.
_MOST_TRIGRAMS = 12
# A planner's time grows with the square of the terms, and SQLite takes 500 parts of a compound.
_MOST_PARTS = 100
_SINGLE_FORM = (SingleValue, SingleNumber, SingleInterval, Range, UIDList, WildCard)


class Predicate(NamedTuple):
    """What must hold of an entity, None for nothing; ``exact``: it is also enough."""

    sql: Sql | None
    exact: bool


PYTHON = Predicate(None, exact=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how predicates of a level are written.

    ``leads``: value rows are looked up first and lead to the entities, else each entity's are. ``uses_trigrams``: no
    other key of the query leaves few enough entities.
    """

    facts: Facts
    zone_minutes: int
    level: Level
    leads: bool = False
    uses_trigrams: bool = True

    @property
    def table(self) -> str:
        """The table of the level."""
        return TABLES[self.level]


def predicate(key: KeyCriterion, place: Place) -> Predicate:
    """The predicate of one key of the entity itself (its path has one step)."""
    step = key.path[-1]
    stored = KEYS_BY_TAG.get(step.tag) if step.creator is None else None
    if isinstance(key.criterion, DateTimePairMatch):
        return _pair(key, key.criterion, place)
    if stored is None or stored.storage is Storage.JSON:
        path = searched_path(key, place.facts.occurrences)
        return _of_json(key, place) if path is None else _of_promoted(key, path, place)
    if stored.storage is Storage.COMPUTED and stored.vr == "SQ":
        return _of_json(key, place)
    if isinstance(key.criterion, SequenceMatch):
        return _sequence(key, key.criterion, place)
    in_column = stored.storage in {Storage.COLUMN, Storage.COMPUTED}
    value = (
        f"{place.table}.{stored.column}"
        if in_column
        else element_sql(place.level, stored.tag, place.facts.dialect)
    )
    if isinstance(key.criterion, EmptyValue):
        return Predicate((f"{value} IS NULL", ()), exact=True)
    if isinstance(key.criterion, HasValue):
        return Predicate((f"{value} IS NOT NULL", ()), exact=True)
    if key.vr == "DT" and place.facts.zone_minutes != place.zone_minutes:
        return PYTHON
    found = _on_column(key.criterion, stored, place) if _has_search_column(stored) else None
    if found is None:
        found = _on_values(key.criterion, value_path(step.tag for step in key.path), place)
    if key.or_unknown and found.sql is not None:
        return Predicate(joined("OR", [found.sql, (f"{value} IS NULL", ())]), found.exact)
    return found


def _has_search_column(key: Key) -> bool:
    # The computed texts with several values have their value rows; a transfer syntax is one.
    return key.storage is Storage.COLUMN or key.keyword == "AvailableTransferSyntaxUID"


# ---- typed columns


def _on_column(criterion: Criterion, key: Key, place: Place) -> Predicate:
    if isinstance(criterion, AnyOf | MultipleValue):
        if _is_one_list(criterion):
            column = f"{place.table}.{search_columns(key)[0]}"
            whole = Predicate(sql(criterion, column, place.facts.dialect), exact=True)
            return _or_on_values(whole, criterion, key, place)
        if len(criterion.parts) > _MOST_PARTS:
            return PYTHON
        return _of_parts(
            criterion, [_on_column(part, key, place) for part in criterion.parts], place
        )
    if not _is_for_glob(criterion):
        return PYTHON
    return _or_on_values(_on_one_value(criterion, key, place), criterion, key, place)


def _on_one_value(criterion: Criterion, key: Key, place: Place) -> Predicate:
    """The predicate where the attribute has one value: its forms are in the columns."""
    columns = tuple(f"{place.table}.{column}" for column in search_columns(key))
    path = f"{key.tag:08X}"
    dialect = place.facts.dialect
    match criterion:
        case FuzzyName(literal, words):
            whole = _on_one_value(literal, key, place).sql
            return Predicate(_by_words(words, whole, path, place), exact=len(words) <= _MOST_PARTS)
        case PersonName(groups, any_group=True):
            columns = tuple(
                column
                for part, column in enumerate(columns, 1)
                if part == 1 or (path, part) in place.facts.occurrences
            )
            found_sql = sql(criterion, columns, dialect)
            return Predicate(_with_trigrams(found_sql, groups[0] or (), columns, place), exact=True)
        case WildCard(pattern):
            found_sql = sql(criterion, columns, dialect)
            if found_sql is not None and (path, 0) in place.facts.occurrences:
                # Several values are one text in the column, which no pattern may span.
                found_sql = joined("AND", [found_sql, (_has_no_backslash(columns[0], place), ())])
            return Predicate(_with_trigrams(found_sql, (pattern,), columns, place), exact=True)
        case _:
            return Predicate(sql(criterion, columns, dialect), exact=True)


def _has_no_backslash(column: str, place: Place) -> str:
    words = DIALECTS[place.facts.dialect]
    return f"NOT {words.contains.format(column=column, text=words.backslash)}"


def _or_on_values(found: Predicate, criterion: Criterion, key: Key, place: Place) -> Predicate:
    """Add the value rows, where any entity has several values of the key."""
    path = f"{key.tag:08X}"
    if found.sql is None or (path, 0) not in place.facts.occurrences:
        return found
    several = Place(place.facts, place.zone_minutes, place.level, leads=True)
    values = _on_values(criterion, path, several)
    if values.sql is None:
        return PYTHON
    return Predicate(_any([found.sql, values.sql], place), found.exact and values.exact)


def _is_one_list(criterion: Criterion) -> bool:
    return isinstance(criterion, AnyOf) and (
        all(isinstance(part, SingleValue) for part in criterion.parts)
        or all(isinstance(part, SingleNumber) for part in criterion.parts)
    )


def _of_parts(criterion: AnyOf | MultipleValue, parts: list[Predicate], place: Place) -> Predicate:
    there = [part.sql for part in parts if part.sql is not None]
    if isinstance(criterion, AnyOf) and len(there) < len(parts):
        return PYTHON
    if not there:
        return PYTHON
    whole = _any(there, place) if isinstance(criterion, AnyOf) else joined("AND", there)
    return Predicate(whole, all(part.exact for part in parts))


def _any(found: list[Sql], place: Place) -> Sql:
    """One of several; as one set of entities where the database finds no index in an OR of sets."""
    table = place.table
    if (
        place.facts.dialect == "sqlite"
        or len(found) == 1
        or not any(" IN (SELECT " in text for text, _ in found)
    ):
        return joined("OR", found)
    selects = [f"SELECT {table}.id FROM {table} WHERE {text}" for text, _ in found]
    parameters = tuple(parameter for _, each in found for parameter in each)
    return f"{table}.id IN ({' UNION ALL '.join(selects)})", parameters


def _is_for_glob(criterion: Criterion) -> bool:
    """Whether the database takes the patterns: SQLite bounds the length of one."""
    return all(
        len(patterns.glob(each).encode("utf-8", "replace")) <= _LONGEST_PATTERN
        for each in _patterns(criterion)
    )


def _patterns(criterion: Criterion) -> Iterable[Pattern]:
    match criterion:
        case WildCard(pattern):
            yield pattern
        case PersonName(groups):
            for group in groups:
                yield from group or ()
        case FuzzyName(literal, words):
            yield from _patterns(literal)
            yield from (word.pattern for word in words)


def _with_trigrams(
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
    if all(patterns.prefix(pattern) for pattern in alternatives):
        return found
    terms = [_trigrams(pattern) for pattern in alternatives]
    if not all(terms):
        return found
    match_term = " OR ".join(f"({' AND '.join(each)})" for each in terms)
    parameter = f"{{{' '.join(names)}}} : ({match_term})"
    candidates = (
        f"{place.table}.id IN ({words.candidates.format(table=f'{place.table}_trigram')})",
        (parameter,),
    )
    return joined("AND", [candidates, found])


def _trigrams(pattern: Pattern) -> list[str]:
    """The quoted trigrams that every match of a pattern has."""
    texts = [token for token in pattern if isinstance(token, str)]
    found = dict.fromkeys(
        text[at : at + TRIGRAM]
        for text in texts
        for at in range(len(text) - TRIGRAM + 1)
        if "\0" not in text
    )
    return ['"' + each.replace('"', '""') + '"' for each in list(found)[:_MOST_TRIGRAMS]]


# ---- value rows


def _lookup(path: str, condition: Sql, place: Place) -> Sql:
    """An entity that has a value row of ``path`` for which ``condition`` (on ``part`` and ``search``) holds."""
    text, parameters = condition
    rows = f"{place.table}_value WHERE path = '{path}' AND ({text})"
    if place.leads:
        return f"{place.table}.id IN (SELECT owner FROM {rows})", parameters
    return f"EXISTS (SELECT 1 FROM {rows} AND owner = {place.table}.id)", parameters


def _on_values(criterion: Criterion, path: str, place: Place) -> Predicate:
    dialect = place.facts.dialect
    if not _is_for_glob(criterion):
        return PYTHON
    match criterion:
        case PersonName(groups, any_group=True):
            condition, parameters = alternatives_sql(groups[0] or (), "search", dialect)
            return Predicate(
                _lookup(path, (f"part IN (1, 2, 3) AND ({condition})", parameters), place),
                exact=True,
            )
        case PersonName(groups):
            wanted = [(part, group) for part, group in enumerate(groups, 1) if group is not None]
            found = []
            for part, group in wanted:
                condition, parameters = alternatives_sql(group, "search", dialect)
                found.append(_lookup(path, (f"part = {part} AND ({condition})", parameters), place))
            # Each group may be another value's.
            return Predicate(joined("AND", found), exact=len(wanted) == 1)
        case FuzzyName(literal, words):
            whole = _on_values(literal, path, place).sql
            return Predicate(_by_words(words, whole, path, place), exact=False)
        case AnyOf(parts) | MultipleValue(parts) if not _is_one_list(criterion):
            if len(parts) > _MOST_PARTS:
                return PYTHON
            return _of_parts(criterion, [_on_values(part, path, place) for part in parts], place)
        case _ if isinstance(criterion, (*_SINGLE_FORM, AnyOf)):
            found_sql = sql(criterion, "search", dialect)
            if found_sql is not None:
                return Predicate(
                    _lookup(path, (f"part = 0 AND {found_sql[0]}", found_sql[1]), place), exact=True
                )
    return PYTHON


def _by_words(words: tuple[FuzzyWord, ...], literal: Sql | None, path: str, place: Place) -> Sql:
    """A fuzzy name: it fits literally, or has all words, each as a stored word or by its sound."""
    found = []
    for word in words[:_MOST_PARTS]:
        text, parameters = pattern_sql(word.pattern, "search", place.facts.dialect)
        either: list[Sql] = [(f"part = {WORD_PART} AND {text}", parameters)]
        if word.code:
            either.append((f"part = {CODE_PART} AND search = ?", (word.code,)))
        found.append(either)
    if not place.leads:
        each = [
            joined("OR", [_lookup(path, condition, place) for condition in either])
            for either in found
        ]
        return _either(literal, joined("AND", each))
    # As one set of entities: the planner finds no index in an OR of ANDs of ORs.
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


def _either(*found: Sql | None) -> Sql:
    return joined("OR", [each for each in found if each is not None])


# ---- sequences and the JSON column


def _sequence(key: KeyCriterion, criterion: SequenceMatch, place: Place) -> Predicate:
    """The item keys one by one, each of some item: Python then says whether of the same."""
    if key.or_unknown:
        return PYTHON
    return Predicate(_all(_item_predicates(criterion, place)) or _presence(key, place), exact=False)


def _item_predicates(criterion: SequenceMatch, place: Place) -> Iterable[Sql]:
    for key in criterion.keys:
        if key.or_unknown or any(step.creator is not None for step in key.path):
            continue
        if isinstance(key.criterion, SequenceMatch):
            yield from _item_predicates(key.criterion, place)
        elif key.vr == item_key_vr(key.tag) and (
            key.vr != "DT" or place.facts.zone_minutes == place.zone_minutes
        ):
            found = _on_values(key.criterion, value_path(step.tag for step in key.path), place).sql
            if found is not None:
                yield found


def _of_json(key: KeyCriterion, place: Place) -> Predicate:
    """An attribute of the JSON column: the database tells only whether it is there."""
    stored = KEYS_BY_TAG.get(key.tag)
    if stored is not None and stored.storage is Storage.COMPUTED:
        return PYTHON
    if key.path[-1].creator is None and isinstance(key.criterion, EmptyValue):
        return Predicate(
            (f"{element_sql(place.level, key.tag, place.facts.dialect)} IS NULL", ()), exact=True
        )
    return Predicate(_presence(key, place), exact=False)


def _of_promoted(key: KeyCriterion, path: str, place: Place) -> Predicate:
    """An attribute of the JSON column whose values have rows: whether there is any is still the JSON's matter."""
    if isinstance(key.criterion, SequenceMatch):
        return _sequence(key, key.criterion, place)
    found = PYTHON
    if key.vr != "DT" or place.facts.zone_minutes == place.zone_minutes:
        found = _on_values(key.criterion, path, place)
    if found.sql is None:
        return _of_json(key, place)
    if not key.or_unknown:
        return found
    if key.path[-1].creator is not None:
        return PYTHON
    is_empty: Sql = (f"{element_sql(place.level, key.tag, place.facts.dialect)} IS NULL", ())
    return Predicate(joined("OR", [found.sql, is_empty]), found.exact)


def _presence(key: KeyCriterion, place: Place) -> Sql | None:
    """A cheap test for the attribute's tag or its creator, which may also be met in an item or a text."""
    step = key.path[-1]
    if key.or_unknown or isinstance(key.criterion, EmptyValue):
        return None
    contains, column = DIALECTS[place.facts.dialect].contains, f"{place.table}.{ATTRIBUTES}"
    if step.creator is not None:
        return contains.format(column=column, text="?"), (
            json.dumps(step.creator, ensure_ascii=False),
        )
    return contains.format(column=column, text=f"""'"{step.tag:08X}":'"""), ()


def _all(found: Iterable[Sql]) -> Sql | None:
    there = list(found)
    return joined("AND", there) if there else None


# ---- dates with their times


def _pair(key: KeyCriterion, criterion: DateTimePairMatch, place: Place) -> Predicate:
    date, time = (KEYS_BY_TAG.get(tag) for tag in (criterion.date, criterion.time))
    if date is None or time is None or len(key.path) > 1:
        return PYTHON
    if any((f"{each.tag:08X}", 0) in place.facts.occurrences for each in (date, time)):
        return PYTHON
    table, dialect = place.table, place.facts.dialect
    date_column, time_column = f"{table}.{date.column}_sort", f"{table}.{time.column}_sort"
    if criterion.zone_minutes is not None:
        return Predicate(None if key.or_unknown else _days(criterion, date_column), exact=False)
    if not key.or_unknown:
        return Predicate(sql(criterion, (date_column, time_column), dialect), exact=True)
    if criterion.combined is not None:
        found = sql(criterion, (date_column, time_column), dialect)
        return Predicate(
            joined(
                "OR", [each for each in (found, (f"{table}.{date.column} IS NULL", ())) if each]
            ),
            exact=True,
        )
    parts = []
    for each, stored, column in (
        (criterion.date_key, date, date_column),
        (criterion.time_key, time, time_column),
    ):
        found = sql(each, column, dialect) if each is not None else None
        if found is not None:
            parts.append(joined("OR", [found, (f"{table}.{stored.column} IS NULL", ())]))
    return Predicate(_all(parts), exact=True)


def _days(criterion: DateTimePairMatch, column: str) -> Sql | None:
    """The days that a shift by zones (at most 26 hours) may bring into the key's range."""
    wanted = criterion.combined or criterion.date_key
    if not isinstance(wanted, Range | SingleInterval):
        return None
    try:
        lower = wanted.lower and f"{_day(wanted.lower) - timedelta(days=2):%Y%m%d}"
        upper = wanted.upper and f"{_day(wanted.upper) + timedelta(days=2):%Y%m%d}"
    except (OverflowError, ValueError):
        return None
    return sql(Range(lower, upper, wanted.text), column, "sqlite")


def _day(sortable: str) -> datetime:
    return datetime.strptime(sortable[:8], "%Y%m%d")  # noqa: DTZ007  calendar days, of no zone

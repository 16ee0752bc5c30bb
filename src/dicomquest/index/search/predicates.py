"""One key as a predicate on its level's tables, or as much of it as SQL can say (PS3.4 C.2.2.2).

``matching_sql`` has the conditions on one column or value row. Here they meet the places of the
values: typed columns, value rows for several values, the JSON column, trigrams before a pattern.
A key that SQL says in part only (not ``exact``) goes to Python as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import are_taken
from dicomquest.index.search.place import MOST_PARTS, PYTHON, Place, Predicate, of_parts, one_of
from dicomquest.index.search.residuals import element_sql
from dicomquest.index.search.trigrams import with_candidates
from dicomquest.index.search.value_rows import by_words, is_one_list, on_values
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.promoted import searched_path
from dicomquest.index.tables.rows import item_key_vr, value_path
from dicomquest.index.tables.schema import ATTRIBUTES, GROUP_PARTS, SEVERAL_VALUES, search_columns
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
from dicomquest.standard.keys import KEYS_BY_TAG, Key, Storage

# A shift from zone to zone moves a time by at most 26 hours.
_LONGEST_SHIFT = timedelta(days=2)


def predicate(key: KeyCriterion, place: Place) -> Predicate:
    """Return the predicate of one key of the entity itself (its path has one step)."""
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
    value = (
        f"{place.table}.{stored.column}"
        if stored.storage in {Storage.COLUMN, Storage.COMPUTED}
        else element_sql(place.level, stored.tag, place.facts.dialect)
    )
    if isinstance(key.criterion, EmptyValue):
        return Predicate((f"{value} IS NULL", ()), exact=True)
    if isinstance(key.criterion, HasValue):
        return Predicate((f"{value} IS NOT NULL", ()), exact=True)
    if not _is_in_zone(key, place):
        return PYTHON
    if _has_search_column(stored):
        found = _on_column(key.criterion, stored, place)
    else:
        found = on_values(key.criterion, _path(key), place)
    if key.or_unknown and found.sql is not None:
        return Predicate(joined("OR", [found.sql, (f"{value} IS NULL", ())]), found.exact)
    return found


def _path(key: KeyCriterion) -> str:
    return value_path(step.tag for step in key.path)


def _is_in_zone(key: KeyCriterion, place: Place) -> bool:
    """Tell whether stored date-times without an offset were read in the zone of the query."""
    return key.vr != "DT" or place.facts.zone_minutes == place.zone_minutes


def _has_search_column(key: Key) -> bool:
    # The computed texts of several values have value rows; a transfer syntax is always one value.
    return key.storage is Storage.COLUMN or key.keyword == "AvailableTransferSyntaxUID"


def _on_column(criterion: Criterion, key: Key, place: Place) -> Predicate:
    if isinstance(criterion, AnyOf | MultipleValue):
        if is_one_list(criterion):
            column = f"{place.table}.{search_columns(key)[0]}"
            whole = Predicate(criterion_sql(criterion, column, place.facts.dialect), exact=True)
            return _or_on_values(whole, criterion, key, place)
        if len(criterion.parts) > MOST_PARTS:
            return PYTHON
        parts = [_on_column(part, key, place) for part in criterion.parts]
        return of_parts(criterion, parts, place)
    if not are_taken(criterion):
        return PYTHON
    return _or_on_values(_on_one_value(criterion, key, place), criterion, key, place)


def _on_one_value(criterion: Criterion, key: Key, place: Place) -> Predicate:
    """Return the predicate on the columns, which hold the forms of an attribute's single value."""
    columns = tuple(f"{place.table}.{column}" for column in search_columns(key))
    path = f"{key.tag:08X}"
    occurrences = place.facts.occurrences
    dialect = place.facts.dialect
    match criterion:
        case SingleValue() | SingleNumber() | SingleInterval() | Range() | UIDList():
            return Predicate(criterion_sql(criterion, columns, dialect), exact=True)
        case PersonName(groups, any_group=True):
            columns = tuple(
                column
                for part, column in zip(GROUP_PARTS, columns, strict=True)
                if part == GROUP_PARTS[0] or (path, part) in occurrences
            )
            found = criterion_sql(criterion, columns, dialect)
            return Predicate(with_candidates(found, groups[0] or (), columns, place), exact=True)
        case PersonName():
            return Predicate(criterion_sql(criterion, columns, dialect), exact=True)
        case WildCard(pattern) | CaseFree(pattern):
            found = criterion_sql(criterion, columns, dialect)
            if found is not None and (path, SEVERAL_VALUES) in occurrences:
                # The column holds several values as one text, which no pattern may span.
                found = joined("AND", [found, (_has_no_backslash(columns[0], place), ())])
            case_free = isinstance(criterion, CaseFree)
            found = with_candidates(found, (pattern,), columns, place, case_free=case_free)
            return Predicate(found, exact=True)
        case FuzzyName(literal, words):
            whole = _on_one_value(literal, key, place).sql
            return Predicate(by_words(words, whole, path, place), exact=len(words) <= MOST_PARTS)
        case (
            DateTimePairMatch()
            | SequenceMatch()
            | EmptyValue()
            | HasValue()
            | MultipleValue()
            | AnyOf()
            | ByStoredVR()
            | TextByStoredVR()
        ):
            return PYTHON
        case _:
            assert_never(criterion)


def _has_no_backslash(column: str, place: Place) -> str:
    words = DIALECTS[place.facts.dialect]
    return f"NOT {words.contains.format(column=column, text=words.backslash)}"


def _or_on_values(found: Predicate, criterion: Criterion, key: Key, place: Place) -> Predicate:
    """Add the value rows, if any entity of the index has several values of the key."""
    path = f"{key.tag:08X}"
    if found.sql is None or (path, SEVERAL_VALUES) not in place.facts.occurrences:
        return found
    several = Place(place.facts, place.zone_minutes, place.level, leads=True)
    values = on_values(criterion, path, several)
    if values.sql is None:
        return PYTHON
    return Predicate(one_of([found.sql, values.sql], place), found.exact and values.exact)


def _sequence(key: KeyCriterion, criterion: SequenceMatch, place: Place) -> Predicate:
    """Return that some item meets each item key; Python then tells whether one item meets all."""
    if key.or_unknown:
        return PYTHON
    found = list(_item_conditions(criterion, place))
    return Predicate(joined("AND", found) if found else _presence(key, place), exact=False)


def _item_conditions(criterion: SequenceMatch, place: Place) -> Iterator[Sql]:
    for key in criterion.keys:
        if key.or_unknown or any(step.creator is not None for step in key.path):
            continue
        if isinstance(key.criterion, SequenceMatch):
            yield from _item_conditions(key.criterion, place)
        elif key.vr == item_key_vr(key.tag) and _is_in_zone(key, place):
            found = on_values(key.criterion, _path(key), place).sql
            if found is not None:
                yield found


def _of_json(key: KeyCriterion, place: Place) -> Predicate:
    """Return as much as SQL says of an attribute of the JSON column: it is there, or it is not."""
    stored = KEYS_BY_TAG.get(key.tag)
    if stored is not None and stored.storage is Storage.COMPUTED:
        return PYTHON
    if key.path[-1].creator is None and isinstance(key.criterion, EmptyValue):
        return Predicate(_is_absent(key, place), exact=True)
    return Predicate(_presence(key, place), exact=False)


def _of_promoted(key: KeyCriterion, path: str, place: Place) -> Predicate:
    """Return the predicate of a promoted attribute; the JSON column tells whether it is absent."""
    if isinstance(key.criterion, SequenceMatch):
        return _sequence(key, key.criterion, place)
    found = on_values(key.criterion, path, place) if _is_in_zone(key, place) else PYTHON
    if found.sql is None:
        return _of_json(key, place)
    if not key.or_unknown:
        return found
    if key.path[-1].creator is not None:
        return PYTHON
    return Predicate(joined("OR", [found.sql, _is_absent(key, place)]), found.exact)


def _is_absent(key: KeyCriterion, place: Place) -> Sql:
    return f"{element_sql(place.level, key.tag, place.facts.dialect)} IS NULL", ()


def _presence(key: KeyCriterion, place: Place) -> Sql | None:
    """Return a cheap test of the JSON text for a tag or creator, which an item may hold too."""
    step = key.path[-1]
    if key.or_unknown or isinstance(key.criterion, EmptyValue):
        return None
    contains, column = DIALECTS[place.facts.dialect].contains, f"{place.table}.{ATTRIBUTES}"
    if step.creator is not None:
        creator = json.dumps(step.creator, ensure_ascii=False)
        return contains.format(column=column, text="?"), (creator,)
    return contains.format(column=column, text=f"""'"{step.tag:08X}":'"""), ()


def _pair(key: KeyCriterion, criterion: DateTimePairMatch, place: Place) -> Predicate:
    date, time = (KEYS_BY_TAG.get(tag) for tag in (criterion.date, criterion.time))
    if date is None or time is None or len(key.path) > 1:
        return PYTHON
    for each in (date, time):
        if (f"{each.tag:08X}", SEVERAL_VALUES) in place.facts.occurrences:
            return PYTHON
    (date_column,), (time_column,) = (
        [f"{place.table}.{column}" for column in search_columns(each)] for each in (date, time)
    )
    if criterion.zone_minutes is not None:
        days = None if key.or_unknown else _days(criterion, date_column, place)
        return Predicate(days, exact=False)
    if not key.or_unknown or criterion.combined is not None:
        found = criterion_sql(criterion, (date_column, time_column), place.facts.dialect)
        if key.or_unknown and found is not None:
            found = joined("OR", [found, _has_no_text(date, place)])
        return Predicate(found, exact=True)
    parts = []
    for wanted, stored, column in (
        (criterion.date_key, date, date_column),
        (criterion.time_key, time, time_column),
    ):
        found = None if wanted is None else criterion_sql(wanted, column, place.facts.dialect)
        if found is not None:
            parts.append(joined("OR", [found, _has_no_text(stored, place)]))
    return Predicate(joined("AND", parts) if parts else None, exact=True)


def _has_no_text(key: Key, place: Place) -> Sql:
    return f"{place.table}.{key.column} IS NULL", ()


def _days(criterion: DateTimePairMatch, column: str, place: Place) -> Sql | None:
    """Return the days that a shift from zone to zone may bring into the key's range."""
    wanted = criterion.combined or criterion.date_key
    if not isinstance(wanted, Range | SingleInterval):
        return None
    try:
        lower = wanted.lower and f"{_day(wanted.lower) - _LONGEST_SHIFT:%Y%m%d}"
        upper = wanted.upper and f"{_day(wanted.upper) + _LONGEST_SHIFT:%Y%m%d}"
    except (OverflowError, ValueError):
        return None
    return criterion_sql(Range(lower, upper, wanted.text), column, place.facts.dialect)


def _day(sortable: str) -> datetime:
    return datetime.strptime(sortable[:8], "%Y%m%d")  # noqa: DTZ007  calendar days, of no zone

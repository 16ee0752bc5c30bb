"""The SQL of each kind of attribute matching, one row a criterion (PS3.4 C.2.2.2).

The condition stands on the columns (or any expressions) that hold the search form of a value: three
for a name, two for a date-time pair, else one. It means the same as ``matches`` of the criterion's
row in ``query.matching``, and is never true of NULL, but for that of ``EmptyValue``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.pattern_sql import (
    alternatives_sql,
    case_free_sql,
    has_few_spellings,
    pattern_sql,
)
from dicomquest.index.tables.dialects import DIALECTS, Dialect
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
    Criterion,
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
    TextByStoredVR,
    UIDList,
    WildCard,
)
from dicomquest.query.patterns import prefix

Columns: TypeAlias = "tuple[str, ...]"


# A longer range of dates leaves many of an archive's studies, beside a name or a station.
_FEW_MONTHS = 1


class Selectivity(IntEnum):
    """The share of a level's entities that an index finds for a key; SCAN if no index does."""

    SCAN = 0
    MANY = 1
    SOME = 2
    FEW = 3


def _between(lower: str | None, upper: str | None, column: str) -> Sql:
    if lower == upper:
        return f"{column} = ?", (lower,)
    parts = [(f"{column} >= ?", lower), (f"{column} <= ?", upper)]
    there = [(text, bound) for text, bound in parts if bound is not None]
    return " AND ".join(text for text, _ in there), tuple(bound for _, bound in there)


def _interval(criterion: SingleInterval | Range, columns: Columns, _: Dialect) -> Sql:
    return _between(criterion.lower, criterion.upper, columns[0])


def _single_value(criterion: SingleValue, columns: Columns, _: Dialect) -> Sql:
    return f"{columns[0]} = ?", (criterion.value,)


def _single_number(criterion: SingleNumber, columns: Columns, _: Dialect) -> Sql:
    return f"{columns[0]} = ?", (criterion.number,)


def _wild_card(criterion: WildCard, columns: Columns, dialect: Dialect) -> Sql:
    return pattern_sql(criterion.pattern, columns[0], dialect)


def _case_free(criterion: CaseFree, columns: Columns, dialect: Dialect) -> Sql:
    return case_free_sql(criterion.pattern, columns[0], dialect)


def _uid_list(criterion: UIDList, columns: Columns, dialect: Dialect) -> Sql:
    return _one_of(criterion.uids, columns[0], dialect)


def _one_of(values: Sequence[str], column: str, dialect: Dialect) -> Sql:
    # One parameter for any number of values: the statement stays the same, and no limit on the
    # number of parameters is met.
    words = DIALECTS[dialect]
    return f"{column} {words.in_values}", (words.as_list(values),)


def _person_name(criterion: PersonName, columns: Columns, dialect: Dialect) -> Sql:
    if criterion.any_group:
        alternatives = criterion.groups[0] or ()
        return joined("OR", [alternatives_sql(alternatives, each, dialect) for each in columns])
    wanted = zip(criterion.groups, columns, strict=True)
    return joined(
        "AND",
        [alternatives_sql(group, column, dialect) for group, column in wanted if group is not None],
    )


def _pair(criterion: DateTimePairMatch, columns: Columns, dialect: Dialect) -> Sql | None:
    if criterion.zone_minutes is not None:
        return None
    date, time = columns
    if criterion.combined is not None:
        lower, upper = criterion.combined.lower, criterion.combined.upper
        instant = _between(lower, upper, f"({date} || {time})")
        day = _between(lower and lower[:8], upper and upper[:8], date)
        return joined("AND", [day, joined("OR", [(f"{time} IS NULL", ()), instant])])
    keys = ((criterion.date_key, date), (criterion.time_key, time))
    parts = [criterion_sql(key, column, dialect) for key, column in keys if key is not None]
    return joined("AND", [part for part in parts if part is not None])


def _any_of(criterion: AnyOf, columns: Columns, dialect: Dialect) -> Sql | None:
    texts = [part.value for part in criterion.parts if isinstance(part, SingleValue)]
    texts += [part.number for part in criterion.parts if isinstance(part, SingleNumber)]
    if len(texts) == len(criterion.parts):
        return _one_of(texts, columns[0], dialect)
    parts = [criterion_sql(part, columns, dialect) for part in criterion.parts]
    known = [part for part in parts if part is not None]
    return joined("OR", known) if len(known) == len(parts) else None


def _empty(_: EmptyValue, columns: Columns, __: Dialect) -> Sql:
    return joined("AND", [(f"{column} IS NULL", ()) for column in columns])


def _present(_: HasValue, columns: Columns, __: Dialect) -> Sql:
    return joined("OR", [(f"{column} IS NOT NULL", ()) for column in columns])


def _python_only(_: Criterion, __: Columns, ___: Dialect) -> None:
    """Return None: a condition on one value cannot say it."""


def _some(_: Criterion) -> Selectivity:
    return Selectivity.SOME


def _scan(_: Criterion) -> Selectivity:
    return Selectivity.SCAN


def _of_range(criterion: Range) -> Selectivity:
    if criterion.lower is None or criterion.upper is None:
        return Selectivity.MANY
    months = _month(criterion.upper) - _month(criterion.lower)
    return Selectivity.SOME if months <= _FEW_MONTHS else Selectivity.MANY


def _month(sortable: str) -> int:
    """Return the number of a date's month; of a time of the day, some number within a century."""
    return int(sortable[:4]) * 12 + int(sortable[4:6])


def _of_wild_card(criterion: WildCard) -> Selectivity:
    return Selectivity.SOME if prefix(criterion.pattern) else Selectivity.SCAN


def _of_case_free(criterion: CaseFree) -> Selectivity:
    return Selectivity.SOME if has_few_spellings(criterion.pattern) else Selectivity.SCAN


def _of_name(criterion: PersonName) -> Selectivity:
    groups = [all(map(prefix, group)) for group in criterion.groups if group is not None]
    return Selectivity.SOME if any(groups) else Selectivity.SCAN


def _of_words(criterion: FuzzyName) -> Selectivity:
    has_prefixes = all(prefix(word.pattern) for word in criterion.words)
    return Selectivity.SOME if has_prefixes else Selectivity.SCAN


def _of_pair(criterion: DateTimePairMatch) -> Selectivity:
    wanted = criterion.combined or criterion.date_key
    if wanted is None or criterion.zone_minutes is not None:
        return Selectivity.SCAN
    return criterion_selectivity(wanted)


def _of_sequence(criterion: SequenceMatch) -> Selectivity:
    first = criterion.keys[0]
    return max(
        criterion_selectivity(key.criterion)
        for key in criterion.keys
        if not key.or_unknown or key is first
    )


def _of_all(criterion: MultipleValue) -> Selectivity:
    return max(map(criterion_selectivity, criterion.parts))


def _of_any(criterion: AnyOf) -> Selectivity:
    return min(map(criterion_selectivity, criterion.parts))


class MatchingSql(NamedTuple):
    """The SQL of one criterion class, and the guess of how few entities it leaves.

    ``condition`` returns None where only Python can tell, on the decoded values.
    """

    criterion: type
    condition: Callable[[Any, Columns, Dialect], Sql | None]
    selectivity: Callable[[Any], Selectivity]


MATCHING_SQL: tuple[MatchingSql, ...] = (
    MatchingSql(SingleValue, _single_value, _some),
    MatchingSql(SingleNumber, _single_number, _some),
    MatchingSql(PersonName, _person_name, _of_name),
    MatchingSql(FuzzyName, _python_only, _of_words),
    MatchingSql(SingleInterval, _interval, _some),
    MatchingSql(UIDList, _uid_list, _some),
    MatchingSql(WildCard, _wild_card, _of_wild_card),
    MatchingSql(CaseFree, _case_free, _of_case_free),
    MatchingSql(Range, _interval, _of_range),
    MatchingSql(DateTimePairMatch, _pair, _of_pair),
    MatchingSql(SequenceMatch, _python_only, _of_sequence),
    MatchingSql(EmptyValue, _empty, _scan),
    MatchingSql(HasValue, _present, _scan),
    MatchingSql(MultipleValue, _python_only, _of_all),
    MatchingSql(AnyOf, _any_of, _of_any),
    MatchingSql(ByStoredVR, _python_only, _scan),
    MatchingSql(TextByStoredVR, _python_only, _scan),
)
BY_CRITERION: dict[type, MatchingSql] = {row.criterion: row for row in MATCHING_SQL}


def criterion_sql(criterion: Criterion, columns: str | Columns, dialect: Dialect) -> Sql | None:
    """Return the condition on the column of a search form, or on its columns (a name, a pair)."""
    columns = (columns,) if isinstance(columns, str) else columns
    return BY_CRITERION[type(criterion)].condition(criterion, columns, dialect)


def criterion_selectivity(criterion: Criterion) -> Selectivity:
    """Return the guess of how few entities a criterion leaves, by its kind alone."""
    return BY_CRITERION[type(criterion)].selectivity(criterion)

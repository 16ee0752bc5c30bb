"""The kinds of attribute matching, one row a kind: its SQL, its plain meaning and its words (PS3.4 C.2.2.2).

``sql`` and ``matches`` of a row say the same of the same thing: the search form of one stored value. A name's form has
three members (its groups), a date-time pair's two, any other's one. SQL is a predicate that is never true of NULL.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dicomquest.query import patterns
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    FuzzyWord,
    HasValue,
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
    Wild,
    WildCard,
)
from dicomquest.query.name_keys import GROUPS, matches_fuzzily, matches_name
from dicomquest.standard.attributes import attribute_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dicomquest.query.search_forms import SearchForm

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
Sql: TypeAlias = "tuple[str, tuple[Any, ...]]"
Columns: TypeAlias = "tuple[str, ...]"

# Both regard case, and bytes otherwise: PostgreSQL's LIKE in the collation "C" of our columns.
_PATTERNS: dict[Dialect, tuple[str, Callable[[Pattern], str]]] = {
    "sqlite": ("GLOB", patterns.glob),
    "postgresql": ("LIKE", patterns.like),
}


# ---- SQL: a predicate on the columns (or any expressions) that hold the search form, and its parameters in order.


def _equals(value: str, columns: Columns) -> Sql:
    return f"{columns[0]} = ?", (value,)


def _between(lower: str | None, upper: str | None, column: str) -> Sql:
    if lower == upper:
        return f"{column} = ?", (lower,)
    parts = [(f"{column} >= ?", lower), (f"{column} <= ?", upper)]
    there = [(text, bound) for text, bound in parts if bound is not None]
    return " AND ".join(text for text, _ in there), tuple(bound for _, bound in there)


def _interval_sql(criterion: SingleInterval | Range, columns: Columns, _: Dialect) -> Sql:
    return _between(criterion.lower, criterion.upper, columns[0])


def _one_of_sql(values: Sequence[str], column: str, dialect: Dialect) -> Sql:
    if dialect == "sqlite":
        # One parameter, whatever the number of values: the statement stays the same and so do SQLite's limits.
        return f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(values),)
    return f"{column} = ANY(?)", (list(values),)


def _uid_list_sql(criterion: UIDList, columns: Columns, dialect: Dialect) -> Sql:
    return _one_of_sql(criterion.uids, columns[0], dialect)


def pattern_sql(pattern: Pattern, column: str, dialect: Dialect) -> Sql:
    """A pattern on one text column of code point order; its prefix stands as bounds too, which a B-tree serves."""
    if patterns.is_literal(pattern):
        return f"{column} = ?", pattern
    texts, parameters = [], []
    prefix = patterns.prefix(pattern)
    if prefix:
        texts.append(f"{column} >= ?")
        parameters.append(prefix)
        after = patterns.after_prefix(prefix)
        if after is not None:
            texts.append(f"{column} < ?")
            parameters.append(after)
    if not prefix or pattern[1:] != (Wild.ANY,) or after is None:
        operator, written = _PATTERNS[dialect]
        texts.append(f"{column} {operator} ?")
        parameters.append(written(pattern))
    return " AND ".join(texts), tuple(parameters)


def _wild_card_sql(criterion: WildCard, columns: Columns, dialect: Dialect) -> Sql:
    return pattern_sql(criterion.pattern, columns[0], dialect)


def joined(operator: str, predicates: Sequence[Sql]) -> Sql:
    """Predicates joined by AND or OR, as a balanced tree: SQLite's expressions have a limited depth (1,000)."""
    if len(predicates) == 1:
        return predicates[0]
    if len(predicates) > 8:
        half = len(predicates) // 2
        predicates = [joined(operator, predicates[:half]), joined(operator, predicates[half:])]
    text = f" {operator} ".join(f"({text})" for text, _ in predicates)
    return text, tuple(parameter for _, parameters in predicates for parameter in parameters)


def alternatives_sql(alternatives: Iterable[Pattern], column: str, dialect: Dialect) -> Sql:
    """One component group of a name key, on the column or value row of one group."""
    return joined("OR", [pattern_sql(pattern, column, dialect) for pattern in alternatives])


def _name_sql(criterion: PersonName, columns: Columns, dialect: Dialect) -> Sql:
    if criterion.any_group:
        return joined(
            "OR",
            [alternatives_sql(criterion.groups[0] or (), column, dialect) for column in columns],
        )
    wanted = zip(criterion.groups, columns, strict=True)
    return joined(
        "AND",
        [alternatives_sql(group, column, dialect) for group, column in wanted if group is not None],
    )


def word_sql(word: FuzzyWord, part: str, search: str, dialect: Dialect) -> Sql:
    """One word of a fuzzy name, on a row of a value table: part 8 is a stored word, part 9 the code of one."""
    text, parameters = pattern_sql(word.pattern, search, dialect)
    if not word.code:
        return f"{part} = 8 AND {text}", parameters
    return f"({part} = 8 AND {text}) OR ({part} = 9 AND {search} = ?)", (*parameters, word.code)


def _pair_sql(criterion: DateTimePairMatch, columns: Columns, dialect: Dialect) -> Sql | None:
    if criterion.zone_minutes is not None:
        return None
    date, time = columns
    if criterion.combined is not None:
        lower, upper = criterion.combined.lower, criterion.combined.upper
        instant = _between(lower, upper, f"({date} || {time})")
        day = _between(lower and lower[:8], upper and upper[:8], date)
        return joined("AND", [day, joined("OR", [(f"{time} IS NULL", ()), instant])])
    keys = ((criterion.date_key, date), (criterion.time_key, time))
    parts = [sql(key, column, dialect) for key, column in keys if key is not None]
    return joined("AND", [part for part in parts if part is not None])


def _any_of_sql(criterion: AnyOf, columns: Columns, dialect: Dialect) -> Sql | None:
    texts = [part.value for part in criterion.parts if isinstance(part, SingleValue)]
    texts += [part.number for part in criterion.parts if isinstance(part, SingleNumber)]
    if len(texts) == len(criterion.parts):
        return _one_of_sql(texts, columns[0], dialect)
    parts = [sql(part, columns, dialect) for part in criterion.parts]
    known = [part for part in parts if part is not None]
    return joined("OR", known) if len(known) == len(parts) else None


def _no_sql(_: Criterion, __: Columns, ___: Dialect) -> None:
    return None


# ---- Plain meaning: whether the search form of one stored value fits.


def _within(lower: str | None, upper: str | None, value: str | None) -> bool:
    return (
        value is not None
        and (lower is None or lower <= value)
        and (upper is None or value <= upper)
    )


def _interval_matches(criterion: SingleInterval | Range, form: SearchForm) -> bool:
    return _within(criterion.lower, criterion.upper, form[0])


def _pair_matches(criterion: DateTimePairMatch, form: SearchForm) -> bool:
    date, time = form
    if criterion.combined is not None:
        lower, upper = criterion.combined.lower, criterion.combined.upper
        if date is None or time is None:
            # A day without a time of day fits if some time of it would (the time is unknown).
            return _within(lower and lower[:8], upper and upper[:8], date)
        return _within(lower, upper, date + time)
    keys = ((criterion.date_key, date), (criterion.time_key, time))
    return all(key is None or matches(key, (value,)) for key, value in keys)


# ---- Words: the rest of "whose ...".


def _instant_words(text: str, *, last: bool = False) -> str:
    date = f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) in {8, 21} else ""
    clock = text[8:] if len(text) == 21 else text if len(text) == 13 else ""
    if not clock:
        return date
    seconds = (
        "" if clock[4:] in {"00.000000", "60.999999"} else f":{clock[4:]}".rstrip("0").rstrip(".")
    )
    if last:
        seconds = seconds.removesuffix(".999999")
    return " ".join(
        filter(None, (date, f"{clock[:2]}:{clock[2:4]}{seconds}", "UTC" if date else ""))
    )


def _interval_words(criterion: SingleInterval | Range, name: str) -> str:
    lower, upper = criterion.lower, criterion.upper
    if lower is None:
        return f"{name} is on or before {_instant_words(upper or '', last=True)}"
    if upper is None:
        return f"{name} is on or after {_instant_words(lower)}"
    first, last = _instant_words(lower), _instant_words(upper, last=True)
    return f"{name} is {first}" if first == last else f"{name} is from {first} to {last}"


def _uid_list_words(criterion: UIDList, name: str) -> str:
    shown = ", ".join(criterion.uids[:3])
    return f"{name} is one of {len(criterion.uids)} UIDs ({shown}{', ...' if len(criterion.uids) > 3 else ''})"


def _name_words(criterion: PersonName, name: str) -> str:
    if criterion.any_group:
        return f"{name} {patterns.pattern_words(patterns.parse_pattern(criterion.text))}"
    texts = criterion.text.split("=")
    wanted = [
        (GROUPS[at], texts[at]) for at, group in enumerate(criterion.groups) if group is not None
    ]
    parts = [
        f"the {group} group {patterns.pattern_words(patterns.parse_pattern(text))}"
        for group, text in wanted
    ]
    return f"{name} is such that " + " and ".join(parts)


def _fuzzy_words(criterion: FuzzyName, name: str) -> str:
    shown = " and ".join(
        f"'{patterns.pattern_text(word.pattern).rstrip('*')}'" for word in criterion.words
    )
    return f"{name} begins with or sounds like {shown}, in any order"


def _pair_words(criterion: DateTimePairMatch, name: str) -> str:
    time = attribute_name(criterion.time)
    zone = criterion.zone_minutes
    suffix = (
        ""
        if zone is None
        else f" in the zone {'-' if zone < 0 else '+'}{abs(zone) // 60:02d}{abs(zone) % 60:02d}"
    )
    if criterion.combined is not None:
        return (
            _interval_words(criterion.combined, f"{name} with {time}").replace(" UTC", "") + suffix
        )
    keys = ((criterion.date_key, name), (criterion.time_key, time))
    return " and whose ".join(words(key, of) for key, of in keys if key is not None) + suffix


def _sequence_words(criterion: SequenceMatch, name: str) -> str:
    keys = " and ".join(
        f"whose {words(key.criterion, attribute_name(*key.path[-1]))}" for key in criterion.keys
    )
    return f"{name} has an item {keys}"


def _parts_words(operator: str) -> Callable[[AnyOf | MultipleValue, str], str]:
    def parts_words(criterion: AnyOf | MultipleValue, name: str) -> str:
        rest = [words(part, name).removeprefix(f"{name} ") for part in criterion.parts]
        return f"{name} {f' {operator} '.join(rest)}"

    return parts_words


class MatchingType(NamedTuple):
    """One kind of matching; ``option`` is the field of QueryOptions without which there is none of it.

    ``sql`` returns None where only ``matches`` can tell, on the decoded values.
    """

    name: str
    clause: str
    option: str | None
    criterion: type
    sql: Callable[[Any, Columns, Dialect], Sql | None]
    matches: Callable[[Any, SearchForm], bool]
    words: Callable[[Any, str], str]


MATCHING_TYPES: tuple[MatchingType, ...] = (
    MatchingType(
        "Single Value", "C.2.2.2.1", None, SingleValue,
        lambda criterion, columns, _: _equals(criterion.value, columns),
        lambda criterion, form: form[0] == criterion.value,
        lambda criterion, name: f"{name} is '{criterion.value}'",
    ),
    MatchingType(
        "Single Value, numeric", "C.2.2.2.1", None, SingleNumber,
        lambda criterion, columns, _: _equals(criterion.number, columns),
        lambda criterion, form: form[0] == criterion.number,
        lambda criterion, name: f"{name} is {criterion.number}",
    ),
    MatchingType(
        "Single Value, Person Name", "C.2.2.2.1.1", None, PersonName,
        _name_sql, matches_name, _name_words,
    ),
    MatchingType(
        "Fuzzy semantic matching", "C.2.2.2.1.1", "fuzzy", FuzzyName,
        _no_sql, matches_fuzzily, _fuzzy_words,
    ),
    MatchingType(
        "Single Value, date and time", "C.2.2.2.1.3", None, SingleInterval,
        _interval_sql, _interval_matches, _interval_words,
    ),
    MatchingType(
        "List of UID", "C.2.2.2.2", None, UIDList,
        _uid_list_sql, lambda criterion, form: form[0] in criterion.uids, _uid_list_words,
    ),
    MatchingType(
        "Wild Card", "C.2.2.2.4", None, WildCard,
        _wild_card_sql,
        lambda criterion, form: form[0] is not None and patterns.matches(criterion.pattern, form[0]),
        lambda criterion, name: f"{name} {patterns.pattern_words(criterion.pattern)}",
    ),
    MatchingType(
        "Range", "C.2.2.2.5", None, Range,
        _interval_sql, _interval_matches, _interval_words,
    ),
    MatchingType(
        "Combined date-time and time zone adjustment", "C.2.2.2.5.4", None, DateTimePairMatch,
        _pair_sql, _pair_matches, _pair_words,
    ),
    MatchingType(
        "Sequence", "C.2.2.2.6", None, SequenceMatch,
        _no_sql, lambda _, __: False, _sequence_words,
    ),
    MatchingType(
        "Empty Value", "C.2.2.2.7", "empty_value", EmptyValue,
        lambda _, columns, __: joined("AND", [(f"{column} IS NULL", ()) for column in columns]),
        lambda _, form: not any(form),
        lambda _, name: f"{name} has no value",
    ),
    MatchingType(
        "Existence", "C.2.2.1.1", None, HasValue,
        lambda _, columns, __: joined("OR", [(f"{column} IS NOT NULL", ()) for column in columns]),
        lambda _, form: any(form),
        lambda _, name: f"{name} has a value",
    ),
    MatchingType(
        "Multiple Value", "C.2.2.2.8", "multiple_value", MultipleValue,
        # Each part is met by some value: no predicate on one value says that.
        _no_sql, lambda criterion, form: all(matches(part, form) for part in criterion.parts), _parts_words("and"),
    ),
    MatchingType(
        "Any of several values", "C.2.2.2", None, AnyOf,
        _any_of_sql, lambda criterion, form: any(matches(part, form) for part in criterion.parts), _parts_words("or"),
    ),
    MatchingType(
        "Single Value, VR unknown", "C.2.2.2.1", None, ByStoredVR,
        _no_sql, lambda _, __: False, lambda criterion, name: f"{name} is '{criterion.text}'",
    ),
    MatchingType(
        "Text, VR unknown", "C.2.2.2.1", None, TextByStoredVR,
        _no_sql, lambda _, __: False, lambda criterion, name: words(criterion.as_text, name),
    ),
)  # fmt: skip
BY_CRITERION: dict[type, MatchingType] = {row.criterion: row for row in MATCHING_TYPES}


def sql(criterion: Criterion, columns: str | Columns, dialect: Dialect) -> Sql | None:
    """The predicate on the column (a name: columns by group; a pair: date and time) of a search form."""
    columns = (columns,) if isinstance(columns, str) else columns
    return BY_CRITERION[type(criterion)].sql(criterion, columns, dialect)


def matches(criterion: Criterion, form: SearchForm) -> bool:
    """Whether the search form of one stored value fits."""
    return BY_CRITERION[type(criterion)].matches(criterion, form)


def words(criterion: Criterion, name: str) -> str:
    """What a criterion asks of the attribute called ``name``, as a clause."""
    return BY_CRITERION[type(criterion)].words(criterion, name)

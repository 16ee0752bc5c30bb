"""Wild card patterns as conditions on a text column (PS3.4 C.2.2.2.4).

Columns compare in code point order: SQLite does so by itself, PostgreSQL by the collation "C".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.tables.dialects import Dialect
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
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
from dicomquest.query.patterns import is_literal, prefix

# SQLITE_LIMIT_LIKE_PATTERN_LENGTH, in bytes.
_LONGEST_GLOB = 50_000
_LAST_CODE_POINT = 0x10FFFF
_FIRST_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xE000

# GLOB has brackets besides the wild cards, and no other escape than these.
_GLOB_WILDS = {Wild.ANY: "*", Wild.ONE: "?"}
_GLOB_LITERALS = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
# PostgreSQL's LIKE escapes by a backslash unless told otherwise.
_LIKE_WILDS = {Wild.ANY: "%", Wild.ONE: "_"}
_LIKE_LITERALS = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


def glob(pattern: Pattern) -> str:
    """Return the pattern for SQLite's GLOB."""
    return "".join(
        _GLOB_WILDS[t] if isinstance(t, Wild) else t.translate(_GLOB_LITERALS) for t in pattern
    )


def like(pattern: Pattern) -> str:
    """Return the pattern for PostgreSQL's LIKE."""
    return "".join(
        _LIKE_WILDS[t] if isinstance(t, Wild) else t.translate(_LIKE_LITERALS) for t in pattern
    )


# GLOB and not SQLite's LIKE, which ignores the case of ASCII letters.
_OPERATORS: dict[Dialect, tuple[str, Callable[[Pattern], str]]] = {
    "sqlite": ("GLOB", glob),
    "postgresql": ("LIKE", like),
}


def after_prefix(text: str) -> str | None:
    """Return the least text above all that begin with ``text``, by code points; None if none is."""
    for index in range(len(text) - 1, -1, -1):
        code = ord(text[index])
        if code < _LAST_CODE_POINT:
            # A database holds no surrogates, so the code point after them bounds as well.
            following = _AFTER_SURROGATES if code + 1 == _FIRST_SURROGATE else code + 1
            return text[:index] + chr(following)
    return None


def pattern_sql(pattern: Pattern, column: str, dialect: Dialect) -> Sql:
    """Return the condition of a pattern; bounds for its prefix let a B-tree serve it."""
    if is_literal(pattern):
        return f"{column} = ?", pattern
    texts, parameters = [], []
    start = prefix(pattern)
    after = None
    if start:
        texts.append(f"{column} >= ?")
        parameters.append(start)
        after = after_prefix(start)
        if after is not None:
            texts.append(f"{column} < ?")
            parameters.append(after)
    if after is None or pattern[1:] != (Wild.ANY,):
        operator, written = _OPERATORS[dialect]
        texts.append(f"{column} {operator} ?")
        parameters.append(written(pattern))
    return " AND ".join(texts), tuple(parameters)


def alternatives_sql(alternatives: Iterable[Pattern], column: str, dialect: Dialect) -> Sql:
    """Return the condition of one component group of a name key, on the column of one group."""
    return joined("OR", [pattern_sql(pattern, column, dialect) for pattern in alternatives])


def are_taken(criterion: Criterion) -> bool:
    """Tell whether the database takes the patterns of a criterion: SQLite bounds their length."""
    return all(
        len(glob(each).encode("utf-8", "replace")) <= _LONGEST_GLOB for each in _patterns(criterion)
    )


def _patterns(criterion: Criterion) -> Iterator[Pattern]:
    match criterion:
        case WildCard(pattern):
            yield pattern
        case PersonName(groups):
            for group in groups:
                yield from group or ()
        case FuzzyName(literal, words):
            yield from _patterns(literal)
            yield from (word.pattern for word in words)
        case (
            SingleValue()
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
            return
        case _:
            assert_never(criterion)

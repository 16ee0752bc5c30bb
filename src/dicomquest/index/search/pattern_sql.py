"""Wild card patterns as conditions on a text column (PS3.4 C.2.2.2.4).

Columns compare in code point order: SQLite does so by itself, PostgreSQL by the collation "C".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from dicomquest.index.search.condition import Sql, joined
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
from dicomquest.query.patterns import cases, is_literal, prefix, spellings

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


_REGEX_WILDS = {Wild.ANY: ".*", Wild.ONE: "."}

MOST_SPELLINGS = 64
"""The spellings of a text without case that are looked up one by one: those of six letters."""

# GLOB and not SQLite's LIKE, which ignores the case of ASCII letters.
_OPERATORS: dict[Dialect, tuple[str, Callable[[Pattern], str]]] = {
    "sqlite": ("GLOB", glob),
    "postgresql": ("LIKE", like),
}


def case_free_glob(pattern: Pattern) -> str:
    """Return the pattern for GLOB, with a class of the cases of each letter."""
    return "".join(
        _GLOB_WILDS[token] if isinstance(token, Wild) else "".join(map(_glob_class, token))
        for token in pattern
    )


def _glob_class(letter: str) -> str:
    found = cases(letter)
    return f"[{found}]" if len(found) > 1 else letter.translate(_GLOB_LITERALS)


def case_free_regex(pattern: Pattern) -> str:
    """Return the pattern as a regular expression of PostgreSQL, which its trigram indexes serve."""
    inner = "".join(
        _REGEX_WILDS[token] if isinstance(token, Wild) else "".join(map(_regex_class, token))
        for token in pattern
    )
    return f"^{inner}$"


def _regex_class(letter: str) -> str:
    found = cases(letter)
    if len(found) > 1:
        return f"[{found}]"
    return f"\\{letter}" if letter.isascii() and not letter.isalnum() else letter


def has_few_spellings(pattern: Pattern) -> bool:
    """Tell whether a pattern without case is a text of a few letters, for a B-tree."""
    return is_literal(pattern) and spellings(pattern[0], MOST_SPELLINGS) is not None


def case_free_sql(pattern: Pattern, column: str, dialect: Dialect) -> Sql:
    """Return the condition of a pattern without case; a B-tree serves a text of a few letters."""
    words = DIALECTS[dialect]
    texts = spellings(pattern[0], MOST_SPELLINGS) if is_literal(pattern) else None
    if texts is not None:
        return f"{column} {words.in_values}", (words.as_list(texts),)
    if dialect == "sqlite":
        return f"{column} GLOB ?", (case_free_glob(pattern),)
    return f"{column} ~ ?", (case_free_regex(pattern),)


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
        case CaseFree(pattern):
            # Each letter is a class of its cases.
            yield (*pattern, *pattern, *pattern, *pattern)
        case FuzzyName(literal, words):
            yield from _patterns(literal)
            for word in words:
                yield from word.spellings
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

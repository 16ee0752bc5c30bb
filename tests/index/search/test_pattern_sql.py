"""Patterns in the words of each database match what they mean."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.index.search.pattern_sql import (
    after_prefix,
    case_free_glob,
    case_free_regex,
    glob,
    like,
)
from dicomquest.query.patterns import fold_case, fold_pattern_case, matches, parse_pattern
from strategies.query import CHARACTERS, NAMES, WORDS

TEXTS = st.one_of(st.sampled_from(WORDS + NAMES), st.text(CHARACTERS + "\\", max_size=10))
PATTERNS = st.one_of(TEXTS, st.text("*?ab%_[]", max_size=8))


@given(PATTERNS, TEXTS)
def test_glob_says_the_same(pattern: str, text: str) -> None:
    parsed = parse_pattern(pattern)
    with sqlite3.connect(":memory:") as connection:
        (found,) = connection.execute("SELECT ? GLOB ?", (text, glob(parsed))).fetchone()
    connection.close()
    assert bool(found) is matches(parsed, text)


@given(PATTERNS, TEXTS)
def test_patterns_without_case_say_the_same(pattern: str, text: str) -> None:
    parsed = fold_pattern_case(parse_pattern(pattern))
    expected = matches(parsed, fold_case(text))
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute("SELECT ? GLOB ?", (text, case_free_glob(parsed))).fetchone()
    connection.close()
    assert bool(found) is expected
    assert (re.search(case_free_regex(parsed), text, re.DOTALL) is not None) is expected


@given(PATTERNS, TEXTS)
def test_like_says_the_same(pattern: str, text: str) -> None:
    parsed = parse_pattern(pattern)
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = ON")
    (found,) = connection.execute(r"SELECT ? LIKE ? ESCAPE '\'", (text, like(parsed))).fetchone()
    connection.close()
    assert bool(found) is matches(parsed, text)


@given(TEXTS.filter(bool), TEXTS)
def test_text_with_prefix_sorts_below_next_prefix(prefix: str, text: str) -> None:
    after = after_prefix(prefix)
    assert after is not None
    assert text.startswith(prefix) is (prefix <= text < after)


@pytest.mark.parametrize(
    ("prefix", "after"),
    [
        ("a", "b"),
        ("az", "a{"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("", None),
    ],
)
def test_text_after_prefix_skips_surrogates(prefix: str, after: str | None) -> None:
    """The text after a prefix skips surrogates and the last code point."""
    assert after_prefix(prefix) == after

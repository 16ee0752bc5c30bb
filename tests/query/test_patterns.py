from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.query.criteria import Wild
from dicomquest.query.patterns import (
    cases,
    fold_case,
    matches,
    parse_pattern,
    pattern_text,
    pattern_words,
    spellings,
)
from strategies.query import CHARACTERS, NAMES, WORDS

TEXTS = st.one_of(st.sampled_from(WORDS + NAMES), st.text(CHARACTERS + "\\", max_size=10))
PATTERNS = st.one_of(TEXTS, st.text("*?ab%_[]", max_size=8))


@pytest.mark.requirement("QR-094", "QR-095")
@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("SMI*", "SMITH", True),
        ("smi*", "SMITH", False),
        ("SM?TH", "SMTH", False),
        ("SM?TH", "SMITH", True),
        ("*A*B*", "xAyyB", True),
        ("*A*B*", "xByyA", False),
        ("CT_?", "CTX1", False),
        ("CT_?", "CT_1", True),
        ("100%", "100%", True),
        ("100%*", "1000 %", False),
        ("a[bc]*", "ab", False),
        ("a[bc]*", "a[bc]d", True),
        ("a.c*", "abc", False),
        ("^a$*", "a", False),
        ("(a|b)*", "(a|b)x", True),
        ("a\\*", "a\\b", True),
        ("?", "王", True),
        ("??", "王", False),
        ("?", "𠮷", True),
        ("王*", "王小東", True),
        ("*東", "王小東", True),
        ("*", "", True),
        ("?*", "", False),
        ("*a", "ba\n", False),
        ("a*b", "a\nb", True),
        ("*ab", "aab", True),
        ("*aab*", "aaab", True),
        ("＊", "x", False),  # noqa: RUF001  a full-width asterisk is a letter
    ],
)
def test_patterns_are_anchored_and_have_two_wild_cards(
    pattern: str, text: str, expected: bool
) -> None:
    assert matches(parse_pattern(pattern), text) is expected


@pytest.mark.requirement("QR-094", "QR-095")
@given(PATTERNS, TEXTS)
def test_pattern_equals_its_regular_expression(pattern: str, text: str) -> None:
    """A pattern means the same as its regular expression."""
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    expected = re.fullmatch(expression, text, re.DOTALL) is not None
    assert matches(parse_pattern(pattern), text) is expected


def test_stars_in_a_row_are_one() -> None:
    assert parse_pattern("a**?*") == ("a", Wild.ANY, Wild.ONE, Wild.ANY)
    assert pattern_text(parse_pattern("a**?*")) == "a*?*"


def test_pattern_of_many_stars_takes_no_time() -> None:
    assert not matches(parse_pattern("*a" * 60 + "*b"), "a" * 2000)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("DOE", "is 'DOE'"),
        ("DOE*", "starts with 'DOE'"),
        ("*DOE", "ends with 'DOE'"),
        ("*DOE*", "contains 'DOE'"),
        ("D?E*", "is like 'D?E*'"),
    ],
)
def test_words(pattern: str, words: str) -> None:
    assert pattern_words(parse_pattern(pattern)) == words


@given(st.text(max_size=6))
def test_text_without_case_has_as_many_letters(text: str) -> None:
    """Each letter stays one, ASCII or not, whatever its case."""
    folded = fold_case(text)
    assert len(folded) == len(text)
    assert fold_case(folded) == folded
    assert [each.isascii() for each in folded] == [each.isascii() for each in text]
    for letter, small in zip(text, folded, strict=True):
        assert letter in cases(small)
        assert all(fold_case(each) == small for each in cases(small))


def test_spellings_are_counted_before_they_are_made() -> None:
    assert spellings("a7", 2) == ["a7", "A7"]
    assert spellings("abc", 7) is None
    assert spellings("å" * 1_000, 64) is None
    assert spellings("å", 3) == ["å", "Å", "\u212b"]

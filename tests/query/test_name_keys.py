# ruff: noqa: RUF001  full-width letters and asterisks are part of what is tested
from __future__ import annotations

import pytest
from hypothesis import given

from dicomquest.dataset.values import name_groups
from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import FuzzyName, PersonName, Wild
from dicomquest.query.name_keys import (
    fold_pattern,
    matches_fuzzily,
    matches_name,
    name_words,
    parse_name,
    phonetic_code,
)
from dicomquest.query.options import QueryOptions
from fixtures.building import instance, matched
from strategies.query import key_texts, values

FUZZY = QueryOptions(fuzzy=True)


def finds(key: str, stored: str, options: QueryOptions | None = None) -> bool:
    return bool(
        matched([instance(PatientName=(stored,) if stored else "")], options, PatientName=(key,))
    )


LITERAL = [
    ("doe^john", "Doe^John", True),
    ("Citizen^Snip", "Citizen^Snip^^^", True),
    ("Citizen^Snip^^^", "Citizen^Snip", True),
    ("DOE ^ JOHN", "Doe^John", True),
    ("DOE", "DOE^JOHN", False),
    ("DOE*", "DOE^JOHN", True),
    ("*^JOHN", "DOE^JOHN", True),
    ("DOE^J*", "DOE^JOHN", True),
    ("DOE^*", "DOE", True),
    ("DOE^*^*", "DOE^JOHN", True),
    ("DOE^*", "DOER", False),
    ("D?E^JOHN", "DOE^JOHN", True),
    ("D?E^JOHN", "DE^JOHN", False),
    ("smi*", "Smith^John", True),
    ("Müller*", "MULLER^ANNA", True),
    ("MULLER^ANNA", "Müller^Änna", True),
    ("doe^john", "Ｄｏｅ^Ｊｏｈｎ", True),
    ("ヤマダ^タロウ", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", True),
    ("か^*", "が^ん", False),
    ("Wang^XiaoDong=王^小東", "Wang^XiaoDong=王^小東=", True),
    ("王^小東", "Wang^XiaoDong=王^小東", True),
    ("王*", "Wang^XiaoDong=王^小東", True),
    ("=王^小東", "Wang^XiaoDong=王^小東", True),
    ("*=王*", "Wang^XiaoDong=王^小東", True),
    ("Wong*=王*", "Wang^XiaoDong=王^小東", False),
    ("Wang^XiaoDong=王^小東", "Wang^XiaoDong", False),
    ("=Wang^XiaoDong", "Wang^XiaoDong=王^小東", False),
    ("やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("홍^길동", "Hong^Gildong=洪^吉洞=홍^길동", True),
    ("Διονυσιος", "ΔΙΟΝΥΣΙΟΣ", True),
    ("Straße^*", "STRASSE^HANS", True),
    ("a_b%c", "axb c", False),
    ("a_*", "axb", False),
    ("a＊b", "axb", False),
    ("a＊b", "a*b", True),
    ("Mary^Smith", "Smith^Mary", False),
    ("Swain", "Swayne", False),
    ("*^*", "", True),
    ("?*", "", False),
]


@pytest.mark.requirement("QR-078", "QR-097", "QR-114", "QR-115", "QR-116")
@pytest.mark.parametrize(("key", "stored", "expected"), LITERAL)
def test_literal_matching(key: str, stored: str, expected: bool) -> None:
    assert finds(key, stored) is expected


@pytest.mark.requirement("QR-078")
@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("Smith", "Smith^Mary", True),
        ("Mary^Smith", "Smith^Mary", True),
        ("Smi", "Smith^Mary", True),
        ("Swain", "Swayne^Jo", True),
        ("Smyth^Mary", "Smith^Mary", True),
        ("Mary^Jones", "Smith^Mary", False),
        ("OBrien", "O'Brien^Éamon", True),
        ("Heide", "von der Heide^Jan-Ove", True),
        ("Ove^Heide", "von der Heide^Jan-Ove", True),
        ("小東^王", "Wang^XiaoDong=王^小東", True),
        ("王^Wang", "Wang^XiaoDong=王^小東", True),
        ("Sm?th^M*", "Mary^Smith", True),
        ("山", "川^太郎", False),
    ],
)
def test_fuzzy_finds_words_by_beginning_or_sound(key: str, stored: str, expected: bool) -> None:
    """Fuzzy matching finds words in any order by their beginning or sound."""
    assert finds(key, stored, FUZZY) is expected


@given(key_texts("PN"), values("PN"))
def test_fuzzy_finds_all_that_literal_finds(key: str, stored: str) -> None:
    """Fuzzy matching finds all that literal matching finds."""
    groups = name_groups(stored)
    try:
        literal, fuzzy = parse_name(key, fuzzy=False), parse_name(key, fuzzy=True)
    except ValueFormatError:
        return
    assert (literal is None) is (fuzzy is None)
    if (
        isinstance(literal, PersonName)
        and isinstance(fuzzy, FuzzyName)
        and matches_name(literal, groups)
    ):
        assert matches_fuzzily(fuzzy, groups)


@pytest.mark.parametrize(
    "key", ["*", "**", "*=*", "*=*=*", "*^*", "=*", "^", "^^^^", "=", "==", "^=^"]
)
def test_names_that_ask_nothing(key: str) -> None:
    assert parse_name(key, fuzzy=False) is None
    assert parse_name(key, fuzzy=True) is None


def test_a_name_has_three_groups() -> None:
    with pytest.raises(ValueFormatError, match="at most three component groups"):
        parse_name("A=B=C=D", fuzzy=False)


def test_folding_keeps_wild_cards_and_letters_apart() -> None:
    """Folding keeps wild cards and letters apart."""
    assert fold_pattern(" Müller*^＊? ") == ("muller", Wild.ANY, "^*", Wild.ONE)
    assert fold_pattern("a\ufdd0b") == ("a\ufffdb",)


def test_words_and_their_sounds() -> None:
    assert name_words(name_groups("von der Heide^Jan-Ove=王^小東")) == (
        "von",
        "der",
        "heide",
        "jan",
        "ove",
        "王",
        "小東",
    )
    assert phonetic_code("smith") == phonetic_code("smyth") != ""
    assert phonetic_code("王") == phonetic_code("r2d2") == ""


JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("山田太郎", JAPANESE, True),
        ("山田太", JAPANESE, True),
        ("山田太郎", "=山田 太郎", True),
        ("やまだたろう", JAPANESE, True),
        ("ヤマダタロウ", JAPANESE, True),
        ("ヤマダ", JAPANESE, True),
        ("ﾔﾏﾀﾞ", JAPANESE, True),
        ("やまだ", "ﾔﾏﾀﾞ^ﾀﾛｳ", True),
        ("홍길동", "Hong^Gildong=洪^吉洞=홍^길동", True),
        ("田太郎", JAPANESE, False),
        ("山田次郎", JAPANESE, False),
        ("はまだ", JAPANESE, False),
        ("janciti", "Citizen^Jan", False),
    ],
)
def test_scripts_without_spaces_and_kana_of_both_kinds(
    key: str, stored: str, expected: bool
) -> None:
    assert finds(key, stored, FUZZY) is expected


def test_words_alone_do_not_sound() -> None:
    """Words find beginnings in any order, and no names that only sound alike."""
    found = parse_name("jan citi", fuzzy=True, by_sound=False)
    alike = parse_name("Sitizen", fuzzy=True, by_sound=False)
    assert isinstance(found, FuzzyName)
    assert isinstance(alike, FuzzyName)
    assert matches_fuzzily(found, name_groups("Citizen^Jan"))
    assert not matches_fuzzily(alike, name_groups("Citizen^Jan"))
    sounds = parse_name("Sitizen", fuzzy=True)
    assert isinstance(sounds, FuzzyName)
    assert matches_fuzzily(sounds, name_groups("Citizen^Jan"))

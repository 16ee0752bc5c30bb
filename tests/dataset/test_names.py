"""Person names, taken apart and folded (PS3.5 6.2.1)."""

# ruff: noqa: RUF001  letters of several scripts that look alike are what these tests are about
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.names import PersonName, fold_name, name_groups

NAME_TEXT = st.text(st.sampled_from("Ab^=. äÄ山やｱ홍\u0301'"), max_size=30)


@pytest.mark.requirement("EN-040")
def test_name_has_groups_and_components() -> None:
    name = PersonName.parse("Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert name.groups == (("Yamada", "Tarou"), ("山田", "太郎"), ("やまだ", "たろう"))
    assert name.is_regular
    assert PersonName.parse("Adams^John Robert Quincy^^Rev.^B.A. M.Div.").groups == (
        ("Adams", "John Robert Quincy", "", "Rev.", "B.A. M.Div."),
    )


@pytest.mark.requirement("EN-040", "EN-041", "EN-042")
@given(text=NAME_TEXT)
def test_name_gives_its_text_again(text: str) -> None:
    assert str(PersonName.parse(text)) == text


@pytest.mark.requirement("EN-041")
def test_leading_equals_is_empty_first_group() -> None:
    """A leading equals sign is an empty alphabetic group."""
    name = PersonName.parse("=山田^太郎")
    assert name.groups == (("",), ("山田", "太郎"))
    assert str(name) == "=山田^太郎"
    assert name_groups("=山田^太郎") == ("", "山田^太郎", "")


@pytest.mark.requirement("EN-042")
@pytest.mark.parametrize(
    ("text", "is_regular"),
    [
        ("A^B^C^D^E", True),
        ("A^B^C^D^E^F", False),
        ("A=B=C", True),
        ("A=B=C=D", False),
        ("=^^^^^", False),
        ("", True),
    ],
)
def test_surplus_groups_and_components_are_flagged(text: str, is_regular: bool) -> None:
    """Too many groups or components are flagged and kept."""
    name = PersonName.parse(text)
    assert name.is_regular == is_regular
    assert str(name) == text


@pytest.mark.parametrize(
    ("group", "folded"),
    [
        ("Citizen^Snip^^^", "citizen^snip"),
        (" Doe ^ John ", "doe^john"),
        ("Doe^^Q", "doe^^q"),
        ("^^", ""),
        ("Müller^Änne", "muller^anne"),
        ("MU\u0308LLER", "muller"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Ångström^Øre", "angstrom^ore"),
        ("Iğdır^İnci", "igdir^inci"),
        ("Ægir", "aegir"),
        ("Διονύσιος", "διονυσιοσ"),
        ("Ёлкин", "елкин"),
        ("Ｄｏｅ", "doe"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("ガギ^ばぱ", "ガギ^ばぱ"),
        ("홍^길동", "홍^길동"),
        ("\u1112\u1169\u11bc", "홍"),
        ("שָׁרוֹן", "שָׁרוֹן"),
        ("नामे", "नामे"),
    ],
)
def test_folding_drops_case_accents_width_padding(group: str, folded: str) -> None:
    """Folding drops case, accents, width and padding only."""
    assert fold_name(group) == folded


@given(text=st.text(max_size=20))
def test_folding_ignores_trailing_empty_components(text: str) -> None:
    """Folding ignores case and trailing empty components."""
    group = text.replace("=", "")
    assert fold_name(group + "^^") == fold_name(group)
    assert fold_name(fold_name(group)) == fold_name(group)


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("", ("", "", "")),
        ("Doe", ("doe", "", "")),
        ("Wang^XiaoDong=王^小東=", ("wang^xiaodong", "王^小東", "")),
        ("==ほん", ("", "", "ほん")),
        ("A=B=C=D", ("a", "b", "c")),
    ],
)
def test_groups_of_a_value_are_three(value: str, groups: tuple[str, str, str]) -> None:
    assert name_groups(value) == groups

"""Stored values as the page shows them (PS3.5 6.2)."""

from __future__ import annotations

import pytest

from dicomquest.web.page.shown_values import (
    ShownName,
    age,
    inert,
    shown_date,
    shown_name,
    shown_size,
    shown_time,
)


@pytest.mark.parametrize(
    ("raw", "main", "below", "language"),
    [
        ("Citizen^Jan", "Citizen, Jan", "", ""),
        ("Yamada^Taro=山田^太郎=やまだ^たろう", "山田 太郎", "Yamada, Taro", "ja"),
        ("=山田^太郎=やまだ^たろう", "山田 太郎", "やまだ たろう", "ja"),
        ("Kim^Minsu=김^민수", "김 민수", "Kim, Minsu", "ko"),
        ("Adams^John^Quincy^Dr.^PhD", "Dr. Adams, John Quincy PhD", "", ""),
        ("محمد^علي", "محمد, علي", "", ""),
        ("^^", "", "", ""),
    ],
)
def test_a_name_has_its_main_group_first(raw: str, main: str, below: str, language: str) -> None:
    shown = shown_name(raw)
    assert (shown.main, shown.below, shown.language) == (main, below, language)
    assert shown_name("") == ShownName()


def test_the_alphabetic_group_may_come_first() -> None:
    shown = shown_name("Li^Wei=李^伟", han="zh-Hans", alphabetic_first=True)
    assert (shown.main, shown.below, shown.below_language) == ("Li, Wei", "李 伟", "zh-Hans")


def test_characters_that_act_become_marks() -> None:
    assert inert("a\x1b[31mb\u202ec\nd\x00") == "a\ufffd[31mb\ufffdc d\ufffd"
    assert len(inert("x" * 65_536)) == 401


def test_dates_and_times_are_one_form() -> None:
    assert shown_date("20240305") == "2024-03-05"
    assert shown_date("2024.03.05") == "2024-03-05"
    assert shown_date("soon") == "soon"
    assert shown_time("101112.5") == "10:11"
    assert age("19700305", "20240304") == "53 years"
    assert age("", "20240304") == ""


def test_sizes_have_their_unit() -> None:
    assert [shown_size(each) for each in (12, 1500, 218_000_000)] == ["12 B", "1.5 kB", "218 MB"]

"""The parts of shown values that a question asked for (PS3.4 C.2.2.2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dicomquest.web.box import read_box
from dicomquest.web.page.hits import Hits

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def hits(text: str) -> Hits:
    return Hits(read_box(text, NOW))


@pytest.mark.parametrize(
    ("asked", "name", "marked"),
    [
        ("citi", "Citizen, Jan", '<mark class="hit">Citi</mark>zen, Jan'),
        ("muller", "Müller, Jörg", '<mark class="hit">Müller</mark>, Jörg'),
        ("山田", "山田 太郎", '<mark class="hit">山田</mark> 太郎'),
        ("jan citi", "Ann Jan", 'Ann <mark class="hit">Jan</mark>'),
        ("tizen", "Citizen, Jan", "Citizen, Jan"),
        ("2024", "<b>Citizen", "&lt;b&gt;Citizen"),
        ("b", "<b>", '&lt;<mark class="hit">b</mark>&gt;'),
    ],
)
def test_words_are_marked_in_a_name(asked: str, name: str, marked: str) -> None:
    assert hits(asked).in_name(name) == marked


def test_a_part_is_marked_in_a_description() -> None:
    assert hits("knee").in_text("MR KNEE<br>") == 'MR <mark class="hit">KNEE</mark>&lt;br&gt;'
    assert hits("citizen").in_text("knee") == "knee"

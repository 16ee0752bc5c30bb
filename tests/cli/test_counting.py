"""Numbers of entities and files in words."""

from __future__ import annotations

import pytest

from dicomquest.cli.counting import counted, counted_each, counted_files, number_of
from dicomquest.standard.levels import Level


@pytest.mark.parametrize(
    ("count", "level", "words"),
    [
        (0, Level.STUDY, "0 studies"),
        (1, Level.STUDY, "1 study"),
        (2, Level.SERIES, "2 series"),
        (1, Level.IMAGE, "1 instance"),
        (1000, Level.PATIENT, "1,000 patients"),
    ],
)
def test_entities_are_counted(count: int, level: Level, words: str) -> None:
    assert counted(count, level) == words


def test_levels_are_counted_in_their_order() -> None:
    counts = {Level.PATIENT: 1, Level.STUDY: 2, Level.SERIES: 1, Level.IMAGE: 0}
    assert counted_each(counts) == "1 patient, 2 studies, 1 series, 0 instances"


def test_only_one_thing_is_singular() -> None:
    assert [counted_files(count) for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert number_of(1, "match") == "1 match"

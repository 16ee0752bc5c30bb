"""The query of `dicomquest remove`, from its command line."""

from __future__ import annotations

import click
import pytest

from dicomquest.cli.removal_query import build_query
from dicomquest.query.criteria import AnyOf, Range, SingleValue, UIDList
from dicomquest.standard.levels import Level


def test_unique_keys_name_entities_of_their_level() -> None:
    query = build_query([(Level.STUDY, ("1.2", " 1.3 ", "1.2"))], (), None, 0)
    (key,) = query.criteria
    assert (query.level, key.criterion) == (Level.STUDY, UIDList(("1.2", "1.3")))


def test_no_character_of_an_id_is_a_wild_card() -> None:
    """A star or a backslash in a Patient ID would remove other patients, too."""
    (one,) = build_query([(Level.PATIENT, ("P*",))], (), None, 0).criteria
    assert one.criterion == SingleValue("P*")
    (two,) = build_query([(Level.PATIENT, ("A\\B", "C?"))], (), None, 0).criteria
    assert two.criterion == AnyOf((SingleValue("A\\B"), SingleValue("C?")))


def test_keys_are_read_in_the_index_zone() -> None:
    query = build_query((), ("StudyDate=20240101",), "study", 60)
    assert query.level is Level.STUDY
    assert query.options.timezone_offset_minutes == 60
    assert query.options.relational
    assert len(query.criteria) >= 1


def test_dates_are_read_as_people_write_them() -> None:
    (key,) = build_query((), ("StudyDate=2024-01",), "study", 0).criteria
    assert isinstance(key.criterion, Range)
    assert (key.criterion.lower, key.criterion.upper) == ("20240101", "20240131")


STUDY = (Level.STUDY, ("1.2",))


@pytest.mark.parametrize(
    ("named", "keys", "level", "words"),
    [
        ([], (), None, "expected one of --patient"),
        ([STUDY, STUDY], (), None, "expected one of --patient"),
        ([STUDY], ("Modality=CT",), None, "expected one of --patient"),
        ([STUDY], (), "STUDY", "--level belongs to KEY=VALUE"),
        ([], ("Modality=CT",), None, "KEY=VALUE needs --level"),
        ([(Level.STUDY, (" ",))], (), None, "StudyInstanceUID is empty"),
        ([], ("StudyDate=",), "STUDY", "StudyDate= restricts nothing"),
        ([], ("PatientName=*",), "STUDY", "restricts nothing"),
        ([], ("StudyDate=05.01.2024",), "STUDY", "Study Date '05.01.2024'"),
        ([], ("Nonsense=1",), "STUDY", "Nonsense"),
    ],
)
def test_wrong_command_line_is_refused(
    named: list[tuple[Level, tuple[str, ...]]], keys: tuple[str, ...], level: str, words: str
) -> None:
    with pytest.raises(click.UsageError) as raised:
        build_query(named, keys, level, 0)
    assert words in raised.value.message

"""Retrieve requests: which instances are asked for by which identifier."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dicomquest.cli.retrieving.portions import MOST_UIDS, Listed, Portion, merged, portion_of, split
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY = Portion(Level.STUDY, {Level.PATIENT: ("4711",), Level.STUDY: ("1.2",)}, 4, frozenset({CT}))


def listed(*numbers: tuple[int, int]) -> list[Listed]:
    """Instances by the numbers of their series and their own."""
    return [Listed(f"1.2.{series}", f"1.2.{series}.{number}", CT) for series, number in numbers]


WHOLE = STUDY.with_listed(listed((1, 1), (1, 2), (2, 1), (3, 1)))


def asked(portions: Sequence[Portion]) -> list[tuple[str, tuple[str, ...], int | None]]:
    return [(each.level.name, each.uniques[each.level], each.count) for each in portions]


@pytest.mark.requirement("RT-009")
def test_identifier_has_level_and_unique_keys() -> None:
    assert STUDY.identifier(STUDY_ROOT) == {
        0x00080052: Element("CS", ("STUDY",)),
        0x0020000D: Element("UI", ("1.2",)),
    }
    assert STUDY.identifier(PATIENT_ROOT)[0x00100020].values == ("4711",)


def test_patient_id_beyond_ascii_names_its_charset() -> None:
    patient = Portion(Level.PATIENT, {Level.PATIENT: ("Ä1",)})
    assert patient.identifier(PATIENT_ROOT)[0x00080005].values == ("ISO_IR 192",)


def test_request_stays_whole_if_nothing_is_there() -> None:
    assert split(WHOLE, frozenset()) == [WHOLE]


def test_nothing_is_asked_for_if_all_is_there() -> None:
    assert WHOLE.listed is not None
    assert split(WHOLE, {each.uid for each in WHOLE.listed}) == []


def test_whole_series_share_a_request() -> None:
    """The series with an instance in the folder is asked for instance by instance."""
    assert asked(split(WHOLE, {"1.2.1.1"})) == [
        ("SERIES", ("1.2.2", "1.2.3"), 2),
        ("IMAGE", ("1.2.1.2",), 1),
    ]
    series, instance = split(WHOLE, {"1.2.1.1"})
    assert series.identifier(STUDY_ROOT)[0x0020000D].values == ("1.2",)
    assert instance.identifier(STUDY_ROOT)[0x0020000E].values == ("1.2.1",)


def test_each_series_has_a_request_for_several_jobs() -> None:
    assert asked(split(WHOLE, frozenset(), by_series=True)) == [
        ("SERIES", ("1.2.1",), 2),
        ("SERIES", ("1.2.2",), 1),
        ("SERIES", ("1.2.3",), 1),
    ]


def test_long_lists_of_uids_are_cut() -> None:
    many = STUDY.with_listed(listed(*((1, number) for number in range(2 * MOST_UIDS + 2))))
    parts = split(many, {"1.2.1.0"})
    assert [each.count for each in parts] == [MOST_UIDS, MOST_UIDS, 1]


def test_list_without_classes_keeps_those_of_the_study() -> None:
    assert STUDY.with_listed([Listed("1.2.1", "1.2.1.1", "")]).sop_classes == {CT}


def test_instances_of_a_series_share_a_request() -> None:
    single = [
        Portion(
            Level.IMAGE,
            {Level.STUDY: ("1.2",), Level.SERIES: (f"1.2.{series}",), Level.IMAGE: (uid,)},
            1,
            frozenset({CT}),
        )
        for series, uid in ((1, "1.2.1.1"), (2, "1.2.2.1"), (1, "1.2.1.2"))
    ]
    assert asked(merged([WHOLE, *single])) == [
        ("STUDY", ("1.2",), 4),
        ("IMAGE", ("1.2.1.1", "1.2.1.2"), 2),
        ("IMAGE", ("1.2.2.1",), 1),
    ]


ANSWER: DataSet = {
    0x00080062: Element("UI", (CT, "1.2.3")),
    0x00100020: Element("LO", ("4711",)),
    0x0020000D: Element("UI", ("1.2",)),
    0x00201208: Element("IS", ("4",)),
}


def test_answer_tells_number_and_classes() -> None:
    assert portion_of(ANSWER, Level.STUDY, {}) == Portion(
        Level.STUDY, STUDY.uniques, 4, frozenset({CT, "1.2.3"})
    )


@pytest.mark.parametrize("number", ["", "-1", "many"])
def test_odd_number_of_instances_is_unknown(number: str) -> None:
    answer = {**ANSWER, 0x00201208: Element("IS", (number,))}
    found = portion_of(answer, Level.STUDY, {})
    assert found is not None
    assert found.count is None


def test_answer_without_unique_key_is_none() -> None:
    assert portion_of({0x00100020: Element("LO", ("4711",))}, Level.STUDY, {}) is None


def test_portion_has_a_name_for_messages() -> None:
    series = split(WHOLE, {"1.2.1.1"})[0]
    assert (STUDY.name, series.name) == ("study 1.2", "2 series of study 1.2")

"""A query in parts that a peer's limit of answers does not cut."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.query.splitting import (
    PartAnswer,
    Seen,
    SplitReport,
    is_round,
    seen,
    split,
    with_split_keys,
)
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from fixtures.building import data_set, text_of


@dataclass(slots=True)
class Capped:
    """A peer that answers a query with its first ``cap`` matches."""

    studies: Sequence[Seen]
    cap: int
    tells: bool = False

    def __call__(self, identifier: DataSet, level: Level) -> PartAnswer:
        days, times, name = (
            text_of(identifier, keyword) or ""
            for keyword in ("StudyDate", "StudyTime", "PatientName")
        )
        found = [
            each
            for each in self.studies
            if within(days, each.day) and within(times, each.time) and fits(name, each.name)
        ]
        shown = tuple(found[: self.cap])
        return PartAnswer(shown, is_cut=self.tells and len(found) > self.cap)


def within(asked: str, value: str | None) -> bool:
    """Compare as text, as a simple archive does; no range finds an unknown value."""
    if not asked:
        return True
    lower, _, upper = asked.partition("-") if "-" in asked else (asked, "", asked)
    return value is not None and lower <= value and (not upper or value <= upper)


def fits(asked: str, name: str) -> bool:
    """Compare with case; only a star at the end is a wild card."""
    return name.startswith(asked[:-1]) if asked.endswith("*") else asked in {"", name}


def run(
    peer: Callable[[DataSet, Level], PartAnswer], level: str = "STUDY", **keys: str
) -> tuple[set[str], SplitReport]:
    """Ask in parts; return the unique keys that came, and the report."""
    identifier = with_split_keys(data_set(QueryRetrieveLevel=level, **keys), Level[level])
    plan, found = split(identifier, Level[level]), set[str]()
    answer = None
    while True:
        try:
            asked = next(plan) if answer is None else plan.send(answer)
        except StopIteration as end:
            report: SplitReport = end.value
            return found, report
        answer = peer(asked, Level[level])
        found.update(each.unique for each in answer.seen)


def study(number: int, day: str | None, time: str | None, name: str) -> Seen:
    return Seen(f"1.2.{number}", day, time, name)


def archive(count: int, *, order: str = "random", days: int = 900) -> list[Seen]:
    chance = random.Random(7)
    made = []
    for number in range(count):
        day = date(2020, 1, 1) + timedelta(days=chance.randrange(days))
        second = chance.randrange(86400)
        clock = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}.500000"
        name = chance.choice("ABCDEFGH") + chance.choice("AEIOU") + f"{number % 37}^X"
        made.append(study(number, f"{day:%Y%m%d}", clock, name))
    if order != "random":
        made.sort(key=lambda each: each.day or "", reverse=order == "newest")
    return made


@pytest.mark.parametrize("order", ["random", "date", "newest"])
@pytest.mark.parametrize("tells", [False, True])
def test_parts_are_the_whole(order: str, tells: bool) -> None:
    """All studies come, whatever the order in which the peer cuts."""
    studies = archive(3000, order=order)
    found, report = run(Capped(studies, 100, tells))
    assert found == {each.unique for each in studies}
    assert report.is_complete
    assert report.cap == 100
    assert report.assumptions == ("studies without a Study Date",)


def test_many_on_one_day_are_divided_by_time() -> None:
    studies = archive(1500, days=2)
    found, report = run(Capped(studies, 100))
    assert len(found) == 1500
    assert report.is_complete
    assert "studies without a Study Time" in report.assumptions


def test_many_in_one_second_are_divided_by_name() -> None:
    studies = [
        study(number, "20240101", "120000.000000", f"{chr(65 + number % 26)}{number:04}^Anna")
        for number in range(600)
    ]
    found, report = run(Capped(studies, 100), StudyDate="20240101")
    assert len(found) == 600
    assert report.is_complete
    assert "names with unusual characters" in report.assumptions


def test_part_that_cannot_be_divided_is_named() -> None:
    """More studies of one name in one second than the cap: the report says so."""
    studies = [study(n, "20240101", "120000.000000", "DOE^JOHN") for n in range(150)]
    found, report = run(Capped(studies, 100))
    assert len(found) == 100
    assert not report.is_complete
    assert report.uncovered == ("2024-01-01, 12:00:00, name DOE^JOHN*",)


def test_studies_without_a_date_are_divided_by_name() -> None:
    studies = [
        study(number, None if number % 2 else "20240101", None, each.name)
        for number, each in enumerate(archive(800))
    ]
    found, report = run(Capped(studies, 100))
    assert len(found) == 800
    assert report.is_complete
    assert report.assumptions == ("names with unusual characters",)


def test_users_keys_stay() -> None:
    studies = archive(3000)
    wanted = {
        each.unique
        for each in studies
        if "20200301" <= (each.day or "") <= "20200930" and each.name.startswith("A")
    }
    keys = {"StudyDate": "20200301-20200930", "PatientName": "A*"}
    found, report = run(Capped(studies, 25, tells=True), **keys)
    assert found == wanted
    assert report.is_complete
    assert report.assumptions == ()


def test_query_below_the_cap_is_one_question() -> None:
    found, report = run(Capped(archive(60), 500))
    assert (len(found), report.parts, report.cap) == (60, 1, None)


@pytest.mark.parametrize(("cap", "said"), [(437, 437), (5000, None)])
def test_odd_cap_is_found_out(cap: int, said: int | None) -> None:
    """A cap that is no round number shows in parts that have more than the whole."""
    found, report = run(Capped(archive(1100), cap))
    assert len(found) == 1100
    assert report.cap == said
    assert report.is_complete


def test_round_number_without_a_cap_is_complete() -> None:
    found, report = run(Capped(archive(500), 10_000))
    assert len(found) == 500
    assert (report.is_complete, report.cap) == (True, None)


def test_patients_are_divided_by_name() -> None:
    found, report = run(Capped(archive(900), 100), "PATIENT", PatientID="")
    assert len(found) == 900
    assert report.is_complete


def test_series_cannot_be_divided() -> None:
    def peer(_: DataSet, level: Level) -> PartAnswer:
        unique = UNIQUE_KEYS[level].tag
        series = [data_set(SeriesInstanceUID=f"1.{number}") for number in range(100)]
        return PartAnswer(tuple(seen(each, unique) for each in series))

    found, report = run(peer, "SERIES", StudyInstanceUID="1.2")
    assert len(found) == 100
    assert report.uncovered == ("the whole query",)


def test_round_numbers() -> None:
    for count in (100, 200, 250, 500, 1000, 2500, 10000):
        assert is_round(count)
        assert not is_round(count + 1)
    assert not any(map(is_round, (10, 50, 600 + 1, 110, 1234)))

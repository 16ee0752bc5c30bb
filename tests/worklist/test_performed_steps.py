"""Performed steps in both databases, and the entries that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.charset import Terms
from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.upkeep.copying import copy_index
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.step_attributes import StepStatus
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.performed_step import StepError
from dicomquest.worklist.performed_steps import PerformedSteps
from dicomquest.worklist.workitem import workitem_of
from dicomquest.worklist.workitems import Workitems
from fixtures.building import data_set
from fixtures.performed_steps import UID, ended, order, performed
from fixtures.reference_indexes import empty
from fixtures.workitems import workitem
from fixtures.worklists import entry, request, worklist_query

ALL = request({"PatientID": ""}, ScheduledProcedureStepStatus="")


def _statuses(index: Index, hidden: tuple[str, ...] = ()) -> dict[str, str]:
    """The status of each entry by its patient, and that of its column."""
    found = {}
    for answer in index.find_data_sets(replace(worklist_query(ALL), hidden_steps=hidden)):
        (item,) = answer[0x00400100].values
        status = "".join(item[0x00400020].values)
        found[answer[0x00100020].values[0]] = status
        if status:
            asked = request({"PatientID": ""}, ScheduledProcedureStepStatus=status)
            by_column = index.find_data_sets(worklist_query(asked))
            assert answer[0x00100020] in [each[0x00100020] for each in by_column]
    return dict(sorted(found.items()))


def _create(steps: PerformedSteps, uid: str = UID, *orders: DataSet, **more: str) -> None:
    steps.create(uid, performed(*orders), creator=more.get("creator", "CT1"), received=100)


def _end(steps: PerformedSteps, status: str = "COMPLETED", uid: str = UID) -> None:
    steps.change(uid, lambda _: ended(status))


@pytest.mark.requirement("MP-009", "MP-010")
def test_entry_follows_its_step(location: str) -> None:
    with Worklist(location) as worklist, Index(location) as index:
        for number in (1, 2):
            worklist.add(entries_of(entry(number)), 0)
        steps = PerformedSteps(index.database)
        _create(steps)
        assert _statuses(index) == {"P1": "IN PROGRESS", "P2": ""}
        assert list(_statuses(index, ("IN PROGRESS",))) == ["P2"]
        _end(steps)
        assert _statuses(index) == {"P1": "COMPLETED", "P2": ""}
        assert list(_statuses(index, ("IN PROGRESS",))) == ["P1", "P2"]
        assert list(_statuses(index, ("IN PROGRESS", "COMPLETED"))) == ["P2"]


@pytest.mark.requirement("MP-010")
def test_entry_that_comes_later_follows(location: str) -> None:
    """An order may come after its step, or again: its entry has the status all the same."""
    with Worklist(location) as worklist, Index(location) as index:
        _create(PerformedSteps(index.database))
        worklist.add(entries_of(entry(1)), 0)
        assert _statuses(index) == {"P1": "IN PROGRESS"}
        worklist.add(entries_of(entry(1, Modality="MR")), 1)
        assert _statuses(index) == {"P1": "IN PROGRESS"}


@pytest.mark.requirement("MP-010")
def test_last_step_of_an_order_counts(location: str) -> None:
    with Worklist(location) as worklist, Index(location) as index:
        worklist.add(entries_of(entry(1)), 0)
        steps = PerformedSteps(index.database)
        for uid in ("1.1", "1.2"):
            _create(steps, uid)
        _end(steps, "DISCONTINUED", "1.1")
        assert _statuses(index) == {"P1": "IN PROGRESS"}
        _end(steps, "COMPLETED", "1.2")
        assert _statuses(index) == {"P1": "COMPLETED"}


@pytest.mark.requirement("MP-010")
def test_one_step_performs_several_orders(location: str) -> None:
    with Worklist(location) as worklist, Index(location) as index:
        for number in (1, 2, 3):
            worklist.add(entries_of(entry(number)), 0)
        _create(PerformedSteps(index.database), UID, order(1), order(2))
        assert _statuses(index) == {"P1": "IN PROGRESS", "P2": "IN PROGRESS", "P3": ""}


@pytest.mark.requirement("MP-010")
def test_order_without_study_is_known_by_number(location: str) -> None:
    lacking = entries_of(entry(1, root={"StudyInstanceUID": None}), may_lack=True)
    with Worklist(location) as worklist, Index(location) as index:
        worklist.add(lacking, 0)
        _create(PerformedSteps(index.database), UID, order(1, StudyInstanceUID="1.9"))
        worklist.add(lacking, 1)
        assert _statuses(index) == {"P1": "IN PROGRESS"}


@pytest.mark.requirement("MP-002", "MP-004")
def test_uids_are_known_or_not(location: str) -> None:
    with Index(location) as index:
        steps = PerformedSteps(index.database)
        with pytest.raises(StepError) as unknown:
            _end(steps)
        _create(steps)
        with pytest.raises(StepError) as duplicate:
            _create(steps)
    assert (unknown.value.status, duplicate.value.status) == (0x0112, 0x0111)


@pytest.mark.requirement("MP-005", "MP-009")
def test_refused_change_leaves_step_as_it_was(location: str) -> None:
    with Index(location) as index:
        steps = PerformedSteps(index.database)
        _create(steps)
        with pytest.raises(StepError):
            _end(steps, "DONE")
    with Index(location) as index:
        step, _ = PerformedSteps(index.database).change(UID, lambda _: data_set(StudyID="1"))
    assert step.status is StepStatus.IN_PROGRESS
    assert step.attributes == performed()


@pytest.mark.requirement("MP-011")
def test_change_is_read_in_character_set_of_step(location: str) -> None:
    given: list[Terms] = []

    def read(terms: Terms) -> DataSet:
        given.append(terms)
        return ended()

    with Index(location) as index:
        steps = PerformedSteps(index.database)
        terms = ("", "ISO 2022 IR 87")
        steps.create(UID, performed(), creator="CT1", received=0, character_set=terms)
        steps.change(UID, read)
    assert given == [terms]


@pytest.mark.requirement("MP-012")
def test_filter_hides_entries_and_steps_of_others(location: str) -> None:
    visible = parse_visible(["Modality=MR"])
    with Worklist(location) as worklist, Index(location) as index:
        worklist.add(entries_of(entry(1)), 0)
        worklist.add(entries_of(entry(2, Modality="MR")), 0)
        steps = PerformedSteps(index.database)
        both = performed(order(1), order(2))
        steps.create(UID, both, creator="MR1", received=0, visible=visible)
        assert _statuses(index) == {"P1": "", "P2": "IN PROGRESS"}
        with pytest.raises(StepError) as refused:
            steps.change(UID, lambda _: ended(), caller="MR2")
        assert refused.value.status == 0x0112
        steps.change(UID, lambda _: ended(), caller="MR1")
        assert _statuses(index) == {"P1": "", "P2": "COMPLETED"}


def test_old_steps_leave_with_old_entries(location: str) -> None:
    with Worklist(location) as worklist, Index(location) as index:
        steps = PerformedSteps(index.database)
        _create(steps)
        assert worklist.remove_steps_before(100) == 0
        worklist.remove_before("20200101", 101)
        _create(steps)


def test_copy_of_an_index_has_the_steps(location: str, tmp_path: Path) -> None:
    """A step that goes on in the copy is followed there."""
    copy = str(tmp_path / "copy.sqlite")
    with Worklist(location) as worklist, Index(location) as index:
        worklist.add(entries_of(entry(1)), 0)
        _create(PerformedSteps(index.database))
        Workitems(index.database).add([workitem_of(workitem())], 0)
        with closing(Database(copy, may_be_unfinished=True)) as target:
            assert copy_index(index.database, target).is_equal
    with Index(copy) as index:
        assert _statuses(index) == {"P1": "IN PROGRESS"}
        _end(PerformedSteps(index.database))
        assert _statuses(index) == {"P1": "COMPLETED"}
        assert Workitems(index.database).count() == 1


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worklist, Index]]:
    """An index and its worklist, for examples that empty it."""
    path: Path = tmp_path_factory.mktemp("statuses") / "index.sqlite"
    with Worklist(path) as worklist, Index(path) as index:
        yield worklist, index


_NUMBERS = st.integers(1, 3)
_EVENTS = st.one_of(
    st.tuples(st.just("order"), _NUMBERS),
    st.tuples(st.just("begin"), st.sets(_NUMBERS, min_size=1)),
    st.tuples(st.just("end"), st.integers(0, 4)),
)


@pytest.mark.requirement("MP-010")
@settings(max_examples=settings().max_examples // 4)
@given(st.lists(_EVENTS, max_size=12))
def test_statuses_follow_in_any_order(
    emptied: tuple[Worklist, Index], events: list[tuple[str, int | set[int]]]
) -> None:
    """Whatever comes first, an entry has the status of the last step that names it."""
    worklist, index = emptied
    empty(index)
    steps = PerformedSteps(index.database)
    entries: set[int] = set()
    begun: list[set[int]] = []
    ended_steps: set[int] = set()
    for what, given_value in events:
        if isinstance(given_value, set):
            _create(steps, f"1.{len(begun)}", *map(order, sorted(given_value)))
            begun.append(given_value)
        elif what == "order":
            worklist.add(entries_of(entry(given_value)), 0)
            entries.add(given_value)
        elif given_value < len(begun) and given_value not in ended_steps:
            _end(steps, uid=f"1.{given_value}")
            ended_steps.add(given_value)
    expected = {}
    for number in sorted(entries):
        last = max((at for at, named in enumerate(begun) if number in named), default=None)
        status = "" if last is None else "COMPLETED" if last in ended_steps else "IN PROGRESS"
        expected[f"P{number}"] = status
    assert _statuses(index) == expected

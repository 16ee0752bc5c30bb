"""Performed steps in both databases, and the entries that follow them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomquest.dataset.charset import Terms
from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.step_attributes import StepStatus
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.performed_step import StepError
from dicomquest.worklist.performed_steps import PerformedSteps
from fixtures.building import data_set
from fixtures.performed_steps import UID, ended, order, performed
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

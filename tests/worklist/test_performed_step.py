"""A performed step by itself: what N-CREATE needs, what N-SET may change."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.standard.step_attributes import StepStatus
from dicomquest.worklist.performed_step import (
    PerformedStep,
    Reference,
    StepError,
    changed_step,
    new_step,
)
from fixtures.building import data_set, tag_of
from fixtures.performed_steps import ended, order, performed


def _refused(make: Any, *arguments: Any) -> tuple[int, tuple[int, ...], int | None]:
    with pytest.raises(StepError) as caught:
        make(*arguments)
    return caught.value.status, caught.value.attributes, caught.value.error_id


@pytest.mark.requirement("MP-001")
def test_new_step_is_in_progress() -> None:
    assert new_step(performed()).status is StepStatus.IN_PROGRESS
    status = tag_of("PerformedProcedureStepStatus")
    for value in ("COMPLETED", "DISCONTINUED", "STARTED", "IN PROGRESS\\COMPLETED"):
        refused = _refused(new_step, performed(PerformedProcedureStepStatus=value))
        assert refused == (0x0106, (status,), None)


@pytest.mark.requirement("MP-003")
@pytest.mark.parametrize(
    "keyword",
    [
        "ScheduledStepAttributesSequence",
        "PerformedProcedureStepID",
        "PerformedStationAETitle",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformedProcedureStepStatus",
        "Modality",
    ],
)
def test_type_1_attributes_are_needed(keyword: str) -> None:
    missing = _refused(new_step, performed(**{keyword: None}))
    assert missing == (0x0120, (tag_of(keyword),), None)
    empty = [] if keyword.endswith("Sequence") else ""
    assert _refused(new_step, performed(**{keyword: empty}))[:2] == (0x0121, (tag_of(keyword),))


@pytest.mark.requirement("MP-003")
def test_order_needs_its_study() -> None:
    attributes = performed(order(), order(2, StudyInstanceUID=None))
    assert _refused(new_step, attributes)[0] == 0x0121


@pytest.mark.requirement("MP-006")
@pytest.mark.parametrize(
    "values",
    [
        {"PerformedProcedureStepStartDate": "20261301"},
        {"PerformedProcedureStepStartTime": "2500"},
        {"PerformedProcedureStepEndDate": "today"},
    ],
)
def test_date_that_is_none_is_invalid(values: dict[str, str]) -> None:
    (keyword,) = values
    assert _refused(new_step, performed(**values)) == (0x0106, (tag_of(keyword),), None)


@pytest.mark.requirement("MP-005")
def test_step_that_is_over_is_not_changed() -> None:
    step, _ = changed_step(new_step(performed()), ended("DISCONTINUED"))
    assert step.status is StepStatus.DISCONTINUED
    assert _refused(changed_step, step, ended()) == (0x0110, (), 0xA710)


@pytest.mark.requirement("MP-008")
@pytest.mark.parametrize("value", [None, ""])
def test_end_needs_its_date_and_time(value: str | None) -> None:
    step, tag = new_step(performed()), tag_of("PerformedProcedureStepEndTime")
    refused = _refused(changed_step, step, ended(PerformedProcedureStepEndTime=value))
    assert refused == (0x0120, (tag,), None)
    # An earlier N-SET may have brought them.
    earlier, _ = changed_step(step, ended("IN PROGRESS"))
    last, _ = changed_step(earlier, data_set(PerformedProcedureStepStatus="COMPLETED"))
    assert last.status is StepStatus.COMPLETED


@pytest.mark.requirement("MP-007")
def test_fixed_attributes_stay_as_they_are() -> None:
    step = new_step(performed())
    changes = data_set(PatientID="P9", Modality="CT", PerformedProcedureStepDescription="Chest")
    changed, refused = changed_step(step, changes)
    assert refused == (tag_of("PatientID"),)
    assert changed.attributes == step.attributes | data_set(
        PerformedProcedureStepDescription="Chest"
    )


@pytest.mark.requirement("MP-007")
def test_empty_value_takes_an_attribute_away() -> None:
    step = new_step(performed(PerformedProcedureStepDescription="Chest"))
    changed, _ = changed_step(step, data_set(PerformedProcedureStepDescription="", PatientID=""))
    assert changed.attributes == new_step(performed()).attributes


@pytest.mark.requirement("MP-006")
def test_unknown_status_is_invalid() -> None:
    step, tag = new_step(performed()), tag_of("PerformedProcedureStepStatus")
    assert _refused(changed_step, step, ended("DONE")) == (0x0106, (tag,), None)


def _references(attributes: DataSet) -> tuple[Reference, ...]:
    step: PerformedStep = new_step(attributes)
    return step.references


@pytest.mark.requirement("MP-010")
def test_reference_means_its_step() -> None:
    (reference,) = _references(performed())
    assert reference == Reference("1.2.1", "A1", "S1")
    assert reference.means("1.2.1", "A7", "S1")
    assert not reference.means("1.2.1", "A1", "S2")
    assert not reference.means("1.2.2", "A1", "S1")
    assert reference.means(None, "A1", "S1")
    assert not reference.means(None, None, "S1")


@pytest.mark.requirement("MP-010")
def test_reference_without_step_means_the_study() -> None:
    (reference,) = _references(performed(order(ScheduledProcedureStepID="")))
    assert reference.means("1.2.1", None, "S1")
    assert reference.means("1.2.1", None, "S2")

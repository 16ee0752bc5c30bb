"""One Unified Procedure Step: what it needs, and what is kept of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicomquest.worklist.entry import WorklistEntryError
from dicomquest.worklist.workitem import is_workitem, workitem_of
from fixtures.building import data_set
from fixtures.workitems import workitem
from fixtures.worklists import entry


@pytest.mark.requirement("UP-001", "UP-005")
def test_step_is_of_push_without_its_lock() -> None:
    """The SOP class is that of UPS Push, and the Transaction UID is not kept."""
    made = workitem_of(workitem(SOPClassUID="1.2.840.10008.5.1.4.34.6.3", TransactionUID="1.9"))
    kept = json.loads(made.attributes)
    assert kept["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
    assert "00081195" not in kept
    assert made.uid == "1.2.8.1"


def test_steps_are_told_from_entries() -> None:
    assert is_workitem(workitem())
    assert is_workitem(workitem(SOPClassUID=None))
    assert not is_workitem(entry())
    assert not is_workitem(data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"WorklistLabel": None}, "Worklist Label has no value"),
        ({"SOPInstanceUID": None}, "SOP Instance UID has no value"),
        ({"ProcedureStepState": "DONE"}, "write CANCELED, COMPLETED, IN PROGRESS, SCHEDULED"),
        ({"ScheduledProcedureStepStartDateTime": "soon"}, "write it as 202601051430"),
        ({"PatientID": "A\\B"}, "2 values"),
        ({"ProcedureStepLabel": "x" * 600}, "more than 512 characters"),
    ],
)
def test_unfit_step_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(WorklistEntryError, match=words):
        workitem_of(workitem(**values))


def test_incomplete_step_is_taken_if_wanted() -> None:
    assert workitem_of(workitem(WorklistLabel=None), may_lack=True).uid == "1.2.8.1"
    with pytest.raises(WorklistEntryError):
        workitem_of(workitem(SOPInstanceUID=None), may_lack=True)

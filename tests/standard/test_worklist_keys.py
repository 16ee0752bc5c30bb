"""The keys of Table K.6-1 beside the dictionary and the digest of the table."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicomquest.standard.worklist_keys import NEEDED, WORKLIST_KEYS


def test_rows_are_those_of_the_dictionary() -> None:
    for key in WORKLIST_KEYS:
        assert (keyword_for_tag(key.tag), dictionary_VR(key.tag)) == (key.keyword, key.vr)


@pytest.mark.requirement("WL-004")
def test_seven_keys_are_required() -> None:
    """The table has six of them, each in its place; the sequence of the step is the seventh."""
    required = {key.keyword: key.is_of_step for key in WORKLIST_KEYS if key.is_required}
    assert required == {
        "ScheduledStationAETitle": True,
        "ScheduledProcedureStepStartDate": True,
        "ScheduledProcedureStepStartTime": True,
        "Modality": True,
        "ScheduledPerformingPhysicianName": True,
        "PatientName": False,
        "PatientID": False,
    }


def test_entry_needs_one_of_description_and_codes() -> None:
    pairs = [[key.keyword for key in keys] for keys in NEEDED if len(keys) > 1]
    assert pairs == [
        ["ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence"],
        ["RequestedProcedureDescription", "RequestedProcedureCodeSequence"],
    ]

"""The keys of Unified Procedure Steps beside pydicom's dictionary."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.uid import UID

from dicomquest.standard.object_keys import ObjectKey
from dicomquest.standard.workitem_keys import (
    NEEDED,
    UPS_PUSH,
    WORKITEM_KEYS,
    WORKITEM_MODELS,
)


@pytest.mark.parametrize("key", WORKITEM_KEYS, ids=lambda key: key.keyword)
def test_key_is_that_of_dictionary(key: ObjectKey) -> None:
    assert (keyword_for_tag(key.tag), dictionary_VR(key.tag)) == (key.keyword, key.vr)


@pytest.mark.requirement("UP-003")
def test_needed_attributes_are_of_type_1() -> None:
    assert [key.keyword for key in NEEDED] == [
        "SOPInstanceUID",
        "ScheduledProcedureStepPriority",
        "ProcedureStepLabel",
        "WorklistLabel",
        "ScheduledProcedureStepStartDateTime",
        "InputReadinessState",
        "ProcedureStepState",
    ]


def test_uids_are_those_of_dictionary() -> None:
    for model in WORKITEM_MODELS:
        assert UID(model.model.uid).name == model.model.name
    assert UID(UPS_PUSH).name == "Unified Procedure Step - Push SOP Class"

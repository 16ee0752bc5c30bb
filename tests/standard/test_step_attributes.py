"""The attributes of a performed step beside pydicom's dictionary."""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.uid import UID

from dicomquest.standard.step_attributes import (
    DATES_AND_TIMES,
    MPPS,
    NEEDED,
    NEEDED_AT_END,
    NEVER_SET,
)


def test_attributes_are_those_of_dictionary() -> None:
    for tag, vr in (NEEDED | NEEDED_AT_END).items():
        assert dictionary_VR(tag) == vr
    assert all(keyword_for_tag(tag) for tag in NEVER_SET)
    assert sorted(DATES_AND_TIMES.values()) == ["DA", "DA", "TM", "TM"]


def test_status_may_be_set_and_orders_may_not() -> None:
    names = {keyword_for_tag(tag) for tag in NEEDED.keys() - NEVER_SET}
    assert names == {"PerformedProcedureStepStatus"}


def test_uid_is_that_of_mpps() -> None:
    assert UID(MPPS).name == "Modality Performed Procedure Step SOP Class"

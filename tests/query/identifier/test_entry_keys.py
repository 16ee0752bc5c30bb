"""Keys of a worklist as a person writes them."""

from __future__ import annotations

import pytest

from dicomquest.query.identifier.entry_keys import in_steps
from dicomquest.query.identifier.key_arguments import KeyTextError, build_identifier, parse_keys
from fixtures.building import data_set


def test_key_of_step_goes_into_its_sequence() -> None:
    texts = [
        "Modality=CT",
        "PatientID=P1",
        "ScheduledProcedureStepSequence.CommentsOnTheScheduledProcedureStep",
    ]
    identifier = build_identifier(in_steps(parse_keys(texts)))
    step = [data_set(Modality="CT", CommentsOnTheScheduledProcedureStep="")]
    assert identifier == data_set(PatientID="P1", ScheduledProcedureStepSequence=step)


def test_key_given_in_both_places_is_refused() -> None:
    texts = ["Modality=CT", "ScheduledProcedureStepSequence.Modality=MR"]
    with pytest.raises(KeyTextError, match="Modality occurs twice"):
        in_steps(parse_keys(texts))

"""Keys of a worklist as a person writes them."""

from __future__ import annotations

import pytest

from dicomquest.query.identifier.entry_keys import in_items, in_steps, placed
from dicomquest.query.identifier.entry_models import ENTRY_MODELS
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


def test_path_goes_below_the_place_of_its_first_step() -> None:
    places = ENTRY_MODELS["hanging-protocol"].places
    keys = parse_keys(["AnatomicRegionSequence.CodeValue=T1", "HangingProtocolName=A"])
    region = data_set(AnatomicRegionSequence=[data_set(CodeValue="T1")])
    expected = data_set(HangingProtocolName="A", HangingProtocolDefinitionSequence=[region])
    assert build_identifier(in_items(keys, places)) == expected


def test_elements_share_the_one_item_of_their_place() -> None:
    """An item that is given stays; an attribute outside of it goes into it."""
    places = ENTRY_MODELS["hanging-protocol"].places
    given = data_set(
        Modality="CT", Laterality="", HangingProtocolDefinitionSequence=[data_set(Laterality="L")]
    )
    item = data_set(Modality="CT", Laterality="L")
    assert placed(given, places) == data_set(HangingProtocolDefinitionSequence=[item])

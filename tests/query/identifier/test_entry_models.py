"""The table of models without levels, as people ask them."""

from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from dicomquest.query.identifier.entry_models import (
    ENTRY_MODELS,
    ENTRY_MODELS_BY_UID,
    EntryModel,
)
from dicomquest.standard.models import FIND_MODELS_BY_UID


def test_each_model_without_levels_has_a_word() -> None:
    without = {uid for uid, model in FIND_MODELS_BY_UID.items() if not model.levels}
    assert ENTRY_MODELS_BY_UID.keys() == without
    assert ENTRY_MODELS["hanging-protocol"].noun.entity == "hanging protocol"


@pytest.mark.parametrize("row", ENTRY_MODELS.values(), ids=list(ENTRY_MODELS))
def test_usual_keys_are_those_of_the_model(row: EntryModel) -> None:
    """Each usual key is in the table of the model, where its place is."""
    for keyword in filter(None, (*row.usual, row.unique)):
        tag = tag_for_keyword(keyword)
        assert tag is not None
        assert (*row.places.get(tag, ()), tag) in row.rows


def test_place_of_an_attribute_in_several_is_unknown() -> None:
    row = ENTRY_MODELS["protocol-approval"]
    assert row.places[0x00080080] == (0x00440100, 0x00440103)
    assert 0x00081150 not in ENTRY_MODELS["implant-template"].places

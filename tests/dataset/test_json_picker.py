"""The quick encoder of worklist answers: the same bytes as the plain one, or none."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.json_picker import NotPlainError, Picked, picked_bytes
from dicomquest.errors import IdentifierError
from dicomquest.services.worklist_find import EntryEncoder
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.worklist.entry import WorklistEntryError, entries_of
from fixtures.worklists import worklist_query
from strategies.worklist import worklist_data_sets, worklist_identifiers


@given(
    data=worklist_data_sets(),
    identifier=worklist_identifiers(),
    syntax=st.sampled_from([IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN]),
)
def test_bytes_are_those_of_the_plain_encoder(
    data: DataSet, identifier: DataSet, syntax: str
) -> None:
    try:
        entries = entries_of(data, may_lack=True)
        query = worklist_query(identifier)
    except (WorklistEntryError, IdentifierError):
        event("not fit")
        return
    encoder = EntryEncoder(query, syntax, ())
    for entry in entries:
        event("compared")
        assert encoder.encoded(entry.attributes) == encoder.encoded_plainly(entry.attributes)


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "LO", "Value": ["Müller"]},
        {"vr": "US", "Value": [1]},
        {"vr": "PN", "Value": [{"Alphabetic": "A", "Phonetic": "B"}]},
        {"vr": "SH", "Value": ["A" * 70_000]},
    ],
)
def test_other_values_are_left_to_the_plain_one(attribute: dict[str, object]) -> None:
    with pytest.raises(NotPlainError):
        picked_bytes(
            {"00100020": attribute}, [Picked(0x00100020, "00100020", "LO")], is_implicit=False
        )


def test_absent_attribute_is_empty() -> None:
    picked = [Picked(0x00100020, "00100020", "LO")]
    assert picked_bytes({}, picked, is_implicit=False) == b"\x10\x00\x20\x00LO\x00\x00"

"""A worklist identifier as a query: no level, combined times, what is never matched."""

from __future__ import annotations

import pytest

from dicomquest.dataset.elements import Element
from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import SequenceMatch
from dicomquest.query.options import QueryOptions
from dicomquest.query.words import outline, question
from fixtures.building import data_set
from fixtures.worklists import request, worklist_query


@pytest.mark.requirement("WL-001")
def test_identifier_needs_no_level() -> None:
    query = worklist_query(data_set(PatientName="DOE^*"))
    assert (query.level_name, query.pending_status) == ("", 0xFF00)
    assert question(query) == "scheduled procedure steps whose Patient's Name starts with 'DOE^'"


def test_keys_of_step_are_told_one_by_one() -> None:
    query = worklist_query(request(Modality="CT", ScheduledStationAETitle="CT1"))
    assert question(query) == (
        "scheduled procedure steps whose Modality is 'CT' "
        "and whose Scheduled Station AE Title is 'CT1'"
    )
    assert outline(query).startswith(
        "scheduled procedure steps by Modality (Single Value) and Scheduled Station AE Title"
    )


@pytest.mark.requirement("WL-008")
def test_element_of_query_retrieve_is_ff01() -> None:
    """An identifier with an element of Query/Retrieve gets FF01; strict reading refuses it."""
    identifier = data_set(PatientName="", RetrieveAETitle="")
    assert worklist_query(identifier).pending_status == 0xFF01
    with pytest.raises(IdentifierError, match="belongs to Query/Retrieve"):
        worklist_query(identifier, options=QueryOptions(strict=True))


@pytest.mark.requirement("WL-008")
def test_unknown_attribute_is_ff01() -> None:
    """An attribute that nobody knows is left out, and FF01 says so; in the item of a step too."""
    unknown = {0x00091001: Element("LO", ())}
    for identifier in (unknown, {0x00400100: Element("SQ", (unknown,))}):
        query = worklist_query(identifier)
        assert query.pending_status == 0xFF01
        assert 0x00091001 not in {key.tag for key in query.return_keys}


@pytest.mark.requirement("WL-008", "WL-009")
def test_ff01_is_for_existence_alone() -> None:
    """A key that is returned but not matched is no reason for FF01."""
    identifier = {0x00282000: Element("OB", (b"\1\2",))}
    query = worklist_query(identifier)
    assert (query.pending_status, query.criteria) == (0xFF00, ())
    assert query.ignored


@pytest.mark.requirement("WL-013")
def test_pertinent_documents_are_never_matched() -> None:
    documents = [data_set(ReferencedSOPInstanceUID="1.2.3")]
    query = worklist_query(data_set(PertinentDocumentsSequence=documents))
    assert query.criteria == ()
    (key,) = query.return_keys
    assert [each.tag for each in key.item_keys or ()] == [0x00081155]


@pytest.mark.requirement("WL-013")
def test_protocol_context_is_never_matched() -> None:
    context = [data_set(ValueType="TEXT", TextValue="slow")]
    codes = [data_set(CodeValue="C1", ProtocolContextSequence=context)]
    query = worklist_query(request(ScheduledProtocolCodeSequence=codes))
    (step,) = query.criteria
    assert isinstance(step.criterion, SequenceMatch)
    (protocol,) = step.criterion.keys
    assert isinstance(protocol.criterion, SequenceMatch)
    assert [key.tag for key in protocol.criterion.keys] == [0x00080100]


@pytest.mark.requirement("WL-011")
def test_control_elements_are_never_matched() -> None:
    identifier = data_set(
        SpecificCharacterSet="ISO_IR 100", TimezoneOffsetFromUTC="+0100", PatientID=""
    )
    query = worklist_query(identifier)
    assert query.criteria == ()
    assert [key.tag for key in query.return_keys] == [0x00100020]


def test_two_items_of_the_step_are_refused() -> None:
    steps = [data_set(Modality="CT"), data_set(Modality="MR")]
    with pytest.raises(IdentifierError, match="2 items, expected one"):
        worklist_query(data_set(ScheduledProcedureStepSequence=steps))


@pytest.mark.parametrize("text", ["bad", "+9900"])
def test_bad_zone_is_refused_if_it_counts(text: str) -> None:
    identifier = data_set(TimezoneOffsetFromUTC=text, PatientID="")
    assert worklist_query(identifier).notes
    with pytest.raises(IdentifierError, match="TimezoneOffsetFromUTC"):
        worklist_query(identifier, b"\1\1\0\1")

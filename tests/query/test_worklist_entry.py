"""The plain meaning of worklist queries on single entries (PS3.4 K.2.2, K.6.1.2)."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.query.worklist_entry import entry_response, matches_entry
from fixtures.building import data_set
from fixtures.worklists import entry, request, worklist_query

WHOLE = entry(1)
STEPS = 0x00400100


def _matches(stored: DataSet, identifier: DataSet, accepted: bytes = b"") -> bool:
    return matches_entry(stored, worklist_query(identifier, accepted))


@pytest.mark.requirement("WL-004")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"ScheduledStationAETitle": "CT1"}, {"ScheduledStationAETitle": "ct1"}),
        ({"ScheduledProcedureStepStartDate": "20260105"}, {"Modality": "MR"}),
        (
            {"ScheduledProcedureStepStartDate": "20260101-20260110"},
            {"ScheduledProcedureStepStartDate": "20260106-"},
        ),
        (
            {"ScheduledProcedureStepStartTime": "10"},
            {"ScheduledProcedureStepStartTime": "1031"},
        ),
        (
            {"ScheduledPerformingPhysicianName": "READER*"},
            {"ScheduledPerformingPhysicianName": "READER"},
        ),
    ],
)
def test_required_keys_restrict(right: dict[str, str], wrong: dict[str, str]) -> None:
    assert _matches(WHOLE, request(**right))
    assert not _matches(WHOLE, request(**wrong))
    assert not _matches(WHOLE, request(**right | {"Modality": "US"}))


@pytest.mark.requirement("WL-004")
def test_patient_keys_restrict() -> None:
    assert _matches(WHOLE, data_set(PatientName="doe^*", PatientID="P1"))
    assert not _matches(WHOLE, data_set(PatientName="doe^*", PatientID="P2"))


@pytest.mark.requirement("WL-005")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ScheduledStationAETitle", "CT1"),
        ("ScheduledProcedureStepStartDate", "20260101-"),
        ("ScheduledProcedureStepStartTime", "0800-"),
        ("Modality", "CT"),
        ("ScheduledPerformingPhysicianName", "R*"),
        ("ScheduledPerformingPhysicianName", "?*"),
    ],
)
def test_empty_value_matches_no_value(keyword: str, value: str) -> None:
    """An empty stored value is found by a key without a value or a star alone."""
    values: tuple[dict[str, Any], ...] = ({keyword: None}, {keyword: ""})
    for empty in (entry(1, **each) for each in values):
        assert not _matches(empty, request(**{keyword: value}))
        assert _matches(empty, request(**{keyword: ""}))
        if keyword.endswith("Name"):
            assert _matches(empty, request(**{keyword: "*"}))


@pytest.mark.requirement("WL-005")
@pytest.mark.parametrize(("keyword", "value"), [("PatientName", "D*"), ("PatientID", "P1")])
def test_empty_value_of_patient_matches_none(keyword: str, value: str) -> None:
    for empty in (entry(1, root={keyword: None}), entry(1, root={keyword: ""})):
        assert not _matches(empty, data_set(**{keyword: value}))
        assert _matches(empty, data_set(**{keyword: ""}))
        assert _matches(empty, data_set(**{keyword: "*"}))


@pytest.mark.requirement("WL-006")
@pytest.mark.parametrize(
    ("date", "time", "found"),
    [
        ("20260104", "1200", False),
        ("20260105", "0959", False),
        ("20260105", "1000", True),
        ("20260106", "0300", True),
        ("20260107", "1800", True),
        ("20260107", "1801", False),
        ("20260106", None, False),
    ],
)
def test_ranges_of_date_and_time_combine(date: str, time: str | None, found: bool) -> None:
    """Dates from the 5th to the 7th and times from 10 to 18 are one range; a step needs a time."""
    stored = entry(1, ScheduledProcedureStepStartDate=date, ScheduledProcedureStepStartTime=time)
    keys: dict[str, Any] = {
        "ScheduledProcedureStepStartDate": "20260105-20260107",
        "ScheduledProcedureStepStartTime": "1000-1800",
    }
    assert _matches(stored, request(**keys)) is found


@pytest.mark.requirement("WL-003", "WL-007")
def test_response_has_what_was_asked_for() -> None:
    """Type 1 keys come with their value, type 2 at least empty, and nothing else comes."""
    identifier = request(
        {"PatientName": "", "PatientSex": ""}, Modality="CT", ScheduledStationName=""
    )
    response = entry_response(WHOLE, worklist_query(identifier))
    step = [data_set(Modality="CT", ScheduledStationName="")]
    assert response == data_set(
        PatientName="Doe^John1", PatientSex="", ScheduledProcedureStepSequence=step
    )


@pytest.mark.requirement("WL-010")
@pytest.mark.parametrize("items", [[], [{}]])
def test_universal_sequence_returns_it_whole(items: list[DataSet]) -> None:
    """A sequence without an item, or with an empty one, asks for all of the step."""
    identifier = data_set(ScheduledProcedureStepSequence=items)
    response = entry_response(WHOLE, worklist_query(identifier))
    assert response == {STEPS: WHOLE[STEPS]}


def test_no_sequence_asked_none_returned() -> None:
    response = entry_response(WHOLE, worklist_query(data_set(PatientID="")))
    assert response == data_set(PatientID="P1")


def test_hl7_references_come_with_documents() -> None:
    """References to HL7 documents come unasked, but only with the documents."""
    structured = [data_set(ReferencedSOPInstanceUID="1.2.3", HL7InstanceIdentifier="1.2.4")]
    documents = [data_set(ReferencedSOPInstanceUID="1.2.3")]
    around = {
        "PertinentDocumentsSequence": documents,
        "HL7StructuredDocumentReferenceSequence": structured,
    }
    stored = entry(1, root=around)
    asked = entry_response(stored, worklist_query(data_set(PertinentDocumentsSequence=[])))
    assert asked == data_set(**around)
    unasked = entry_response(stored, worklist_query(data_set(PatientID="")))
    assert unasked == data_set(PatientID="P1")


def test_fuzzy_names_if_negotiated() -> None:
    identifier = data_set(PatientName="John1 Do")
    assert not _matches(WHOLE, identifier, b"\1\1\0")
    assert _matches(WHOLE, identifier, b"\1\1\1")


def test_zone_of_request_moves_start() -> None:
    """With time zone adjustment 10:30 in +0100 is 09:30 UTC."""
    stored = entry(1, root={"TimezoneOffsetFromUTC": "+0100"})
    identifier = request({"TimezoneOffsetFromUTC": "+0000"}, ScheduledProcedureStepStartTime="0930")
    assert _matches(stored, identifier, b"\1\1\0\1")
    assert not _matches(stored, identifier, b"\1\1\0")

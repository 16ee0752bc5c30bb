"""Identifiers and statuses between Datasets and bytes."""

from __future__ import annotations

import logging

import pytest
from pydicom.dataset import Dataset

from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import to_pydicom
from dicomquest.dimse.commands import CFindRSP
from dicomquest.dimse.events import ResponseReceived
from dicomquest.services.identifiers import (
    encode_request,
    encode_response,
    read_response,
    status_data_set,
)
from dicomquest.ul.negotiation import AcceptedContext
from fixtures.faces import EXPLICIT, PATIENT_ROOT, data_set

CONTEXT = AcceptedContext(1, PATIENT_ROOT, EXPLICIT)


def declared(data: bytes) -> str:
    return str(to_pydicom(decode(data, EXPLICIT)).get("SpecificCharacterSet", "none"))


@pytest.mark.parametrize(
    ("charset", "name", "requested", "responded"),
    [
        ("", "DOE", "none", "none"),
        ("ISO_IR 100", "DOE", "ISO_IR 100", "none"),
        ("ISO_IR 100", "MÜLLER", "ISO_IR 100", "ISO_IR 100"),
        ("ISO_IR 100", "山田", "ISO_IR 192", "ISO_IR 192"),
        ("", "MÜLLER", "ISO_IR 192", "ISO_IR 192"),
    ],
)
def test_charset_of_identifiers(charset: str, name: str, requested: str, responded: str) -> None:
    """A request keeps the set that it names; a response names one only if it needs it."""
    identifier = data_set(PatientName=name)
    if charset:
        identifier.SpecificCharacterSet = charset
    assert declared(encode_request(identifier, EXPLICIT)) == requested
    assert declared(encode_response(identifier, EXPLICIT)) == responded


def response(status: int, data: bytes | None, *, is_oversized: bool = False) -> ResponseReceived:
    command = CFindRSP(
        message_id_being_responded_to=1, affected_sop_class_uid=PATIENT_ROOT, status=status
    )
    return ResponseReceived(CONTEXT, command, data, is_oversized)


def test_pending_response_has_an_identifier() -> None:
    data = encode_response(data_set(PatientID="P1"), EXPLICIT)
    status, identifier, more = read_response(response(0xFF00, data))
    assert (status.Status, more) == (0xFF00, True)
    assert identifier == data_set(PatientID="P1")


def test_final_response_has_none() -> None:
    status, identifier, more = read_response(response(0x0000, None))
    assert (status.Status, identifier, more) == (0x0000, None, False)


def test_lost_response_has_an_empty_status() -> None:
    assert read_response(None) == (Dataset(), None, False)


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (response(0xFF00, None), "identifier is missing"),
        (response(0xFF00, None, is_oversized=True), "is longer than the limit"),
        (response(0xFF00, b"\x10\0\x20\0LO\xff\0P"), "cannot be read"),
    ],
)
def test_unreadable_identifier_is_a_warning(
    caplog: pytest.LogCaptureFixture, received: ResponseReceived, words: str
) -> None:
    """The query goes on: one unreadable response is no reason to lose the others."""
    with caplog.at_level(logging.WARNING, "dicomquest.scu"):
        status, identifier, more = read_response(received)
    assert (status.Status, identifier, more) == (0xFF00, None, True)
    assert words in caplog.text


def test_status_explains_a_failure() -> None:
    failed = CFindRSP(
        message_id_being_responded_to=1,
        affected_sop_class_uid=PATIENT_ROOT,
        status=0xA900,
        offending_element=(0x00080052,),
        error_comment="no level",
    )
    status = status_data_set(failed)
    assert (status.Status, status.OffendingElement, status.ErrorComment) == (
        0xA900,
        0x00080052,
        "no level",
    )

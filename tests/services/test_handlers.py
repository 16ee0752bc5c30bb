"""The answers of handlers: statuses, identifiers, and what a handler may return."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import DataElement
from pydicom.dataset import Dataset

from dicomquest.services.handlers import Answer, iterate, parse_answer, parse_status
from dicomquest.standard.statuses import C_ECHO_STATUSES, C_FIND_STATUSES
from fixtures.faces import EXPLICIT, data_set

EXPLAINED = data_set(Status=0xA900, ErrorComment="no level", OffendingElement=[0x00080052])


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (0x0000, Answer(0x0000)),
        (0xFF01, Answer(0xFF01)),
        (0xB001, Answer(0xB001)),
        (data_set(Status=0xC123), Answer(0xC123)),
        (EXPLAINED, Answer(0xA900, b"", "no level", (0x00080052,))),
    ],
)
def test_status_is_a_number_or_a_dataset(status: Any, answer: Answer) -> None:
    assert parse_status(status, C_FIND_STATUSES) == answer


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0x1234, ValueError, "1234, which this service does not have"),
        (data_set(ErrorComment="x"), ValueError, "without Status"),
        ("0000", TypeError, "give a number or a Dataset"),
        (None, TypeError, "give a number or a Dataset"),
    ],
)
def test_other_statuses_are_errors(status: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_status(status, C_FIND_STATUSES)


def test_each_service_has_its_own_statuses() -> None:
    with pytest.raises(ValueError, match="FF00"):
        parse_status(0xFF00, C_ECHO_STATUSES)


def test_pending_answer_has_an_encoded_identifier() -> None:
    answer = parse_answer((0xFF00, data_set(PatientID="P1")), EXPLICIT)
    assert answer.is_pending
    assert answer.identifier == b"\x10\0\x20\0LO\2\0P1"


def test_final_answer_needs_no_identifier() -> None:
    assert parse_answer((0x0000, None), EXPLICIT) == parse_answer(0x0000, EXPLICIT)
    assert parse_answer((0xFE00, data_set(PatientID="P1")), EXPLICIT) == Answer(0xFE00)


def test_pending_answer_without_a_dataset_is_an_error() -> None:
    with pytest.raises(TypeError, match="NoneType with status FF00: give a pydicom Dataset"):
        parse_answer((0xFF00, None), EXPLICIT)


def test_unencodable_identifier_blames_the_handler() -> None:
    bad = Dataset()
    bad.add(DataElement("Rows", "US", 70_000, already_converted=True))
    with pytest.raises(ValueError, match="a handler gave an identifier that cannot be encoded"):
        parse_answer((0xFF00, bad), EXPLICIT)


def test_single_answer_is_iterated_as_one() -> None:
    pair = (0xFF00, data_set(PatientID="P1"))
    assert list(iterate(pair)) == [pair]
    assert list(iterate(0x0000)) == [0x0000]
    assert list(iterate(EXPLAINED)) == [EXPLAINED]
    assert list(iterate([pair, pair])) == [pair, pair]
    assert list(iterate(iter([pair]))) == [pair]
    with pytest.raises(TypeError, match="returned NoneType: yield"):
        iterate(None)

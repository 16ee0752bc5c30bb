"""The answers of handlers: statuses, identifiers, and what a handler may return."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydicom import DataElement
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.services.handlers import Answer, iterate, parse_answer, parse_status
from dicomquest.standard.statuses import C_ECHO_STATUSES, C_FIND_STATUSES
from fixtures.faces import (
    EXPLICIT,
    PATIENT_ROOT,
    QUERY,
    associated,
    data_set,
    serving,
    statuses,
)

EXPLAINED = data_set(
    Status=0xA900, ErrorComment="no level", OffendingElement=[0x00080052, 0x0020000D]
)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (0x0000, Answer(0x0000)),
        (0xFF01, Answer(0xFF01)),
        (0xB001, Answer(0xB001)),
        (data_set(Status=0xC123), Answer(0xC123)),
        (EXPLAINED, Answer(0xA900, b"", "no level", (0x00080052, 0x0020000D))),
    ],
)
def test_status_is_a_number_or_a_dataset(status: Any, answer: Answer) -> None:
    assert parse_status(status, C_FIND_STATUSES) == answer


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0x1234, ValueError, "1234, which this service does not have"),
        (0x1B000, ValueError, "from 0 to 65535"),
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
    assert list(iterate(None)) == []
    with pytest.raises(TypeError, match="returned float: yield"):
        iterate(1.5)


def nothing(event: evt.Event) -> None: ...


async def nothing_awaited(event: evt.Event) -> None: ...


def no_rows(event: evt.Event) -> Iterator[Any]:
    yield from ()


async def no_rows_awaited(event: evt.Event) -> AsyncIterator[Any]:
    for row in no_rows(event):
        yield row


@pytest.mark.parametrize("handler", [nothing, nothing_awaited, no_rows, no_rows_awaited])
def test_handler_without_answers_is_success(handler: Callable[[evt.Event], Any]) -> None:
    with serving(handler) as port, associated(port) as association:
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0x0000]


def explained(event: evt.Event) -> Iterator[Any]:
    for number in range(3):
        comment = f"row {number}" if number else ""
        status = data_set(Status=0xFF01, ErrorComment=comment, OffendingElement=[0x00100020])
        yield (status if number else 0xFF01), data_set(PatientID=str(number))
    yield 0x0000, None


async def explained_awaited(event: evt.Event) -> AsyncIterator[Any]:
    for each in explained(event):
        yield each


@pytest.mark.parametrize("handler", [explained, explained_awaited])
def test_pending_status_is_explained_on_the_wire(handler: Callable[[evt.Event], Any]) -> None:
    """The Error Comment and the Offending Element of a Pending status go out with it."""
    with serving(handler) as port, associated(port) as association:
        responses = list(association.send_c_find(QUERY, PATIENT_ROOT))
    assert statuses(responses) == [0xFF01, 0xFF01, 0xFF01, 0x0000]
    told = [(status.get("ErrorComment"), match and match.PatientID) for status, match in responses]
    assert told == [(None, "0"), ("row 1", "1"), ("row 2", "2"), (None, None)]
    assert [status.get("OffendingElement") for status, _ in responses] == [
        None, 0x00100020, 0x00100020, None,
    ]  # fmt: skip

"""The review of a worklist's answers: what contradicts the question."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.query.entry_review import EntryReview
from fixtures.building import data_set
from fixtures.worklists import request, worklist_query

ASKED = request({"PatientName": "DOE*"}, Modality="CT", ScheduledProcedureStepID="")


def _lines(*answers: DataSet) -> list[str]:
    review = EntryReview(worklist_query(ASKED))
    for answer in answers:
        review.add(answer)
    return list(review.lines("RIS"))


def _answer(root: dict[str, Any] | None = None, **values: Any) -> DataSet:
    step = {"Modality": "CT", "ScheduledProcedureStepID": "S1"} | values
    return request({"PatientName": "Doe^Jane"} | (root or {}), **step)


def test_right_answers_get_no_line() -> None:
    assert _lines(_answer(), _answer(ScheduledProcedureStepID="S2")) == []


@pytest.mark.requirement("WL-003", "WL-007")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_answer(Modality="MR"), "RIS ignored Modality, or reads it otherwise: 1 of 2"),
        (_answer({"PatientName": "Roe"}), "RIS ignored Patient's Name"),
        (_answer(ScheduledProcedureStepID=""), "Scheduled Procedure Step ID, of type 1, has no"),
        (_answer({"PatientID": "P1"}), "Patient ID came in 1 of 2 answers: nobody asked for it"),
        (_answer({"QueryRetrieveLevel": "STUDY"}), "a worklist has no levels"),
    ],
)
def test_wrong_answer_gets_its_line(answer: DataSet, words: str) -> None:
    (line,) = _lines(_answer(), answer)
    assert words in line


@pytest.mark.requirement("WL-003")
def test_two_steps_in_an_answer_get_a_line() -> None:
    step = data_set(Modality="CT", ScheduledProcedureStepID="S1")
    two = data_set(PatientName="Doe^Jane", ScheduledProcedureStepSequence=[step, step])
    assert _lines(two) == [
        "1 of 1 answer has not exactly one Scheduled Procedure Step (PS3.4 K.4.1.3)."
    ]


def test_ignored_key_is_told_by_add() -> None:
    review = EntryReview(worklist_query(ASKED))
    assert review.add(_answer())
    assert not review.add(_answer(Modality="MR"))

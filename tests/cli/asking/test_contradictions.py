"""Answers that contradict the question are named in words, after any query."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dicomquest.cli.asking.answers import Outcome
from dicomquest.cli.asking.contradictions import Circumstances, contradictions
from dicomquest.dataset.elements import DataSet
from dicomquest.dimse.commands import CFindRSP
from dicomquest.query.answer_review import AnswerReview
from dicomquest.standard.levels import Level
from fixtures.building import data_set, query

PACS = Circumstances("PACS", Level.STUDY)


def said(
    answers: list[DataSet], circumstances: Circumstances = PACS, status: int = 0, **keys: Any
) -> list[str]:
    review = AnswerReview(query("STUDY", StudyInstanceUID="", **keys))
    for answer in answers:
        review.add(answer)
    final = CFindRSP(message_id_being_responded_to=1, status=status)
    outcome = Outcome(Counter({0xFF00: len(answers)}), final=final)
    return contradictions(circumstances, data_set(**keys), outcome, review)


def studies(count: int, **values: Any) -> list[DataSet]:
    return [data_set(StudyInstanceUID=f"1.2.{number}", **values) for number in range(count)]


def test_answers_that_fit_leave_nothing_to_say() -> None:
    assert said(studies(3, ModalitiesInStudy="CT\\SR"), ModalitiesInStudy="CT") == []
    assert said([], ModalitiesInStudy="CT") == []


def test_key_without_a_value_in_any_answer() -> None:
    (line,) = said(studies(2), ModalitiesInStudy="CT")
    assert line == (
        "PACS ignored Modalities in Study = CT: no answer has that attribute. "
        "--filter-here asks for each study's series, and drops the others."
    )
    (line,) = said(studies(2), StudyDescription="X")
    assert line.endswith("The list holds studies with any Study Description.")


def test_key_with_other_values() -> None:
    answers = [*studies(2, PatientID="A"), *studies(1, PatientID="B")]
    lines = said(answers, PatientID="A")
    assert lines[0] == (
        "PACS ignored Patient ID = A: 1 of 3 studies has another value. --filter-here drops it."
    )
    filtered = Circumstances("PACS", Level.STUDY, is_filtered=True)
    assert "--filter-here has dropped it" in said(answers, filtered, PatientID="A")[0]


def test_text_without_case_is_no_contradiction() -> None:
    """Many archives compare text without case: that ignores no key."""
    answers = studies(1, StudyDescription="Chest PA ", AccessionNumber="a77")
    assert said(answers, StudyDescription="CHEST*", AccessionNumber="A77") == []
    assert said(answers, StudyDescription="CHEST") != []


def test_unknown_value_is_no_contradiction() -> None:
    assert said(studies(2, StudyDescription=""), StudyDescription="X") == []


@pytest.mark.parametrize(
    ("count", "status", "words"),
    [
        (500, 0, "exactly 500 answers: PACS probably stops there. --split auto fetches the rest."),
        (501, 0, ""),
        (7, 0xA700, "PACS stopped after 7 answers (status A700). --split auto"),
        (7, 0xFE00, "PACS stopped after 7 answers (status FE00)."),
        (7, 0xA900, ""),
    ],
)
def test_cap_is_named(count: int, status: int, words: str) -> None:
    lines = said(studies(count), status=status)
    assert [line[: len(words)] for line in lines] == ([words] if words else [])


def test_query_that_we_end_has_no_cap() -> None:
    assert said(studies(500), Circumstances("PACS", Level.STUDY, is_stopped=True)) == []
    assert said(studies(500), Circumstances("PACS", Level.STUDY, is_split=True)) == []


def test_duplicates_and_answers_without_unique_key() -> None:
    lines = said([*studies(2), *studies(1), data_set(StudyInstanceUID="")])
    assert lines[0].startswith("1 answer names a study that came before")
    assert lines[1].startswith("1 answer of PACS has no StudyInstanceUID: no later query")


def test_unsupported_key_is_named() -> None:
    outcome = Outcome(Counter({0xFF01: 2}))
    lines = contradictions(PACS, {}, outcome, None)
    assert lines == ["PACS does not support one of the keys as asked (status FF01)."]


def test_undecodable_text() -> None:
    outcome = Outcome(Counter({0xFF00: 2}), wrong_text=Counter({"ISO_IR 100": 1, "": 2}))
    named, unnamed = contradictions(PACS, {}, outcome, None)
    assert named.startswith("1 answer holds text that is not in the character set that it names")
    assert "--charset-of-peer 'ISO_IR 192' reads it as UTF-8" in named
    assert unnamed.startswith("2 answers hold text beyond ASCII, but name no character set")

"""Levels and identifiers of answers, judged from written ones."""

from __future__ import annotations

import pytest

from dicomquest.cli.conform import answer_checks
from dicomquest.cli.conform.holdings import LEARNT_KEYS
from dicomquest.cli.conform.outcome import Outcome, Verdict
from dicomquest.standard.levels import Level
from fixtures.scripted_peer import ScriptedPeer, holdings, reply, studies

RIGHT: dict[str, object] = {
    **dict.fromkeys(LEARNT_KEYS[Level.STUDY], ""),
    "QueryRetrieveLevel": "STUDY",
    "RetrieveAETitle": "ARCHIVE",
    "StudyInstanceUID": "1.1",
}
COMPLAINTS = (
    answer_checks.unique_key,
    answer_checks.upper_keys,
    answer_checks.level_returned,
    answer_checks.location,
    answer_checks.required_keys,
    answer_checks.optional_keys,
    answer_checks.nothing_else,
    answer_checks.readable_text,
)


def verdicts(answer: dict[str, object], pending: int = 0xFF00) -> list[Verdict]:
    held = holdings(studies({}, learnt=reply(answer, pending=pending)))
    peer = ScriptedPeer([])
    return [answer_checks.of_each_answer(each)(peer, held) for each in COMPLAINTS]


def complaints(answer: dict[str, object], pending: int = 0xFF00) -> list[str]:
    found = verdicts(answer, pending)
    return [each.words for each in found if each.outcome is Outcome.FAILED]


def without(keyword: str) -> dict[str, object]:
    return {key: value for key, value in RIGHT.items() if key != keyword}


def test_right_answer_passes_all() -> None:
    assert {each.outcome for each in verdicts(RIGHT)} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (without("StudyInstanceUID") | {"StudyInstanceUID": ""}, "StudyInstanceUID is missing"),
        (without("QueryRetrieveLevel"), "QueryRetrieveLevel is missing"),
        (without("RetrieveAETitle"), "neither RetrieveAETitle"),
        (without("StudyDate"), "StudyDate is absent"),
        (without("ModalitiesInStudy"), "ModalitiesInStudy is absent, and the status is not FF01"),
        (RIGHT | {"PatientSex": "F"}, "PatientSex was not asked for"),
        (RIGHT | {"StudyDescription": "Kn\ufffdchel"}, "not in the character set (none named)"),
    ],
)
def test_wrong_answer_has_one_complaint(answer: dict[str, object], words: str) -> None:
    (complaint,) = complaints(answer)
    assert words in complaint


def test_ff01_excuses_an_absent_optional_key() -> None:
    assert complaints(without("ModalitiesInStudy"), pending=0xFF01) == []


def test_no_answers_decide_nothing() -> None:
    held = holdings(studies(learnt=reply()))
    judge = answer_checks.of_each_answer(answer_checks.location)
    assert judge(ScriptedPeer([]), held).outcome is Outcome.NOT_DECIDED


def test_repeated_entity_fails() -> None:
    judge = answer_checks.one_answer(Level.STUDY)
    for answers, outcome in (
        ((RIGHT, RIGHT), Outcome.FAILED),
        ((RIGHT, RIGHT | {"StudyInstanceUID": "1.2"}), Outcome.PASSED),
        ((RIGHT,), Outcome.NOT_DECIDED),
    ):
        held = holdings(studies({}, learnt=reply(*answers)))
        assert judge(ScriptedPeer([]), held).outcome is outcome

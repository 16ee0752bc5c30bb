"""Checks of a worklist: the faults that each finds, and what it lets pass."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dicomquest.cli.conform import worklist_checks as checks
from dicomquest.cli.conform.holdings import Holdings, learn_steps
from dicomquest.cli.conform.outcome import Outcome
from dicomquest.cli.conform.questioner import Negotiated, Reply
from dicomquest.cli.conform.worklist_holdings import STEPS, Worklist, learn_worklist
from dicomquest.standard.models import MODALITY_WORKLIST
from fixtures.faces import data_set
from fixtures.scripted_peer import ScriptedPeer, reply

PASSED, FAILED, NOT_DECIDED = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_DECIDED
ACCEPTED = Negotiated(frozenset({MODALITY_WORKLIST.uid}), {}, {})


def answer(number: int, step: Mapping[str, str], **root: object) -> dict[str, object]:
    """An answer whose Study Instance UID tells it from others."""
    names = {
        "ScheduledPerformingPhysicianName": "", "ScheduledStationName": "",
        "ScheduledProcedureStepLocation": "", "ScheduledProcedureStepStartDate": "20260101",
        "ScheduledProcedureStepStartTime": "0800", "Modality": "CT",
        "ScheduledStationAETitle": "CT1", "ScheduledProcedureStepID": "S",
    }  # fmt: skip
    return {
        "StudyInstanceUID": f"1.{number}", "RequestedProcedureID": "R", "PatientName": "DOE^JOHN",
        "PatientID": "A", "AccessionNumber": "", "ReferringPhysicianName": "",
        "PatientBirthDate": "", "PatientSex": "", STEPS: [data_set(**{**names, **step})], **root,
    }  # fmt: skip


DAYS = [
    answer(number, {"ScheduledProcedureStepStartDate": f"2026010{number}",
                    "ScheduledProcedureStepStartTime": time,
                    "ScheduledPerformingPhysicianName": physician})
    for number, time, physician in ((1, "0800", "HELLER^H"), (2, "0700", ""), (3, "1000", "RITA^R"))
]  # fmt: skip


def worklist(*answers: Mapping[str, object]) -> Worklist:
    """The worklist that is learnt from these answers."""
    return learn_worklist(ScriptedPeer([reply(*answers)], ACCEPTED))


def outcome_of(judge: checks.WorklistJudge, answers: list[dict[str, object]]) -> Outcome:
    return judge(ScriptedPeer([reply(*answers)]), worklist(*DAYS)).outcome


def test_one_question_learns_the_steps() -> None:
    peer = ScriptedPeer([reply(*DAYS)], ACCEPTED)
    held = learn_steps(peer)
    assert held.worklist is not None
    assert [step.identity[0] for step in held.worklist.steps] == ["1.1", "1.2", "1.3"]
    ((level, keys),) = peer.asked
    assert level is None
    assert keys["PatientName"] == ""
    assert keys[STEPS]["Modality"] == ""  # type: ignore[index]


def test_peer_without_a_worklist_fails_one_check() -> None:
    held = learn_steps(ScriptedPeer([], Negotiated(frozenset(), {MODALITY_WORKLIST.uid: 3}, {})))
    assert checks.accepted(ScriptedPeer([]), held).outcome is FAILED
    assert checks.all_steps(ScriptedPeer([]), held).outcome is NOT_DECIDED
    judged = checks.of_worklist(checks.once)(ScriptedPeer([]), held)
    assert judged.outcome is NOT_DECIDED


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (reply(*DAYS), PASSED),
        (reply(), NOT_DECIDED),
        (reply(status=0xC001), FAILED),
        (Reply(None, failure="the association ended"), FAILED),
    ],
)
def test_end_of_the_question_is_judged(given: Reply, outcome: Outcome) -> None:
    held = Holdings(ACCEPTED, (), worklist=Worklist(ACCEPTED, given))
    assert checks.all_steps(ScriptedPeer([]), held).outcome is outcome


@pytest.mark.requirement("WL-002")
def test_repeated_step_fails() -> None:
    assert checks.once(ScriptedPeer([]), worklist(*DAYS)).outcome is PASSED
    assert checks.once(ScriptedPeer([]), worklist(*DAYS, DAYS[0])).outcome is FAILED
    other = answer(1, {}, AccessionNumber="another")
    assert checks.once(ScriptedPeer([]), worklist(answer(1, {}), other)).outcome is PASSED
    assert checks.once(ScriptedPeer([]), worklist(DAYS[0])).outcome is NOT_DECIDED


@pytest.mark.requirement("WL-001", "WL-003", "WL-007")
@pytest.mark.parametrize(
    ("complaint", "fault", "words"),
    [
        (checks.no_level, answer(1, {}, QueryRetrieveLevel="STUDY"), "QueryRetrieveLevel is there"),
        (checks.one_item, answer(1, {}, **{STEPS: []}), "has 0 items"),
        (checks.one_item, answer(1, {}, **{STEPS: [data_set(), data_set()]}), "has 2 items"),
        (checks.valued_keys, answer(1, {"Modality": ""}), "Modality is missing or empty"),
        (checks.valued_keys, answer(1, {}, PatientID=""), "PatientID is missing or empty"),
        (checks.present_keys, answer(1, {}, **{STEPS: [data_set()]}),
         "ScheduledStationName is absent"),
        (checks.nothing_else, answer(1, {}, StudyID="1"), "StudyID was not asked for"),
        (checks.nothing_else, answer(1, {"PreMedication": "x"}), "PreMedication was not asked for"),
    ],
)  # fmt: skip
def test_fault_of_an_answer_is_told(
    complaint: object, fault: dict[str, object], words: str
) -> None:
    judge = checks.of_each_step(complaint)  # type: ignore[arg-type]
    verdict = judge(ScriptedPeer([]), worklist(answer(2, {}), fault))
    assert verdict.outcome is FAILED
    assert words in verdict.words
    assert judge(ScriptedPeer([]), worklist(answer(2, {}))).outcome is PASSED


@pytest.mark.requirement("WL-004")
def test_wrong_missing_and_right_steps() -> None:
    judge = checks.single("ScheduledProcedureStepStartDate")
    assert outcome_of(judge, [DAYS[0]]) is PASSED
    assert outcome_of(judge, []) is FAILED
    assert outcome_of(judge, DAYS) is FAILED
    new = answer(9, {"ScheduledProcedureStepStartDate": "20260101"})
    assert outcome_of(judge, [DAYS[0], new]) is PASSED


def test_values_that_decide_nothing_ask_nothing() -> None:
    peer = ScriptedPeer([])
    verdict = checks.single("Modality")(peer, worklist(*DAYS))
    assert (verdict.outcome, peer.asked) == (NOT_DECIDED, [])


@pytest.mark.requirement("WL-006")
def test_date_and_time_are_one_span() -> None:
    peer = ScriptedPeer([reply(*DAYS)])
    verdict = checks.date_and_time(peer, worklist(*DAYS))
    assert verdict.outcome is PASSED
    ((_, keys),) = peer.asked
    assert keys[STEPS]["ScheduledProcedureStepStartTime"] == "080000-235959"  # type: ignore[index]
    apart = [DAYS[0], DAYS[2]]
    assert outcome_of(checks.date_and_time, apart) is FAILED


@pytest.mark.requirement("WL-005")
def test_step_without_a_value_matches_nothing() -> None:
    assert outcome_of(checks.empty_value, [DAYS[0]]) is PASSED
    assert outcome_of(checks.empty_value, [DAYS[0], DAYS[1]]) is FAILED


@pytest.mark.requirement("WL-008")
def test_unknown_key_needs_ff01() -> None:
    for pending, outcome in ((0xFF00, FAILED), (0xFF01, PASSED)):
        peer = ScriptedPeer([reply(DAYS[0], pending=pending)])
        assert checks.optional_key(peer, worklist(*DAYS)).outcome is outcome


@pytest.mark.requirement("WL-010")
def test_both_forms_of_a_sequence_are_asked() -> None:
    peer = ScriptedPeer([reply(*DAYS), reply(*DAYS)])
    assert checks.whole_sequence(peer, worklist(*DAYS)).outcome is PASSED
    assert [keys[STEPS] for _, keys in peer.asked] == ["", {}]
    bare = answer(1, {}, **{STEPS: []})
    for given in ([reply(bare)], [reply(*DAYS), reply()], [reply(status=0xA900)]):
        peer = ScriptedPeer(given)
        assert checks.whole_sequence(peer, worklist(*DAYS)).outcome is FAILED


@pytest.mark.requirement("WL-012")
@pytest.mark.parametrize(
    ("accepted", "outcome"),
    [(b"\1\1\1", PASSED), (b"\1\1\0", PASSED), (b"\1\0\1", FAILED), (b"\1\1", FAILED)],
)
def test_answer_to_an_offer_is_judged(accepted: bytes, outcome: Outcome) -> None:
    uid = MODALITY_WORKLIST.uid
    peer = ScriptedPeer([], Negotiated(frozenset({uid}), {}, {uid: accepted}))
    assert checks.extended_answer(peer, worklist(*DAYS)).outcome is outcome


def test_cancel_ends_by_fe00() -> None:
    for given, outcome in (
        (reply(DAYS[0], status=0xFE00), PASSED),
        (reply(*DAYS), NOT_DECIDED),
        (reply(DAYS[0]), FAILED),
    ):
        assert checks.cancelled(ScriptedPeer([given]), worklist(*DAYS)).outcome is outcome

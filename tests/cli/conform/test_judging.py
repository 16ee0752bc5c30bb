"""Replies judged against what a peer holds."""

from __future__ import annotations

from functools import partial
from operator import eq

from dicomquest.cli.conform.judging import (
    Trial,
    divides,
    judge_empty,
    judge_refusal,
    judge_trial,
)
from dicomquest.cli.conform.outcome import Outcome
from dicomquest.cli.conform.questioner import Reply
from fixtures.scripted_peer import reply, studies

ROOM = studies({"StudyID": "A"}, {"StudyID": "B"}, {"StudyID": ""})
IS_A = Trial("StudyID", "A", partial(eq, "A"))
A, B, EMPTY = (
    {"StudyInstanceUID": f"1.{number}", "StudyID": value}
    for number, value in ((1, "A"), (2, "B"), (3, ""))
)
NO_ANSWER = Reply(None, failure="the peer aborted")


def outcome(given: Reply) -> Outcome:
    return judge_trial(ROOM, IS_A, given).outcome


def test_all_matches_and_no_other_pass() -> None:
    assert outcome(reply(A)) is Outcome.PASSED


def test_unknown_value_may_match() -> None:
    """PS3.4 C.2.2.1.2: a match against a value of zero length is a success."""
    assert outcome(reply(A, EMPTY)) is Outcome.PASSED


def test_wrong_answer_fails() -> None:
    verdict = judge_trial(ROOM, IS_A, reply(A, B))
    assert verdict.outcome is Outcome.FAILED
    assert "1 answer did not match, such as 'B'" in verdict.words


def test_wrong_answer_without_the_key_fails() -> None:
    """The value that was learnt counts, if the answer has none."""
    assert outcome(reply(A, {"StudyInstanceUID": "1.2"})) is Outcome.FAILED


def test_ff01_leaves_it_open() -> None:
    assert outcome(reply(A, B, pending=0xFF01)) is Outcome.NOT_DECIDED


def test_missing_match_fails() -> None:
    assert outcome(reply()) is Outcome.FAILED


def test_missing_match_of_a_cut_reply_is_open() -> None:
    assert outcome(reply(EMPTY, is_cut=True)) is Outcome.NOT_DECIDED


def test_failure_and_silence_fail() -> None:
    assert outcome(reply(status=0xA900)) is Outcome.FAILED
    assert outcome(NO_ANSWER) is Outcome.FAILED


def test_data_must_divide() -> None:
    """A key that each study matches, or none, shows nothing."""
    assert divides(ROOM, IS_A)
    assert not divides(studies({"StudyID": "A"}, {"StudyID": ""}), IS_A)
    assert not divides(studies({"StudyID": "B"}), IS_A)


def test_no_match_must_be_success() -> None:
    assert judge_empty("", reply()).outcome is Outcome.PASSED
    for wrong in (reply(A), reply(status=0xC000), NO_ANSWER):
        assert judge_empty("", wrong).outcome is Outcome.FAILED


def test_match_not_learnt_of_is_open() -> None:
    """A large archive may have what the questions did not show; an empty value may match."""
    keys = {"StudyID": "A"}
    for answer, outcome in (
        (A, Outcome.NOT_DECIDED),
        (EMPTY, Outcome.NOT_DECIDED),
        (B, Outcome.FAILED),
        ({"StudyInstanceUID": "1.2"}, Outcome.FAILED),
    ):
        assert judge_empty("", reply(answer), keys).outcome is outcome


def test_refusal_is_a_failure_status() -> None:
    assert judge_refusal("", reply(status=0xA900)).outcome is Outcome.PASSED
    for wrong in (reply(), reply(A), reply(A, status=0xA900), NO_ANSWER):
        assert judge_refusal("", wrong).outcome is Outcome.FAILED

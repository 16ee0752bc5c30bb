"""Statuses, cancel and negotiation, judged from written replies."""

from __future__ import annotations

import pytest

from dicomquest.cli.conform import exchange_checks
from dicomquest.cli.conform.outcome import Outcome
from dicomquest.cli.conform.questioner import Negotiated, Reply
from dicomquest.standard.models import STUDY_ROOT
from fixtures.scripted_peer import ScriptedPeer, holdings, reply, studies

ANSWERS = [{"StudyInstanceUID": f"1.{number}"} for number in (1, 2, 3)]
ROOM = studies(*[{"StudyDate": "20240101"}] * 3, learnt=reply(*ANSWERS))
UNKNOWN = exchange_checks.UNKNOWN_SOP_CLASS


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (reply(ANSWERS[0], status=0xFE00), Outcome.PASSED),
        (reply(*ANSWERS), Outcome.NOT_DECIDED),
        (reply(ANSWERS[0]), Outcome.FAILED),
        (Reply(None, failure="silent"), Outcome.FAILED),
    ],
)
def test_cancel_is_answered_by_fe00(given: Reply, outcome: Outcome) -> None:
    assert exchange_checks.cancel(ScriptedPeer([given]), holdings(ROOM)).outcome is outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"\1\0\1", Outcome.PASSED),
        (b"\0", Outcome.PASSED),
        (b"\1\1\1", Outcome.FAILED),
        (b"\1\0\1\1", Outcome.FAILED),
        (b"\2\0\0", Outcome.FAILED),
        (None, Outcome.NOT_DECIDED),
    ],
)
def test_only_what_was_offered_is_accepted(answer: bytes | None, outcome: Outcome) -> None:
    extended = {} if answer is None else {STUDY_ROOT.uid: answer}
    peer = ScriptedPeer([], Negotiated(frozenset({STUDY_ROOT.uid}), {}, extended))
    assert exchange_checks.extended_answer(peer, holdings(ROOM)).outcome is outcome


@pytest.mark.parametrize(
    ("negotiated", "outcome"),
    [
        (Negotiated(frozenset({STUDY_ROOT.uid}), {UNKNOWN: 3}, {}), Outcome.PASSED),
        (Negotiated(frozenset({STUDY_ROOT.uid, UNKNOWN}), {}, {}), Outcome.FAILED),
        (Negotiated(frozenset(), {UNKNOWN: 3, STUDY_ROOT.uid: 3}, {}), Outcome.FAILED),
        (None, Outcome.FAILED),
    ],
)
def test_unknown_class_is_refused_alone(negotiated: Negotiated | None, outcome: Outcome) -> None:
    peer = ScriptedPeer([], negotiated)
    assert exchange_checks.unknown_sop_class(peer, holdings(ROOM)).outcome is outcome


def test_malformed_date_never_finds_everything() -> None:
    judge = exchange_checks.malformed_date("-")
    for given, outcome in (
        (reply(*ANSWERS), Outcome.FAILED),
        (reply(status=0xA900), Outcome.PASSED),
        (reply(), Outcome.PASSED),
    ):
        assert judge(ScriptedPeer([given]), holdings(ROOM)).outcome is outcome

"""Questions derived from what a peer holds, with the matches that must and may come."""

from __future__ import annotations

import pytest

from dicomquest.cli.conform import matching_checks
from dicomquest.cli.conform.judging import first_dividing
from dicomquest.cli.conform.outcome import Outcome
from dicomquest.standard.levels import Level
from fixtures.scripted_peer import ScriptedPeer, holdings, reply, studies

ROOM = studies(
    {"PatientName": "DOE^JOHN", "PatientID": "A1", "StudyDate": "20240101", "StudyTime": "07"},
    {"PatientName": "Müller^J", "PatientID": "A2", "StudyDate": "20240201", "StudyTime": "1530"},
    {"PatientName": "", "PatientID": "A3", "StudyDate": "20240301", "StudyTime": "235959.5"},
)


@pytest.mark.parametrize(
    ("trials", "asked"),
    [
        (matching_checks.name_prefix, "DOE^*"),
        (matching_checks.name_question, "D?E^JOHN"),
        (matching_checks.name_other_characters, "Müller^J"),
        (matching_checks.name_other_question, "M?ller^J"),
        (matching_checks.date_range, "20240201-20240301"),
        (matching_checks.date_from, "20240301-"),
        (matching_checks.date_until, "-20240101"),
        (matching_checks.time_range, "000000-075959.999999"),
    ],
)
def test_trial_comes_from_the_data(trials: matching_checks.MakesTrials, asked: str) -> None:
    trial = first_dividing(ROOM, trials(ROOM))
    assert trial is not None
    assert trial.value == asked


def test_case_and_accents_of_names_may_count_or_not() -> None:
    trial = matching_checks.name_trial("MÜLLER^*")
    assert trial.matches("MÜLLER^J")
    assert not trial.matches("Muller^J")
    assert trial.allows("Muller^J")
    assert not trial.allows("MILLER^J")


def test_sql_wild_card_fails() -> None:
    answer = {"StudyInstanceUID": "1.1", "PatientID": "A1"}
    peer = ScriptedPeer([reply(), reply(answer)])
    verdict = matching_checks.literal_underscore(peer, holdings(ROOM))
    assert verdict.outcome is Outcome.FAILED
    assert "PatientID='A%'" in verdict.words


def test_wild_card_in_a_uid_fails() -> None:
    held = holdings(ROOM)
    answers = [{"StudyInstanceUID": f"1.{number}"} for number in (1, 2, 3)]
    found = matching_checks.wild_uid(ScriptedPeer([reply(*answers)]), held)
    assert found.outcome is Outcome.FAILED
    for silent in (reply(), reply(status=0xA900)):
        verdict = matching_checks.wild_uid(ScriptedPeer([silent]), held)
        assert verdict.outcome is Outcome.PASSED


def test_list_of_uids_finds_each_once() -> None:
    one, two = ({"StudyInstanceUID": uid} for uid in ("1.1", "1.2"))
    for given, outcome in (
        (reply(one, two), Outcome.PASSED),
        (reply(one, two, one), Outcome.FAILED),
        (reply(one), Outcome.FAILED),
        (reply(status=0xC320), Outcome.FAILED),
    ):
        peer = ScriptedPeer([given])
        assert matching_checks.list_of_uids(peer, holdings(ROOM)).outcome is outcome
        assert peer.asked == [("STUDY", {"StudyInstanceUID": "1.1\\1.2\\1.1"})]


def test_ignored_modality_needs_ff01() -> None:
    judge = matching_checks.optional(Level.STUDY, "ModalitiesInStudy", "ZZ")
    answer = {"StudyInstanceUID": "1.1"}
    for pending, outcome in ((0xFF00, Outcome.FAILED), (0xFF01, Outcome.NOT_DECIDED)):
        peer = ScriptedPeer([reply(answer, pending=pending)])
        assert judge(peer, holdings(ROOM)).outcome is outcome


def test_data_that_decide_nothing_ask_nothing() -> None:
    held = holdings(studies({"StudyID": "A"}, {"StudyID": "A"}))
    peer = ScriptedPeer([])
    verdict = matching_checks.single(Level.STUDY, "StudyID")(peer, held)
    assert (verdict.outcome, peer.asked) == (Outcome.NOT_DECIDED, [])

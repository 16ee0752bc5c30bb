"""Checks of statuses, malformed requests, cancel and negotiation (PS3.4 C.4.1.1.4, C.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.cli.conform.judging import ask_in, judge_refusal, room_of
from dicomquest.cli.conform.outcome import Verdict, failed, not_decided, passed
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel

if TYPE_CHECKING:
    from dicomquest.cli.conform.answer_checks import Judge
    from dicomquest.cli.conform.holdings import Holdings
    from dicomquest.cli.conform.questioner import Asks, Reply

UNKNOWN_SOP_CLASS = "1.2.826.0.1.3680043.8.498.4711.1"
"""A UID that no SOP class has."""

OFFER = b"\1\0\1"
"""Relational queries and fuzzy names, without date-time matching (PS3.4 Table C.5-1)."""


def echo(peer: Asks, _: Holdings) -> Verdict:
    """Judge the answer to a C-ECHO."""
    words = peer.echo()
    return passed(words) if words == "status 0000" else failed(words)


def _model(held: Holdings) -> InformationModel | None:
    return next((each for each in (STUDY_ROOT, PATIENT_ROOT) if each in held.models), None)


def level_value(level: str | None, what: str) -> Judge:
    """Return the check that a query without a right level is refused."""

    def judge(peer: Asks, held: Holdings) -> Verdict:
        model = _model(held)
        if model is None:
            return not_decided("no information model is accepted")
        keys = {"PatientID": "", "StudyInstanceUID": ""}
        return judge_refusal(what, peer.ask(level, keys, model=model))

    return judge


def patient_level_of_study_root(peer: Asks, held: Holdings) -> Verdict:
    """Judge a PATIENT query under Study Root, which has no such level."""
    if STUDY_ROOT not in held.models:
        return not_decided("Study Root is not accepted")
    reply = peer.ask("PATIENT", {"PatientID": "", "PatientName": ""}, model=STUDY_ROOT)
    return judge_refusal("PATIENT under Study Root", reply)


def malformed_date(value: str) -> Judge:
    """Return the check that a value that is no date never finds everything."""

    def judge(peer: Asks, held: Holdings) -> Verdict:
        room = room_of(held, Level.STUDY)
        if isinstance(room, Verdict):
            return room
        reply = ask_in(peer, room, {"StudyDate": value})
        what = f"StudyDate={value!r}"
        if reply.status is None:
            return failed(f"{what}: {reply.end()}")
        known = {each.uid for each in room.entities if each.value("StudyDate")}
        found = {uid for uids in reply.values(room.unique) for uid in uids}
        if found & known:
            return failed(f"{what}: {len(reply.pending)} answers, though it is no date")
        if not known:
            return not_decided("needs a study with a date")
        return passed(f"{what}: nothing found, {reply.end()}")

    return judge


def success_without_identifier(_: Asks, held: Holdings) -> Verdict:
    """Judge the final statuses of the questions without a condition."""
    whole = [room.reply for room in held.rooms.values() if not room.reply.is_cut]
    if not whole:
        return not_decided("no question was answered to its end")
    for reply in whole:
        if reply.status != 0:
            return failed(reply.end())
    return passed(f"0000 after each of {len(whole)} questions")


def cancel(peer: Asks, held: Holdings) -> Verdict:
    """Judge a C-CANCEL after the first answer: status FE00, or all answers came before it."""
    rooms = [room for room in held.rooms.values() if len(room.entities) > 1]
    if not rooms:
        return not_decided("needs a question with several answers")
    room = max(rooms, key=lambda each: len(each.reply.answers))
    question = {**dict.fromkeys(room.keys, ""), **room.above}
    reply = peer.ask(room.level.name, question, model=room.model, cancel_after=1)
    return judge_cancel(reply, len(room.reply.answers))


def judge_cancel(reply: Reply, total: int) -> Verdict:
    """Judge the reply to a question of ``total`` answers that was cancelled after the first."""
    if reply.status is None:
        return failed(f"after C-CANCEL: {reply.end()}")
    if reply.status == 0xFE00:
        return passed(f"FE00 after {len(reply.answers)} answers")
    if reply.status == 0 and len(reply.pending) >= total:
        return not_decided(f"all {total} answers had been sent when the C-CANCEL came")
    return failed(f"{reply.end()} after {len(reply.pending)} of {total} answers, instead of FE00")


def unknown_sop_class(peer: Asks, held: Holdings) -> Verdict:
    """Judge the answer to a context with an unknown SOP class, beside one that is known."""
    model = _model(held)
    if model is None:
        return not_decided("no information model is accepted")
    found = peer.negotiate([model.uid, UNKNOWN_SOP_CLASS], {})
    if found is None:
        return failed("no association, where only one context is unknown")
    if UNKNOWN_SOP_CLASS in found.accepted:
        return failed("an unknown SOP class is accepted")
    if found.refused.get(UNKNOWN_SOP_CLASS) not in {1, 2, 3}:
        return failed(f"result {found.refused.get(UNKNOWN_SOP_CLASS)} for an unknown SOP class")
    if model.uid not in found.accepted:
        return failed("the known SOP class is not accepted beside the unknown one")
    return passed(f"result {found.refused[UNKNOWN_SOP_CLASS]}, and the other context is accepted")


def extended_answer(peer: Asks, held: Holdings) -> Verdict:
    """Judge the answer to extended negotiation: no byte that was not offered."""
    model = _model(held)
    if model is None:
        return not_decided("no information model is accepted")
    found = peer.negotiate([model.uid], {model.uid: OFFER})
    if found is None:
        return failed("no association with extended negotiation")
    answer = found.extended.get(model.uid)
    if answer is None:
        return not_decided("no answer: the peer supports no extended negotiation")
    if any(byte > 1 for byte in answer) or any(
        byte and not offered
        for byte, offered in zip(answer, OFFER.ljust(len(answer), b"\0"), strict=False)
    ):
        return failed(f"answer {answer.hex(' ')} to the offer {OFFER.hex(' ')}")
    return passed(f"answer {answer.hex(' ')} to the offer {OFFER.hex(' ')}")


def relational(peer: Asks, held: Holdings) -> Verdict:
    """Judge a relational query, if the peer accepts these: instances without upper keys."""
    room = room_of(held, Level.IMAGE)
    if isinstance(room, Verdict):
        return room
    found = peer.negotiate([room.model.uid], {room.model.uid: b"\1"})
    if found is None or found.extended.get(room.model.uid, b"")[:1] != b"\1":
        return not_decided("relational queries are not accepted")
    uid = room.entities[0].uid
    reply = peer.ask("IMAGE", {room.unique: uid}, model=room.model, extended=b"\1")
    if reply.values(room.unique) == [(uid,)] and reply.status == 0:
        return passed("an instance found by its own key alone")
    return failed(f"SOPInstanceUID alone: {len(reply.answers)} answers, {reply.end()}")


def after_refusal(peer: Asks, held: Holdings) -> Verdict:
    """Judge a right query on the association of a wrong one."""
    room = room_of(held, Level.STUDY)
    if isinstance(room, Verdict):
        return room
    peer.ask("NONSENSE", {"PatientID": ""}, model=room.model)
    reply = ask_in(peer, room, {room.unique: room.entities[0].uid})
    if reply.status == 0 and reply.answers:
        return passed("the next query is answered")
    return failed(f"the next query: {len(reply.answers)} answers, {reply.end()}")

"""Judging of replies against what the peer holds (PS3.4 C.2.2.2, C.4.1.3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.cli.conform.outcome import Verdict, failed, not_decided, passed
from dicomquest.cli.conform.questioner import Reply, values_of
from dicomquest.cli.counting import number_of
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.cli.conform.holdings import Entity, Holdings, Room
    from dicomquest.cli.conform.questioner import Asks, Keys

Matches = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Trial:
    """A key with a value, and the stored values that must match it, and that may."""

    keyword: str
    value: str
    matches: Matches
    may_match: Matches | None = None

    def allows(self, stored: str) -> bool:
        """Tell whether a stored value may be found: by the Standard, or by a choice it leaves."""
        return self.matches(stored) or (self.may_match is not None and self.may_match(stored))

    def __str__(self) -> str:
        return f"{self.keyword}={shown(self.value)}"


def shown(value: str) -> str:
    """Return a value for a message, shortened."""
    return repr(value if len(value) <= 64 else f"{value[:30]}…{value[-30:]}")


def room_of(held: Holdings, level: Level) -> Room | Verdict:
    """Return the room of a level, or the reason why there is nothing to ask about."""
    room = held.rooms.get(level)
    if room is None:
        return not_decided(f"no {level.entity} could be learnt of")
    if not room.entities:
        return not_decided(f"the peer showed no {level.entity} ({room.reply.end()})")
    return room


def is_unknown(entity: Entity, keyword: str) -> bool:
    """Tell whether the peer holds no value, so that the Standard lets anything match."""
    return not entity.values.get(keyword)


def divides(room: Room, trial: Trial) -> bool:
    """Tell whether some entities of a room match, and others do not: else a trial shows nothing."""
    known = [_matches(each, trial) for each in room.entities if not is_unknown(each, trial.keyword)]
    allowed = [
        any(map(trial.allows, each.values[trial.keyword]))
        for each in room.entities
        if not is_unknown(each, trial.keyword)
    ]
    return any(known) and not all(allowed)


def _matches(entity: Entity, trial: Trial) -> bool:
    return any(map(trial.matches, entity.values.get(trial.keyword, ())))


def ask_in(peer: Asks, room: Room, keys: Keys, *, extended: bytes = b"") -> Reply:
    """Ask for entities of a room, with its unique key to return."""
    question = {room.unique: "", **room.above, **keys}
    return peer.ask(room.level.name, question, model=room.model, extended=extended)


def first_dividing(room: Room, trials: Iterator[Trial]) -> Trial | None:
    """Return the first trial that the data of a room decide."""
    return next((trial for trial in trials if divides(room, trial)), None)


def try_first(peer: Asks, room: Room | Verdict, trials: Iterator[Trial], lack: str) -> Verdict:
    """Ask the first trial that the data decide, and judge the reply."""
    if isinstance(room, Verdict):
        return room
    trial = first_dividing(room, trials)
    if trial is None:
        return not_decided(lack)
    return judge_trial(room, trial, ask_in(peer, room, {trial.keyword: trial.value}))


def judge_trial(room: Room, trial: Trial, reply: Reply) -> Verdict:
    """Judge a reply: all entities that match and no other, each unknown value left open."""
    if reply.status is None or reply.is_refused:
        return failed(f"{trial}: {reply.end()}")
    known = {each.uid: each for each in room.entities}
    found: set[str] = set()
    wrong: list[str] = []
    for answer in reply.answers:
        uid = "".join(values_of(answer, room.unique)[:1])
        found.add(uid)
        values = values_of(answer, trial.keyword)
        if not values and uid in known:
            values = known[uid].values.get(trial.keyword, ())
        if values and not any(map(trial.allows, values)):
            wrong.append("\\".join(values))
    if wrong:
        words = (
            f"{trial}: {number_of(len(wrong), 'answer')} did not match, such as {shown(wrong[0])}"
        )
        if reply.has_warning:
            return not_decided(f"{words}; FF01 says that a key is not supported")
        return failed(words)
    expected = {uid for uid, each in known.items() if _matches(each, trial)}
    missing = expected - found
    if missing and reply.is_cut:
        return not_decided(f"{trial}: more than {len(reply.answers)} answers, not all asked for")
    if missing:
        return failed(f"{trial}: {len(missing)} of {len(expected)} matches were not found")
    return passed(f"{trial}: {matches_of(len(expected))}, no other")


def judge_empty(what: str, reply: Reply, keys: Mapping[str, str] | None = None) -> Verdict:
    """Judge the reply to a question that nothing learnt of matches: Success without an answer.

    An answer that has the values of ``keys``, or an empty one, is a match that was not learnt of.
    """
    if reply.status is None:
        return failed(f"{what}: {reply.end()}")
    if strays := [each for each in reply.answers if not _may_match(each, keys or {})]:
        return failed(f"{what}: {number_of(len(strays), 'answer')}, where nothing matches")
    if reply.is_refused:
        return failed(f"{what}: {reply.end()}, where no match is Success")
    if reply.pending:
        return not_decided(f"{what}: {number_of(len(reply.pending), 'answer')} that may match")
    return passed(f"{what}: no answer, {reply.end()}")


def _may_match(answer: Dataset, keys: Mapping[str, str]) -> bool:
    """Tell whether an answer returns each key, with its value or empty (PS3.4 C.2.2.1.2)."""
    return bool(keys) and all(
        keyword in answer and set(values_of(answer, keyword)) <= {value}
        for keyword, value in keys.items()
    )


def judge_refusal(what: str, reply: Reply) -> Verdict:
    """Judge the reply to a request that is no right one: a failure status, and no answer."""
    if reply.status is None:
        return failed(f"{what}: {reply.end()}, instead of a failure status")
    if reply.is_refused and not reply.pending:
        return passed(f"{what}: {reply.end()}")
    count = number_of(len(reply.pending), "answer")
    return failed(f"{what}: {count} and {reply.end()}, instead of a failure status")


def same_entities(room: Room, reply: Reply) -> bool:
    """Tell whether a whole reply has the entities of a room, and no more if that has all."""
    found = {value for values in reply.values(room.unique) for value in values[:1]}
    known = {each.uid for each in room.entities}
    return known <= found if room.reply.is_cut else known == found


def matches_of(number: int) -> str:
    """Return a number of matches in words."""
    return f"{number:,} match{'es' * (number != 1)}"

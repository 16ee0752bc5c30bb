"""Checks of the types of matching (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from operator import eq
from typing import TYPE_CHECKING

from dicomquest.cli.conform.judging import (
    Trial,
    ask_in,
    divides,
    judge_empty,
    judge_trial,
    room_of,
    same_entities,
    shown,
    try_first,
)
from dicomquest.cli.conform.outcome import Outcome, Verdict, failed, not_decided, passed
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import IDENTIFIER_DOES_NOT_MATCH

if TYPE_CHECKING:
    from dicomquest.cli.conform.answer_checks import Judge
    from dicomquest.cli.conform.holdings import Holdings, Room
    from dicomquest.cli.conform.questioner import Asks, Reply

MakesTrials = Callable[["Room"], Iterator[Trial]]

NOBODY = "NOBODY-4711"
"""A value that no archive has."""

LONGEST_LIST = 3
"""UIDs in a list; one of them is there twice."""


def values_in(room: Room, keyword: str) -> list[str]:
    """Return the values of a key that the entities of a room have, each once."""
    found = (value for each in room.entities for value in each.values.get(keyword, ()))
    return [value for value in dict.fromkeys(found) if value and "\\" not in value]


def single(level: Level, keyword: str) -> Judge:
    """Return the check that one value finds the entities that have it."""

    def trials(room: Room) -> Iterator[Trial]:
        for value in values_in(room, keyword):
            if not re.search(r"[*?\\]", value):
                yield Trial(keyword, value, partial(eq, value))

    return of_level(level, trials, f"needs two entities with different values of {keyword}")


def of_level(level: Level, trials: MakesTrials, lack: str) -> Judge:
    """Return the check of the first trial that the data of a level decide."""

    def judge(peer: Asks, held: Holdings) -> Verdict:
        room = room_of(held, level)
        if isinstance(room, Verdict):
            return room
        return try_first(peer, room, trials(room), lack)

    return judge


def of_names(trials: MakesTrials, lack: str) -> Judge:
    """Return the check of the first trial of Patient's Name that the data decide."""

    def judge(peer: Asks, held: Holdings) -> Verdict:
        room = held.named
        if room is None or not room.entities:
            return not_decided("no patient's name could be learnt of")
        return try_first(peer, room, trials(room), lack)

    return judge


def names(room: Room, *, is_ascii: bool = True) -> Iterator[str]:
    """Yield names to look for: their alphabetic groups, plain or with other characters."""
    for value in values_in(room, "PatientName"):
        name = value.partition("=")[0].rstrip("^")
        if name.isascii() is is_ascii and len(name) > 3 and not re.search(r"[*?]", name):
            yield name


def name_trial(pattern: str) -> Trial:
    """Return a trial of Patient's Name.

    A stored name must match letter by letter, and may match without regard to case and accents, or
    by one of its groups (PS3.4 C.2.2.2.1.1).
    """
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    expression = re.compile("".join(parts), re.DOTALL)
    plain_parts = [re.sub(r"[*?]", "", each) for each in re.split(r"[*?]", _plain(pattern))]
    loose = re.compile(".*".join(map(re.escape, plain_parts)), re.DOTALL)

    def must_match(stored: str) -> bool:
        return expression.fullmatch(stored) is not None

    def may_match(stored: str) -> bool:
        return any(
            loose.fullmatch(_plain(each)) is not None
            for group in (stored, *stored.split("="))
            for each in (group, group.rstrip("^"))
        )

    return Trial("PatientName", pattern, must_match, may_match)


def _plain(name: str) -> str:
    """Return a name without case and accents."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def name_prefix(room: Room) -> Iterator[Trial]:
    """Yield beginnings of names, with ``*``."""
    for name in names(room):
        yield name_trial(f"{name[: max(2, len(name) // 2)]}*")


def name_question(room: Room) -> Iterator[Trial]:
    """Yield names with one character as ``?``."""
    for name in names(room):
        if name[1] != "^":
            yield name_trial(f"{name[0]}?{name[2:]}")


def name_whole(room: Room) -> Iterator[Trial]:
    """Yield whole names."""
    yield from map(name_trial, names(room))


def name_other_characters(room: Room) -> Iterator[Trial]:
    """Yield whole names with characters beyond ASCII, asked for in UTF-8."""
    yield from map(name_trial, names(room, is_ascii=False))


def name_other_question(room: Room) -> Iterator[Trial]:
    """Yield names whose first character beyond ASCII is ``?``: one character of several bytes."""
    for name in names(room, is_ascii=False):
        yield name_trial(re.sub(r"[^\x00-\x7f]", "?", name, count=1))


def days(room: Room) -> list[str]:
    """Return the study dates of a room in order."""
    return sorted(each for each in values_in(room, "StudyDate") if re.fullmatch(r"\d{8}", each))


def _is_within(first: str, last: str, day: str) -> bool:
    return first <= day and (not last or day <= last)


def _is_before_hour(hour: int, time: str) -> bool:
    return int(time[:2]) < hour


def date_range(room: Room) -> Iterator[Trial]:
    """Yield ranges of a date up to a date."""
    found = days(room)
    for end in range(len(found) - 1, 0, -1):
        for start in (1, 0):
            first, last = found[min(start, end)], found[end]
            yield Trial(
                "StudyDate", f"{first}-{last}",
                partial(_is_within, first, last),
            )  # fmt: skip


def date_from(room: Room) -> Iterator[Trial]:
    """Yield ranges that begin at a date."""
    for first in reversed(days(room)):
        yield Trial("StudyDate", f"{first}-", partial(_is_within, first, ""))


def date_until(room: Room) -> Iterator[Trial]:
    """Yield ranges that end at a date."""
    for last in days(room):
        yield Trial("StudyDate", f"-{last}", partial(_is_within, "", last))


def time_range(_: Room) -> Iterator[Trial]:
    """Yield ranges of times, of whole hours so that precision does not count."""
    for hour in range(1, 24):
        end = f"{hour - 1:02}5959.999999"
        yield Trial("StudyTime", f"000000-{end}", partial(_is_before_hour, hour))


def literal_underscore(peer: Asks, held: Holdings) -> Verdict:
    """Judge the answers to ``_`` and ``%``, which are wild cards of SQL and not of DICOM."""
    room = held.named
    if room is None or not room.entities:
        return not_decided("no patient could be learnt of")
    stored = values_in(room, "PatientID")
    value = next((each for each in stored if len(each) > 1), None)
    if value is None:
        return not_decided("needs a Patient ID of two characters")
    for key in (f"{value[:-1]}_", f"{value[:-1]}%"):
        if key not in stored:
            keys = {"PatientID": key}
            verdict = judge_empty(f"PatientID={shown(key)}", ask_in(peer, room, keys), keys)
            if verdict.outcome is not Outcome.PASSED:
                return verdict
    return passed("_ and % are characters like others")


def wild_uid(peer: Asks, held: Holdings) -> Verdict:
    """Judge the answers to UIDs with ``*``: no wild cards there, so nothing or an error."""
    asked = 0
    end = ""
    for level in (Level.STUDY, Level.SERIES, Level.IMAGE):
        room = held.rooms.get(level)
        if room is None or not room.entities:
            continue
        key = f"{room.entities[0].uid[:-1]}*"
        reply = ask_in(peer, room, {room.unique: key})
        what = f"{room.unique}={shown(key)}"
        if reply.status is None:
            return failed(f"{what}: {reply.end()}")
        if reply.pending:
            return failed(f"{what}: {len(reply.pending)} answers; a UID has no wild cards")
        asked += 1
        end = reply.end()
    if not asked:
        return not_decided("no study could be learnt of")
    return passed(f"no answer at {asked} levels, {end}")


def star_as_uid(peer: Asks, held: Holdings) -> Verdict:
    """Judge a UID of ``*`` alone, which SCUs send: all, none or A900, but not Cxxx."""
    room = room_of(held, Level.STUDY)
    if isinstance(room, Verdict):
        return room
    reply = ask_in(peer, room, {room.unique: "*"})
    what = f"{room.unique}='*'"
    if reply.status is None:
        return failed(f"{what}: {reply.end()}")
    if reply.is_refused and reply.status != IDENTIFIER_DOES_NOT_MATCH:
        return failed(f"{what}: {reply.end()}")
    if reply.pending and not reply.is_cut and not same_entities(room, reply):
        return failed(f"{what}: {len(reply.pending)} answers, neither none nor all")
    return passed(f"{what}: {len(reply.pending)} answers, {reply.end()}")


def optional(level: Level, keyword: str, nonsense: str) -> Judge:
    """Return the check that an optional key is matched, or told by FF01 to be no condition."""

    def judge(peer: Asks, held: Holdings) -> Verdict:
        room = room_of(held, level)
        if isinstance(room, Verdict):
            return room
        for value in values_in(room, keyword):
            trial = Trial(keyword, value, partial(eq, value))
            if divides(room, trial) and not re.search(r"[*?]", value):
                return judge_trial(room, trial, ask_in(peer, room, {keyword: value}))
        # A peer that never returns it may still look at it, or say that it does not.
        reply = ask_in(peer, room, {keyword: nonsense})
        what = f"{keyword}={nonsense!r}"
        if any(keyword not in answer for answer in reply.answers) and not reply.has_warning:
            count = len(reply.answers)
            return failed(f"{what}: ignored without a word, {count} answers with FF00")
        return not_decided(f"needs two entities with different values of {keyword}")

    return judge


def list_of_uids(peer: Asks, held: Holdings) -> Verdict:
    """Judge the answers to a list of UIDs: each entity once."""
    room = room_of(held, Level.STUDY)
    if isinstance(room, Verdict):
        return room
    wanted = [each.uid for each in room.entities][: LONGEST_LIST - 1]
    if len(wanted) < 2 or len(room.entities) == len(wanted):
        return not_decided("needs three studies")
    value = "\\".join([*wanted, wanted[0]])
    reply = ask_in(peer, room, {room.unique: value})
    verdict = judge_trial(room, Trial(room.unique, value, wanted.__contains__), reply)
    repeated = reply.repeated(room.unique)
    if verdict.outcome is Outcome.PASSED and repeated:
        return failed(f"{repeated} of {len(reply.answers)} answers repeat a study")
    return verdict


def universal(peer: Asks, held: Holdings) -> Verdict:
    """Judge a question without any key but the unique one: as many answers as with empty keys."""
    room = room_of(held, Level.STUDY)
    if isinstance(room, Verdict):
        return room
    return _as_without_condition(room, "no key but the unique one", ask_in(peer, room, {}))


def star_alone(peer: Asks, held: Holdings) -> Verdict:
    """Judge a name of ``*`` alone, which is universal matching."""
    room = held.named
    if room is None or not room.entities:
        return not_decided("no patient's name could be learnt of")
    return _as_without_condition(room, "PatientName='*'", ask_in(peer, room, {"PatientName": "*"}))


def _as_without_condition(room: Room, what: str, reply: Reply) -> Verdict:
    if reply.status is None or reply.is_refused:
        return failed(f"{what}: {reply.end()}")
    if reply.is_cut:
        return not_decided(f"{what}: more than {len(reply.answers)} answers, not all asked for")
    if not same_entities(room, reply):
        found = len({value for values in reply.values(room.unique) for value in values})
        return failed(f"{what}: {found} entities instead of {len(room.entities)}")
    return passed(f"{what}: the same {len(room.entities)} as with empty keys")


def two_keys(peer: Asks, held: Holdings) -> Verdict:
    """Judge two keys that single entities match, but none both."""
    room = room_of(held, Level.STUDY)
    if isinstance(room, Verdict):
        return room
    pairs = {(each.value("StudyDate"), each.value("AccessionNumber")) for each in room.entities}
    for day, _ in sorted(pairs):
        for _, number in sorted(pairs):
            if day and number and (day, number) not in pairs:
                same = {other for other_day, other in pairs if other_day == day}
                if "" not in same and ("", number) not in pairs:
                    keys = {"StudyDate": day, "AccessionNumber": number}
                    what = f"StudyDate={day!r}, AccessionNumber={number!r}"
                    return judge_empty(what, ask_in(peer, room, keys), keys)
    return not_decided("needs two studies with different dates and accession numbers")


def no_match(peer: Asks, held: Holdings) -> Verdict:
    """Judge a question that nothing matches."""
    room = held.named
    if room is None:
        return not_decided("no patient could be learnt of")
    keys = {"PatientID": NOBODY}
    return judge_empty(f"PatientID={NOBODY!r}", ask_in(peer, room, keys), keys)


def case_of_text(peer: Asks, held: Holdings) -> Verdict:
    """Judge the case of text that is no name: it counts."""
    room = held.named
    if room is None:
        return not_decided("no patient could be learnt of")
    stored = values_in(room, "PatientID")
    value = next((each for each in stored if each.swapcase() not in stored), None)
    if value is None:
        return not_decided("needs a Patient ID with a letter")
    key = value.swapcase()
    keys = {"PatientID": key}
    return judge_empty(f"PatientID={shown(key)}", ask_in(peer, room, keys), keys)


def sequence(peer: Asks, held: Holdings) -> Verdict:
    """Judge a key in an item of Request Attributes Sequence or Procedure Code Sequence."""
    for level, keyword, inner in (
        (Level.SERIES, "RequestAttributesSequence", "ScheduledProcedureStepID"),
        (Level.STUDY, "ProcedureCodeSequence", "CodeValue"),
    ):
        room = held.rooms.get(level)
        if room is None or not room.entities:
            continue
        reply = ask_in(peer, room, {keyword: {inner: ""}})
        stored = [
            str(item.get(inner))
            for answer in reply.answers
            for item in answer.get(keyword) or ()
            if item.get(inner)
        ]
        if stored:
            what = f"{keyword}.{inner}={shown(stored[0])}"
            found = ask_in(peer, room, {keyword: {inner: stored[0]}})
            if found.status is None or found.is_refused or not found.answers:
                return failed(f"{what}: {len(found.answers)} answers, {found.end()}")
            nothing = ask_in(peer, room, {keyword: {inner: NOBODY}})
            if nothing.answers and nothing.has_warning:
                return not_decided(f"{keyword}: FF01 says that a key is not supported")
            return judge_empty(f"{keyword}.{inner}={NOBODY!r}", nothing)
    return not_decided("the peer returned no item of a sequence")


def below_a_study(peer: Asks, held: Holdings) -> Verdict:
    """Judge a query of series below another study than theirs."""
    room = room_of(held, Level.SERIES)
    if isinstance(room, Verdict):
        return room
    studies = held.rooms[Level.STUDY]
    own = room.above[studies.unique]
    other = next((each.uid for each in studies.entities if each.uid != own), None)
    if other is None:
        return not_decided("needs two studies")
    uid = room.entities[0].uid
    reply = ask_in(peer, room, {studies.unique: other, room.unique: uid})
    return judge_empty(f"a series below another study ({shown(other)})", reply)

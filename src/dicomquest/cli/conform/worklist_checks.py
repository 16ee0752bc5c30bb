"""Checks of a Modality Worklist SCP (PS3.4 K.2.2, K.4.1, K.5.1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from operator import eq
from typing import TYPE_CHECKING

from dicomquest.cli.conform.exchange_checks import judge_cancel
from dicomquest.cli.conform.judging import Trial, judge_empty, matches_of, shown
from dicomquest.cli.conform.matching_checks import NOBODY, name_trial
from dicomquest.cli.conform.outcome import Outcome, Verdict, failed, not_decided, passed
from dicomquest.cli.conform.questioner import values_of
from dicomquest.cli.conform.worklist_holdings import (
    IDENTITY,
    LEARNT,
    STEPS,
    Worklist,
    ask,
    place_of_key,
    question,
    step_of,
    values_in,
)
from dicomquest.cli.counting import number_of
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.worklist_keys import WORKLIST_KEYS_BY_KEYWORD, ReturnType

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.cli.conform.holdings import Holdings
    from dicomquest.cli.conform.questioner import Asks, Reply
    from dicomquest.cli.conform.worklist_holdings import Step

WorklistJudge = Callable[["Asks", Worklist], Verdict]
Trials = Callable[[Worklist], Iterator[Trial]]

OFFER = b"\1\1\1"
"""Combined date and time, which is fixed, and fuzzy names (PS3.4 K.5.1)."""

RARE = "PatientTransportArrangements"
"""An optional key of type 2 that few worklists have."""

NOT_ASKED_FOR = frozenset({
    "SpecificCharacterSet", "TimezoneOffsetFromUTC", "HL7StructuredDocumentReferenceSequence",
})  # fmt: skip
"""Attributes that an answer may have without being asked for (PS3.4 K.4.1.1.3.2)."""


def of_worklist(judge: WorklistJudge) -> Callable[[Asks, Holdings], Verdict]:
    """Return the check that judges a worklist with steps."""

    @wraps(judge)
    def checked(peer: Asks, held: Holdings) -> Verdict:
        worklist = held.worklist
        if worklist is None or not worklist.is_accepted:
            return not_decided("the peer accepts no Modality Worklist - FIND")
        if not worklist.steps:
            return not_decided(f"the peer showed no step ({worklist.reply.end()})")
        return judge(peer, worklist)

    return checked


def accepted(_: Asks, held: Holdings) -> Verdict:
    """Judge the answer to a presentation context for the worklist."""
    worklist = held.worklist
    if worklist is None or worklist.negotiated is None:
        return failed("no association for Modality Worklist - FIND")
    if not worklist.is_accepted:
        return failed("Modality Worklist - FIND is not accepted")
    return passed("accepted")


def all_steps(_: Asks, held: Holdings) -> Verdict:
    """Judge the end of the question without a condition."""
    worklist = held.worklist
    if worklist is None or not worklist.is_accepted:
        return not_decided("the peer accepts no Modality Worklist - FIND")
    reply = worklist.reply
    if reply.status is None or reply.is_refused:
        return failed(f"empty keys: {reply.end()}")
    if unreadable := reply.unreadable:
        return failed(f"{unreadable} answers without an identifier that can be read")
    if not reply.answers:
        return not_decided("no answers")
    return passed(number_of(len(reply.answers), "answer"))


def once(_: Asks, worklist: Worklist) -> Verdict:
    """Judge whether each step has one answer."""
    found = Counter(step_of(answer).identity for answer in worklist.reply.answers)
    repeated = {identity: count for identity, count in found.items() if count > 1}
    if repeated:
        return failed(f"{sum(repeated.values()) - len(repeated)} answers repeat a step")
    if len(found) == 1:
        return not_decided("one step only")
    return passed(f"{len(found)} answers, each another step")


def of_each_step(complaint: Callable[[Dataset], Iterator[str]]) -> WorklistJudge:
    """Return the judge that finds no complaint about any answer."""

    def judge(_: Asks, worklist: Worklist) -> Verdict:
        found: Counter[str] = Counter()
        for answer in worklist.reply.answers:
            found.update(complaint(answer))
        if found:
            words = (f"{each} ({number_of(count, 'answer')})" for each, count in found.items())
            return failed("; ".join(words))
        return passed(number_of(len(worklist.reply.answers), "answer"))

    return judge


def no_level(answer: Dataset) -> Iterator[str]:
    """Complain of a Query/Retrieve Level, which a worklist does not have."""
    if "QueryRetrieveLevel" in answer:
        yield "QueryRetrieveLevel is there"


def one_item(answer: Dataset) -> Iterator[str]:
    """Complain of another number of steps than one."""
    items = answer.get(STEPS)
    if items is None or len(items) != 1:
        yield f"{STEPS} has {0 if items is None else len(items)} items"


def valued_keys(answer: Dataset) -> Iterator[str]:
    """Complain of keys of type 1 without a value."""
    for keyword in LEARNT:
        is_due = WORKLIST_KEYS_BY_KEYWORD[keyword].return_type is ReturnType.VALUE
        if is_due and not values_in(answer, keyword):
            yield f"{keyword} is missing or empty"


def present_keys(answer: Dataset) -> Iterator[str]:
    """Complain of keys of type 2 that are not there."""
    for keyword in LEARNT:
        if WORKLIST_KEYS_BY_KEYWORD[keyword].return_type is ReturnType.PRESENT:
            place = place_of_key(answer, keyword)
            if place is None or keyword not in place:
                yield f"{keyword} is absent"


def nothing_else(answer: Dataset) -> Iterator[str]:
    """Complain of attributes that the question did not have."""
    allowed = {*NOT_ASKED_FOR, *LEARNT, STEPS}
    for place in (answer, *(answer.get(STEPS) or ())):
        for element in place:
            if element.keyword and element.keyword not in allowed:
                yield f"{element.keyword} was not asked for"


def matched(trials: Trials, lack: str) -> WorklistJudge:
    """Return the judge of the first trial that the steps decide."""

    def judge(peer: Asks, worklist: Worklist) -> Verdict:
        trial = next((each for each in trials(worklist) if divides(worklist.steps, each)), None)
        if trial is None:
            return not_decided(lack)
        reply = ask(peer, **{trial.keyword: trial.value})
        return judge_steps(worklist, trial, reply)

    return judge


def divides(steps: Iterable[Step], trial: Trial) -> bool:
    """Tell whether some steps match a trial, and others may not."""
    values = [step.values[trial.keyword] for step in steps]
    must = [any(map(trial.matches, each)) for each in values]
    return any(must) and not all(any(map(trial.allows, each)) for each in values)


def judge_steps(worklist: Worklist, trial: Trial, reply: Reply) -> Verdict:
    """Judge a reply: all steps that match and no other; an empty value matches nothing."""
    values = {step.identity: step.values[trial.keyword] for step in worklist.steps}
    must = {key for key, each in values.items() if any(map(trial.matches, each))}
    may = {key for key, each in values.items() if any(map(trial.allows, each))}
    return judge_found(str(trial), must, may, worklist, reply)


def judge_found(
    what: str,
    must: set[tuple[str, ...]],
    may: set[tuple[str, ...]],
    worklist: Worklist,
    reply: Reply,
) -> Verdict:
    """Judge which of the steps that were learnt a reply has."""
    if reply.status is None or reply.is_refused:
        return failed(f"{what}: {reply.end()}")
    known = {step.identity for step in worklist.steps}
    found = {step_of(answer).identity for answer in reply.answers}
    if wrong := (found & known) - may:
        example = shown(" ".join(min(wrong)))
        return failed(f"{what}: {number_of(len(wrong), 'answer')} did not match, such as {example}")
    if missing := must - found:
        if reply.is_cut:
            return not_decided(f"{what}: more than {len(reply.answers)} answers, not all asked for")
        return failed(f"{what}: {len(missing)} of {len(must)} matches were not found")
    return passed(f"{what}: {matches_of(len(must))}, no other")


def single(keyword: str) -> WorklistJudge:
    """Return the judge of one value of a key."""

    def trials(worklist: Worklist) -> Iterator[Trial]:
        for value in stored(worklist, keyword):
            if not re.search(r"[*?]", value):
                yield Trial(keyword, value, partial(eq, value))

    return matched(trials, f"needs two steps with different values of {keyword}")


def stored(worklist: Worklist, keyword: str) -> list[str]:
    """Return the values of a key, each once."""
    return list(dict.fromkeys(each for step in worklist.steps for each in step.values[keyword]))


def wild(keyword: str) -> WorklistJudge:
    """Return the judge of the beginning of a name with ``*``."""

    def trials(worklist: Worklist) -> Iterator[Trial]:
        for value in stored(worklist, keyword):
            name = value.partition("=")[0].rstrip("^")
            if name.isascii() and len(name) > 3 and not re.search(r"[*?]", name):
                trial = name_trial(f"{name[: max(2, len(name) // 2)]}*")
                yield Trial(keyword, trial.value, trial.matches, trial.may_match)

    return matched(trials, f"needs steps with different values of {keyword}")


def date_ranges(worklist: Worklist) -> Iterator[Trial]:
    """Yield ranges of the start date."""
    days = sorted(stored(worklist, "ScheduledProcedureStepStartDate"))
    for last in reversed(days[1:]):
        for first in days[:2]:
            yield Trial(
                "ScheduledProcedureStepStartDate", f"{first}-{last}",
                partial(_is_within, first, last),
            )  # fmt: skip


def _is_within(first: str, last: str, day: str) -> bool:
    return first <= day <= last


def date_and_time(peer: Asks, worklist: Worklist) -> Verdict:
    """Judge a range of dates with a range of times: one span, from the first to the last moment.

    A step on a day between is in it at any time (PS3.4 K.6.1.2.2).
    """
    date, time = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
    moments = {
        step.identity: (step.values[date][0], f"{step.values[time][0]:<6}".replace(" ", "0"))
        for step in worklist.steps
        if step.values[date] and step.values[time]
    }
    span = next(_spans(sorted(set(moments.values()))), None)
    if span is None:
        return not_decided("needs steps on three days")
    first, last, begin, end = span
    start, stop = (first, f"{begin:02}0000"), (last, f"{end:02}5959.999999")
    must = {key for key, moment in moments.items() if start <= moment <= stop}
    times = f"{begin:02}0000-{end:02}5959"
    reply = ask(peer, **{date: f"{first}-{last}", time: times})
    what = f"{date}={first}-{last} {time}={times}"
    return judge_found(what, must, must, worklist, reply)


def _spans(moments: list[tuple[str, str]]) -> Iterator[tuple[str, str, int, int]]:
    """Yield two days and two hours: a step between the days is at an hour that is not between."""
    days = sorted({day for day, _ in moments})
    for first, middle, last in zip(days, days[1:], days[2:], strict=False):
        for day, time in moments:
            if day == middle:
                hour = int(time[:2])
                yield (first, last, hour + 1, 23) if hour < 12 else (first, last, 0, hour - 1)


def empty_value(peer: Asks, worklist: Worklist) -> Verdict:
    """Judge a value of a key that some steps have empty: these do not match it."""
    for keyword in ("ScheduledPerformingPhysicianName", *LEARNT):
        key = WORKLIST_KEYS_BY_KEYWORD[keyword]
        values = [step.values[keyword] for step in worklist.steps]
        if key.is_required and any(values) and not all(values):
            value = next(each for each in values if each)[0]
            trial = Trial(keyword, value, partial(eq, value), _is_anything)
            lacking = {step.identity for step in worklist.steps if not step.values[keyword]}
            may = {step.identity for step in worklist.steps} - lacking
            verdict = judge_found(str(trial), set(), may, worklist, ask(peer, **{keyword: value}))
            if verdict.outcome is not Outcome.PASSED:
                return verdict
            return passed(f"{trial}: none of {number_of(len(lacking), 'step')} without a value")
    return not_decided("needs a step without a value of a required key, beside one with it")


def _is_anything(_: str) -> bool:
    return True


def optional_key(peer: Asks, _: Worklist) -> Verdict:
    """Judge a rare key of type 2: it is there, or the answers have the status FF01."""
    reply = ask(peer, RARE)
    if reply.status is None or reply.is_refused:
        return failed(f"{RARE}: {reply.end()}")
    lacking = [
        status
        for answer, status in zip(reply.answers, reply.pending, strict=False)
        if RARE not in answer
    ]
    if 0xFF00 in lacking:
        return failed(f"{RARE} is absent from {number_of(len(lacking), 'answer')} with FF00")
    return passed(f"{RARE}: {'FF01' if lacking else 'returned'}")


def whole_sequence(peer: Asks, worklist: Worklist) -> Verdict:
    """Judge both forms of a sequence without a condition: each returns the step."""
    for words, value in (("no item", ""), ("an empty item", {})):
        keys = {**question(*(each for each in IDENTITY if not _is_inner(each))), STEPS: value}
        reply = peer.ask(None, keys, model=MODALITY_WORKLIST)
        if reply.status is None or reply.is_refused:
            return failed(f"{STEPS} with {words}: {reply.end()}")
        if not reply.answers:
            return failed(f"{STEPS} with {words}: no answers")
        for answer in reply.answers:
            items = answer.get(STEPS)
            if not items or not values_of(items[0], "ScheduledProcedureStepStartDate"):
                return failed(f"{STEPS} with {words}: an answer lacks the step")
    return passed(f"both forms return the {number_of(len(worklist.steps), 'step')}")


def _is_inner(keyword: str) -> bool:
    return WORKLIST_KEYS_BY_KEYWORD[keyword].is_of_step


def no_match(peer: Asks, _: Worklist) -> Verdict:
    """Judge a Patient ID that nobody has: Success without an answer."""
    return judge_empty(f"PatientID={NOBODY!r}", ask(peer, PatientID=NOBODY))


def extended_answer(peer: Asks, _: Worklist) -> Verdict:
    """Judge the answer to extended negotiation: the first two of its bytes are 1."""
    uid = MODALITY_WORKLIST.uid
    found = peer.negotiate([uid], {uid: OFFER})
    if found is None:
        return failed("no association with extended negotiation")
    answer = found.extended.get(uid)
    if answer is None:
        return not_decided("no answer: the peer supports no extended negotiation")
    words = f"answer {answer.hex(' ')} to the offer {OFFER.hex(' ')}"
    is_right = len(answer) == len(OFFER) and answer[:2] == OFFER[:2] and answer[2] <= 1
    return passed(words) if is_right else failed(words)


def cancelled(peer: Asks, worklist: Worklist) -> Verdict:
    """Judge a C-CANCEL after the first answer."""
    if len(worklist.steps) < 2:
        return not_decided("needs a question with several answers")
    reply = peer.ask(None, question(*LEARNT), model=MODALITY_WORKLIST, cancel_after=1)
    return judge_cancel(reply, len(worklist.reply.answers))

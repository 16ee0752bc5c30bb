"""Entries of a worklist, learnt by one question without a condition (PS3.4 K.4.1.3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.cli.conform.questioner import Keys, Negotiated, Reply, values_of
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.worklist_keys import WORKLIST_KEYS_BY_KEYWORD

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.cli.conform.questioner import Asks

MOST_STEPS = 300
"""Answers to the question without a condition after which it is cancelled."""

STEPS = "ScheduledProcedureStepSequence"
LEARNT = (
    "ScheduledStationAETitle", "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime", "Modality", "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepLocation",
    "RequestedProcedureID", "StudyInstanceUID", "AccessionNumber", "ReferringPhysicianName",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
)  # fmt: skip
IDENTITY = (
    "StudyInstanceUID", "AccessionNumber", "RequestedProcedureID", "ScheduledProcedureStepID",
)  # fmt: skip
"""The keys whose values together tell a step from others."""


@dataclass(frozen=True, slots=True)
class Step:
    """A Scheduled Procedure Step of an answer: the values of its keys, those of the item, too."""

    identity: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Worklist:
    """All that is learnt of a worklist: what the peer accepts, its reply, and the steps."""

    negotiated: Negotiated | None
    reply: Reply
    steps: tuple[Step, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Tell whether the peer accepts the SOP class of the worklist."""
        found = self.negotiated
        return found is not None and MODALITY_WORKLIST.uid in found.accepted


def question(*keywords: str, **conditions: str) -> Keys:
    """Return a question for keys, each in its place, some of them with a value."""
    values = {**dict.fromkeys(keywords, ""), **conditions}
    is_inner = {name: WORKLIST_KEYS_BY_KEYWORD[name].is_of_step for name in values}
    inner = {name: value for name, value in values.items() if is_inner[name]}
    outer = {name: value for name, value in values.items() if not is_inner[name]}
    return {**outer, STEPS: inner} if inner else outer


def ask(peer: Asks, *keywords: str, **conditions: str) -> Reply:
    """Ask for the identity of steps, for more keys, and by conditions."""
    keys = question(*IDENTITY, *keywords, **conditions)
    return peer.ask(None, keys, model=MODALITY_WORKLIST)


def learn_worklist(peer: Asks) -> Worklist:
    """Ask whether the peer has a worklist, and for its steps."""
    negotiated = peer.negotiate([MODALITY_WORKLIST.uid], {})
    unasked = Worklist(negotiated, Reply(None))
    if not unasked.is_accepted:
        return unasked
    reply = peer.ask(None, question(*LEARNT), model=MODALITY_WORKLIST, cancel_after=MOST_STEPS)
    steps = {step.identity: step for step in map(step_of, reply.answers)}
    return Worklist(negotiated, reply, tuple(steps.values()))


def step_of(answer: Dataset) -> Step:
    """Return the step of an answer."""
    values = {keyword: values_in(answer, keyword) for keyword in LEARNT}
    return Step(tuple("".join(values[keyword][:1]) for keyword in IDENTITY), values)


def values_in(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the values of a key in an answer, or in the item of its step."""
    place = place_of_key(answer, keyword)
    return () if place is None else values_of(place, keyword)


def place_of_key(answer: Dataset, keyword: str) -> Dataset | None:
    """Return the data set that has a key by the model: the answer, or the item of its step."""
    if not WORKLIST_KEYS_BY_KEYWORD[keyword].is_of_step:
        return answer
    items = answer.get(STEPS)
    return items[0] if items else None

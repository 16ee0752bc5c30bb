"""Orders of HL7 messages in the worklist: they come, change, and are cancelled (HL7 table 0119)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from dicomquest.dataset.elements import Element
from dicomquest.errors import IndexDatabaseError
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.worklist.entries import Added
from dicomquest.worklist.entry import Entry, WorklistEntryError, entries_of
from dicomquest.worklist.hl7_message import (
    Hl7Error,
    OrderedStep,
    acknowledgement,
    parse_place,
    read_message,
)

if TYPE_CHECKING:
    from dicomquest.worklist.entries import Worklist
    from dicomquest.worklist.hl7_mapping import Hl7Mapping

_STATUS = 0x00400020


class OrderAction(Enum):
    """The effect of an order on the worklist."""

    KEEP = "its step is on the worklist"
    REMOVE = "its step leaves the worklist"


# ORC-1, HL7 table 0119: new, sent again, changed, held, released, replacing; a status alone (SC)
# is as ORC-5 says.
_CONTROLS = {
    **dict.fromkeys(("NW", "SN", "NA", "OK", "RO", "RU", "RE"), OrderAction.KEEP),
    **dict.fromkeys(("XO", "XX", "XR", "HD", "OH", "RL", "OE", "SC"), OrderAction.KEEP),
    **dict.fromkeys(("CA", "OC", "CR", "DC", "OD", "DR", "RP", "RQ", "UA"), OrderAction.REMOVE),
}
# ORC-5, HL7 table 0038: cancelled, completed, discontinued, replaced.
_GONE = frozenset({"CA", "CM", "DC", "RP", "ER"})
_STATUS_WORDS = {"IP": "STARTED"}
_CONTROL, _ORDER_STATUS = parse_place("ORC-1"), parse_place("ORC-5")


@dataclass(frozen=True, slots=True)
class Taken:
    """The effect of one message: entries that came or changed, and entries that left."""

    added: Added
    removed: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A message with its answer; ``taken`` is None if it was refused for the ``reason``."""

    answer: bytes
    taken: Taken | None
    reason: str = ""


def take_message(worklist: Worklist, data: bytes, mapping: Hl7Mapping, source: str) -> Taken:
    """Store what a message orders, all of it or nothing; Hl7Error says why not."""
    message = read_message(data, mapping.charset)
    kept: list[Entry] = []
    removed: list[tuple[Entry, bool]] = []
    for step in message.steps:
        action = _action(step)
        match action:
            case OrderAction.KEEP:
                kept += _entries(step, mapping)
            case OrderAction.REMOVE:
                removed += _named(step, mapping)
            case _:
                assert_never(action)
    gone = sum(worklist.remove_order(entry, is_one_step=one) for entry, one in removed)
    now = int(datetime.now().astimezone().timestamp())
    return Taken(worklist.add(kept, now, source=source), gone)


def answer_message(worklist: Worklist, data: bytes, mapping: Hl7Mapping, source: str) -> Answered:
    """Store a message, and return its answer, which comes after the commit."""
    now = datetime.now().astimezone()
    time, number = f"{now:%Y%m%d%H%M%S%z}", f"{now:%y%m%d%H%M%S%f}"
    try:
        taken = take_message(worklist, data, mapping, source)
    except Hl7Error as error:
        return Answered(acknowledgement(data, time, number, error), None, error.logged)
    except IndexDatabaseError as error:
        told = Hl7Error("the order could not be stored; send it again later")
        return Answered(acknowledgement(data, time, number, told), None, str(error))
    return Answered(acknowledgement(data, time, number), taken)


def _action(step: OrderedStep) -> OrderAction:
    control = step.text(_CONTROL)
    action = _CONTROLS.get(control)
    if action is None:
        raise Hl7Error(
            f"ORC-1 {control[:20]!r} orders nothing that a worklist knows" if control
            else "ORC-1 has no order control: NW for a new order", "102" if control else "101",
        )  # fmt: skip
    return OrderAction.REMOVE if step.text(_ORDER_STATUS) in _GONE else action


def _entries(step: OrderedStep, mapping: Hl7Mapping) -> list[Entry]:
    if "OBR" not in step.segments:
        raise Hl7Error("the order has no OBR, which says what is to be done", "100")
    data_set = mapping.data_set(step)
    status = _STATUS_WORDS.get(step.text(_ORDER_STATUS), "SCHEDULED")
    (item,) = data_set[SCHEDULED_PROCEDURE_STEP_SEQUENCE].values
    item.setdefault(_STATUS, Element("CS", (status,)))
    try:
        return entries_of(data_set)
    except WorklistEntryError as error:
        words = str(error).partition(": add it, or")[0]
        raise Hl7Error(f"{words}; fill it, or map it from another field", "101") from error


def _named(step: OrderedStep, mapping: Hl7Mapping) -> Iterator[tuple[Entry, bool]]:
    """Yield what a cancelled order names, and whether it is one step of it."""
    is_one_step = bool(step.segments.keys() & {"OBR", "IPC"})
    try:
        for entry in entries_of(mapping.data_set(step, has_study=False), may_lack=True):
            yield entry, is_one_step
    except WorklistEntryError as error:
        raise Hl7Error(str(error), "102") from error

"""Orders of HL7 messages in the worklist: they come, change, and are cancelled (HL7 table 0119)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from dicomquest.dataset.elements import Element
from dicomquest.errors import IndexDatabaseError
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.worklist.entries import Added
from dicomquest.worklist.entry import WorklistEntryError, entries_of
from dicomquest.worklist.hl7_message import (
    Hl7Error,
    OrderedStep,
    acknowledgement,
    control_id_of,
    parse_place,
    read_message,
)
from dicomquest.worklist.same_order import STUDY_INSTANCE_UID, NamedOrder

if TYPE_CHECKING:
    from dicomquest.worklist.entries import Worklist
    from dicomquest.worklist.hl7_mapping import Hl7Mapping

_STATUS = 0x00400020


class OrderAction(Enum):
    """The effect of an order on the worklist."""

    KEEP = "its step is on the worklist"
    REMOVE = "its step leaves the worklist"


# The controls that begin an order, and so find none.
_NEW = ("NW", "SN", "NA", "OK", "RO", "RU", "RE")
# ORC-1, HL7 table 0119: new, sent again, changed, held, released, replacing; a status alone (SC)
# is as ORC-5 says.
_CONTROLS = {
    **dict.fromkeys(_NEW, OrderAction.KEEP),
    **dict.fromkeys(("XO", "XX", "XR", "HD", "OH", "RL", "OE", "SC"), OrderAction.KEEP),
    **dict.fromkeys(("CA", "OC", "CR", "DC", "OD", "DR", "RP", "RQ", "UA"), OrderAction.REMOVE),
}
# ORC-5, HL7 table 0038: cancelled, completed, discontinued, replaced.
_GONE = frozenset({"CA", "CM", "DC", "RP", "ER"})
_STATUS_WORDS = {"IP": "STARTED"}
_CONTROL, _ORDER_STATUS = parse_place("ORC-1"), parse_place("ORC-5")


@dataclass(frozen=True, slots=True)
class Taken:
    """The effect of one message: entries that came or changed, and entries that left.

    ``control_id`` is MSH-10; ``missed`` has the controls (ORC-1) of the orders that it changes or
    cancels, and that were not there.
    """

    added: Added
    removed: int
    control_id: str = ""
    missed: tuple[str, ...] = ()

    @property
    def missed_words(self) -> str:
        """Say which orders were not there; empty if all were."""
        if not self.missed:
            return ""
        controls = ", ".join(sorted(set(self.missed)))
        return f"{controls} of an order that is not on the worklist"


@dataclass(frozen=True, slots=True)
class Answered:
    """A message with its answer; ``taken`` is None if it was refused for the ``reason``.

    ``control_id`` is MSH-10, as far as it can be read.
    """

    answer: bytes
    taken: Taken | None
    reason: str = ""
    control_id: str = ""


def take_message(worklist: Worklist, data: bytes, mapping: Hl7Mapping, source: str) -> Taken:
    """Store what a message orders, all of it or nothing; Hl7Error says why not."""
    message = read_message(data, mapping.charset)
    kept: list[tuple[str, NamedOrder]] = []
    cancelled: list[tuple[str, NamedOrder]] = []
    for step in message.steps:
        control = step.text(_CONTROL)
        action = _action(step)
        match action:
            case OrderAction.KEEP:
                kept += [(control, order) for order in _kept(worklist, step, mapping)]
            case OrderAction.REMOVE:
                cancelled += [(control, order) for order in _cancelled(step, mapping)]
            case _:
                assert_never(action)
    now = int(datetime.now().astimezone().timestamp())
    changed = worklist.change_orders(
        (order for _, order in cancelled), (order for _, order in kept), now, source=source
    )
    controls = {order.entry.identity: control for control, order in kept}
    pairs = [
        *zip(controls.values(), changed.kept_were_there, strict=True),
        *zip((control for control, _ in cancelled), changed.cancelled_were_there, strict=True),
    ]
    missed = tuple(c for c, was_there in pairs if not was_there and c not in _NEW)
    return Taken(changed.added, changed.removed, message.control_id, missed)


def answer_message(worklist: Worklist, data: bytes, mapping: Hl7Mapping, source: str) -> Answered:
    """Store a message, and return its answer, which comes after the commit."""
    now = datetime.now().astimezone()
    time, number = f"{now:%Y%m%d%H%M%S%z}", f"{now:%y%m%d%H%M%S%f}"
    told = control_id_of(data)
    try:
        taken = take_message(worklist, data, mapping, source)
    except Hl7Error as error:
        return Answered(acknowledgement(data, time, number, error), None, error.logged, told)
    except IndexDatabaseError as error:
        later = Hl7Error("the order could not be stored; send it again later")
        return Answered(acknowledgement(data, time, number, later), None, str(error), told)
    return Answered(acknowledgement(data, time, number), taken, control_id=told)


def _action(step: OrderedStep) -> OrderAction:
    control = step.text(_CONTROL)
    action = _CONTROLS.get(control)
    if action is None:
        raise Hl7Error(
            f"ORC-1 {control[:20]!r} orders nothing that a worklist knows" if control
            else "ORC-1 has no order control: NW for a new order", "102" if control else "101",
        )  # fmt: skip
    return OrderAction.REMOVE if step.text(_ORDER_STATUS) in _GONE else action


def _kept(worklist: Worklist, step: OrderedStep, mapping: Hl7Mapping) -> Iterator[NamedOrder]:
    """Yield what an order puts on the worklist; its study stays that of the stored entry."""
    if "OBR" not in step.segments:
        raise Hl7Error("the order has no OBR, which says what is to be done", "100")
    data_set = mapping.data_set(step)
    filled_in = mapping.filled_in(step)
    status = _STATUS_WORDS.get(step.text(_ORDER_STATUS), "SCHEDULED")
    (item,) = data_set[SCHEDULED_PROCEDURE_STEP_SEQUENCE].values
    item.setdefault(_STATUS, Element("CS", (status,)))
    try:
        for entry in entries_of(data_set):
            order = NamedOrder(entry, filled_in)
            study = worklist.study_of(order) if STUDY_INSTANCE_UID in filled_in else None
            if study is not None:
                same = data_set | {STUDY_INSTANCE_UID: Element("UI", (study,))}
                order = replace(order, entry=entries_of(same)[0])
            yield order
    except WorklistEntryError as error:
        words = str(error).partition(": add it, or")[0]
        raise Hl7Error(f"{words}; fill it, or map it from another field", "101") from error


def _cancelled(step: OrderedStep, mapping: Hl7Mapping) -> Iterator[NamedOrder]:
    """Yield what a cancelled order names."""
    is_one_step = bool(step.segments.keys() & {"OBR", "IPC"})
    filled_in = mapping.filled_in(step)
    try:
        for entry in entries_of(mapping.data_set(step, has_study=False), may_lack=True):
            yield NamedOrder(entry, filled_in, is_one_step)
    except WorklistEntryError as error:
        raise Hl7Error(str(error), "102") from error

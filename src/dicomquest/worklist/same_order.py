"""The entries of the worklist that belong to the order that a message names (IHE RAD TF-2 4.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicomquest.index.tables.dialects import execute, words_of
from dicomquest.index.tables.schema import ATTRIBUTES, ENTRY_COLUMNS, WORKLIST_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from dicomquest.worklist.entry import Entry

ACCESSION_NUMBER, REQUESTED_PROCEDURE_ID, STEP_ID = 0x00080050, 0x00401001, 0x00400009
STUDY_INSTANCE_UID = 0x0020000D
PLACER_ORDER_NUMBER, FILLER_ORDER_NUMBER = 0x00402016, 0x00402017

_NAMES = tuple(name for names in ENTRY_COLUMNS.values() for name in names)
# The columns of the fields of _Numbers, in their order.
_COLUMNS = (
    "patient_id",
    "accession_number",
    "study_instance_uid",
    "requested_procedure_id",
    "scheduled_procedure_step_id",
)
_ENTRY = WORKLIST_ENTRY.name
_MADE_STUDY = "2.25."


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order as a message names it.

    ``filled_in`` are the tags whose values the message does not send: an order number stands for
    them. ``is_one_step`` means one step of the order, not all of it.
    """

    entry: Entry
    filled_in: frozenset[int] = frozenset()
    is_one_step: bool = True


@dataclass(frozen=True, slots=True)
class StoredStep:
    """An entry that belongs to an order."""

    id: int
    identity: str
    study_instance_uid: str | None


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of an entry; ``filled_in`` are the tags of those that may be order numbers."""

    patient: str | None
    accession: str | None
    study: str | None
    procedure: str | None
    step: str | None
    placer: str | None
    filler: str | None
    filled_in: frozenset[int]

    def sent(self, tag: int) -> str | None:
        """Return a number that was sent as such."""
        return None if tag in self.filled_in else self.by_tag(tag)

    def by_tag(self, tag: int) -> str | None:
        """Return a number, sent or filled in."""
        return {
            ACCESSION_NUMBER: self.accession,
            STUDY_INSTANCE_UID: self.study,
            REQUESTED_PROCEDURE_ID: self.procedure,
            STEP_ID: self.step,
        }[tag]


def steps_of_order(
    connection: Connection, order: NamedOrder, *, by_order_number: bool = False
) -> list[StoredStep]:
    """Return the entries that a message means.

    Order numbers decide where both sides have one. Other entries are found by the Accession Number,
    the study or the Requested Procedure ID, unless ``by_order_number`` leaves them out.
    """
    named = _named(order)
    exact: list[tuple[StoredStep, _Numbers]] = []
    others: list[tuple[StoredStep, _Numbers]] = []
    for identifier, identity, *columns, attributes in _candidates(connection, named):
        stored = _stored(columns, attributes)
        pair = (StoredStep(identifier, identity, stored.study), stored)
        common = _common(named, stored)
        if common:
            is_same = _is_of_order(named, stored, common)
            if is_same and (not order.is_one_step or _may_be_step(named, stored, len(common))):
                exact.append(pair)
        elif not by_order_number and _is_named(named, stored):
            others.append(pair)
    if order.is_one_step:
        exact = _nearest(exact, named.sent(STEP_ID))
        step = named.sent(STEP_ID) or (named.step if len(others) > 1 else None)
        others = [pair for pair in others if step is None or pair[1].step == step]
    return [step for step, _ in exact + others]


def _named(order: NamedOrder) -> _Numbers:
    named = dict(zip(_NAMES, order.entry.columns, strict=True))
    patient, accession, study, procedure, step = (named[name] for name in _COLUMNS)
    placer, filler = _order_numbers(order.entry.attributes)
    return _Numbers(patient, accession, study, procedure, step, placer, filler, order.filled_in)


def _stored(columns: Sequence[str | None], attributes: str) -> _Numbers:
    """Return the numbers of a row; one that repeats an order number may be filled in."""
    placer, filler = _order_numbers(attributes)
    patient, accession, study, procedure, step = columns
    tags = (ACCESSION_NUMBER, REQUESTED_PROCEDURE_ID, STEP_ID)
    pairs = zip(tags, (accession, procedure, step), strict=True)
    filled_in = {tag for tag, value in pairs if value in {placer, filler}}
    if study is not None and study.startswith(_MADE_STUDY):
        filled_in.add(STUDY_INSTANCE_UID)
    return _Numbers(
        patient, accession, study, procedure, step, placer, filler, frozenset(filled_in)
    )


def _order_numbers(attributes: str) -> tuple[str | None, str | None]:
    read = json.loads(attributes)
    placer, filler = (
        next(iter(read.get(f"{tag:08X}", {}).get("Value", ())), None)
        for tag in (PLACER_ORDER_NUMBER, FILLER_ORDER_NUMBER)
    )
    return placer, filler


def _candidates(connection: Connection, named: _Numbers) -> Iterable[Sequence[Any]]:
    values = dict(
        zip(
            _COLUMNS[:4],
            (named.patient, named.accession, named.study, named.procedure),
            strict=True,
        )
    )
    terms = {f"{name} = ?": value for name, value in values.items() if value is not None}
    if named.patient is None:
        # Without a patient only the whole entries, which no index serves, have order numbers.
        contains = words_of(connection).contains.format(column=ATTRIBUTES, text="?")
        numbers = [each for each in (named.placer, named.filler) if each is not None]
        where = [*terms, *[contains] * len(numbers)]
        parameters = [*terms.values(), *(json.dumps(each, ensure_ascii=False) for each in numbers)]
    else:
        where, parameters = [*terms], [*terms.values()]
    if not where:
        return []
    statement = (
        f"SELECT id, identity, {', '.join(_COLUMNS)}, {ATTRIBUTES} FROM {_ENTRY}"
        f" WHERE {' OR '.join(where)}"
    )
    return list(execute(connection, statement, tuple(parameters)).fetchall())


def _common(named: _Numbers, stored: _Numbers) -> list[bool]:
    """Return whether the order numbers are equal that both have."""
    pairs = ((named.placer, stored.placer), (named.filler, stored.filler))
    return [one == other for one, other in pairs if one is not None and other is not None]


def _is_of_order(named: _Numbers, stored: _Numbers, common: Sequence[bool]) -> bool:
    # Two senders may count alike; the patient tells their orders apart.
    is_near = (
        None in {named.patient, stored.patient}
        or named.patient == stored.patient
        or any(
            named.sent(tag) is not None and named.sent(tag) == stored.by_tag(tag)
            for tag in (ACCESSION_NUMBER, STUDY_INSTANCE_UID)
        )
    )
    return all(common) and is_near


def _may_be_step(named: _Numbers, stored: _Numbers, count: int) -> bool:
    """Tell whether no number that both sent tells two steps of an order apart."""
    tags = [STEP_ID, REQUESTED_PROCEDURE_ID]
    if count < 2:
        # One number may stand for a group of orders, whereas both name one.
        tags += [ACCESSION_NUMBER, STUDY_INSTANCE_UID]
    pairs = [(named.sent(tag), stored.sent(tag)) for tag in tags]
    return all(one == other for one, other in pairs if one is not None and other is not None)


def _is_named(named: _Numbers, stored: _Numbers) -> bool:
    for tag in (ACCESSION_NUMBER, STUDY_INSTANCE_UID, REQUESTED_PROCEDURE_ID):
        if (value := named.by_tag(tag)) is not None:
            return value == stored.by_tag(tag)
    return False


def _nearest(
    found: list[tuple[StoredStep, _Numbers]], step: str | None
) -> list[tuple[StoredStep, _Numbers]]:
    return [pair for pair in found if step is not None and pair[1].step == step] or found

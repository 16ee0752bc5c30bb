"""The status of scheduled steps, which follows the steps that perform them (PS3.4 F.7.2).

An entry may come after the step that performs it, or anew: it has the status all the same.
"""

from __future__ import annotations

import json
from itertools import starmap
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.tables.dialects import execute, rows
from dicomquest.index.tables.schema import WORKLIST_ENTRY
from dicomquest.index.tables.step_tables import PERFORMED_STEP, PERFORMED_STEP_ORDER
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.worklist.performed_step import Reference

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

_STEPS = f"{SCHEDULED_PROCEDURE_STEP_SEQUENCE:08X}"
_STATUS = "00400020"
_ENTRIES = f"""
    SELECT id, study_instance_uid, accession_number, scheduled_procedure_step_id,
    scheduled_procedure_step_status, attributes FROM {WORKLIST_ENTRY.name} WHERE
"""
_PERFORMED = f"""
    SELECT {PERFORMED_STEP.name}.id, study_instance_uid, accession_number,
    scheduled_procedure_step_id, status FROM {PERFORMED_STEP_ORDER.name}
    JOIN {PERFORMED_STEP.name} ON {PERFORMED_STEP.name}.id = performed_step WHERE
"""
_UPDATE = f"""
    UPDATE {WORKLIST_ENTRY.name} SET scheduled_procedure_step_status = ?, attributes = ?
    WHERE id = ?
"""


class EntryRow(NamedTuple):
    """The numbers of an entry, its status and its JSON."""

    id: int
    study_instance_uid: str | None
    accession_number: str | None
    step_id: str | None
    status: str | None
    attributes: str

    def is_meant_by(self, reference: Reference) -> bool:
        """Tell whether a performed step names this entry."""
        return reference.means(self.study_instance_uid, self.accession_number, self.step_id)

    @property
    def order(self) -> Reference:
        """Its numbers, as a performed step would name it."""
        return Reference(self.study_instance_uid or "", self.accession_number, self.step_id)


def entries_meant(connection: Connection, references: Collection[Reference]) -> list[EntryRow]:
    """Return the entries that some reference means."""
    studies = {each.study_instance_uid for each in references}
    accessions = {each.accession_number for each in references} - {None}
    found = [
        *_select(connection, f"{_ENTRIES} study_instance_uid {{in_values}}", studies),
        *_select(
            connection,
            f"{_ENTRIES} study_instance_uid IS NULL AND accession_number {{in_values}}",
            accessions,
        ),
    ]
    return [
        row
        for row in starmap(EntryRow, found)
        if any(row.is_meant_by(reference) for reference in references)
    ]


def follow(connection: Connection, references: Collection[Reference]) -> None:
    """Give the entries that these references mean the status of the last step of each."""
    entries = entries_meant(connection, references)
    if not entries:
        return
    performed = _performed(connection, {entry.order for entry in entries})
    for entry in entries:
        last = None
        for reference, status in performed:
            last = status if entry.is_meant_by(reference) else last
        if last is not None and last != entry.status:
            values = (last, _with_status(entry.attributes, last), entry.id)
            execute(connection, _UPDATE, values)


def follow_earlier(connection: Connection, orders: Collection[Reference]) -> None:
    """Give new entries, whose numbers ``orders`` are, the status of steps that came before."""
    if performed := _performed(connection, orders):
        follow(connection, {reference for reference, _ in performed})


def _performed(
    connection: Connection, orders: Collection[Reference]
) -> list[tuple[Reference, str]]:
    """Return what is performed of the orders of entries, the last step last."""
    studies = {each.study_instance_uid for each in orders} - {""}
    accessions = {each.accession_number for each in orders} - {None}
    found = {
        *_select(connection, f"{_PERFORMED} study_instance_uid {{in_values}}", studies),
        *_select(connection, f"{_PERFORMED} accession_number {{in_values}}", accessions),
    }
    return [
        (Reference(study, accession, step), status)
        for _, study, accession, step, status in sorted(found, key=itemgetter(0))
    ]


def _select(
    connection: Connection, statement: str, values: Collection[str | None]
) -> list[tuple[Any, ...]]:
    if not values:
        return []
    return [tuple(row) for row in rows(connection, statement, sorted(map(str, values)))]


def _with_status(attributes: str, status: str) -> str:
    """Return the JSON of an entry with another Scheduled Procedure Step Status (0040,0020)."""
    entry = json.loads(attributes)
    step = entry[_STEPS]["Value"][0]
    step[_STATUS] = {"vr": "CS", "Value": [status]}
    entry[_STEPS]["Value"][0] = dict(sorted(step.items()))
    return json.dumps(entry, ensure_ascii=False)

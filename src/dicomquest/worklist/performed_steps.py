"""The performed procedure steps in the database of an index (PS3.4 F.7.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, from_json
from dicomquest.index.tables.dialects import execute
from dicomquest.index.tables.step_tables import PERFORMED_STEP, PERFORMED_STEP_ORDER
from dicomquest.query.evaluate import matches_data_set
from dicomquest.query.worklist_entry import filter_of_entry
from dicomquest.standard import statuses
from dicomquest.standard.step_attributes import StepStatus
from dicomquest.worklist.entry import json_of
from dicomquest.worklist.performed_step import (
    PerformedStep,
    Reference,
    StepError,
    changed_step,
    new_step,
)
from dicomquest.worklist.step_statuses import entries_meant, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection

    from dicomquest.dataset.charset import Terms
    from dicomquest.index.database.pool import Database
    from dicomquest.query.criteria import KeyCriterion

_STEP, _ORDER = PERFORMED_STEP.name, PERFORMED_STEP_ORDER.name
_INSERT_STEP = f"""
    INSERT INTO {_STEP}
    (id, sop_instance_uid, status, creator, character_set, received, attributes)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_ORDER = f"""
    INSERT INTO {_ORDER}
    (id, performed_step, study_instance_uid, accession_number, scheduled_procedure_step_id)
    VALUES (?, ?, ?, ?, ?)
"""
_SELECT = f"""
    SELECT id, status, creator, character_set, attributes FROM {_STEP} WHERE sop_instance_uid = ?
"""


class PerformedSteps:
    """The steps in a database; any number of processes may share it."""

    def __init__(self, database: Database) -> None:
        """Use the database of an index."""
        self._database = database

    def create(
        self,
        uid: str,
        data_set: DataSet,
        *,
        creator: str,
        received: int,
        character_set: Terms = (),
        visible: Sequence[KeyCriterion] = (),
    ) -> PerformedStep:
        """Store a new step and let its scheduled steps follow; StepError if it may not be.

        With a filter the step is performed of those entries alone that the filter shows.
        """
        step = new_step(data_set)
        with self._database.begin() as connection:
            if execute(connection, _SELECT, (uid,)).fetchone() is not None:
                raise StepError(statuses.DUPLICATE_SOP_INSTANCE)
            references: Collection[Reference] = step.references
            if visible:
                references = _shown(connection, references, visible)
            number = _after(connection, _STEP)
            values = (
                number, uid, step.status.value, creator, "\\".join(character_set), received,
                json_of(step.attributes),
            )  # fmt: skip
            execute(connection, _INSERT_STEP, values)
            for order, reference in enumerate(references, _after(connection, _ORDER)):
                execute(connection, _INSERT_ORDER, (order, number, *reference))
            follow(connection, references)
        return step

    def change(
        self, uid: str, read: Callable[[Terms], DataSet], *, caller: str | None = None
    ) -> tuple[PerformedStep, tuple[int, ...]]:
        """Change a step; return it, and the attributes that may not be changed.

        ``read`` gives the changes, from the character set of the N-CREATE if they name none.
        ``caller`` is the AE title that may change its own steps alone; None for any. StepError if
        the step may not be changed.
        """
        with self._database.begin() as connection:
            row = execute(connection, _SELECT, (uid,)).fetchone()
            if row is None or (caller is not None and row[2] != caller):
                raise StepError(statuses.NO_SUCH_SOP_INSTANCE)
            number, status, _, character_set, attributes = row
            old = PerformedStep(StepStatus(status), from_json(json.loads(attributes)))
            terms = tuple(character_set.split("\\")) if character_set else ()
            step, refused = changed_step(old, read(terms))
            values = (step.status.value, json_of(step.attributes), number)
            execute(
                connection, f"UPDATE {_STEP} SET status = ?, attributes = ? WHERE id = ?", values
            )
            if step.status is not old.status:
                follow(connection, _references_of(connection, number))
        return step, refused


def remove_steps_before(connection: Connection, received: int) -> int:
    """Remove the steps that were received before a time (seconds since 1970)."""
    old = f"SELECT id FROM {_STEP} WHERE received < ?"
    execute(connection, f"DELETE FROM {_ORDER} WHERE performed_step IN ({old})", (received,))
    statement = f"DELETE FROM {_STEP} WHERE received < ? RETURNING id"
    return len(execute(connection, statement, (received,)).fetchall())


def _shown(
    connection: Connection, references: Collection[Reference], visible: Sequence[KeyCriterion]
) -> list[Reference]:
    """Return the orders of the entries that references mean and a filter shows."""
    keys = tuple(map(filter_of_entry, visible))
    return [
        row.order
        for row in entries_meant(connection, references)
        if matches_data_set(from_json(json.loads(row.attributes)), keys)
    ]


def _references_of(connection: Connection, number: int) -> list[Reference]:
    statement = (
        "SELECT study_instance_uid, accession_number, scheduled_procedure_step_id "
        f"FROM {_ORDER} WHERE performed_step = ?"
    )
    return [Reference(*row) for row in execute(connection, statement, (number,)).fetchall()]


def _after(connection: Connection, table: str) -> int:
    """Return the first free id of a table, which one writer at a time writes."""
    return (execute(connection, f"SELECT max(id) FROM {table}").fetchone()[0] or 0) + 1

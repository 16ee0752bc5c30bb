"""The worklist in the database of an index: entries come, are replaced, and leave (PS3.4 K.6)."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from dicomquest.index.database.owned_database import OwnedDatabase
from dicomquest.index.ingest.writes import insert
from dicomquest.index.tables.dialects import execute, rows
from dicomquest.index.tables.schema import ENTRY_COLUMNS, WORKLIST_ENTRY, WORKLIST_STATION
from dicomquest.worklist.performed_step import Reference
from dicomquest.worklist.performed_steps import remove_steps_before
from dicomquest.worklist.same_order import NamedOrder, StoredStep, steps_of_order
from dicomquest.worklist.step_statuses import follow_earlier

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dicomquest.worklist.entry import Entry

BATCH = 500
"""Entries that one transaction writes; others may write between two."""

_ENTRY_NAMES = tuple(name for names in ENTRY_COLUMNS.values() for name in names)
_COLUMNS = ("id", "identity", "list", "source", "received", *_ENTRY_NAMES, "attributes")
_STEP_ID = "scheduled_procedure_step_id"
_STATION_COLUMNS = ("id", "entry", "station_ae_title", "start_date_sort")
_STATION = WORKLIST_STATION.name
_ENTRY = WORKLIST_ENTRY.name


@dataclass(frozen=True, slots=True)
class Added:
    """The number of entries that are new, and of those that took the place of older ones."""

    new: int = 0
    replaced: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.replaced + other.replaced)


@dataclass(frozen=True, slots=True)
class OrdersChanged:
    """The effect of orders; the last two tell of each order whether it was there."""

    added: Added
    removed: int
    kept_were_there: tuple[bool, ...]
    cancelled_were_there: tuple[bool, ...]


class Worklist(OwnedDatabase):
    """The entries in a database; any number of processes may share it, and query it meanwhile."""

    def __init__(self, location: str | os.PathLike[str], *, create: bool = True) -> None:
        """Open the worklist of an index, whose database is made if it is missing."""
        super().__init__(location, create=create)
        self.database = self._database

    def add(
        self, entries: Iterable[Entry], received: int, *, source: str = "", shown_to: str = ""
    ) -> Added:
        """Store entries; one of the same step takes the place of the older one.

        ``received`` is the time in seconds since 1970, ``source`` says where they come from,
        ``shown_to`` is the called AE title that shows them; all titles do without one.
        """
        added = Added()
        waiting = iter(entries)
        while batch := _by_identity(islice(waiting, BATCH), shown_to):
            with self._database.begin() as connection:
                added += _write(connection, batch, (shown_to, source, received))
        return added

    def replace(
        self, entries: Iterable[Entry], received: int, *, source: str, shown_to: str = ""
    ) -> Added:
        """Store the entries of a source, in one transaction, and remove its others."""
        batch = _by_identity(entries, shown_to)
        with self._database.begin() as connection:
            _delete(connection, _of_source(connection, source, batch))
            return _write(connection, batch, (shown_to, source, received))

    def remove(self, ids: Sequence[int]) -> int:
        """Remove entries by their ids; return how many were there."""
        removed = 0
        for start in range(0, len(ids), BATCH):
            with self._database.begin() as connection:
                removed += _delete(connection, ids[start : start + BATCH])
        return removed

    def change_orders(
        self,
        cancelled: Iterable[NamedOrder],
        kept: Iterable[NamedOrder],
        received: int,
        *,
        source: str = "",
    ) -> OrdersChanged:
        """Remove cancelled orders and store others, in one transaction.

        A stored entry of the same order and step leaves, whatever its other numbers are.
        """
        batch = {order.entry.identity: order for order in kept}
        entries = {identity: order.entry for identity, order in batch.items()}
        removed, removed_of = 0, []
        with self._database.begin() as connection:
            for order in cancelled:
                removed_of.append(_delete(connection, _ids(steps_of_order(connection, order))))
                removed += removed_of[-1]
            older = {
                identity: [
                    step
                    for step in steps_of_order(connection, order, by_order_number=True)
                    if step.identity not in batch
                ]
                for identity, order in batch.items()
            }
            there = rows(
                connection, f"SELECT identity FROM {_ENTRY} WHERE identity {{in_values}}", entries
            )
            replaced = {identity for (identity,) in there}
            replaced |= {identity for identity, steps in older.items() if steps}
            gone = {step.id for steps in older.values() for step in steps}
            _delete(connection, sorted(gone))
            if entries:
                _write(connection, entries, ("", source, received))
        return OrdersChanged(
            Added(len(entries) - len(replaced), len(replaced)),
            removed,
            tuple(identity in replaced for identity in entries),
            tuple(map(bool, removed_of)),
        )

    def study_of(self, order: NamedOrder) -> str | None:
        """Return the Study Instance UID of the stored entry of an order; None if there is none."""
        with self._database.connect() as connection:
            found = steps_of_order(connection, order, by_order_number=True)
        return next((step.study_instance_uid for step in found), None)

    def remove_before(self, date: str, received: int) -> int:
        """Remove the entries that start before a date (YYYYMMDD).

        Those without a date go if they were received before that time (seconds since 1970), and so
        do performed steps.
        """
        self.remove_steps_before(received)
        statement = (
            f"SELECT id FROM {_ENTRY} WHERE {_START_DATE} < ?"
            f" OR ({_START_DATE} IS NULL AND received < ?) LIMIT {BATCH}"
        )
        removed = 0
        while True:
            with self._database.begin() as connection:
                found = execute(connection, statement, (date, received)).fetchall()
                removed += _delete(connection, [identifier for (identifier,) in found])
            if len(found) < BATCH:
                return removed

    def remove_steps_before(self, received: int) -> int:
        """Remove performed steps that were received before a time (seconds since 1970)."""
        with self._database.begin() as connection:
            return remove_steps_before(connection, received)

    def remove_of_source(self, source: str) -> int:
        """Remove the entries of a source; return how many were there."""
        with self._database.begin() as connection:
            return _delete(connection, _of_source(connection, source))

    def sources(self) -> set[str]:
        """Return the sources of all entries."""
        with self._database.connect() as connection:
            found = execute(connection, f"SELECT DISTINCT source FROM {_ENTRY}").fetchall()
            return {source for (source,) in found}

    def count(self) -> int:
        """Return the number of entries."""
        with self._database.connect() as connection:
            return int(execute(connection, f"SELECT count(*) FROM {_ENTRY}").fetchone()[0])


_START_DATE = "scheduled_procedure_step_start_date_sort"


def _by_identity(entries: Iterable[Entry], shown_to: str) -> dict[str, Entry]:
    """Return the entries by what tells them apart: two lists may have one step, each its own."""
    return {f"{shown_to}{entry.identity}": entry for entry in entries}


def _ids(steps: Iterable[StoredStep]) -> list[int]:
    return [step.id for step in steps]


def _of_source(connection: Connection, source: str, keep: Container[str] = ()) -> list[int]:
    found = execute(connection, f"SELECT id, identity FROM {_ENTRY} WHERE source = ?", (source,))
    return [identifier for identifier, identity in found.fetchall() if identity not in keep]


def _write(connection: Connection, batch: dict[str, Entry], common: tuple[str, str, int]) -> Added:
    found = rows(connection, f"SELECT id FROM {_ENTRY} WHERE identity {{in_values}}", batch)
    replaced = _delete(connection, [identifier for (identifier,) in found])
    first, station = (_after(connection, table) for table in (_ENTRY, _STATION))
    numbered = dict(enumerate(batch.values(), first))
    made = [
        (identifier, identity, *common, *entry.columns, entry.attributes)
        for (identifier, entry), identity in zip(numbered.items(), batch, strict=True)
    ]
    insert(connection, _ENTRY, _COLUMNS, made)
    stations = list(_station_rows(numbered, station))
    if stations:
        insert(connection, _STATION, _STATION_COLUMNS, stations)
    follow_earlier(connection, {_order(entry) for entry in batch.values()})
    return Added(len(batch) - replaced, replaced)


def _order(entry: Entry) -> Reference:
    """Return the numbers of an entry, as the step that performs it names it."""
    named = dict(zip(_ENTRY_NAMES, entry.columns, strict=True))
    study = named["study_instance_uid"] or ""
    return Reference(study, named["accession_number"], named[_STEP_ID])


def _station_rows(
    numbered: dict[int, Entry], first: int
) -> Iterator[tuple[int, int, str, str | None]]:
    pairs = ((key, entry, title) for key, entry in numbered.items() for title in entry.stations)
    for number, (identifier, entry, title) in enumerate(pairs, first):
        yield number, identifier, title, entry.start_date


def _after(connection: Connection, table: str) -> int:
    """Return the first free id of a table, which one writer at a time writes."""
    return (execute(connection, f"SELECT max(id) FROM {table}").fetchone()[0] or 0) + 1


def _delete(connection: Connection, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    rows(connection, f"DELETE FROM {_STATION} WHERE entry {{in_values}} RETURNING id", ids)
    return len(rows(connection, f"DELETE FROM {_ENTRY} WHERE id {{in_values}} RETURNING id", ids))

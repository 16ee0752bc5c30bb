"""The check that all computed parts of the index are right: search forms, value rows, counts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DatabaseError

from dicomquest.dataset.elements import from_json
from dicomquest.index.ingest.computed import COMPUTE, add_variants, value_rows
from dicomquest.index.ingest.writes import (
    INSERT_OCCURRENCE,
    Writes,
    fitting_row,
    fitting_value,
    table_row,
)
from dicomquest.index.tables.dialects import DIALECTS, execute, rows, words_of
from dicomquest.index.tables.partitioned import stored_keys
from dicomquest.index.tables.promoted import READY, filled, promoted_forms, read_promoted
from dicomquest.index.tables.rows import ValueRow, column_text, forms, record_from_row
from dicomquest.index.tables.schema import (
    COMPUTED_KEYS,
    ENTITY,
    PATIENT_LINKS,
    TABLES,
    TRIGRAMS,
    VARIANTS,
)
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection

    from dicomquest.index.database.pool import Database

_CHUNK = 500
_OF_OBJECT = {
    KEYS_BY_KEYWORD[keyword].tag: KEYS_BY_KEYWORD[keyword].column
    for keyword in ("SOPClassUID", "SOPInstanceUID")
}
_MOST_EXAMPLES = 100


@dataclass(slots=True)
class CheckReport:
    """The number of entities compared, by level, and of differences; ``examples`` has the first.

    ``objects`` are those that belong to no patient.
    """

    checked: dict[Level, int] = field(default_factory=dict)
    objects: int = 0
    differences: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, difference: str) -> None:
        """Count one difference, described without patient data."""
        self.differences += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(difference)


def check(database: Database, default_zone: int, *, repair: bool) -> CheckReport:
    """Compare everything; with ``repair``, write anew all that differs.

    IndexDatabaseError says what to do about a file that is damaged itself. Each transaction takes
    some rows only, so that others can write in between.
    """
    database.refuse_damaged()
    report = CheckReport()
    # Trigrams come before rows: a trigger deletes the trigrams of each row that goes, and fails
    # where the trigram table never had them.
    if DIALECTS[database.dialect].candidates is not None:
        with database.begin() as connection:
            for level in TRIGRAMS:
                _check_trigrams(connection, f"{TABLES[level]}_trigram", report, repair=repair)
    # The lowest level comes first: the counts of each level depend on the level below.
    for level in reversed(Level):
        last: int | None = 0
        report.checked[level] = 0
        while last is not None:
            with database.begin() as connection:
                execute(connection, words_of(connection).defer_constraints)
                chunk = _chunk(connection, level, last)
                report.checked[level] += len(chunk)
                if chunk:
                    _Comparison(connection, level, default_zone, report).run(chunk, repair=repair)
            last = chunk[-1]["id"] if len(chunk) == _CHUNK else None
    last = 0
    while last is not None:
        with database.begin() as connection:
            last = _check_objects(connection, last, report, repair=repair)
    return report


def _check_objects(
    connection: Connection, last: int, report: CheckReport, *, repair: bool
) -> int | None:
    """Compare the columns of the next objects with their JSON; return the last id, if any."""
    statement = (
        "SELECT id, sop_class_uid, sop_instance_uid, attributes FROM non_patient_object"
        f" WHERE id > ? ORDER BY id LIMIT {_CHUNK}"
    )
    found = execute(connection, statement, (last,)).fetchall()
    report.objects += len(found)
    for identifier, *columns, attributes in found:
        data_set = from_json(json.loads(attributes))
        uids = [column_text("UI", data_set[tag]) if tag in data_set else "" for tag in _OF_OBJECT]
        pairs = zip(_OF_OBJECT.values(), columns, uids, strict=True)
        if wrong := [name for name, stored, uid in pairs if stored != uid]:
            report.add(f"non_patient_object {identifier}: {', '.join(wrong)}")
            if repair:
                wanted = " = ?, ".join(_OF_OBJECT.values())
                update = f"UPDATE non_patient_object SET {wanted} = ? WHERE id = ?"
                execute(connection, update, (*uids, identifier))
    return found[-1][0] if found else None


def _chunk(connection: Connection, level: Level, last: int) -> list[dict[str, Any]]:
    """Return the next rows after that of id ``last``."""
    names = [column.name for column in ENTITY[level].columns]
    statement = (
        f"SELECT {', '.join(names)} FROM {TABLES[level]} WHERE id > ? ORDER BY id LIMIT {_CHUNK}"
    )
    return [dict(zip(names, row, strict=True)) for row in execute(connection, statement, (last,))]


class _Comparison:
    def __init__(
        self, connection: Connection, level: Level, default_zone: int, report: CheckReport
    ) -> None:
        self._connection = connection
        self._level = level
        self._default_zone = default_zone
        self._report = report

    def run(self, chunk: list[dict[str, Any]], *, repair: bool) -> None:
        level, table = self._level, TABLES[self._level]
        ids = {row["id"] for row in chunk}
        # Nothing is below an instance: its one computed column was received with it.
        computed = (
            COMPUTE[level](self._connection, ids, {})
            if level in COMPUTE
            else {row["id"]: row for row in chunk}
        )
        if level is Level.PATIENT:
            add_variants(self._connection, computed, ids)
        stored_values = self._stored_values(ids)
        occurring = {
            tuple(row) for row in execute(self._connection, "SELECT path, part FROM occurrence")
        }
        promoted = [
            each for each in read_promoted(self._connection) if each.attribute.level is level
        ]
        attributes = filled(promoted).get(level, ())
        # An attribute that is being promoted or dropped has some of its value rows only.
        unsettled = tuple(each.attribute.path for each in promoted if each.state != READY)
        writes = Writes(level)
        keys = stored_keys(self._connection, table, ids) if repair else {}
        gone = []
        for row in chunk:
            identifier = row["id"]
            if identifier not in computed:
                self._report.add(f"{table} {identifier}: nothing below it")
                gone.append((identifier,))
                continue
            record = record_from_row(level, row)
            found = forms(level, record, self._default_zone)
            columns = {key.column: computed[identifier][key.column] for key in COMPUTED_KEYS[level]}
            # Nothing but the received instances tells which row a study shows.
            links = {name: row[name] for name in PATIENT_LINKS if name in row}
            expected = table_row(
                level,
                identifier,
                row[_head(level)],
                record.columns() | found.columns | columns | links,
            )
            added = promoted_forms(attributes, record.elements, self._default_zone)
            values = found.values | value_rows(level, columns) | added.values
            if words_of(self._connection).cuts_long_texts:
                expected = fitting_row(level, expected)
                values = frozenset(filter(None, map(fitting_value, values)))
            differing = [
                name for name, value in zip(row, expected, strict=True) if row[name] != value
            ]
            if _settled(values, unsettled) != _settled(
                stored_values.get(identifier, set()), unsettled
            ):
                differing.append(f"{table}_value")
            missing = (found.occurrences | added.occurrences) - occurring
            if row.get("variant_of") is not None:
                missing |= {VARIANTS} - occurring
            if missing:
                differing.append("occurrence")
            if differing:
                self._report.add(f"{table} {identifier}: {', '.join(differing)}")
                writes.add(expected, values, is_new=False, key=keys.get(identifier))
                if repair:
                    for occurrence in missing:
                        execute(self._connection, INSERT_OCCURRENCE, occurrence)
        if repair:
            writes.run(self._connection)
            if gone:
                execute(self._connection, f"DELETE FROM {table} WHERE id = ?", gone)

    def _stored_values(self, ids: set[int]) -> dict[int, set[ValueRow]]:
        found: dict[int, set[ValueRow]] = {}
        table = f"{TABLES[self._level]}_value"
        statement = f"SELECT owner, path, part, search FROM {table} WHERE owner {{in_values}}"
        for owner, path, part, search in rows(self._connection, statement, ids):
            found.setdefault(owner, set()).add(ValueRow(path, part, search))
        return found


def _settled(values: AbstractSet[ValueRow], unsettled: tuple[str, ...]) -> AbstractSet[ValueRow]:
    return {each for each in values if not each.path.startswith(unsettled)} if unsettled else values


def _head(level: Level) -> str:
    return ENTITY[level].columns.keys()[1]


def _check_trigrams(
    connection: Connection, table: str, report: CheckReport, *, repair: bool
) -> None:
    try:
        with connection.begin_nested():
            # Rank 1 compares the trigrams with the table that holds the texts, too.
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)"
            )
    except DatabaseError:
        report.add(f"{table}: not in step")
        if repair:
            connection.exec_driver_sql(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")

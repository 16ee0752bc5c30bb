"""The copy of an index into another database: in parts, resumable, compared at the end.

Rows keep their ids. A part is a range of ids of one table with the value rows of its entities, and
one transaction, so that the greatest id in the target says where to go on. Settings come last: as
long as ``UNFINISHED_COPY`` is among them, nobody can open the target as an index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.id_blocks import renew_blocks
from dicomquest.index.ingest.writes import VALUE_COLUMNS, fitting_row, fitting_values, insert
from dicomquest.index.tables.dialects import Dialect, dialect_of, execute, words_of
from dicomquest.index.tables.partitioned import (
    PATIENT_KEY,
    is_partitioned,
    patient_key,
    stored_keys,
)
from dicomquest.index.tables.schema import (
    ENTITY,
    FILE,
    NON_PATIENT_OBJECT,
    OBJECT_FILE,
    OCCURRENCE,
    OLDEST_REVISION_SETTING,
    PROMOTED_ATTRIBUTE,
    SETTING,
    TABLES,
    TRIGRAMS,
    UNFINISHED_COPY,
    VALUE,
    WORKLIST_ENTRY,
    WORKLIST_STATION,
)
from dicomquest.index.tables.step_tables import (
    PERFORMED_STEP,
    PERFORMED_STEP_ORDER,
    WORKITEM,
)
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from sqlalchemy import Connection

PART = 2_000
"""Rows of a table that are copied in one transaction."""

_SMALL = (OCCURRENCE, PROMOTED_ATTRIBUTE)
"""The tables that one transaction copies."""

_DIGEST_BITS = 128
_BEGIN: dict[Dialect, str] = {
    "sqlite": "BEGIN",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}


class Phase(NamedTuple):
    """A table whose rows are copied by id; a variant comes after its main row (PS3.4 C.6.2)."""

    table: str
    columns: tuple[str, ...]
    level: Level | None = None
    condition: str = ""

    @property
    def words(self) -> str:
        """The condition as a further one of a WHERE."""
        return f" AND {self.condition}" if self.condition else ""


def _entity_phase(level: Level, condition: str = "") -> Phase:
    columns = tuple(column.name for column in ENTITY[level].columns)
    return Phase(TABLES[level], columns, level, condition)


PHASES = (
    _entity_phase(Level.PATIENT, "variant_of IS NULL"),
    _entity_phase(Level.PATIENT, "variant_of IS NOT NULL"),
    *(_entity_phase(level) for level in (Level.STUDY, Level.SERIES, Level.IMAGE)),
    *(
        Phase(table.name, tuple(column.name for column in table.columns))
        for table in (
            FILE,
            WORKLIST_ENTRY,
            WORKLIST_STATION,
            NON_PATIENT_OBJECT,
            OBJECT_FILE,
            PERFORMED_STEP,
            PERFORMED_STEP_ORDER,
            WORKITEM,
        )
    ),
)


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table of a copy: its rows on both sides, and whether their digests are equal."""

    table: str
    source_rows: int
    target_rows: int
    is_equal: bool


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The outcome of a copy, table by table; ``was_resumed`` if an earlier one had begun it."""

    tables: tuple[TableCopy, ...]
    was_resumed: bool

    @property
    def is_equal(self) -> bool:
        """Tell whether all rows are equal."""
        return all(each.is_equal for each in self.tables)


def copy_index(
    source: Database, target: Database, progress: Callable[[str, int], None] | None = None
) -> CopyReport:
    """Copy an index into an empty database, or go on where an earlier call was ended.

    The copy is of one moment, its beginning; queries and stores go on. ``progress`` gets the table
    and its rows so far. IndexDatabaseError if the target has another index, or if its rows differ
    from those of the source in the end: then the source was written to between two calls, and the
    copy has to begin anew in an empty database.
    """
    with _reading(source) as reading:
        identity = _identity(reading)
        was_resumed = _begin(target, identity)
        for phase in PHASES:
            _copy(reading, target, phase, progress)
        report = CopyReport(tuple(_compare(reading, target)), was_resumed)
        if not report.is_equal:
            wrong = ", ".join(each.table for each in report.tables if not each.is_equal)
            raise IndexDatabaseError(
                f"{target.name} differs from {source.name} in {wrong}: the source was written to "
                "between two copies; empty the target, and copy again"
            )
        _finish(reading, target)
        return report


@contextmanager
def _reading(source: Database) -> Iterator[Connection]:
    """Give a connection that sees one state of the source, whoever writes meanwhile."""
    with source.connect() as connection:
        execute(connection, _BEGIN[dialect_of(connection)])
        try:
            yield connection
        finally:
            execute(connection, "ROLLBACK")


def _settings(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(SETTING.select())}


def _identity(connection: Connection) -> str:
    """Return the text that tells the source from other indexes."""
    settings = _settings(connection)
    if UNFINISHED_COPY in settings:
        raise IndexDatabaseError("the source is an unfinished copy itself: finish that one first")
    return settings.get("identity", "an index without an archive")


def _begin(target: Database, identity: str) -> bool:
    """Mark the target as unfinished; return True if it has been before."""
    with target.begin() as connection:
        settings = _settings(connection)
        begun = settings.get(UNFINISHED_COPY)
        if begun == identity:
            return True
        if begun is not None:
            raise IndexDatabaseError(
                f"{target.name} has an unfinished copy of another index: name an empty database"
            )
        if any(_last(connection, phase) for phase in PHASES):
            raise IndexDatabaseError(f"{target.name} has an index already: name an empty database")
        connection.execute(SETTING.insert().values(name=UNFINISHED_COPY, value=identity))
        return False


def _last(connection: Connection, phase: Phase) -> int:
    """Return the greatest id of a phase, 0 without one."""
    where = f" WHERE {phase.condition}" if phase.condition else ""
    row = execute(connection, f"SELECT max(id) FROM {phase.table}{where}").fetchone()
    return row[0] or 0


def _rows(connection: Connection, phase: Phase, after: int) -> list[tuple[Any, ...]]:
    """Return the next rows of a phase, by id."""
    names = ", ".join(phase.columns)
    statement = (
        f"SELECT {names} FROM {phase.table} WHERE id > ?{phase.words} ORDER BY id LIMIT {PART}"
    )
    return [tuple(row) for row in execute(connection, statement, (after,)).fetchall()]


def _value_rows(
    connection: Connection, level: Level, ids: Sequence[int], condition: str
) -> list[Any]:
    """Return the value rows of the entities of a part, in their order."""
    name = VALUE[level].name
    where = ""
    if condition:
        where = f" AND owner IN (SELECT id FROM {TABLES[level]} WHERE {condition})"
    statement = (
        f"SELECT path, part, search, owner FROM {name}"
        f" WHERE owner >= ? AND owner <= ?{where} ORDER BY owner, path, part, search"
    )
    return [tuple(row) for row in execute(connection, statement, (ids[0], ids[-1])).fetchall()]


def _copy(
    reading: Connection,
    target: Database,
    phase: Phase,
    progress: Callable[[str, int], None] | None,
) -> None:
    """Copy the rows of a phase that the target does not have yet."""
    with target.connect() as connection:
        last = _last(connection, phase)
    count = 0
    while rows := _rows(reading, phase, last):
        last = rows[-1][0]
        with target.begin() as connection:
            execute(connection, words_of(connection).defer_constraints)
            _insert(connection, reading, phase, rows)
        count += len(rows)
        if progress is not None:
            progress(phase.table, count)


def _insert(
    connection: Connection, reading: Connection, phase: Phase, rows: list[tuple[Any, ...]]
) -> None:
    """Write a part of a phase, with all that hangs on its rows."""
    words, level = words_of(connection), phase.level
    columns, keys = phase.columns, _keys(connection, phase, rows)
    if level is None:
        if keys:
            columns, rows = (*columns, PATIENT_KEY), [(*row, keys[row[0]]) for row in rows]
        insert(connection, phase.table, columns, rows)
        return
    ids = [row[0] for row in rows]
    values = _value_rows(reading, level, ids, phase.condition)
    if words.cuts_long_texts:
        rows = [fitting_row(level, row) for row in rows]
        values = list(fitting_values(values))
    value_columns: tuple[str, ...] = VALUE_COLUMNS
    whole = rows
    if keys:
        columns, whole = (*columns, PATIENT_KEY), [(*row, keys[row[0]]) for row in rows]
        value_columns = (*value_columns, PATIENT_KEY)
        values = [(*value, keys[value[-1]]) for value in values]
    insert(connection, phase.table, columns, whole)
    if level in TRIGRAMS and words.candidates is not None:
        searched = TRIGRAMS[level]
        take = itemgetter(0, *map(phase.columns.index, searched))
        insert(connection, f"{phase.table}_trigram", ("rowid", *searched), list(map(take, rows)))
    if values:
        insert(connection, VALUE[level].name, value_columns, values)


def _keys(connection: Connection, phase: Phase, rows: list[tuple[Any, ...]]) -> dict[int, int]:
    """Return the keys of the patients of rows by id, if the target's layout wants them."""
    if not is_partitioned(connection):
        return {}
    if phase.level is Level.PATIENT:
        return {row[0]: patient_key(row[1]) for row in rows}
    if phase.level is not None:
        above, at = TABLES[Level(phase.level - 1)], 1
    elif phase.table == FILE.name:
        above, at = TABLES[Level.IMAGE], phase.columns.index("instance")
    else:
        return {}
    known = stored_keys(connection, above, {row[at] for row in rows})
    return {row[0]: known[row[at]] for row in rows}


def _compare(reading: Connection, target: Database) -> Iterator[TableCopy]:
    """Compare the rows of each table by number and digest, in parts."""
    with target.connect() as connection:
        cuts = words_of(connection).cuts_long_texts
        ours, theirs = (_digests(each, cuts=cuts) for each in (reading, connection))
    for name, (rows, digest) in ours.items():
        other_rows, other = theirs.get(name, (0, 0))
        yield TableCopy(name, rows, other_rows, digest == other)


def _digests(connection: Connection, *, cuts: bool) -> dict[str, tuple[int, int]]:
    """Return the number of rows and their digest, by table; a sum, so that order is all one."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for phase in PHASES:
        last, level = 0, phase.level
        while rows := _rows(connection, phase, last):
            last = rows[-1][0]
            found = {phase.table: rows}
            if level is not None:
                values = _value_rows(connection, level, [row[0] for row in rows], phase.condition)
                if cuts:
                    found[phase.table] = [fitting_row(level, row) for row in rows]
                    values = list(fitting_values(values))
                found[VALUE[level].name] = values
            for name, each in found.items():
                counts[name] += len(each)
                sums[name] += sum(map(_digest, each))
    return {name: (counts[name], sums[name] % (1 << _DIGEST_BITS)) for name in counts}


def _digest(row: tuple[Any, ...]) -> int:
    # PostgreSQL gives bytes where SQLite does; both give None, int and str for the rest.
    text = repr(tuple(bytes(each) if isinstance(each, memoryview) else each for each in row))
    return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BITS // 8).digest(), "big")


def _finish(reading: Connection, target: Database) -> None:
    """Copy the small tables and the settings, and make the target an index."""
    kept = (OLDEST_REVISION_SETTING, UNFINISHED_COPY)
    with target.begin() as connection:
        for table in _SMALL:
            rows = [row._asdict() for row in reading.execute(table.select())]
            connection.execute(table.delete())
            if rows:
                connection.execute(table.insert(), rows)
        for name, value in _settings(reading).items():
            if name not in kept:
                connection.execute(SETTING.delete().where(SETTING.c.name == name))
                connection.execute(SETTING.insert().values(name=name, value=value))
        if words_of(connection).has_sequences:
            renew_blocks(connection)
            for table in (FILE, OBJECT_FILE, PROMOTED_ATTRIBUTE):
                # Rows that came with their id have not moved the sequence.
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'),"
                    f" greatest((SELECT max(id) FROM {table.name}), 1))"
                )
        connection.execute(SETTING.delete().where(SETTING.c.name == UNFINISHED_COPY))

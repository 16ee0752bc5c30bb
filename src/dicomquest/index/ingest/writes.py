"""The statements that write the rows of one level, many rows each."""

from __future__ import annotations

import json
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicomquest.index.ingest.computed import MODALITIES_PATH, SOP_CLASSES_PATH, value_rows
from dicomquest.index.tables.dialects import execute, words_of
from dicomquest.index.tables.partitioned import PATIENT_KEY
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH, ValueRow
from dicomquest.index.tables.schema import COMPUTED_KEYS, ENTITY, INDEXED, TABLES, TRIGRAMS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dicomquest.index.ingest.computed import Columns
    from dicomquest.index.tables.dialects import Driven

INSERT_OCCURRENCE = "INSERT INTO occurrence (path, part) VALUES (?, ?) ON CONFLICT DO NOTHING"
COLUMNS = {level: tuple(column.name for column in ENTITY[level].columns) for level in Level}
"""The names of a level's columns, in the order of the table."""

COMPUTED = {level: tuple(key.column for key in COMPUTED_KEYS[level]) for level in Level}
"""The names of the columns that are computed from the level below."""

VALUE_COLUMNS = ("path", "part", "search", "owner")
"""The names of the columns of a value table."""

FILE_COLUMNS = ("path", "size", "modified_ns", "instance")
"""The names of the columns of a file, without its id."""

UPSERT_FILE = """
    INSERT INTO file (path, size, modified_ns, instance) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE
    SET size = excluded.size, modified_ns = excluded.modified_ns, instance = excluded.instance
"""

_UPSERT_FILES = UPSERT_FILE.replace(
    "VALUES (?, ?, ?, ?)",
    "SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::bigint[], ?::bigint[])",
)

# Rows from which on COPY is quicker than INSERT, which is prepared once and sent with all rows.
_COPIED_FROM = 16

# Bytes of a text that fits into a B-tree of PostgreSQL: an entry may have 2,704, its path and its
# owner included. A longer text breaks the Standard's limit, of 64 characters mostly, by far.
_LONGEST = 2500
_INDEXED = {
    level: tuple(
        sorted(
            {
                COLUMNS[level].index(name)
                for index in INDEXED
                if index.table == table
                for name in index.columns
            }
        )
    )
    for level, table in TABLES.items()
}
OwnedValue: TypeAlias = tuple[str, int, str, int]


class Stored(NamedTuple):
    """The parent and the computed columns that an entity has in the database before a batch.

    ``key`` is that of its patient in the partitioned layout.
    """

    parent: int
    columns: Columns
    key: int | None = None


class Writes:
    """The rows of one level to write, statement by statement.

    In the partitioned layout all are added with the key of their patient.
    """

    def __init__(self, level: Level) -> None:
        self._level = level
        self._new: list[tuple[Any, ...]] = []
        self._old: list[tuple[Any, ...]] = []
        self._values: list[OwnedValue] = []
        self._computed: list[tuple[Any, ...]] = []
        self._renewed: list[tuple[int]] = []
        self._keys: dict[int, int] = {}

    def add(
        self,
        row: tuple[Any, ...],
        values: Iterable[ValueRow],
        *,
        is_new: bool,
        key: int | None = None,
    ) -> None:
        """Write a whole row, ``id`` first, and all its value rows."""
        (self._new if is_new else self._old).append(row)
        self._values += [(*value, row[0]) for value in values]
        if key is not None:
            self._keys[row[0]] = key

    def add_computed(
        self, identifier: int, columns: Columns, before: Columns, key: int | None = None
    ) -> None:
        """Write a row's computed columns, and its value rows if these differ from ``before``."""
        self._computed.append((*map(columns.get, COMPUTED[self._level]), identifier))
        if key is not None:
            self._keys[identifier] = key
        values = value_rows(self._level, columns)
        if values != value_rows(self._level, before):
            self._renewed.append((identifier,))
            self._values += [(*value, identifier) for value in values]

    def run(self, connection: Driven) -> None:
        """Write them all."""
        table, names = TABLES[self._level], COLUMNS[self._level]
        if words_of(connection).cuts_long_texts:
            self._new = [fitting_row(self._level, row) for row in self._new]
            self._old = [fitting_row(self._level, row) for row in self._old]
            self._values = list(fitting_values(self._values))
        if self._keys:
            self._run_keyed(connection)
            return
        if self._new:
            insert(connection, table, names, self._new)
            if self._level in TRIGRAMS and words_of(connection).candidates is not None:
                # Triggers do this for changed and deleted rows. For new ones a trigger would take a
                # third of the time of ingest.
                searched = TRIGRAMS[self._level]
                take = itemgetter(0, *map(names.index, searched))
                insert(
                    connection, f"{table}_trigram", ("rowid", *searched), list(map(take, self._new))
                )
        statements = _STATEMENTS[self._level]
        old_ids = [row[:1] for row in self._old]
        if len(self._old) >= _COPIED_FROM and words_of(connection).copies:
            _update_together(connection, self._level, self._old)
            self._old, old_ids = [], []
        for statement, parameters in (
            (statements.update, [(*row[1:], row[0]) for row in self._old]),
            (statements.delete_values, old_ids),
            (statements.update_computed, self._computed),
            (statements.delete_computed_values, self._renewed),
        ):
            if parameters:
                execute(connection, statement, parameters)
        if self._values:
            insert(connection, f"{table}_value", VALUE_COLUMNS, self._values)

    def _run_keyed(self, connection: Driven) -> None:
        """Write them all with the keys of their patients."""
        table, keys, statements = TABLES[self._level], self._keys, _STATEMENTS[self._level]
        if self._new:
            names = (*COLUMNS[self._level], PATIENT_KEY)
            insert(connection, table, names, [(*row, keys[row[0]]) for row in self._new])
        for statement, parameters in (
            # The rows below follow by ON UPDATE CASCADE.
            (statements.update_keyed, [(*row[1:], keys[row[0]], row[0]) for row in self._old]),
            (statements.delete_values, [row[:1] for row in self._old]),
            (statements.update_computed, self._computed),
            (statements.delete_computed_values, self._renewed),
        ):
            if parameters:
                execute(connection, statement, parameters)
        if self._values:
            values = [(*value, keys[value[-1]]) for value in self._values]
            insert(connection, f"{table}_value", (*VALUE_COLUMNS, PATIENT_KEY), values)


class _Statements(NamedTuple):
    """Statements for known rows of a level; a whole row gets all its value rows anew."""

    update: str
    update_keyed: str
    delete_values: str
    update_computed: str
    delete_computed_values: str


def _statements(level: Level) -> _Statements:
    table = TABLES[level]
    delete_values = f"DELETE FROM {table}_value WHERE owner = ?"
    return _Statements(
        f"UPDATE {table} SET {_assignments(COLUMNS[level][1:])} WHERE id = ?",
        f"UPDATE {table} SET {_assignments((*COLUMNS[level][1:], PATIENT_KEY))} WHERE id = ?",
        delete_values,
        f"UPDATE {table} SET {_assignments(COMPUTED[level])} WHERE id = ?",
        f"{delete_values} AND path IN ('{MODALITIES_PATH}', '{SOP_CLASSES_PATH}')",
    )


def _assignments(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = ?" for name in names)


_STATEMENTS = {level: _statements(level) for level in Level}


def fitting_row(level: Level, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row whose indexed texts fit into their indexes."""
    long = [at for at in _INDEXED[level] if isinstance(row[at], str) and _is_long(row[at])]
    if not long:
        return row
    cut = list(row)
    for at in long:
        cut[at] = _cut(cut[at])
    return tuple(cut)


def fitting_value(value: ValueRow) -> ValueRow | None:
    """Return a value row whose text fits; None if a part of it is of no use."""
    if not _is_long(value.search):
        return value
    # The text of a sequence is JSON, which no reader can read in part.
    return None if value.path == ANATOMIC_REGION_PATH else value._replace(search=_cut(value.search))


def fitting_values(values: Iterable[OwnedValue]) -> Iterable[OwnedValue]:
    """Give the value rows whose texts fit, cut where they do not."""
    # Two texts that differ behind the cut become the same row.
    cut: set[OwnedValue] = set()
    for path, part, search, owner in values:
        if not _is_long(search):
            yield path, part, search, owner
        elif fitting := fitting_value(ValueRow(path, part, search)):
            cut.add((*fitting, owner))
    yield from cut


def _is_long(text: str) -> bool:
    return len(text) * 4 > _LONGEST and len(text.encode()) > _LONGEST


def _cut(text: str) -> str:
    return text.encode()[:_LONGEST].decode(errors="ignore")


@lru_cache(maxsize=64)
def insert_statement(table: str, columns: tuple[str, ...]) -> str:
    """Return the statement that inserts one row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def insert(
    connection: Driven, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    """Insert new rows."""
    if len(rows) < _COPIED_FROM or not words_of(connection).copies:
        execute(connection, insert_statement(table, columns), rows)
        return
    names = ", ".join(columns)
    driver: Any = connection.connection.driver_connection
    if driver.pgconn.pipeline_status:
        # COPY would end the pipeline.
        execute(connection, *_as_json(table, columns, rows))
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _update_together(connection: Driven, level: Level, rows: list[tuple[Any, ...]]) -> None:
    """Write whole rows that are there by two statements, and remove their value rows."""
    table, names = TABLES[level], COLUMNS[level]
    content = json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False)
    assignments = ", ".join(f"{name} = given.{name}" for name in names[1:])
    execute(
        connection,
        f"UPDATE {table} SET {assignments}"
        f" FROM json_populate_recordset(NULL::{table}, ?::json) AS given"
        f" WHERE {table}.id = given.id",
        (content,),
    )
    ids = [row[0] for row in rows]
    execute(connection, f"DELETE FROM {table}_value WHERE owner = ANY(?)", (ids,))


def write_files(connection: Driven, files: Sequence[tuple[Any, ...]]) -> None:
    """Write the rows of files, whose columns are ``FILE_COLUMNS``, each path once."""
    if len(files) >= _COPIED_FROM and words_of(connection).copies:
        columns = tuple(map(list, zip(*files, strict=True)))
        execute(connection, _UPSERT_FILES, columns)
    elif files:
        execute(connection, UPSERT_FILE, list(files))


def _as_json(
    table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]
) -> tuple[str, tuple[str]]:
    """Return one statement that inserts rows of texts and numbers, with its parameter."""
    names = ", ".join(columns)
    content = [dict(zip(columns, row, strict=True)) for row in rows]
    source = f"json_populate_recordset(NULL::{table}, ?::json)"
    statement = f"INSERT INTO {table} ({names}) SELECT {names} FROM {source}"
    return statement, (json.dumps(content, ensure_ascii=False),)


def insert_keyed_files(
    connection: Driven, files: Sequence[tuple[Any, ...]], keys: Sequence[int]
) -> None:
    """Write the rows of files in the partitioned layout: a path may have moved between keys."""
    if files:
        paths = [path for path, *_ in files]
        execute(connection, "DELETE FROM file WHERE path = ANY(?)", (paths,))
        keyed = [(*file, key) for file, key in zip(files, keys, strict=True)]
        insert(connection, "file", (*FILE_COLUMNS, PATIENT_KEY), keyed)


def table_row(
    level: Level, identifier: int, head: int | str, columns: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Return a row in the order of the table's columns; the second is its parent or identity."""
    return (identifier, head, *map(columns.get, COLUMNS[level][2:]))

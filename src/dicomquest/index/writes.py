"""The statements that write the rows of one level, many rows each."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.computed import MODALITIES_PATH, SOP_CLASSES_PATH, value_rows
from dicomquest.index.schema import COMPUTED_KEYS, ENTITY, TABLES, TRIGRAMS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dicomquest.index.computed import Columns
    from dicomquest.index.records import ValueRow

INSERT_OCCURRENCE = "INSERT INTO occurrence (path, part) VALUES (?, ?) ON CONFLICT DO NOTHING"
_COLUMNS = {level: tuple(column.name for column in ENTITY[level].columns) for level in Level}


class Stored(NamedTuple):
    """What the database has of an entity before a batch: its parent and its computed columns."""

    parent: int
    columns: Columns


class Writes:
    """The rows of one level to write, statement by statement."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._new: list[tuple[Any, ...]] = []
        self._old: list[tuple[Any, ...]] = []
        self._values: list[tuple[str, int, str, int]] = []
        self._computed: list[Columns] = []

    def add(self, row: tuple[Any, ...], values: Iterable[ValueRow], *, is_new: bool) -> None:
        """A whole row, ``id`` first, and all its value rows."""
        (self._new if is_new else self._old).append(row)
        self._values += [(*value, row[0]) for value in values]

    def add_computed(self, identifier: int, columns: Columns) -> None:
        """Of a row only what is computed."""
        self._computed.append({**columns, "id": identifier})
        self._values += [(*value, identifier) for value in value_rows(self._level, columns)]

    def statements(self, *, trigrams: bool) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
        """Each statement with the parameters that it is run with; ``trigrams``: there are trigram tables."""
        table, names = TABLES[self._level], _COLUMNS[self._level]
        yield f"INSERT INTO {table} ({', '.join(names)}) VALUES ({_marks(names)})", self._new
        if trigrams and self._level in TRIGRAMS:
            # Changed and deleted rows are a trigger's; so were new ones, which took a third of all of ingest's time.
            searched = TRIGRAMS[self._level]
            take = itemgetter(0, *map(names.index, searched))
            yield (
                f"INSERT INTO {table}_trigram (rowid, {', '.join(searched)}) VALUES (?, {_marks(searched)})",
                list(map(take, self._new)),
            )
        yield f"UPDATE {table} SET {_assignments(names[1:])} WHERE id = ?", [(*row[1:], row[0]) for row in self._old]
        yield f"DELETE FROM {table}_value WHERE owner = ?", [row[:1] for row in self._old]
        computed = tuple(key.column for key in COMPUTED_KEYS[self._level])
        yield (
            f"UPDATE {table} SET {_assignments(computed)} WHERE id = ?",
            [tuple(columns[name] for name in (*computed, "id")) for columns in self._computed],
        )
        if self._level is Level.STUDY:
            paths = f"'{MODALITIES_PATH}', '{SOP_CLASSES_PATH}'"
            yield (
                f"DELETE FROM {table}_value WHERE owner = ? AND path IN ({paths})",
                [(columns["id"],) for columns in self._computed],
            )
        yield f"INSERT INTO {table}_value (path, part, search, owner) VALUES (?, ?, ?, ?)", self._values


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _assignments(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = ?" for name in names)


def table_row(level: Level, identifier: int, head: int | str, columns: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row in the order of the table's columns, of which the second says what the entity belongs to."""
    return (identifier, head, *map(columns.get, _COLUMNS[level][2:]))

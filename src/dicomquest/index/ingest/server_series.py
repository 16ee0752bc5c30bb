"""The recent series of a connection to a server, where others write meanwhile (PS3.4 B.2).

Each row of PostgreSQL has the number of the transaction that wrote it (``xmin``). A known series is
current if its row and those of its study and patient have the numbers that they had before, or if
they still say the same but for their counts: another writer may have added to these. Then one more
instance is one statement, which looks at all that, inserts the instance and adds to the counts.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from dicomquest.index.database.pipelined_writer import Attempt
from dicomquest.index.ingest.id_blocks import keep_block, kept_ids, take_from_block
from dicomquest.index.ingest.recent_series import COUNTED, Place, RecentSeries
from dicomquest.index.ingest.writes import (
    COLUMNS,
    INSERT_OCCURRENCE,
    VALUE_COLUMNS,
    fitting_row,
    fitting_values,
)
from dicomquest.index.tables.dialects import execute, words_of
from dicomquest.index.tables.partitioned import is_partitioned
from dicomquest.index.tables.schema import COMPUTED_KEYS, ID_BLOCK, ID_SEQUENCES, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.index.ingest.batch import Batch
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.tables.dialects import Driven

_NAME = "recent series of a server"
_FILE_COLUMNS = ("path", "size", "modified_ns", "instance")
_ABOVE = (Level.SERIES, Level.STUDY, Level.PATIENT)
_NEXT_BLOCK = f"nextval('{ID_SEQUENCES[Level.IMAGE]}')"

# As few as the promoted attributes are, and mostly there are none.
_REGISTER = "(SELECT string_agg(path || state, ' ' ORDER BY id) FROM promoted_attribute)"


def _digest(level: Level) -> str:
    """Return the SQL of a digest of a row without its counts, which are all that appending adds."""
    counts = {key.column for key in COMPUTED_KEYS[level] if key.vr == "IS"}
    names = (f"{TABLES[level]}.{name}" for name in COLUMNS[level] if name not in counts)
    return f"encode(sha256(convert_to(ROW({', '.join(names)})::text, 'UTF8')), 'hex')"


_ROWS = """series JOIN study ON study.id = series.parent
        JOIN patient ON patient.id = study.parent"""
_VERSIONS = (
    "SELECT "
    + ", ".join(
        f"{TABLES[level]}.id, {TABLES[level]}.xmin::text, {_digest(level)}" for level in _ABOVE
    )
    + f", {_REGISTER} FROM {_ROWS} WHERE series.id {{in_values}}"
)


def _is_current(level: Level) -> str:
    # The digest takes a hundred times as long.
    table = TABLES[level]
    return (
        f"CASE WHEN {table}.xmin::text = known.{table}_version THEN true "
        f"ELSE {_digest(level)} = known.{table}_digest END"
    )


def _insertion(name: str, table: str, columns: Sequence[str]) -> str:
    names = ", ".join(columns)
    return (
        f"{name} AS (INSERT INTO {table} ({names}) SELECT {names} FROM given, ready, "
        f"json_populate_recordset(NULL::{table}, given_{table}))"
    )


def _addition(table: str, column: str) -> str:
    return (
        f"counted_{table} AS (UPDATE {table} SET {column} = {column} + added.number "
        f"FROM given, ready, "
        f"json_to_recordset(given_{table}) AS added (id bigint, number integer) "
        f"WHERE {table}.id = added.id)"
    )


_KNOWN = ", ".join(f"{TABLES[level]}_version text, {TABLES[level]}_digest text" for level in _ABOVE)
_READY = f"""ready AS (
    SELECT pg_current_xact_id()::xid::text AS version FROM given
    WHERE given_register IS NOT DISTINCT FROM {_REGISTER}
        AND json_array_length(given_known) = (
            SELECT count(*)
            FROM json_to_recordset((SELECT given_known FROM given))
                    AS known (series bigint, {_KNOWN})
                JOIN ({_ROWS}) ON series.id = known.series
            WHERE {" AND ".join(map(_is_current, _ABOVE))})
        AND NOT EXISTS (SELECT FROM instance WHERE sop_instance_uid = ANY(ARRAY(
            SELECT json_array_elements_text(given_uids) FROM given)))
        AND NOT EXISTS (SELECT FROM file WHERE path = ANY(ARRAY(
            SELECT json_array_elements_text(given_paths)::bytea FROM given))))"""

# Each a parameter: to take one out of a greater JSON text is to read all of that.
_GIVEN = {
    "wants_ids": "boolean",
    "register": "text",
    **dict.fromkeys(("known", "uids", "paths", "instance", "instance_value", "file"), "json"),
    **{table: "json" for table, _ in COUNTED},
}
_APPEND = (
    ", ".join(
        (
            f"WITH given ({', '.join(f'given_{name}' for name in _GIVEN)}) AS (SELECT "
            + ", ".join(f"?::{kind}" for kind in _GIVEN.values())
            + ")",
            _READY,
            _insertion("new_instance", "instance", COLUMNS[Level.IMAGE]),
            _insertion("new_value", "instance_value", VALUE_COLUMNS),
            _insertion("new_file", "file", _FILE_COLUMNS),
            *(_addition(table, column) for table, column in COUNTED),
        )
    )
    + " SELECT (SELECT version FROM ready), "
    f"CASE WHEN given_wants_ids THEN {_NEXT_BLOCK} END FROM given"
)


class _Version(NamedTuple):
    """A state of a row: the number of the transaction that wrote it, and its digest."""

    writer: str
    digest: str


class _Appending(NamedTuple):
    """A statement that appends instances at places, with the occurrences among their values."""

    attempt: Attempt
    places: list[Place]
    occurrences: set[tuple[str, int]]


class ServerSeries(RecentSeries):
    """The recent series of a connection in a transaction that holds the locks of its patients."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[tuple[str, int], _Version] = {}
        self._register: str | None = ""
        self._attempted: _Appending | None = None

    @classmethod
    def of(cls, connection: Driven) -> Self:
        """Take the cache of a connection."""
        found = connection.info.pop(_NAME, None)
        return found if isinstance(found, cls) else cls()

    def stamp(self, connection: Driven) -> None:
        """Do nothing: each row has its version."""

    def put_back(self, info: dict[Any, Any]) -> None:
        """Give the cache to the next transaction of its connection: call this after the commit."""
        info[_NAME] = self

    def append(
        self,
        connection: Driven,
        added: Sequence[tuple[Received, FileState]],
        default_zone: int,
    ) -> bool:
        """Write instances that the index does not have, if all they change are counts.

        Else return False, with nothing written but their occurrences.
        """
        while len(kept_ids(connection, Level.IMAGE, len(added))) < len(added):
            first = execute(connection, f"SELECT {_NEXT_BLOCK}").fetchone()[0]
            keep_block(connection, Level.IMAGE, first)
        appending = self._appending(connection, added, default_zone)
        if appending is None:
            return False
        if new := appending.occurrences - self._occurrences:
            execute(connection, INSERT_OCCURRENCE, sorted(new))
        attempt = appending.attempt
        attempt.row = execute(connection, attempt.statement, attempt.parameters).fetchone()
        return self._note(connection, appending)

    def attempt(
        self,
        connection: Driven,
        added: Sequence[tuple[Received, FileState]],
        default_zone: int,
    ) -> Attempt | None:
        """Return the statement with which ``append`` would write these; None if it would not.

        It must run first of its transaction, whose locks it comes after.
        """
        appending = self._appending(connection, added, default_zone)
        if appending is None or not appending.occurrences <= self._occurrences:
            return None
        self._attempted = appending
        return appending.attempt

    def has_appended(self, connection: Driven) -> bool:
        """Tell whether the last attempt has run and has written its instances."""
        appending, self._attempted = self._attempted, None
        return appending is not None and self._note(connection, appending)

    def _appending(
        self,
        connection: Driven,
        added: Sequence[tuple[Received, FileState]],
        default_zone: int,
    ) -> _Appending | None:
        places = [self._place(received) for received, _ in added]
        ids = kept_ids(connection, Level.IMAGE, len(added))
        uids = [received.sop_uid for received, _ in added]
        paths = [f"\\x{os.fsencode(file.path).hex()}" for _, file in added]
        if len(ids) < len(added) or len(set(uids)) < len(added) or len(set(paths)) < len(added):
            return None
        known = [place for place in places if place is not None and self._knows(place)]
        if len(known) < len(added):
            return None
        instances, values, occurrences = self._rows(ids, known, added, default_zone)
        files = [
            (path, file.size, file.modified_ns, identifier)
            for identifier, path, (_, file) in zip(ids, paths, added, strict=True)
        ]
        given: dict[str, Any] = {
            "known": [self._as_known(place) for place in set(known)],
            "uids": uids,
            "paths": paths,
            "instance": _objects(
                COLUMNS[Level.IMAGE], [fitting_row(Level.IMAGE, row) for row in instances]
            ),
            "instance_value": _objects(VALUE_COLUMNS, fitting_values(values)),
            "file": _objects(_FILE_COLUMNS, files),
        }
        for (table, _), identifiers in zip(COUNTED, zip(*known, strict=True), strict=True):
            given[table] = [
                {"id": identifier, "number": number}
                for identifier, number in Counter(identifiers).items()
            ]
        texts: dict[str, str | None] = {
            name: json.dumps(each, ensure_ascii=False) for name, each in given.items()
        }
        wants_ids = len(kept_ids(connection, Level.IMAGE, ID_BLOCK)) < ID_BLOCK
        texts |= {"wants_ids": "true" if wants_ids else "false", "register": self._register}
        attempt = Attempt(_APPEND, tuple(texts[name] for name in _GIVEN))
        return _Appending(attempt, known, occurrences)

    def _note(self, connection: Driven, appending: _Appending) -> bool:
        """Tell whether instances are written, and note what is known then."""
        row = appending.attempt.row
        if not row:
            return False
        version, block = row
        if block is not None:
            keep_block(connection, Level.IMAGE, int(block))
        if version is None:
            return False
        for _ in appending.places:
            take_from_block(connection, Level.IMAGE)
        self._occurrences |= appending.occurrences
        for key in {key for place in appending.places for key in _keys(place)}:
            self._versions[key] = _Version(version, self._versions[key].digest)
        return True

    def _knows(self, place: Place) -> bool:
        return all(key in self._versions for key in _keys(place))

    def _as_known(self, place: Place) -> dict[str, Any]:
        known: dict[str, Any] = {"series": place.series}
        for table, identifier in _keys(place):
            version = self._versions[table, identifier]
            known |= {f"{table}_version": version.writer, f"{table}_digest": version.digest}
        return known

    def learn(self, batch: Batch, instances: Sequence[Received]) -> None:
        """Forget what a batch of these instances may have changed, and know their series."""
        if is_partitioned(batch.connection):
            # The rows of its statement would need the keys of their patients.
            return
        super().learn(batch, instances)
        ids = [place.series for place in map(self._place, instances) if place is not None]
        if not ids:
            return
        connection = batch.connection
        statement = _VERSIONS.replace("{in_values}", words_of(connection).in_values)
        for *found, register in execute(connection, statement, (ids,)):
            for level, at in zip(_ABOVE, range(0, len(found), 3), strict=True):
                identifier, writer, digest = found[at : at + 3]
                self._versions[TABLES[level], identifier] = _Version(writer, digest)
            self._register = register
        self._forget_others()

    def _forget_others(self) -> None:
        """Forget the versions of what is not known any more, now and then."""
        if len(self._versions) > _MOST_VERSIONS:
            kept = {
                key
                for study in self._studies.values()
                for series, _ in study.series.values()
                for key in _keys(Place(series, study.id, study.patient_row))
            }
            self._versions = {key: self._versions[key] for key in kept & self._versions.keys()}


_MOST_VERSIONS = 10_000


def _objects(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return rows as JSON objects without the columns that have no value."""
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in rows
    ]


def _keys(place: Place) -> tuple[tuple[str, int], ...]:
    """Return table and id of each row above an instance."""
    return tuple(zip((TABLES[level] for level in _ABOVE), place, strict=True))

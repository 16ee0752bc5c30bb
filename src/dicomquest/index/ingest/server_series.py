"""The recent series of a connection to a server, where others write meanwhile (PS3.4 B.2).

Each row of PostgreSQL has the number of the transaction that wrote it (``xmin``). A known series is
current if its row and those of its study and patient have the numbers that they had before. Then
one more instance is one statement, which inserts the instance and adds to the counts.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from dicomquest.index.ingest.id_blocks import take_from_block
from dicomquest.index.ingest.recent_series import COUNTED, RecentSeries
from dicomquest.index.ingest.writes import (
    COLUMNS,
    INSERT_OCCURRENCE,
    VALUE_COLUMNS,
    fitting_row,
    fitting_values,
)
from dicomquest.index.tables.dialects import execute, words_of
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.index.ingest.batch import Batch
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.tables.dialects import Driven

_NAME = "recent series of a server"
_FILE_COLUMNS = ("path", "size", "modified_ns", "instance")

# The promoted attributes are asked for with each series, as they are few and mostly none.
_VERSIONS = """
    SELECT series.id, series.xmin::text, study.id, study.xmin::text, patient.id,
        patient.xmin::text, (SELECT string_agg(path || state, ' ' ORDER BY id)
            FROM promoted_attribute)
    FROM series JOIN study ON study.id = series.parent JOIN patient ON patient.id = study.parent
    WHERE series.id {in_values}"""


def _insertion(name: str, table: str, columns: Sequence[str]) -> str:
    names = ", ".join(columns)
    return (
        f"{name} AS (INSERT INTO {table} ({names}) SELECT {names} FROM given, "
        f"json_populate_recordset(NULL::{table}, content -> '{table}'))"
    )


def _addition(table: str, column: str) -> str:
    return (
        f"counted_{table} AS (UPDATE {table} SET {column} = {column} + added.number FROM given, "
        f"json_to_recordset(content -> '{table}') AS added (id bigint, number integer) "
        f"WHERE {table}.id = added.id)"
    )


_APPEND = (
    ", ".join(
        (
            "WITH given AS (SELECT ?::json AS content)",
            _insertion("new_instance", "instance", COLUMNS[Level.IMAGE]),
            _insertion("new_value", "instance_value", VALUE_COLUMNS),
            _insertion("new_file", "file", _FILE_COLUMNS),
            *(_addition(table, column) for table, column in COUNTED),
        )
    )
    + " SELECT pg_current_xact_id()::xid::text"
)


class ServerSeries(RecentSeries):
    """The recent series of a connection in a transaction that holds the locks of its patients."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[tuple[str, int], str] = {}
        self._register: str | None = ""
        self._current: set[int] = set()
        self._asked: Any = ()

    @classmethod
    def ask(cls, connection: Driven, instances: Iterable[Received]) -> Self:
        """Take the cache of a connection, and ask for the versions of what instances need."""
        found = connection.info.pop(_NAME, None)
        recent = found if isinstance(found, cls) else cls()
        recent._current = set()  # noqa: SLF001  of this very class
        places = {recent._place(received) for received in instances}  # noqa: SLF001
        ids = list({place.series for place in places if place is not None})
        words = words_of(connection)
        statement = _VERSIONS.replace("{in_values}", words.in_values)
        recent._asked = execute(connection, statement, (ids,)) if ids else ()  # noqa: SLF001
        return recent

    def stamp(self, connection: Driven) -> None:
        """Do nothing: each row has its version."""

    def put_back(self, info: dict[Any, Any]) -> None:
        """Give the cache to the next transaction of its connection: call this after the commit."""
        info[_NAME] = self

    def answered(self) -> None:
        """Note which series are current."""
        for *ids_and_versions, register in self._asked:
            series, study, patient = ids_and_versions[::2]
            rows = zip(("series", "study", "patient"), (series, study, patient), strict=True)
            known = [self._versions.get(row) for row in rows]
            if known == ids_and_versions[1::2] and register == self._register:
                self._current.add(series)
        self._asked = ()

    def append(
        self,
        connection: Driven,
        added: Sequence[tuple[Received, FileState]],
        default_zone: int,
    ) -> bool:
        """Write instances that the index does not have, if all they change are counts.

        Else return False, with nothing written. A file of another instance at one of the paths
        breaks the unique key, and so the transaction.
        """
        places = []
        for received, _ in added:
            place = self._place(received)
            if place is None or place.series not in self._current:
                return False
            places.append(place)
        if len({file.path for _, file in added}) < len(added):
            return False
        ids = [take_from_block(connection, Level.IMAGE) for _ in added]
        instances, values, occurrences = self._rows(ids, places, added, default_zone)
        files = [
            (f"\\x{os.fsencode(file.path).hex()}", file.size, file.modified_ns, identifier)
            for identifier, (_, file) in zip(ids, added, strict=True)
        ]
        content: dict[str, Any] = {
            "instance": _objects(
                COLUMNS[Level.IMAGE], [fitting_row(Level.IMAGE, row) for row in instances]
            ),
            "instance_value": _objects(VALUE_COLUMNS, fitting_values(values)),
            "file": _objects(_FILE_COLUMNS, files),
        }
        changed = list(zip(*places, strict=True))
        for (table, _), identifiers in zip(COUNTED, changed, strict=True):
            content[table] = [
                {"id": identifier, "number": number}
                for identifier, number in Counter(identifiers).items()
            ]
        if new := occurrences - self._occurrences:
            execute(connection, INSERT_OCCURRENCE, sorted(new))
        text = json.dumps(content, ensure_ascii=False)
        version = execute(connection, _APPEND, (text,)).fetchone()[0]
        self._occurrences |= new
        for (table, _), identifiers in zip(COUNTED, changed, strict=True):
            self._versions |= dict.fromkeys(((table, each) for each in identifiers), version)
        return True

    def learn(self, batch: Batch, instances: Sequence[Received]) -> None:
        """Forget what a batch of these instances may have changed, and know their series."""
        super().learn(batch, instances)
        ids = [place.series for place in map(self._place, instances) if place is not None]
        if not ids:
            return
        connection = batch.connection
        statement = _VERSIONS.replace("{in_values}", words_of(connection).in_values)
        for series, of_series, study, of_study, patient, of_patient, register in execute(
            connection, statement, (ids,)
        ):
            self._versions["series", series] = of_series
            self._versions["study", study] = of_study
            self._versions["patient", patient] = of_patient
            self._register = register
        self._forget_others()

    def _forget_others(self) -> None:
        """Forget the versions of what is not known any more, now and then."""
        if len(self._versions) > _MOST_VERSIONS:
            kept = {
                key
                for study in self._studies.values()
                for key in (
                    ("study", study.id),
                    ("patient", study.patient_row),
                    *(("series", series) for series, _ in study.series.values()),
                )
            }
            self._versions = {key: self._versions[key] for key in kept & self._versions.keys()}


_MOST_VERSIONS = 10_000


def _objects(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return rows as JSON objects without the columns that have no value."""
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in rows
    ]

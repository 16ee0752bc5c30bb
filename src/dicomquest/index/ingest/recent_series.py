"""The series that lately got instances: one more of these needs nothing loaded (PS3.4 B.2).

Most instances that an archive receives say of their patient, study and series what the one before
said. Such an instance changes nothing of these but their counts. A cache of one connection knows
the series by heart, and writes the instance and the counts. All else is for ``Batch``.

The cache holds as long as nobody else has written: SQLite counts the commits of other connections
(``data_version``), and the rows that this one has changed (``total_changes``). Where others write,
as several workers do, each series is compared with its rows before it is used again: one statement,
in a tenth of the time that ``Batch`` takes.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.ingest.computed import (
    PATIENT_INSTANCES,
    SERIES_COUNT,
    STUDY_INSTANCES,
)
from dicomquest.index.ingest.writes import (
    COLUMNS,
    INSERT_OCCURRENCE,
    UPSERT_FILE,
    VALUE_COLUMNS,
    insert_statement,
    table_row,
)
from dicomquest.index.tables.dialects import dialect_of
from dicomquest.index.tables.promoted import filled, promoted_forms, read_promoted
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH
from dicomquest.index.tables.schema import COMPUTED_KEYS, OWN, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dicomquest.index.ingest.batch import Batch
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.ingest.merged_entity import Entity, Study
    from dicomquest.index.ingest.writes import OwnedValue
    from dicomquest.index.tables.dialects import Driven
    from dicomquest.index.tables.promoted import Attribute
    from dicomquest.index.tables.rows import Record

MOST_STUDIES = 64
"""Studies that a cache knows; more associations than these hardly store at a time."""

MOST_SERIES = 32
"""Series of one study that a cache knows."""

LONGEST_RECORD = 16_384
"""Characters of a record that a cache keeps; a peer may send one of megabytes."""

_NAME = "recent series"
_SOP_CLASS_COLUMN = "sop_class_uid"
_INSERT_INSTANCE = insert_statement("instance", COLUMNS[Level.IMAGE])
_INSERT_VALUE = insert_statement("instance_value", VALUE_COLUMNS)
COUNTED = (
    ("series", SERIES_COUNT),
    ("study", STUDY_INSTANCES),
    ("patient", PATIENT_INSTANCES),
)
"""The tables and columns of the counts that one more instance of a known series changes."""

_COUNTS = tuple(
    f"UPDATE {table} SET {column} = {column} + ? WHERE id = ?" for table, column in COUNTED
)


MOST_WITNESSES = 256
"""Series whose rows a cache keeps to compare; those of a series have some kilobytes."""


def _witnessed(level: Level) -> str:
    """Return the columns of a level on which what a cache knows depends: all but the counts."""
    counts = {key.column for key in COMPUTED_KEYS[level] if key.vr == "IS"}
    return ", ".join(f"{TABLES[level]}.{name}" for name in COLUMNS[level] if name not in counts)


_WITNESS = f"""
    SELECT {", ".join(map(_witnessed, (Level.SERIES, Level.STUDY, Level.PATIENT)))}
    FROM series JOIN study ON study.id = series.parent JOIN patient ON patient.id = study.parent
    WHERE series.id = ?"""
_NEXT_ID = "SELECT coalesce(max(id), 0) + 1 FROM instance"


class Place(NamedTuple):
    """The ids of a series and of its study and patient."""

    series: int
    study: int
    patient: int


class _RecentStudy(NamedTuple):
    """A study that shows its patient's main row; ``patient`` is as its last instance named it."""

    id: int
    patient_row: int
    patient: tuple[str, str]
    demographics: Record
    record: Record
    sop_classes: frozenset[str]
    series: dict[str, tuple[int, Record]]


class RecentSeries:
    """The recent series of one connection, and what else its next transaction need not ask for."""

    def __init__(self, version: int = 0) -> None:
        self.next_ids: dict[Level, int] = {}
        self._studies: dict[str, _RecentStudy] = {}
        self._promoted: list[Attribute] | None = None
        self._occurrences: set[tuple[str, int]] = set()
        self._stamp = (version, 0)  # and the changes that this connection has made
        # Rows of series as they were when they became known, once others have written.
        self._has_company = False
        self._witnesses: dict[int, tuple[Any, ...]] = {}
        # The series that are current although others have written; None if all are.
        self._current_series: set[int] | None = None

    @classmethod
    def take(cls, connection: Driven) -> RecentSeries | None:
        """Take the cache of a connection that holds the write lock; None if there can be none."""
        if dialect_of(connection) != "sqlite":
            return None
        driver: Any = connection.connection.driver_connection
        (version,) = driver.execute("PRAGMA data_version").fetchone()
        found = connection.info.pop(_NAME, None)
        if not isinstance(found, cls):
            return cls(version)
        # Else somebody has written since the transaction that ``stamp`` ended.
        if not found.is_current(version, driver.total_changes):
            found.doubt(version)
        return found

    def is_current(self, version: int, changes: int) -> bool:
        """Tell whether database and connection are as ``stamp`` found them."""
        return self._stamp == (version, changes)

    def doubt(self, version: int) -> None:
        """Use nothing before it is compared with what another writer has left."""
        self._stamp = (version, 0)
        self._has_company = True
        self._current_series = set()
        self._promoted = None
        self._occurrences.clear()
        self.next_ids.clear()

    def stamp(self, connection: Driven) -> None:
        """Note the state of the database at the end of the transaction, before it commits."""
        # Nobody else has committed since ``take``.
        driver: Any = connection.connection.driver_connection
        self._stamp = self._stamp[0], driver.total_changes

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

        Else return False, with nothing written.
        """
        places = []
        for received, _ in added:
            place = self._place(received)
            if place is None:
                return False
            places.append(place)
        driver: Any = connection.connection.driver_connection
        if self._current_series is not None:
            if not self._are_current(driver, {place.series for place in places}):
                return False
            if self._promoted is None:
                self._promoted = filled(read_promoted(connection)).get(Level.IMAGE, [])
                (self.next_ids[Level.IMAGE],) = driver.execute(_NEXT_ID).fetchone()
        if self._promoted is None or Level.IMAGE not in self.next_ids:
            return False
        paths = [os.fsencode(file.path) for _, file in added]
        if _are_known(driver, paths):
            return False
        first = self.next_ids[Level.IMAGE]
        self.next_ids[Level.IMAGE] = first + len(added)
        ids = range(first, first + len(added))
        instances, values, occurrences = self._rows(ids, places, added, default_zone)
        files = [
            (path, file.size, file.modified_ns, identifier)
            for identifier, (path, (_, file)) in enumerate(zip(paths, added, strict=True), first)
        ]
        driver.executemany(_INSERT_INSTANCE, instances)
        if values:
            driver.executemany(_INSERT_VALUE, values)
        for statement, counted in zip(_COUNTS, zip(*places, strict=True), strict=True):
            if len(counted) == 1:
                driver.execute(statement, (1, *counted))
                continue
            driver.executemany(
                statement, [(count, identifier) for identifier, count in Counter(counted).items()]
            )
        driver.executemany(UPSERT_FILE, files)
        if new := occurrences - self._occurrences:
            driver.executemany(INSERT_OCCURRENCE, sorted(new))
            self._occurrences |= new
        return True

    def _are_current(self, driver: Any, series: set[int]) -> bool:
        """Tell whether the rows of series, and those above, are as they were."""
        assert self._current_series is not None  # noqa: S101
        for each in series - self._current_series:
            witness = self._witnesses.get(each)
            if witness is None or driver.execute(_WITNESS, (each,)).fetchone() != witness:
                return False
            self._current_series.add(each)
        return True

    def _rows(
        self,
        ids: Sequence[int],
        places: Sequence[Place],
        added: Sequence[tuple[Received, FileState]],
        default_zone: int,
    ) -> tuple[list[tuple[Any, ...]], list[OwnedValue], set[tuple[str, int]]]:
        """Return the rows of instances, their value rows, and the occurrences among these."""
        instances: list[tuple[Any, ...]] = []
        values: list[OwnedValue] = []
        occurrences: set[tuple[str, int]] = set()
        for identifier, (received, _), place in zip(ids, added, places, strict=True):
            record, own = received.records[Level.IMAGE], received.forms
            instances.append(
                table_row(Level.IMAGE, identifier, place.series, record.columns() | own.columns)
            )
            rows, found = own.values, own.occurrences
            if self._promoted:
                promoted = promoted_forms(self._promoted, record.elements, default_zone)
                rows, found = rows | promoted.values, found | promoted.occurrences
            values += [(*value, identifier) for value in rows]
            occurrences |= found
        return instances, values, occurrences

    def learn(self, batch: Batch, instances: Sequence[Received]) -> None:
        """Forget what a batch of these instances may have changed, and know their series."""
        self._promoted = batch.promoted.get(Level.IMAGE, [])
        for uid, known in list(self._studies.items()):
            # Another writer may have moved a study away from a row that is gone now.
            if known.patient_row in batch.loaded.rows or uid in batch.loaded.studies:
                del self._studies[uid]
        # The last instance of a study comes first: the study is its patient's.
        for received in reversed(instances):
            study = batch.loaded.studies[received.study_uid]
            series = batch.loaded.series[study.id, received.series_uid]
            if (
                series.id in batch.computed[Level.SERIES]
                and study.id in batch.computed[Level.STUDY]
            ):
                computed = batch.computed[Level.STUDY][study.id]
                if self._know(received, study, series, computed) and self._has_company:
                    self._witness(batch.connection, series.id)

    def _witness(self, connection: Driven, series: int) -> None:
        """Keep the rows of a series, to compare them after another writer's transaction."""
        driver: Any = connection.connection.driver_connection
        self._witnesses.pop(series, None)
        self._witnesses[series] = driver.execute(_WITNESS, (series,)).fetchone()
        if len(self._witnesses) > MOST_WITNESSES:
            del self._witnesses[next(iter(self._witnesses))]
        if self._current_series is not None:
            self._current_series.add(series)

    def _know(
        self, received: Received, study: Study, series: Entity, computed: Mapping[str, Any]
    ) -> bool:
        """Know a series unless it is too long, or its study shows other demographics."""
        main = study.main
        if study.parent != main.id or main.demographics != OWN:
            return False
        known = self._studies.get(study.key)
        if known is None:
            if not _are_short(main.record, study.record):
                return False
            classes = frozenset((computed["sop_classes_in_study"] or "").split("\\"))
            known = self._studies[study.key] = _RecentStudy(
                study.id, main.id, received.patient, main.record, study.record, classes, {}
            )
            if len(self._studies) > MOST_STUDIES:
                del self._studies[next(iter(self._studies))]
        if not _are_short(series.record):
            return False
        known.series[series.key] = series.id, series.record
        if len(known.series) > MOST_SERIES:
            del known.series[next(iter(known.series))]
        return True

    def _place(self, received: Received) -> Place | None:
        """Return the place of an instance that says nothing new of what is above it."""
        study = self._studies.get(received.study_uid)
        if study is None or study.patient != received.patient:
            return None
        series = study.series.get(received.series_uid)
        if series is None:
            return None
        records = received.records
        image = records[Level.IMAGE]
        classes = image.texts.get(_SOP_CLASS_COLUMN)
        if (
            _says_more(records[Level.SERIES], series[1])
            or _says_more(records[Level.STUDY], study.record)
            or _says_more(records[Level.PATIENT], study.demographics)
            or not (classes is None or study.sop_classes.issuperset(classes.split("\\")))
            or ANATOMIC_REGION_PATH in image.elements
        ):
            return None
        return Place(series[0], study.id, study.patient_row)


def _says_more(record: Record, known: Record) -> bool:
    """Tell whether a record has an attribute that a known one has not, or has another value of."""
    return record != known and not (
        record.texts.items() <= known.texts.items()
        and record.elements.items() <= known.elements.items()
    )


def _are_short(*records: Record) -> bool:
    return all(
        sum(map(len, part.values())) <= LONGEST_RECORD for record in records for part in record
    )


def _are_known(driver: Any, paths: Collection[bytes]) -> bool:
    """Tell whether any of these is the path of a file of the index, or is there twice."""
    if len(set(paths)) < len(paths):
        return True
    marks = ", ".join("?" * len(paths))
    statement = f"SELECT 1 FROM file WHERE path IN ({marks}) LIMIT 1"
    return driver.execute(statement, tuple(paths)).fetchone() is not None

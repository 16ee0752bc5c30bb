"""One transaction of ingest: instances merge into their patients, studies and series (PS3.4 C.3).

Where instances contradict one another, the attributes of the one received last win, at every level;
an attribute without a value erases nothing. An instance received again replaces what it was, and
may move to another series, a study to another patient. An entity that loses its last child goes.
When the transaction ends, counts and all other computed attributes are right (QR-130 to QR-133).
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.ingest.computed import COMPUTE, SERIES_COUNT, Columns, value_rows
from dicomquest.index.ingest.merged_entity import Entity, patient_identity
from dicomquest.index.ingest.writes import (
    COLUMNS,
    COMPUTED,
    INSERT_OCCURRENCE,
    Stored,
    Writes,
    table_row,
)
from dicomquest.index.tables.dialects import execute, rows, words_of
from dicomquest.index.tables.promoted import (
    NOTHING,
    PromotedForms,
    filled,
    promoted_forms,
    read_promoted,
)
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH, Record, forms, record_from_row
from dicomquest.index.tables.schema import TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection

    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received

LOGGER = logging.getLogger("dicomquest.index")

_UPPER = (Level.PATIENT, Level.STUDY, Level.SERIES)
_KEYS = {
    Level.PATIENT: "identity",
    Level.STUDY: "study_instance_uid",
    Level.SERIES: "series_instance_uid",
}
_UPSERT_FILE = """
    INSERT INTO file (path, size, modified_ns, instance) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE
    SET size = excluded.size, modified_ns = excluded.modified_ns, instance = excluded.instance
"""


class _Instance(NamedTuple):
    id: int
    parent: int
    received: Received
    is_new: bool


class Batch:
    """The instances of one transaction: ``add`` each in the order received, then ``write``."""

    def __init__(
        self, connection: Connection, instances: Iterable[Received], default_zone: int
    ) -> None:
        """Load the rows that the database has of ``instances`` and of all above them."""
        self._connection = connection
        self._default_zone = default_zone
        self._next_ids: dict[Level, int] = {}
        self._is_deferred = False
        self._entities: dict[Level, dict[Any, Entity]] = {level: {} for level in _UPPER}
        self._patients_by_id: dict[int, Entity] = {}
        self._instances: dict[str, _Instance] = {}
        self._files: dict[str, tuple[FileState, str]] = {}
        # Entities whose computed columns may change; among them those that lost a child.
        self._touched: dict[Level, set[int]] = {level: set() for level in _UPPER}
        self._before: dict[Level, dict[int, Stored]] = {level: {} for level in _UPPER}
        # Series that lost an instance, or have one that was received again.
        self._unsettled: set[int] = set()
        self._occurrences: set[tuple[str, int]] = set()
        # Read with the write lock held: the batch that fills the older rows of an attribute and
        # those that write new rows leave none out between them.
        self._promoted = filled(read_promoted(connection))
        self.replaced = 0
        self.removed: dict[Level, int] = dict.fromkeys(Level, 0)
        self._load(list(instances))

    def _load(self, instances: list[Received]) -> None:
        studies = self._load_level(Level.STUDY, {each.study_uid for each in instances})
        self._entities[Level.STUDY] = {study.key: study for study in studies}
        patients = self._load_level(Level.PATIENT, {patient_identity(each) for each in instances})
        # A known study may be another patient's until now.
        others = {study.parent for study in studies} - {each.id for each in patients}
        patients += self._load_level(Level.PATIENT, others, "id")
        self._patients_by_id = {patient.id: patient for patient in patients}
        self._entities[Level.PATIENT] = {patient.key: patient for patient in patients}
        series = self._load_level(Level.SERIES, {each.series_uid for each in instances})
        self._entities[Level.SERIES] = {(each.parent, each.key): each for each in series}
        statement = (
            "SELECT sop_instance_uid, id, parent FROM instance WHERE sop_instance_uid {in_values}"
        )
        found = rows(self._connection, statement, [each.sop_uid for each in instances])
        self._stored = {uid: (identifier, parent) for uid, identifier, parent in found}

    def _load_level(self, level: Level, values: set[Any], column: str = "") -> list[Entity]:
        """Load the entities whose key, or else ``column``, is among the values."""
        if not values:
            return []
        names = COLUMNS[level]
        key = _KEYS[level]
        statement = (
            f"SELECT {', '.join(names)} FROM {TABLES[level]} WHERE {column or key} {{in_values}}"
        )
        dicts = [
            dict(zip(names, row, strict=True)) for row in rows(self._connection, statement, values)
        ]
        for row in dicts:
            self._before[level][row["id"]] = Stored(
                row.get("parent", 0), {name: row[name] for name in COMPUTED[level]}
            )
        return [
            Entity(row["id"], row[key], row.get("parent", 0), record_from_row(level, row))
            for row in dicts
        ]

    def add(self, received: Received, file: FileState | None = None) -> None:
        """Merge an instance into its patient, study and series."""
        study = self._entities[Level.STUDY].get(received.study_uid)
        patient = self._patient(received, study)
        if study is None:
            study = self._new(Level.STUDY, received.study_uid, received.study_uid, patient.id)
        elif study.parent != patient.id:
            LOGGER.info("study %d moves: the instance received last has another patient", study.id)
            study.parent = patient.id
        series = self._entities[Level.SERIES].get((study.id, received.series_uid))
        if series is None:
            series = self._new(
                Level.SERIES, (study.id, received.series_uid), received.series_uid, study.id
            )
        for level, entity in (
            (Level.PATIENT, patient),
            (Level.STUDY, study),
            (Level.SERIES, series),
        ):
            entity.merge(received.records[level])
            self._touched[level].add(entity.id)
        self._add_instance(received, series, file)

    def _patient(self, received: Received, study: Entity | None) -> Entity:
        patient_id, issuer = received.patient
        if study is not None:
            current = self._patients_by_id[study.parent]
            if not patient_id or (not issuer and json.loads(current.key)[0] == patient_id):
                # No Patient ID, or the same one without its issuer, contradicts nothing.
                return current
        identity = patient_identity(received)
        patient = self._entities[Level.PATIENT].get(identity)
        if patient is None:
            patient = self._new(Level.PATIENT, identity, identity, 0)
            self._patients_by_id[patient.id] = patient
        return patient

    def _new(self, level: Level, place: Any, key: str, parent: int) -> Entity:
        if not self._is_deferred:
            # Children are written before their parents, whose computed columns depend on them. Only
            # where a parent is new, because SQLite compiles all its statements anew after this.
            execute(self._connection, words_of(self._connection).defer_constraints)
            self._is_deferred = True
        entity = Entity(self._take_id(level), key, parent, None)
        self._entities[level][place] = entity
        return entity

    def _take_id(self, level: Level) -> int:
        taken = self._next_ids.get(level)
        if taken is None:
            statement = f"SELECT coalesce(max(id), 0) + 1 FROM {TABLES[level]}"
            taken = int(next(iter(execute(self._connection, statement)))[0])
        self._next_ids[level] = taken + 1
        return taken

    def _add_instance(self, received: Received, series: Entity, file: FileState | None) -> None:
        uid = received.sop_uid
        stored = self._stored.get(uid)
        before = self._instances.get(uid)
        identifier = stored[0] if stored else before.id if before else self._take_id(Level.IMAGE)
        if stored or before:
            self.replaced += 1
            self._unsettled.add(series.id)
        if stored and stored[1] != series.id:
            LOGGER.info("instance %d moves: it was received last with another series", identifier)
            self._touched[Level.SERIES].add(stored[1])
            self._unsettled.add(stored[1])
        self._instances[uid] = _Instance(identifier, series.id, received, stored is None)
        if file is not None:
            self._files[file.path] = (file, uid)

    def remove(self, instances: Collection[int]) -> None:
        """Remove instances by their id; ``write`` removes all that is left without children."""
        gone = rows(
            self._connection,
            "DELETE FROM instance WHERE id {in_values} RETURNING parent",
            instances,
        )
        parents = {parent for (parent,) in gone}
        self._touched[Level.SERIES] |= parents
        self._unsettled |= parents
        self.removed[Level.IMAGE] += len(gone)

    def _remove_displaced(self) -> None:
        """Remove the instances whose last file has become that of another instance."""
        now = {os.fsencode(path): self._instances[uid].id for path, (_, uid) in self._files.items()}
        if not now:
            return
        statement = f"SELECT path, instance FROM file WHERE path IN ({', '.join('?' * len(now))})"
        before = execute(self._connection, statement, tuple(now))
        lost = {instance for path, instance in before if now[path] != instance}
        lost -= {each.id for each in self._instances.values()}
        if lost:
            files = rows(
                self._connection, "SELECT path, instance FROM file WHERE instance {in_values}", lost
            )
            self.remove(lost - {instance for path, instance in files if path not in now})

    def write(self) -> None:
        """Write all rows, the lowest level first; nothing can be added afterwards."""
        self._remove_displaced()
        self._write_instances()
        for level in reversed(_UPPER):
            self._write_level(level)
        instances, files = self._instances, self._files.values()
        self._many(
            _UPSERT_FILE,
            [(os.fsencode(file.path), *file[1:], instances[uid].id) for file, uid in files],
        )
        self._many(INSERT_OCCURRENCE, sorted(self._occurrences))

    def _write_instances(self) -> None:
        writes = Writes(Level.IMAGE)
        for identifier, parent, received, is_new in self._instances.values():
            columns = received.records[Level.IMAGE].columns() | received.forms.columns
            row = table_row(Level.IMAGE, identifier, parent, columns)
            promoted = self._promoted_forms(Level.IMAGE, received.records[Level.IMAGE])
            writes.add(row, received.forms.values | promoted.values, is_new=is_new)
            self._occurrences |= received.forms.occurrences | promoted.occurrences
        writes.run(self._connection)

    def _write_level(self, level: Level) -> None:
        """Write the entities of one level that change, and delete those without children."""
        touched = self._touched[level]
        stored = self._stored_computed(level, touched)
        computed = COMPUTE[level](self._connection, touched, self._settled(level))
        in_batch = {
            entity.id: entity for entity in self._entities[level].values() if entity.id in touched
        }
        writes = Writes(level)
        for identifier, columns in computed.items():
            entity = in_batch.get(identifier)
            if entity is not None and entity.is_changed(stored):
                entity.log_conflicts(level)
                found = forms(level, entity.record, self._default_zone)
                head = entity.key if level is Level.PATIENT else entity.parent
                row = table_row(
                    level, identifier, head, entity.record.columns() | found.columns | columns
                )
                promoted = self._promoted_forms(level, entity.record)
                values = found.values | value_rows(level, columns) | promoted.values
                writes.add(row, values, is_new=entity.is_new)
                self._occurrences |= found.occurrences | promoted.occurrences
            elif columns != stored[identifier].columns:
                writes.add_computed(identifier, columns, stored[identifier].columns)
        writes.run(self._connection)
        gone = [(identifier,) for identifier in stored if identifier not in computed]
        self._many(f"DELETE FROM {TABLES[level]} WHERE id = ?", gone)
        self.removed[level] += len(gone)
        if level is not Level.PATIENT:
            above = self._touched[Level(level - 1)]
            above.update(each.parent for each in stored.values())
            above.update(entity.parent for entity in in_batch.values())

    def _settled(self, level: Level) -> dict[int, Columns]:
        """Return the computed columns that follow from the new instances and the old columns alone.

        These are series and studies that only get new instances. To look at all their instances
        again would make each one of thousands slower to receive than the one before.
        """
        stored = self._before[level]
        only_new = self._touched[level] & stored.keys()
        if level is Level.SERIES:
            added = Counter(instance.parent for instance in self._instances.values())
            counts = {
                each: stored[each].columns[SERIES_COUNT] for each in only_new - self._unsettled
            }
            return {
                each: {SERIES_COUNT: count + added[each]}
                for each, count in counts.items()
                if count is not None
            }
        if level is Level.STUDY:
            return {each: stored[each].columns for each in only_new - self._studies_with_others()}
        return {}

    def _studies_with_others(self) -> set[int]:
        """Return the studies that lose or change an instance, or get one unlike those they have."""
        stored = self._before[Level.STUDY]
        studies = {
            identifier: series.parent for identifier, series in self._before[Level.SERIES].items()
        }
        studies |= {series.id: series.parent for series in self._entities[Level.SERIES].values()}
        found = {studies[series] for series in self._unsettled}
        for instance in self._instances.values():
            study = studies[instance.parent]
            if study in stored and study not in found:
                record = instance.received.records[Level.IMAGE]
                classes = record.texts.get("sop_class_uid")
                known = (stored[study].columns["sop_classes_in_study"] or "").split("\\")
                # An empty value among several is a value, too.
                has_others = classes is not None and not {*classes.split("\\")} <= {*known}
                if has_others or ANATOMIC_REGION_PATH in record.elements:
                    found.add(study)
        return found

    def _promoted_forms(self, level: Level, record: Record) -> PromotedForms:
        attributes = self._promoted.get(level)
        return (
            promoted_forms(attributes, record.elements, self._default_zone)
            if attributes
            else NOTHING
        )

    def _stored_computed(self, level: Level, ids: set[int]) -> dict[int, Stored]:
        """Return the stored columns of entities; those that only lost a child are loaded here."""
        before = self._before[level]
        asked = ids - before.keys() - {entity.id for entity in self._entities[level].values()}
        if asked:
            head = "0" if level is Level.PATIENT else "parent"
            columns = ", ".join(COMPUTED[level])
            statement = f"SELECT id, {head}, {columns} FROM {TABLES[level]} WHERE id {{in_values}}"
            for identifier, parent, *values in rows(self._connection, statement, asked):
                before[identifier] = Stored(parent, dict(zip(COMPUTED[level], values, strict=True)))
        return {identifier: before[identifier] for identifier in ids & before.keys()}

    def _many(self, statement: str, parameters: Sequence[tuple[Any, ...]]) -> None:
        if parameters:
            execute(self._connection, statement, list(parameters))

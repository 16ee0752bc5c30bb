"""One transaction of ingest: instances received, merged into their patients, studies and series (PS3.4 C.3.1, C.3.4).

Of conflicting attributes those of the instance received last win, at every level, and one without a value erases
nothing. An instance received again replaces what it was before, and may move to another series, a study to another
patient; what is left without children goes. Counts and the other computed attributes are right when the transaction
ends (spec QR-130 to QR-133).
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.ingest.computed import COMPUTE, SERIES_COUNT, Columns, rows, value_rows
from dicomquest.index.ingest.writes import (
    COLUMNS,
    COMPUTED,
    INSERT_OCCURRENCE,
    Stored,
    Writes,
    table_row,
)
from dicomquest.index.tables.dialects import execute, words_of
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
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received

LOGGER = logging.getLogger("dicomquest.index")

_UPPER = (Level.PATIENT, Level.STUDY, Level.SERIES)
# Characters; an ID has 64 at most by the Standard, and an index of PostgreSQL has its limit too.
_LONGEST_IDENTITY = 600
_UPSERT_FILE = """
    INSERT INTO file (path, size, modified_ns, instance) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE
    SET size = excluded.size, modified_ns = excluded.modified_ns, instance = excluded.instance
"""


class _Entity:
    """A patient, study or series while its batch lasts; ``key`` is its patient's identity, or its UID."""

    __slots__ = ("conflicts", "id", "is_new", "key", "last", "parent", "record", "was")

    def __init__(self, identifier: int, key: str, parent: int, was: Record | None) -> None:
        self.id = identifier
        self.key = key
        self.parent = parent
        self.is_new = was is None
        self.was = was or Record({}, {})
        self.record = self.was.copy()
        self.last: Record | None = None
        self.conflicts: set[str] = set()

    def merge(self, received: Record) -> None:
        """Take over what an instance says of it."""
        # Instances come series by series and mostly say the same.
        if received == self.last:
            return
        texts = self.record.texts
        for column, text in received.texts.items():
            if texts.setdefault(column, text) != text:
                texts[column] = text
                self.conflicts.add(column)
        self.record.elements.update(received.elements)
        self.last = received

    def is_changed(self, stored: Mapping[int, Stored]) -> bool:
        """Whether more of its row changes than what is computed."""
        return self.is_new or self.record != self.was or self.parent != stored[self.id].parent


class _Instance(NamedTuple):
    id: int
    parent: int
    received: Received
    is_new: bool


class Batch:
    """Instances of one transaction, in the order received: ``add`` each, then ``write``."""

    def __init__(
        self, connection: Connection, instances: Iterable[Received], default_zone: int
    ) -> None:
        """Load what the database has of ``instances`` and of all above them."""
        self._connection = connection
        self._default_zone = default_zone
        self._next_ids: dict[Level, int] = {}
        self._is_deferred = False
        self._entities: dict[Level, dict[Any, _Entity]] = {level: {} for level in _UPPER}
        self._patients_by_id: dict[int, _Entity] = {}
        self._instances: dict[str, _Instance] = {}
        self._files: dict[str, tuple[FileState, str]] = {}
        # Entities whose computed columns may change; among them those that lost a child.
        self._touched: dict[Level, set[int]] = {level: set() for level in _UPPER}
        self._before: dict[Level, dict[int, Stored]] = {level: {} for level in _UPPER}
        # Series that lost an instance, or have one that was received again.
        self._unsettled: set[int] = set()
        self._occurrences: set[tuple[str, int]] = set()
        # As of this transaction, which has the write lock: so no row is missed by who fills the older ones.
        self._promoted = filled(read_promoted(connection))
        self.replaced = 0
        self.removed: dict[Level, int] = dict.fromkeys(Level, 0)
        self._load(list(instances))

    # ---- what is there

    def _load(self, instances: list[Received]) -> None:
        studies = self._load_level(
            Level.STUDY, "study_instance_uid", {each.study_uid for each in instances}
        )
        self._entities[Level.STUDY] = {study.key: study for study in studies}
        patients = self._load_level(
            Level.PATIENT, "identity", {_identity(each) for each in instances}
        )
        patients += self._load_level(
            Level.PATIENT, "id", {study.parent for study in studies} - {p.id for p in patients}
        )
        self._patients_by_id = {patient.id: patient for patient in patients}
        self._entities[Level.PATIENT] = {patient.key: patient for patient in patients}
        series = self._load_level(
            Level.SERIES, "series_instance_uid", {each.series_uid for each in instances}
        )
        self._entities[Level.SERIES] = {(each.parent, each.key): each for each in series}
        statement = (
            "SELECT sop_instance_uid, id, parent FROM instance WHERE sop_instance_uid {in_values}"
        )
        found = rows(self._connection, statement, [each.sop_uid for each in instances])
        self._stored = {uid: (identifier, parent) for uid, identifier, parent in found}

    def _load_level(self, level: Level, column: str, values: set[Any]) -> list[_Entity]:
        key = {
            Level.PATIENT: "identity",
            Level.STUDY: "study_instance_uid",
            Level.SERIES: "series_instance_uid",
        }[level]
        if not values:
            return []
        names = COLUMNS[level]
        statement = f"SELECT {', '.join(names)} FROM {TABLES[level]} WHERE {column} {{in_values}}"
        dicts = [
            dict(zip(names, row, strict=True)) for row in rows(self._connection, statement, values)
        ]
        for row in dicts:
            self._before[level][row["id"]] = Stored(
                row.get("parent", 0), {name: row[name] for name in COMPUTED[level]}
            )
        return [
            _Entity(row["id"], row[key], row.get("parent", 0), record_from_row(level, row))
            for row in dicts
        ]

    # ---- what comes

    def add(self, received: Received, file: FileState | None = None) -> None:
        """Merge one instance in."""
        study = self._entities[Level.STUDY].get(received.study_uid)
        patient = self._patient(received, study)
        if study is None:
            study = self._new(Level.STUDY, received.study_uid, received.study_uid, patient.id)
        elif study.parent != patient.id:
            LOGGER.info(
                "study %d: another patient in the instance received last: moved to it", study.id
            )
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

    def _patient(self, received: Received, study: _Entity | None) -> _Entity:
        patient_id, issuer = received.patient
        if study is not None:
            current = self._patients_by_id[study.parent]
            if not patient_id or (not issuer and json.loads(current.key)[0] == patient_id):
                # Without a value nothing is said, so nothing moves.
                return current
        identity = _identity(received)
        patient = self._entities[Level.PATIENT].get(identity)
        if patient is None:
            patient = self._new(Level.PATIENT, identity, identity, 0)
            self._patients_by_id[patient.id] = patient
        return patient

    def _new(self, level: Level, place: Any, key: str, parent: int) -> _Entity:
        if not self._is_deferred:
            # Children are written before their parents, whose computed columns they make. SQLite compiles all its
            # statements anew after this, so it is not said where no parent is new.
            execute(self._connection, words_of(self._connection).defer_constraints)
            self._is_deferred = True
        entity = _Entity(self._take_id(level), key, parent, None)
        self._entities[level][place] = entity
        return entity

    def _take_id(self, level: Level) -> int:
        taken = self._next_ids.get(level)
        if taken is None:
            statement = f"SELECT coalesce(max(id), 0) + 1 FROM {TABLES[level]}"
            taken = int(next(iter(execute(self._connection, statement)))[0])
        self._next_ids[level] = taken + 1
        return taken

    def _add_instance(self, received: Received, series: _Entity, file: FileState | None) -> None:
        uid = received.sop_uid
        stored = self._stored.get(uid)
        before = self._instances.get(uid)
        identifier = stored[0] if stored else before.id if before else self._take_id(Level.IMAGE)
        if stored or before:
            self.replaced += 1
            self._unsettled.add(series.id)
        if stored and stored[1] != series.id:
            LOGGER.info(
                "instance %d: another series in what was received last: moved to it", identifier
            )
            self._touched[Level.SERIES].add(stored[1])
            self._unsettled.add(stored[1])
        self._instances[uid] = _Instance(identifier, series.id, received, stored is None)
        if file is not None:
            self._files[file.path] = (file, uid)

    # ---- what goes

    def remove(self, instances: Collection[int]) -> None:
        """Take instances out by their id, and their files; what is left without children goes as well, in ``write``."""
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
        """Take out the instances that no file has any more, because each that had them has another one now."""
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

    # ---- what is written

    def write(self) -> None:
        """Write all, the lowest level first; afterwards the batch is done."""
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
        """Write the entities of one level that change in any way; those that have no child any more go."""
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
                _log_conflicts(level, entity)
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
        """What is known of series and studies that only get new instances, without a look at those that are there.

        Where there are thousands, each one that arrives would take longer than the one before.
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
        """The studies of which an instance went or changed, or that get one which is not like those that are there."""
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
                # An empty value among others is one as well.
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
        """What the database has of entities: of most it was loaded, of those that lost a child it is asked for."""
        before = self._before[level]
        asked = ids - before.keys() - {entity.id for entity in self._entities[level].values()}
        if asked:
            head = "0" if level is Level.PATIENT else "parent"
            statement = f"SELECT id, {head}, {', '.join(COMPUTED[level])} FROM {TABLES[level]} WHERE id {{in_values}}"
            for identifier, parent, *values in rows(self._connection, statement, asked):
                before[identifier] = Stored(parent, dict(zip(COMPUTED[level], values, strict=True)))
        return {identifier: before[identifier] for identifier in ids & before.keys()}

    def _many(self, statement: str, parameters: Sequence[tuple[Any, ...]]) -> None:
        if parameters:
            execute(self._connection, statement, list(parameters))


def _identity(received: Received) -> str:
    """Which patient an instance is of: those without an ID cannot be told apart, so each of their studies is one's."""
    patient_id, issuer = received.patient
    identity = [patient_id, issuer] if patient_id else ["", "", received.study_uid]
    text = json.dumps(identity, ensure_ascii=False)
    if len(text) > _LONGEST_IDENTITY:
        return json.dumps(
            [patient_id[:64], issuer[:64], sha256(text.encode()).hexdigest()], ensure_ascii=False
        )
    return text


def _log_conflicts(level: Level, entity: _Entity) -> None:
    if entity.conflicts:
        names = ", ".join(sorted(entity.conflicts))
        LOGGER.info(
            "%s %d: conflicting %s: the instance received last wins",
            TABLES[level],
            entity.id,
            names,
        )
        for column in sorted(entity.conflicts):
            LOGGER.debug(
                "%s %d: %s is now %r", TABLES[level], entity.id, column, entity.record.texts[column]
            )

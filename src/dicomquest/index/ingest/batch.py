"""One transaction of ingest: instances merge into their patients, studies and series (PS3.4 C.3).

Where instances contradict one another, the attributes of the one received last win, at every level;
an attribute without a value erases nothing. An instance received again replaces what it was, and
may move to another series, a study to another patient. An entity that loses its last child goes.
When the transaction ends, counts and all other computed attributes are right (QR-130 to QR-133).
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.index.ingest.computed import (
    COMPUTE,
    SERIES_COUNT,
    Columns,
    add_variants,
    of_new_patient,
    of_new_study,
    value_rows,
)
from dicomquest.index.ingest.demographics import keep_supported, settle
from dicomquest.index.ingest.loaded import Loaded
from dicomquest.index.ingest.merged_entity import Patient
from dicomquest.index.ingest.writes import (
    INSERT_OCCURRENCE,
    Writes,
    insert_keyed_files,
    table_row,
    write_files,
)
from dicomquest.index.tables.dialects import execute, rows, words_of
from dicomquest.index.tables.partitioned import is_partitioned
from dicomquest.index.tables.promoted import (
    NOTHING,
    PromotedForms,
    filled,
    promoted_forms,
    read_promoted,
)
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH, Record, forms
from dicomquest.index.tables.schema import LATEST, TABLES, VARIANTS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.ingest.merged_entity import Entity
    from dicomquest.index.ingest.writes import Stored
    from dicomquest.index.tables.dialects import Driven

LOGGER = logging.getLogger("dicomquest.index")

_UPPER = (Level.PATIENT, Level.STUDY, Level.SERIES)


class _Instance(NamedTuple):
    id: int
    parent: int
    received: Received
    is_new: bool


class Batch:
    """The instances of one transaction: ``add`` each in the order received, then ``write``.

    Then ``computed`` has the computed columns of the series and studies that changed, by id.
    """

    def __init__(
        self,
        connection: Driven,
        instances: Iterable[Received],
        default_zone: int,
        next_ids: dict[Level, int] | None = None,
    ) -> None:
        """Load the rows that the database has of ``instances`` and of all above them.

        ``next_ids`` has the ids of new rows, as far as they are known; the batch updates them.
        """
        self._connection = connection
        self._default_zone = default_zone
        self.loaded = Loaded(connection, list(instances), next_ids)
        self.computed: dict[Level, dict[int, Columns]] = {level: {} for level in _UPPER}
        self._are_demographics_settled = False
        self._instances: dict[str, _Instance] = {}
        self._files: dict[str, tuple[FileState, str]] = {}
        # Entities whose computed columns may change; among them those that lost a child.
        self._touched: dict[Level, set[int]] = {level: set() for level in _UPPER}
        # Patients that lost a study, which may have been the one with their latest attributes.
        self._bereft: set[int] = set()
        # Series that lost an instance, or have one that was received again.
        self._unsettled: set[int] = set()
        self._occurrences: set[tuple[str, int]] = set()
        # Read with the write lock held: the batch that fills the older rows of an attribute and
        # those that write new rows leave none out between them.
        self.promoted = filled(read_promoted(connection))
        self.replaced = 0
        self.removed: dict[Level, int] = dict.fromkeys(Level, 0)

    @property
    def connection(self) -> Driven:
        """The connection of the transaction."""
        return self._connection

    def add(self, received: Received, file: FileState | None = None) -> None:
        """Merge an instance into its patient, study and series."""
        loaded = self.loaded
        patient = loaded.patient_of(received)
        study = loaded.studies.get(received.study_uid)
        if study is None:
            study = loaded.new_study(received.study_uid, patient)
        elif study.main is not patient:
            LOGGER.info("study %d moves: the instance received last has another patient", study.id)
            self._bereft.add(study.main.id)
            study.move_to(patient)
        series = loaded.series.get((study.id, received.series_uid))
        if series is None:
            series = loaded.new_series(received.series_uid, study.id)
        study.receive_patient(received.records[Level.PATIENT])
        study.merge(received.records[Level.STUDY])
        series.merge(received.records[Level.SERIES])
        self._touched[Level.PATIENT].add(patient.id)
        self._touched[Level.STUDY].add(study.id)
        self._touched[Level.SERIES].add(series.id)
        self._add_instance(received, series, file)

    def _add_instance(self, received: Received, series: Entity, file: FileState | None) -> None:
        uid = received.sop_uid
        stored = self.loaded.instances.get(uid)
        before = self._instances.get(uid)
        known = stored[0] if stored else before.id if before else None
        identifier = self.loaded.take_id(Level.IMAGE) if known is None else known
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
        """Write all rows; nothing can be added afterwards.

        The lowest level comes first, as the computed columns of the others depend on it.
        """
        self._remove_displaced()
        if not self._insert_parents() and self.loaded.has_new:
            self.loaded.defer_constraints()
        self._write_instances()
        self._write_level(Level.SERIES)
        self._write_level(Level.STUDY)
        self._write_patients()
        self._write_files()
        self._many(INSERT_OCCURRENCE, sorted(self._occurrences))

    def _write_files(self) -> None:
        instances, files = self._instances, self._files.values()
        found = [(os.fsencode(file.path), *file[1:], instances[uid].id) for file, uid in files]
        if is_partitioned(self._connection):
            keys = self.loaded.keys_after()
            of_files = [keys[instances[uid].parent] for _, uid in files]
            insert_keyed_files(self._connection, found, of_files)
        else:
            write_files(self._connection, found)

    def _insert_parents(self) -> bool:
        """Insert new patients, studies and series before their children, if that can be done.

        The batch has all that their computed columns depend on, unless anything moves or is
        replaced, a study shows a new variant, or the database cuts texts.
        """
        loaded = self.loaded
        if self._unsettled or self._bereft or words_of(self._connection).cuts_long_texts:
            return False
        studies = loaded.studies.values()
        self._touched[Level.PATIENT] |= settle(self._connection, loaded, [*studies], ())
        self._are_demographics_settled = True
        if loaded.is_deferred:
            return False
        self._touched[Level.PATIENT].update(study.parent for study in studies)
        of_series: dict[int, list[Received]] = defaultdict(list)
        for _, parent, received, _ in self._instances.values():
            of_series[parent].append(received)
        series = [each for each in loaded.series.values() if each.is_new]
        modalities = {each.id: each.record.texts.get("modality") for each in series}
        of_study: dict[int, dict[int, list[Received]]] = defaultdict(dict)
        for each in series:
            of_study[each.parent][each.id] = of_series[each.id]
        new_studies = {
            each.id: of_new_study(of_study[each.id], modalities) for each in studies if each.is_new
        }
        of_patient: dict[int, list[Columns]] = defaultdict(list)
        for study in studies:
            if study.is_new:
                of_patient[study.parent].append(new_studies[study.id])
        new_patients = {
            each.id: of_new_patient(of_patient[each.id])
            for each in loaded.rows.values()
            if each.is_new
        }
        new_series = {each.id: {SERIES_COUNT: len(of_series[each.id])} for each in series}
        for level, computed in zip(_UPPER, (new_patients, new_studies, new_series), strict=True):
            if computed:
                self._write_rows(level, {}, computed)
                self.computed[level] |= computed
                self._touched[level] -= computed.keys()
        return True

    def _write_instances(self) -> None:
        writes = Writes(Level.IMAGE)
        keys = self.loaded.patient_keys(Level.SERIES)
        for identifier, parent, received, is_new in self._instances.values():
            columns = received.records[Level.IMAGE].columns() | received.forms.columns
            row = table_row(Level.IMAGE, identifier, parent, columns)
            promoted = self._promoted_forms(Level.IMAGE, received.records[Level.IMAGE])
            values = received.forms.values | promoted.values
            writes.add(row, values, is_new=is_new, key=keys.get(parent))
            self._occurrences |= received.forms.occurrences | promoted.occurrences
        writes.run(self._connection)

    def _write_level(self, level: Level) -> None:
        """Write the series or studies that change, and delete those without children."""
        touched = self._touched[level]
        if not touched:
            return
        stored = self.loaded.stored(level, touched)
        computed = COMPUTE[level](self._connection, touched, self._settled(level))
        self.computed[level] |= computed
        if level is Level.STUDY and not self._are_demographics_settled:
            self._settle_demographics(stored, computed)
        self.removed[level] += self._write_rows(level, stored, computed)
        above = self._touched[Level(level - 1)]
        above.update(each.parent for each in stored.values())
        above.update(each.parent for each in self.loaded.entities(level) if each.id in touched)

    def _settle_demographics(
        self, stored: Mapping[int, Stored], computed: Mapping[int, Columns]
    ) -> None:
        """Let each study of the batch show its own demographics."""
        gone = stored.keys() - computed.keys()
        self._bereft.update(stored[each].parent for each in gone)
        staying = []
        for study in self.loaded.studies.values():
            if study.id in computed:
                staying.append(study)
            else:
                self._bereft.add(study.main.id)
        self._touched[Level.PATIENT] |= settle(self._connection, self.loaded, staying, gone)

    def _write_patients(self) -> None:
        """Write the patients that change: variants first, because main rows follow from them."""
        loaded = self.loaded
        touched = self._touched[Level.PATIENT] | self._bereft
        loaded.know_patients(touched)
        variants = {each for each in touched if loaded.rows[each].parent}
        if variants:
            self._write_patient_rows(variants)
        keep_supported(self._connection, {loaded.main_of(each) for each in self._bereft})
        mains = {loaded.main_of(each).id for each in touched} if variants else touched
        self.removed[Level.PATIENT] += self._write_patient_rows(mains)

    def _write_patient_rows(self, ids: set[int]) -> int:
        if not ids:
            return 0
        computed = COMPUTE[Level.PATIENT](self._connection, ids, {})
        if latest := {each for each in ids if self.loaded.rows[each].demographics == LATEST}:
            add_variants(self._connection, computed, latest)
        return self._write_rows(Level.PATIENT, self.loaded.stored(Level.PATIENT, ids), computed)

    def _write_rows(
        self, level: Level, stored: Mapping[int, Stored], computed: Mapping[int, Columns]
    ) -> int:
        """Write rows that change; delete those without computed columns, and return how many."""
        in_batch = {
            entity.id: entity for entity in self.loaded.entities(level) if entity.id in computed
        }
        writes = Writes(level)
        keys = self.loaded.patient_keys(level)
        for identifier, columns in computed.items():
            entity = in_batch.get(identifier)
            if entity is not None and entity.is_changed(stored):
                entity.log_conflicts(level)
                found = forms(level, entity.record, self._default_zone)
                head = entity.key if level is Level.PATIENT else entity.parent
                row = entity.record.columns() | found.columns | columns
                if isinstance(entity, Patient):
                    row |= entity.links
                    if entity.parent:
                        self._occurrences.add(VARIANTS)
                promoted = self._promoted_forms(level, entity.record)
                values = found.values | value_rows(level, columns) | promoted.values
                whole, key = table_row(level, identifier, head, row), keys.get(identifier)
                writes.add(whole, values, is_new=entity.is_new, key=key)
                self._occurrences |= found.occurrences | promoted.occurrences
            elif columns != stored[identifier].columns:
                before = stored[identifier].columns
                writes.add_computed(identifier, columns, before, keys.get(identifier))
        writes.run(self._connection)
        gone = [(identifier,) for identifier in stored if identifier not in computed]
        self._many(f"DELETE FROM {TABLES[level]} WHERE id = ?", gone)
        return len(gone)

    def _settled(self, level: Level) -> dict[int, Columns]:
        """Return the computed columns that follow from the new instances and the old columns alone.

        These are series and studies that only get new instances. To look at all their instances
        again would make each one of thousands slower to receive than the one before.
        """
        stored = self.loaded.before[level]
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
        stored = self.loaded.before[Level.STUDY]
        before = self.loaded.before[Level.SERIES]
        studies = {identifier: series.parent for identifier, series in before.items()}
        studies |= {series.id: series.parent for series in self.loaded.series.values()}
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
        attributes = self.promoted.get(level)
        return (
            promoted_forms(attributes, record.elements, self._default_zone)
            if attributes
            else NOTHING
        )

    def _many(self, statement: str, parameters: Sequence[tuple[Any, ...]]) -> None:
        if parameters:
            execute(self._connection, statement, list(parameters))

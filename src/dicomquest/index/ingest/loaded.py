"""The entities of a batch: the rows that the database has of them, and new ones beside these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dicomquest.index.ingest.computed import STUDY_COUNT
from dicomquest.index.ingest.id_blocks import take_from_block
from dicomquest.index.ingest.merged_entity import Entity, Merged, Patient, Study, patient_identity
from dicomquest.index.ingest.writes import COLUMNS, COMPUTED, Stored
from dicomquest.index.tables.dialects import execute, rows, words_of
from dicomquest.index.tables.partitioned import PATIENT_KEY, is_partitioned, patient_key
from dicomquest.index.tables.rows import Record, record_from_row
from dicomquest.index.tables.schema import OWN, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.tables.dialects import Driven

_KEYS = {
    Level.PATIENT: "identity",
    Level.STUDY: "study_instance_uid",
    Level.SERIES: "series_instance_uid",
}


class Loaded:
    """The patients, studies and series of a batch, by their keys; ``before`` has what was stored.

    ``patients`` are by identity and ``rows`` the same by id: main rows, and variants.
    ``instances`` has id and series of the stored ones, by SOP Instance UID.
    """

    def __init__(
        self,
        connection: Driven,
        instances: Sequence[Received],
        next_ids: dict[Level, int] | None = None,
    ) -> None:
        """Load the rows that the database has of ``instances`` and of all above them.

        ``next_ids`` has the ids of new rows, as far as they are known.
        """
        self._connection = connection
        self._is_partitioned = is_partitioned(connection)
        self._next_ids: dict[Level, int] = {} if next_ids is None else next_ids
        self.is_deferred = False
        self.before: dict[Level, dict[int, Stored]] = {level: {} for level in Level}
        self.patients: dict[str, Patient] = {}
        self.rows: dict[int, Patient] = {}
        self.studies: dict[str, Study] = {}
        self.series: dict[tuple[int, str], Entity] = {}
        self.instances: dict[str, tuple[int, int]] = {}
        if instances:
            self._load(instances)

    def _load(self, instances: Sequence[Received]) -> None:
        studies = self._rows(Level.STUDY, {each.study_uid for each in instances})
        self.load_patients({patient_identity(each) for each in instances})
        # A known study may be another patient's until now, or show a variant.
        self.know_patients({row["parent"] for row in studies})
        for row in studies:
            shown = self.rows[row["parent"]]
            main = self.main_of(shown.id)
            own = _own_demographics(shown, self.before[Level.PATIENT][main.id].columns[STUDY_COUNT])
            record = record_from_row(Level.STUDY, row)
            uid = row["study_instance_uid"]
            self.studies[uid] = Study(row["id"], uid, shown.id, record, main=main, own=own)
        for row in self._rows(Level.SERIES, {each.series_uid for each in instances}):
            key = row["series_instance_uid"]
            record = record_from_row(Level.SERIES, row)
            self.series[row["parent"], key] = Entity(row["id"], key, row["parent"], record)
        statement = (
            "SELECT sop_instance_uid, id, parent FROM instance WHERE sop_instance_uid {in_values}"
        )
        found = rows(self._connection, statement, [each.sop_uid for each in instances])
        self.instances = {uid: (identifier, parent) for uid, identifier, parent in found}

    def _rows(
        self, level: Level, values: Collection[Any], column: str = ""
    ) -> list[dict[str, Any]]:
        """Read the rows whose key, or else ``column``, is among the values."""
        names = (*COLUMNS[level], PATIENT_KEY) if self._is_partitioned else COLUMNS[level]
        head = "variant_of" if level is Level.PATIENT else "parent"
        statement = (
            f"SELECT {', '.join(names)} FROM {TABLES[level]} "
            f"WHERE {column or _KEYS[level]} {{in_values}}"
        )
        found = [
            dict(zip(names, row, strict=True)) for row in rows(self._connection, statement, values)
        ]
        for row in found:
            self.before[level][row["id"]] = Stored(
                row[head] or 0, {name: row[name] for name in COMPUTED[level]}, row.get(PATIENT_KEY)
            )
        return found

    def load_patients(self, values: Collection[Any], column: str = "") -> None:
        """Load patients by identity, or by another column."""
        for row in self._rows(Level.PATIENT, values, column):
            record = record_from_row(Level.PATIENT, row)
            self._keep(
                Patient(
                    row["id"], row["identity"], row["variant_of"] or 0, record, row["demographics"]
                )
            )

    def know_patients(self, identifiers: Iterable[int]) -> None:
        """Load patients by id, and the main rows of the variants among them, if not there yet."""
        if unknown := set(identifiers) - self.rows.keys():
            self.load_patients(unknown, "id")
            self.know_patients({self.rows[each].parent for each in unknown} - {0})

    def main_of(self, identifier: int) -> Patient:
        """Return the main row of a patient's row."""
        row = self.rows[identifier]
        return self.rows[row.parent] if row.parent else row

    def patient_of(self, received: Received) -> Patient:
        """Return the main row of an instance's patient, perhaps a new one."""
        patient_id, issuer = received.patient
        study = self.studies.get(received.study_uid)
        if study is not None and (
            not patient_id or (not issuer and json.loads(study.main.key)[0] == patient_id)
        ):
            # No Patient ID, or the same one without its issuer, contradicts nothing.
            return study.main
        identity = patient_identity(received)
        return self.patients.get(identity) or self.new_patient(identity, 0)

    def new_patient(self, identity: str, main: int) -> Patient:
        """Make a patient, or with its id as ``main`` a variant of one."""
        if main:
            # Studies that are there may show it before it is written.
            self.defer_constraints()
        return self._keep(Patient(self.take_id(Level.PATIENT), identity, main, None))

    def _keep(self, patient: Patient) -> Patient:
        self.patients[patient.key] = self.rows[patient.id] = patient
        return patient

    def new_study(self, uid: str, main: Patient) -> Study:
        """Make a study, whose parent is settled at the end of the batch."""
        own = Merged(Record({}, {}))
        study = Study(self.take_id(Level.STUDY), uid, main.id, None, main=main, own=own)
        self.studies[uid] = study
        return study

    def new_series(self, uid: str, study: int) -> Entity:
        """Make a series."""
        series = self.series[study, uid] = Entity(self.take_id(Level.SERIES), uid, study, None)
        return series

    def entities(self, level: Level) -> Iterable[Entity]:
        """Return all patients, studies or series."""
        if level is Level.PATIENT:
            return self.rows.values()
        return self.studies.values() if level is Level.STUDY else self.series.values()

    @property
    def has_new(self) -> bool:
        """Tell whether there is any new patient, study or series."""
        return any(
            entity.is_new
            for level in (Level.PATIENT, Level.STUDY, Level.SERIES)
            for entity in self.entities(level)
        )

    def defer_constraints(self) -> None:
        """Let children be written before their new parents, whose computed columns need them.

        SQLite compiles all its statements anew after this, which takes longer than to run them.
        """
        if not self.is_deferred:
            execute(self._connection, words_of(self._connection).defer_constraints)
            self.is_deferred = True

    def take_id(self, level: Level) -> int:
        """Return the id of a new row."""
        if words_of(self._connection).has_sequences:
            return take_from_block(self._connection, level)
        taken = self._next_ids.get(level)
        if taken is None:
            statement = f"SELECT coalesce(max(id), 0) + 1 FROM {TABLES[level]}"
            taken = int(next(iter(execute(self._connection, statement)))[0])
        self._next_ids[level] = taken + 1
        return taken

    def stored(self, level: Level, identifiers: set[int]) -> dict[int, Stored]:
        """Return the stored columns of entities; those that only lost a child are loaded here."""
        before = self.before[level]
        asked = identifiers - before.keys() - {entity.id for entity in self.entities(level)}
        if asked and level is Level.PATIENT:
            self.know_patients(asked)
        elif asked:
            columns = ", ".join(COMPUTED[level])
            key = PATIENT_KEY if self._is_partitioned else "NULL"
            statement = (
                f"SELECT id, parent, {key}, {columns} FROM {TABLES[level]} WHERE id {{in_values}}"
            )
            for identifier, parent, key, *values in rows(self._connection, statement, asked):
                computed = dict(zip(COMPUTED[level], values, strict=True))
                before[identifier] = Stored(parent, computed, key)
        return {each: before[each] for each in identifiers & before.keys()}

    def patient_keys(self, level: Level) -> dict[int, int]:
        """Return the keys of rows by id as a write of this level has to give them.

        There are none but in the partitioned layout. A series that is there keeps its key, and
        follows when its study moves.
        """
        if not self._is_partitioned:
            return {}
        if level is Level.PATIENT:
            return {each.id: patient_key(each.key) for each in self.rows.values()}
        studies = {each.id: patient_key(each.main.key) for each in self.studies.values()}
        keys = {} if level is Level.SERIES else studies
        keys = {
            identifier: stored.key
            for identifier, stored in self.before[level].items()
            if stored.key is not None
        } | keys
        if level is Level.SERIES:
            keys |= {each.id: studies[each.parent] for each in self.series.values() if each.is_new}
        return keys

    def keys_after(self) -> dict[int, int]:
        """Return the keys of the batch's series as they are when all is written."""
        studies = {each.id: patient_key(each.main.key) for each in self.studies.values()}
        return {
            each.id: studies[each.parent] for each in self.series.values() if each.parent in studies
        }


def _own_demographics(shown: Patient, studies: int) -> Merged:
    """Return what a stored study received itself; nothing if its row does not tell.

    ``shown`` is the row that it shows, and ``studies`` the number of studies of its identity.
    """
    is_own = shown.demographics == OWN or (shown.demographics is None and studies == 1)
    return Merged(shown.record if is_own else Record({}, {}))

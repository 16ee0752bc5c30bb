"""Removal of the entities that a query finds; counts stay right (PS3.4 C.3.4).

Instances go, and with them each series, study and patient that has no other instance. A remaining
entity keeps its attributes, even those that only a removed instance had: the index does not record
which instance an attribute came from.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.tables.dialects import rows, words_of
from dicomquest.query.criteria import HasValue
from dicomquest.query.model import ReturnKey
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from dicomquest.index.database.pool import Database
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query

BATCH = 1000
"""Instances removed in one transaction, so that others can write between two."""
BATCH_OF_FILES = 100
"""The same where their files are deleted, too, for which all other writers have to wait."""

_FETCH = 512
_IN_MEMORY = 1 << 20  # bytes of found names; more of them lie in a temporary file
_MOST_EXAMPLES = 1000

Names = tuple[str, ...]
"""The values that tell an entity from all others: its unique key, and what it needs beside it."""


class _Way(NamedTuple):
    """The keywords of one level's names, and the SQL from first names to ids, and to instances.

    ``number`` is the keyword of the number of instances, None for an instance itself.
    """

    names: tuple[str, ...]
    number: str | None
    find: str
    instances: str


_WAYS = {
    Level.PATIENT: _Way(
        ("PatientID", "IssuerOfPatientID"),
        "NumberOfPatientRelatedInstances",
        "SELECT id, patient_id, issuer_of_patient_id FROM patient WHERE patient_id {in_values}",
        "study JOIN series ON series.parent = study.id "
        "JOIN instance ON instance.parent = series.id WHERE study.parent {in_values}",
    ),
    Level.STUDY: _Way(
        ("StudyInstanceUID",),
        "NumberOfStudyRelatedInstances",
        "SELECT id, study_instance_uid FROM study WHERE study_instance_uid {in_values}",
        "series JOIN instance ON instance.parent = series.id WHERE series.parent {in_values}",
    ),
    Level.SERIES: _Way(
        # Against the Standard, two studies may have one Series Instance UID: a series in each.
        ("SeriesInstanceUID", "StudyInstanceUID"),
        "NumberOfSeriesRelatedInstances",
        "SELECT series.id, series_instance_uid, study_instance_uid "
        "FROM series JOIN study ON study.id = series.parent WHERE series_instance_uid {in_values}",
        "instance WHERE instance.parent {in_values}",
    ),
    Level.IMAGE: _Way(
        ("SOPInstanceUID",),
        None,
        "SELECT id, sop_instance_uid FROM instance WHERE sop_instance_uid {in_values}",
        "instance WHERE instance.id {in_values}",
    ),
}


class KeptFile(NamedTuple):
    """A file that could not be deleted, with the reason."""

    path: str
    reason: str


@dataclass(slots=True)
class Removed:
    """The numbers of entities removed so far, by level, and of files deleted.

    ``files_kept`` counts files that could not be deleted, whose instances stay in the index;
    ``examples`` has the first of them.
    """

    entities: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    files_deleted: int = 0
    files_kept: int = 0
    examples: list[KeptFile] = field(default_factory=list)

    def add(self, gone: dict[Level, int]) -> None:
        """Add the counts of one transaction."""
        for level, count in gone.items():
            self.entities[level] += count

    def keep(self, path: str, reason: str) -> None:
        """Count a file that was not deleted."""
        self.files_kept += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(KeptFile(path, reason))


class Removal:
    """The entities that a query found: ``run`` removes these, however the index has changed since.

    ``entities`` and ``instances`` say how many. The caller has to ``close`` it.
    """

    def __init__(
        self, database: Database, find: Callable[[Query], Cursor], query: Query, default_zone: int
    ) -> None:
        """Run the query; ValueError if it has no criteria, and so would empty the index."""
        if all(isinstance(key.criterion, HasValue) for key in query.criteria):
            raise ValueError(
                "a query without criteria finds everything: expected a key with a value"
            )
        self.level = query.level
        self.entities = 0
        self.instances = 0
        self._database = database
        self._default_zone = default_zone
        self._way = _WAYS[query.level]
        # All names are fetched now: the snapshot of the query must not stay open during the writes.
        self._found = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115
        keywords = (*self._way.names, self._way.number) if self._way.number else self._way.names
        with find(replace(query, return_keys=_return_keys(keywords))) as cursor:
            places = {field.tag: place for place, field in enumerate(cursor.fields)}
            order = [places[KEYS_BY_KEYWORD[keyword].tag] for keyword in keywords]
            while found := cursor.fetch(_FETCH):
                for row in found:
                    self._keep([row[place] for place in order])

    def _keep(self, values: list[Any]) -> None:
        count = int(values.pop()) if self._way.number else 1
        self.entities += 1
        self.instances += count
        self._found.write(json.dumps([values, count]) + "\n")

    def run(
        self, *, delete_below: str | None = None, progress: Callable[[Removed], None] | None = None
    ) -> Removed:
        """Remove them, some instances a transaction; call ``progress`` with the growing result.

        With ``delete_below``, delete their files at or below that folder first. A file that has
        changed since it was indexed, or that cannot be deleted, stays, and so does its instance.
        """
        removed = Removed()
        for names in self._groups():
            last: int | None = 0
            while last is not None:
                last = self._remove(names, last, delete_below, removed)
                if progress is not None:
                    progress(removed)
        return removed

    def _groups(self) -> Iterator[set[Names]]:
        """Yield groups of entities that together have about a batch of instances."""
        self._found.seek(0)
        group: set[Names] = set()
        size = 0
        for line in self._found:
            values, count = json.loads(line)
            group.add(_names(values))
            size += max(count, 1)
            if size >= BATCH:
                yield group
                group, size = set(), 0
        if group:
            yield group

    def _remove(
        self, names: set[Names], last: int, delete_below: str | None, removed: Removed
    ) -> int | None:
        """Remove the next instances; return the last id looked at, or None if there are no more."""
        limit = BATCH if delete_below is None else BATCH_OF_FILES
        with self._database.begin() as connection:
            found = gone = self._instances(connection, names, last, limit)
            if delete_below is not None:
                # Within the transaction: so nobody stores a newer version, whose file would be
                # deleted for the older one.
                files = self._files(connection, found, delete_below)
                gone = [each for each in found if delete_files(files[each], removed)]
            batch = Batch(connection, (), self._default_zone)
            batch.remove(gone)
            batch.write()
        removed.add(batch.removed)
        return found[-1] if len(found) == limit else None

    def _files(
        self, connection: Connection, instances: Sequence[int], below: str
    ) -> dict[int, list[FileState]]:
        """Return the files of instances at or below a folder."""
        files: dict[int, list[FileState]] = {identifier: [] for identifier in instances}
        statement = "SELECT instance, path, size, modified_ns FROM file WHERE instance {in_values}"
        for instance, path, size, modified_ns in rows(connection, statement, instances):
            if is_below(os.fsdecode(path), below):
                files[instance].append(FileState(os.fsdecode(path), size, modified_ns))
        return files

    def _instances(
        self, connection: Connection, names: set[Names], last: int, limit: int
    ) -> Sequence[int]:
        """Return the next instances after ``last``, up to a limit.

        By names, not by the ids that the query saw: a row deleted since then may have given its id
        to another entity.
        """
        entities = [
            identifier
            for identifier, *values in rows(connection, self._way.find, {name[0] for name in names})
            if _names(values) in names
        ]
        words = words_of(connection)
        statement = (
            f"SELECT instance.id FROM {self._way.instances} AND instance.id > ? "
            f"ORDER BY instance.id LIMIT {limit}"
        ).replace("{in_values}", words.in_values)
        return list(
            connection.exec_driver_sql(statement, (words.as_list(entities), last)).scalars()
        )

    def close(self) -> None:
        """Forget the entities."""
        self._found.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _trouble(file: FileState) -> str | None:
    """Return the reason why a file must not be deleted; there is none if it is gone."""
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None if FileState.of(file.path, status) == file else "changed since it was indexed"


def delete_files(files: Sequence[FileState], removed: Removed) -> bool:
    """Delete the files of one instance; return False if one of them stays."""
    # All are looked at before the first is deleted: one that has changed keeps the others, too.
    for file in files:
        if trouble := _trouble(file):
            removed.keep(file.path, trouble)
            return False
    for file in files:
        try:
            os.unlink(file.path)  # noqa: PTH108
        except FileNotFoundError:
            continue
        except OSError as error:
            removed.keep(file.path, error.strerror or type(error).__name__)
            return False
        removed.files_deleted += 1
    return True


def is_below(path: str, folder: str) -> bool:
    """Tell whether a file is at or below a folder."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _names(values: Sequence[str | None]) -> Names:
    return tuple(value or "" for value in values)


def _return_keys(keywords: Sequence[str]) -> tuple[ReturnKey, ...]:
    keys = sorted((KEYS_BY_KEYWORD[keyword] for keyword in keywords), key=lambda key: key.tag)
    return tuple(ReturnKey(key.tag, key.vr, key.level) for key in keys)

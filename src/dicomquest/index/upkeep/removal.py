"""What a query found, out of the index again; counts and all that is computed stay right (PS3.4 C.3.4).

Instances go, and with them each series, study and patient that is left without any. What stays keeps the attributes
that it has, even those that only an instance now gone has told: which instance said what is not recorded.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.computed import rows
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.tables.dialects import words_of
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
"""Instances that go in one transaction, so that others get their turn between two."""
BATCH_OF_FILES = 100
"""The same where their files go, too, which others who want to write wait for."""

_FETCH = 512
_IN_MEMORY = 1 << 20  # bytes of what was found; the rest is in a temporary file
_MOST_EXAMPLES = 1000

Names = tuple[str, ...]
"""What an entity is known by, whatever its row: its unique key, and what is needed beside it."""


class _Way(NamedTuple):
    """How the entities of one level are named, found by the first of their names, and joined with their instances."""

    names: tuple[str, ...]
    number: str | None
    find: str
    instances: str


_WAYS = {
    Level.PATIENT: _Way(
        ("PatientID", "IssuerOfPatientID"),
        "NumberOfPatientRelatedInstances",
        "SELECT id, patient_id, issuer_of_patient_id FROM patient WHERE patient_id {in_values}",
        "study JOIN series ON series.parent = study.id JOIN instance ON instance.parent = series.id "
        "WHERE study.parent {in_values}",
    ),
    Level.STUDY: _Way(
        ("StudyInstanceUID",),
        "NumberOfStudyRelatedInstances",
        "SELECT id, study_instance_uid FROM study WHERE study_instance_uid {in_values}",
        "series JOIN instance ON instance.parent = series.id WHERE series.parent {in_values}",
    ),
    Level.SERIES: _Way(
        # A series UID that two studies have, against the Standard, is a series in each.
        ("SeriesInstanceUID", "StudyInstanceUID"),
        "NumberOfSeriesRelatedInstances",
        "SELECT series.id, series_instance_uid, study_instance_uid FROM series JOIN study ON study.id = series.parent "
        "WHERE series_instance_uid {in_values}",
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
    """A file that was to be deleted and was not, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Removed:
    """What has gone so far: entities by level, and files from the disk.

    ``files_kept``: files that could not be deleted, whose instances stay in the index; ``examples`` names the first.
    """

    entities: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    files_deleted: int = 0
    files_kept: int = 0
    examples: list[KeptFile] = field(default_factory=list)

    def add(self, gone: dict[Level, int]) -> None:
        """Count what one transaction removed."""
        for level, count in gone.items():
            self.entities[level] += count

    def keep(self, path: str, reason: str) -> None:
        """Count a file that was not deleted."""
        self.files_kept += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(KeptFile(path, reason))


class Removal:
    """The entities that a query found: exactly these are removed, however the index changes meanwhile.

    ``entities`` and ``instances`` say how many; ``run`` removes them. To be closed.
    """

    def __init__(
        self, database: Database, find: Callable[[Query], Cursor], query: Query, default_zone: int
    ) -> None:
        """Run the query; ValueError if it restricts nothing, and so would empty the index."""
        if all(isinstance(key.criterion, HasValue) for key in query.criteria):
            raise ValueError(
                "a query without criteria finds everything: expected one that restricts"
            )
        self.level = query.level
        self.entities = 0
        self.instances = 0
        self._database = database
        self._default_zone = default_zone
        self._way = _WAYS[query.level]
        # Spooled, because the query's snapshot must not stay open while much is written.
        self._found = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115  closed by ``close``
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
        """Remove them, some instances a transaction; ``progress`` is called with the result as it grows.

        With ``delete_below`` their files at or below that folder are deleted first. A file that has changed since it
        was indexed, or that cannot be deleted, stays, and its instance in the index with it.
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
        """The entities, some at a time, that have about a batch of instances together."""
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
        """Remove the next instances; the last id looked at, None if there are no more."""
        limit = BATCH if delete_below is None else BATCH_OF_FILES
        with self._database.begin() as connection:
            found = gone = self._instances(connection, names, last, limit)
            if delete_below is not None:
                # Within the transaction: nobody stores another version meanwhile, whose file would be taken for ours.
                files = self._files(connection, found, delete_below)
                gone = [each for each in found if _delete(files[each], removed)]
            batch = Batch(connection, (), self._default_zone)
            batch.remove(gone)
            batch.write()
        removed.add(batch.removed)
        return found[-1] if len(found) == limit else None

    def _files(
        self, connection: Connection, instances: Sequence[int], below: str
    ) -> dict[int, list[FileState]]:
        """The files of instances that are at or below a folder."""
        files: dict[int, list[FileState]] = {identifier: [] for identifier in instances}
        statement = "SELECT instance, path, size, modified_ns FROM file WHERE instance {in_values}"
        for instance, path, size, modified_ns in rows(connection, statement, instances):
            if _is_below(os.fsdecode(path), below):
                files[instance].append(FileState(os.fsdecode(path), size, modified_ns))
        return files

    def _instances(
        self, connection: Connection, names: set[Names], last: int, limit: int
    ) -> Sequence[int]:
        """So many of their instances behind ``last``, by id: rows may have been given anew since the query."""
        entities = [
            identifier
            for identifier, *values in rows(connection, self._way.find, {name[0] for name in names})
            if _names(values) in names
        ]
        words = words_of(connection)
        statement = (
            f"SELECT instance.id FROM {self._way.instances} AND instance.id > ? ORDER BY instance.id LIMIT {limit}"
        ).replace("{in_values}", words.in_values)
        return list(
            connection.exec_driver_sql(statement, (words.as_list(entities), last)).scalars()
        )

    def close(self) -> None:
        """Forget what was found."""
        self._found.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _trouble(file: FileState) -> str | None:
    """Why a file must not be deleted; one that is gone is no trouble."""
    try:
        status = os.stat(file.path)  # noqa: PTH116  a Path cannot say what the system's bytes say
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None if FileState.of(file.path, status) == file else "changed since it was indexed"


def _delete(files: Sequence[FileState], removed: Removed) -> bool:
    """Delete the files of one instance; false if one of them stays."""
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


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _names(values: Sequence[str | None]) -> Names:
    return tuple(value or "" for value in values)


def _return_keys(keywords: Sequence[str]) -> tuple[ReturnKey, ...]:
    keys = sorted((KEYS_BY_KEYWORD[keyword] for keyword in keywords), key=lambda key: key.tag)
    return tuple(ReturnKey(key.tag, key.vr, key.level) for key in keys)

"""Instances that an archive has just received become rows, in one transaction (PS3.4 B.2)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.instance import Received
from dicomquest.index.ingest.objects import known_objects, write_objects
from dicomquest.index.ingest.patient_locks import patients_held
from dicomquest.index.ingest.recent_series import RecentSeries
from dicomquest.index.tables.dialects import execute, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicomquest.index.database.pool import Database
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Prepared, ReceivedObject
    from dicomquest.index.tables.dialects import Driven


class ReceivedBatch:
    """The instances of one transaction: ``add`` each, then ``write``.

    ``known`` has, by SOP Instance UID, the paths of those that the index had when it began.
    """

    def __init__(self, connection: Driven, uids: Sequence[str], default_zone: int) -> None:
        self._asked = frozenset(uids)
        self.known: dict[str, list[str]] = _known(connection, uids)
        self._connection = connection
        self._default_zone = default_zone
        self._added: list[tuple[Received, FileState]] = []
        self._objects: list[tuple[ReceivedObject, FileState]] = []
        self._recent = RecentSeries.take(connection)
        self._info = connection.info
        self._is_written = False

    def know_objects(self, uids: Sequence[str]) -> None:
        """Add the paths of those instances to ``known`` that belong to no patient."""
        if uids:
            self.known |= known_objects(self._connection, uids)

    def add(self, received: Prepared, file: FileState) -> None:
        """Index an instance with its file; add each instance once."""
        if isinstance(received, Received):
            self._added.append((received, file))
        else:
            self._objects.append((received, file))

    def forget(self, path: str) -> None:
        """Forget a file that is gone."""
        for table in ("file", "object_file"):
            execute(self._connection, f"DELETE FROM {table} WHERE path = ?", (os.fsencode(path),))

    def write(self) -> None:
        """Write the rows of what was added; leaving the transaction does it, too."""
        objects, self._objects = self._objects, []
        write_objects(self._connection, objects)
        if not self._added:
            return
        added, self._added = self._added, []
        if not self._append(added):
            self._write(added)
        self._is_written = True

    def _append(self, added: Sequence[tuple[Received, FileState]]) -> bool:
        """Write instances of recent series; False if any needs more than that."""
        uids = {received.sop_uid for received, _ in added}
        is_new = len(uids) == len(added) and uids <= self._asked and not uids & self.known.keys()
        return (
            is_new
            and not self._is_written
            and self._recent is not None
            and self._recent.append(self._connection, added, self._default_zone)
        )

    def _write(self, added: Sequence[tuple[Received, FileState]]) -> None:
        recent, instances = self._recent, [received for received, _ in added]
        next_ids = None if recent is None else recent.next_ids
        batch = Batch(self._connection, instances, self._default_zone, next_ids)
        for received, file in added:
            batch.add(received, file)
        batch.write()
        if recent is not None:
            recent.learn(batch, instances)

    def end(self) -> None:
        """Write what was added, at the end of the transaction."""
        self.write()
        if self._recent is not None:
            self._recent.stamp(self._connection)

    def committed(self) -> None:
        """Keep for the next transaction what this one knows."""
        if self._recent is not None:
            self._recent.put_back(self._info)


@contextmanager
def receiving(
    database: Database,
    uids: Sequence[str],
    default_zone: int,
    arrivals: Sequence[tuple[Received, str]] = (),
) -> Iterator[ReceivedBatch]:
    """Give the batch of one transaction, which commits at its end; an exception undoes all of it.

    Nobody else writes meanwhile, so ``known`` stays true until then: it maps those of ``uids`` that
    the index has already to the paths of their files. With ``arrivals``, the only
    instances to be added, each with the path of its file, nobody else writes their patients and
    studies meanwhile: WriteConflictError if another writer brings the same instance with others.
    """
    with patients_held(database, arrivals, is_short=True) as connection:
        batch = ReceivedBatch(connection, uids, default_zone)
        yield batch
        batch.end()
    batch.committed()


def _known(connection: Driven, uids: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths of the instances that the index has; an instance without a file has none."""
    statement = """
        SELECT instance.sop_instance_uid, file.path
        FROM instance LEFT JOIN file ON file.instance = instance.id
        WHERE instance.sop_instance_uid {in_values}"""
    known: dict[str, list[str]] = {}
    if len(uids) == 1:
        found = execute(connection, statement.format(in_values="= ?"), (uids[0],))
    else:
        found = rows(connection, statement, uids)
    for uid, path in found:
        known.setdefault(uid, []).extend([] if path is None else [os.fsdecode(path)])
    return known

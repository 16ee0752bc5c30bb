"""Instances that an archive has just received become rows, in one transaction (PS3.4 B.2)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.instance import Received
from dicomquest.index.ingest.objects import known_objects, write_objects
from dicomquest.index.ingest.patient_locks import patients_held
from dicomquest.index.ingest.recent_series import RecentSeries
from dicomquest.index.ingest.server_series import ServerSeries
from dicomquest.index.tables.dialects import execute, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dicomquest.index.database.pipelined_writer import Attempt
    from dicomquest.index.database.pool import Database
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Prepared, ReceivedObject
    from dicomquest.index.tables.dialects import Driven

Arrivals: TypeAlias = "Sequence[tuple[Received, FileState]]"
"""Instances that arrived, each with the file that it will have."""


class _Questions:
    """The questions of a transaction that a server answers together with its locks."""

    def __init__(
        self,
        uids: Sequence[str],
        default_zone: int,
        arrivals: Arrivals,
    ) -> None:
        self._uids = uids
        self._default_zone = default_zone
        self._arrivals = arrivals
        self._known: Iterable[tuple[str, bytes | None]] = ()
        self._connection: Driven | None = None
        self.recent = ServerSeries()
        self.written: Sequence[tuple[Received, FileState]] = ()

    def attempt(self, connection: Driven) -> Attempt | None:
        """Return the statement that writes all instances, if they say nothing new of the rest."""
        self._connection, self.recent = connection, ServerSeries.of(connection)
        if {received.sop_uid for received, _ in self._arrivals} != {*self._uids}:
            return None
        return self.recent.attempt(connection, self._arrivals, self._default_zone)

    def is_written(self, connection: Driven) -> bool:
        """Tell whether it has written them: then the index had none of them."""
        self.written = self._arrivals if self.recent.has_appended(connection) else ()
        return bool(self.written)

    def ask(self, connection: Driven) -> None:
        """Ask for the paths of the instances that the index has."""
        self._known = _ask_known(connection, self._uids)

    def answered_to(self, connection: Driven) -> bool:
        """Tell whether the questions are those of this transaction, the last of some attempts."""
        return self._connection is connection

    def known(self) -> dict[str, list[str]]:
        """Return the paths of each instance that the index had."""
        return _paths(self._known)


class ReceivedBatch:
    """The instances of one transaction: ``add`` each, then ``write``.

    ``known`` has, by SOP Instance UID, the paths of those that the index had when it began.
    """

    def __init__(
        self,
        connection: Driven,
        uids: Sequence[str],
        default_zone: int,
        questions: _Questions | None = None,
    ) -> None:
        self._asked = frozenset(uids)
        self.known: dict[str, list[str]] = (
            _paths(_ask_known(connection, uids)) if questions is None else questions.known()
        )
        self._written = [] if questions is None else [*questions.written]
        self._connection = connection
        self._default_zone = default_zone
        self._added: list[tuple[Received, FileState]] = []
        self._objects: list[tuple[ReceivedObject, FileState]] = []
        self._recent = RecentSeries.take(connection) if questions is None else questions.recent
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
        if added == self._written:
            self._written = []
        elif not self._append(added):
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
        if words_of(self._connection).has_sequences:
            # A statement that fails in a pipeline says so only with a result, and files move now.
            execute(self._connection, "SELECT 1").fetchone()

    def end(self) -> None:
        """Write what was added, at the end of the transaction."""
        self.write()
        if self._written:
            raise ValueError(f"{len(self._written)} new arrivals were not added together: do so")
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
    arrivals: Arrivals = (),
) -> Iterator[ReceivedBatch]:
    """Give the batch of one transaction, which commits at its end; an exception undoes all of it.

    Nobody else writes meanwhile, so ``known`` stays true until then: it maps those of ``uids`` that
    the index has already to the paths of their files. With ``arrivals``, the only instances to be
    added, each with its file, nobody else writes their patients and studies meanwhile:
    WriteConflictError if another writer brings the same instance with others. A server may write
    them when it begins, so all of them have to be added, together, if ``known`` is empty.
    """
    asked = _Questions(uids, default_zone, arrivals)
    paths = [(received, file.path) for received, file in arrivals]
    with patients_held(database, paths, asked) as connection:
        questions = asked if asked.answered_to(connection) else None
        batch = ReceivedBatch(connection, uids, default_zone, questions)
        yield batch
        batch.end()
    batch.committed()


def _ask_known(connection: Driven, uids: Sequence[str]) -> Iterable[tuple[str, bytes | None]]:
    """Ask for the paths of the instances that the index has."""
    statement = """
        SELECT instance.sop_instance_uid, file.path
        FROM instance LEFT JOIN file ON file.instance = instance.id
        WHERE instance.sop_instance_uid {in_values}"""
    words = words_of(connection)
    found: Iterable[tuple[str, bytes | None]]
    if len(uids) == 1:
        found = execute(connection, statement.format(in_values="= ?"), (uids[0],))
    else:
        statement = statement.format(in_values=words.in_values)
        found = execute(connection, statement, (words.as_list(list(uids)),))
    return found


def _paths(found: Iterable[tuple[str, bytes | None]]) -> dict[str, list[str]]:
    """Return the paths of each instance; an instance without a file has none."""
    known: dict[str, list[str]] = {}
    for uid, path in found:
        known.setdefault(uid, []).extend([] if path is None else [os.fsdecode(path)])
    return known

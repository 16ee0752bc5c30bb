"""The archive: a folder of received instances and the index of it, kept in step (PS3.4 B.2).

A peer that is told Success may delete its copy, so from then on the instance must survive a crash
and a power cut. A folder and a database have no transaction in common. The archive has one order of
steps instead, and a start that puts right whatever a death in between has left:

1. ``Incoming`` writes the file under a temporary name, its ``DICM`` prefix last of all, and
   ``sync`` waits until it is on disk.
2. A write transaction of the index begins. Each instance gets its path, and its rows are written.
3. Each file is renamed to its path. A file that was there is kept under another name.
4. The transaction commits. The instance is stored, and the peer is told.
5. The kept files are deleted. If the commit failed, the renames are undone instead.

So a file in place is always whole, and has been there before its entry. A process that dies leaves

- a file without its prefix: the next start deletes it;
- a whole file under its temporary name: the next start stores it, though no peer was told;
- a whole file in place without an entry: the next start indexes it;
- a kept file: the next start deletes it if a later one is in its place, and stores it again if not.

The rename itself needs no sync, which would cost as much again as that of the file. A power cut
may take the rename, and the last commits of SQLite, too. But the whole file is then on disk under
one of its two names, and the next start finds it: it looks again at all that was put in place since
some minutes before the last commit (``MARGIN``).

A commit costs as much for fifty instances as for one, so instances that arrive together share one.
If it fails, each is stored alone, so that a bad one fails by itself. Their rows are made and
written while the disk works on the files. But all others who want to write wait for the
transaction; so where the disk is slow (a file server's), or another process stores at the moment,
the archive waits for it beforehand.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import BinaryIO, NamedTuple, Self

from dicomquest.errors import IndexDatabaseError, StoreError, WriteConflictError
from dicomquest.index.index import Index
from dicomquest.index.ingest.file_reader import FileState, read_file, read_left
from dicomquest.index.ingest.instance import Prepared, Received, ReceivedObject, Skipped
from dicomquest.standard import statuses
from dicomquest.store.incoming import (
    KEPT,
    Incoming,
    IncomingFolder,
    files_since,
    sync,
    take_leftovers,
)
from dicomquest.store.places import Layout
from dicomquest.store.worker_thread import Outcome, WorkerThread

LOGGER = logging.getLogger("dicomquest.store")

SLOW_DISK = 0.002
"""Seconds that others may wait for a disk beside the write lock: the time of about five rows."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A complete instance in its temporary file, until it is stored or has failed.

    ``place`` is that of its file in the folder, and ``path`` the same, empty if it is not kept. A
    leftover of a process that died is not kept where its instance has a file written at
    ``yields_from`` or later (nanoseconds since the epoch).
    """

    incoming: Incoming
    received: Prepared
    yields_from: int | None = None
    failure: StoreError | None = None
    place: str = ""
    path: str = ""


class _FileIdentity(NamedTuple):
    """The identity of a file. Its number alone is none: a system reuses numbers."""

    device: int
    number: int
    size: int
    modified_ns: int


class Archive:
    """A folder of instances with its index.

    Threads share an archive; processes share the folder, each with an archive of its own.
    """

    def __init__(
        self, index: Index, folder: Path, layout: Layout, *, keeps_first: bool = False
    ) -> None:
        """Of instances with one UID the last stays, or, if ``keeps_first``, the first.

        ArchiveInUseError if another process stores in the folder with another index.
        """
        self.index = index
        # Paths in the index have no '..', which Path.absolute would keep.
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100
        self._root = f"{self._folder}/"
        self._layout = layout
        self._keeps_first = keeps_first
        self._incoming = IncomingFolder(self._folder, index.identity)
        self._turn = threading.Lock()
        # An arrival after ``close`` still syncs, and ``_commit`` refuses it.
        self._syncing = WorkerThread("dicomquest-sync")
        self._disk_seconds = 0.0  # that the files of the last batch took
        self._trouble = ""
        self._is_closed = False

    def recover(self) -> int:
        """Store and index what processes that died have left, and return the number of instances.

        Their peers had no answer for some of these, and will send them again.
        """
        left = take_leftovers(self._folder, self._incoming)
        if left is None:
            return 0
        since, paths = left
        # Files in place come first: a leftover yields to a later one only if the index knows it.
        in_place = files_since(self._folder, since)
        summary = self.index.ingest(in_place)
        # A process that died in ``_remove`` has deleted files that the index still knows.
        self.index.forget_moved(in_place)
        stored = summary.indexed + summary.replaced
        for path in paths:
            # A kept file was stored once; one that has arrived still has to pass C-STORE's checks.
            read = read_file if path.endswith(KEPT) else read_left
            received = read(path, self.index.timezone_offset_minutes)
            incoming = Incoming(path, None)
            if not isinstance(received, Skipped):
                # A file took the kept one's place, maybe in the same tick of the clock: so an equal
                # time is late for a kept file. An arrival yields only to a file written after it.
                yields_from = incoming.state().st_mtime_ns + (not path.endswith(KEPT))
                arrival = Arrival(incoming, received, yields_from)
                self.store([arrival], self.sync([incoming]))
                if arrival.failure is not None:
                    # It may be the only copy of an instance that its peer believes stored.
                    self._incoming.leave(incoming)
                    continue
                stored += bool(arrival.path)
            incoming.discard()
        return stored

    def begin(self, meta: bytes) -> Incoming:
        """Begin an instance; StoreError if there is no room."""
        try:
            return self._incoming.begin(meta)
        except OSError as error:
            raise out_of_resources(error) from error

    def scratch(self) -> BinaryIO:
        """Open a file without a name, on the disk of the instances; StoreError if there is no room.

        It holds what instances are made from.
        """
        try:
            return self._incoming.scratch()
        except OSError as error:
            raise out_of_resources(error) from error

    def sync(self, files: Sequence[Incoming]) -> Outcome:
        """Begin to sync complete instances, which must stay open until that is done."""
        synced = Outcome()
        self._syncing.do(partial(synced.run, partial(self._sync, files)))
        return synced

    def store(self, arrivals: Sequence[Arrival], synced: Outcome) -> None:
        """Store instances together: afterwards each is in place and indexed, or has a ``failure``.

        ``synced`` is the result of ``sync`` for their files.
        """
        with self._turn:
            self._store(arrivals, synced)

    def index_renewed(self) -> None:
        """Name the index that has taken the place of the earlier one as that of the folder."""
        with self._turn:
            self._incoming.name_index(self.index.identity)

    def close(self) -> None:
        """Store no more, and remove the files that are not stored yet."""
        with self._turn:
            self._is_closed = True
            self._incoming.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sync(self, files: Sequence[Incoming]) -> None:
        began = monotonic()
        sync(files)
        self._disk_seconds = monotonic() - began

    # From here on, one thread at a time: the caller holds ``_turn``.

    def _store(self, arrivals: Sequence[Arrival], synced: Outcome) -> None:
        """Store instances together, or each alone if that fails."""
        failure = self._commit(arrivals, synced)
        if isinstance(failure, WriteConflictError) and not self._is_closed:
            failure = self._commit(arrivals, synced, is_alone=True)
        if failure is None:
            self._note_trouble("")
        elif len(arrivals) > 1 and not self._is_closed and synced.exception() is None:
            # Only if the disk did its part: one that fails is not asked again.
            for arrival in arrivals:
                self._store([arrival], synced)
            return
        elif isinstance(failure, IndexDatabaseError):
            self._note_trouble(str(failure))
            failure = StoreError(statuses.OUT_OF_RESOURCES, "the index failed")
        for arrival in arrivals:
            arrival.failure = failure

    def _note_trouble(self, trouble: str) -> None:
        """Log a failure of the index once, not again for each instance that arrives meanwhile."""
        if trouble and trouble != self._trouble:
            LOGGER.error("instances cannot be indexed: %s", trouble)
        elif self._trouble and not trouble:
            LOGGER.info("instances can be indexed again")
        self._trouble = trouble

    def _commit(
        self, arrivals: Sequence[Arrival], synced: Outcome, *, is_alone: bool = False
    ) -> StoreError | IndexDatabaseError | None:
        """Store instances in one transaction; if it fails, put all files back and return why.

        Others store other patients meanwhile, unless it ``is_alone``.
        """
        if self._is_closed:
            return StoreError(statuses.OUT_OF_RESOURCES, "the server is ending")
        # Outside the transaction, so that no other process waits for this disk.
        if self._disk_seconds > SLOW_DISK:
            synced.exception()
        uids: dict[bool, list[str]] = {True: [], False: []}
        for each in arrivals:
            uids[isinstance(each.received, ReceivedObject)].append(each.received.sop_uid)
            each.place = f"{self._root}{self._layout.text(each.received.texts)}"
        # SQLite's writers have no queue: who finds the index locked sleeps, and looks again.
        takes_turns = self.index.database.dialect == "sqlite"
        with contextlib.ExitStack() as until_settled:
            if takes_turns:
                turn = self._incoming.placing(alone=True, meanwhile=synced.exception)
                until_settled.enter_context(turn)
            try:
                held = [] if is_alone or uids[True] else _places(arrivals)
                with self.index.receiving(uids[False], held) as batch:
                    batch.know_objects(uids[True])
                    chosen, moved = self._choose(arrivals, batch.known)
                    for each in chosen:
                        file = FileState.of(each.path, each.incoming.state())
                        batch.add(each.received, file)
                    # Before the wait: rows are made and written while the disk works.
                    batch.write()
                    synced.result()
                    # Held beyond the transaction: where the commit fails, no other process may put
                    # a file in a place before the earlier file is back in it.
                    if not takes_turns:
                        replaces = any(os.path.lexists(each.path) for each in chosen)
                        until_settled.enter_context(self._incoming.placing(alone=replaces))
                    for each in arrivals:
                        if each.path:
                            each.incoming.place(each.path)
                    left = {path: _identity(path) for path in moved}
            except (OSError, IndexDatabaseError) as error:
                if not takes_turns:
                    until_settled.enter_context(self._incoming.placing(alone=True))
                # In reverse: of two instances with one path, the second has kept the first's file.
                for each in reversed(arrivals):
                    each.incoming.withdraw(each.path)
                return out_of_resources(error) if isinstance(error, OSError) else error
            for each in arrivals:
                each.incoming.settle()
        if chosen:
            self._incoming.committed(chosen[-1].path)
        if left:
            self._remove(left)
        return None

    def _choose(
        self, arrivals: Sequence[Arrival], known: Mapping[str, Sequence[str]]
    ) -> tuple[list[Arrival], set[str]]:
        """Give each arrival its path, or none; return the last of each UID, and the paths left.

        Paths left are those that the same instances had in the folder until now.
        """
        chosen: dict[str, Arrival] = {}
        moved: set[str] = set()
        for arrival in arrivals:
            uid = arrival.received.sop_uid
            before = chosen.get(uid)
            is_there = before is not None or (uid in known and _is_there(known[uid]))
            if (is_there and self._keeps_first) or _is_late(arrival, known.get(uid, ())):
                arrival.path = ""
                continue
            arrival.path = arrival.place
            earlier = {*known.get(uid, ()), *([before.path] if before is not None else ())}
            # Files outside the folder are somebody else's.
            moved |= {path for path in earlier if path.startswith(self._root)}
            # A batch may take an instance away from a path and back to it.
            moved.discard(arrival.path)
            chosen[uid] = arrival
        return list(chosen.values()), moved

    def _remove(self, left: Mapping[str, _FileIdentity | None]) -> None:
        """Remove the files that instances have left, but none that has been put there since.

        A transaction of its own: the one that moves the instances may fail, and while this one
        lasts, no other process puts a file in place.
        """
        try:
            with self.index.receiving(()) as batch:
                for path, identity in left.items():
                    if _identity(path) == identity and _unlink(path):
                        batch.forget(path)
        except IndexDatabaseError as error:
            # The index still knows them, so the next instance with such a UID removes them.
            LOGGER.warning("superseded files stay in the folder: %s", error)


def _places(arrivals: Sequence[Arrival]) -> list[tuple[Received, FileState]]:
    """Return the instances with the files that they will have unless they are not kept."""
    return [
        (each.received, FileState.of(each.place, each.incoming.state()))
        for each in arrivals
        if isinstance(each.received, Received)
    ]


def _is_there(paths: Sequence[str]) -> bool:
    """Tell whether a known instance has a file, or never had one.

    A power cut may take the rename and leave the commit.
    """
    return not paths or any(map(os.path.exists, paths))


def _is_late(arrival: Arrival, paths: Sequence[str]) -> bool:
    """Tell whether an arrival yields to a file that its instance has."""
    since = arrival.yields_from
    return since is not None and any(
        each.modified_ns >= since for each in map(_identity, paths) if each is not None
    )


def _identity(path: str) -> _FileIdentity | None:
    """Return the identity of the file at a path; None if there is none, or it cannot be read."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return _FileIdentity(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _unlink(path: str) -> bool:
    """Remove a file, and tell whether it is gone."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return True
    except OSError as error:
        LOGGER.warning("a superseded file cannot be removed: %s", error.strerror or error)
        return False
    return True


def out_of_resources(error: OSError) -> StoreError:
    """Log a failure of the file system, and return the answer for the peer."""
    LOGGER.error("an instance could not be written: %s", error.strerror or error)
    return StoreError(
        statuses.OUT_OF_RESOURCES, f"not written: {error.strerror or type(error).__name__}"
    )

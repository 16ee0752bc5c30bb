"""The folder that received instances are kept in, and the index of it, brought forward together (PS3.4 B.2).

An instance's file is complete and on disk before it is renamed into place, and it is in place before the index's
transaction commits; only then is it stored. If the commit fails, the files are put back as they were, an earlier one of
the same instance into its place. Whoever dies in between leaves a whole file, under its temporary or its last name,
that is found at the next start, and never an entry of the index without its file. So a rename need not be on disk
itself, which would cost as much again as the file. While the disk is waited for, the rows are made and written;
but nobody else may write then, so where the disk is slow (a file server's), it is waited for before. Instances that
arrive together share a transaction: whose turn it is takes all that wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Self

from dicomquest.errors import IndexDatabaseError, StoreError
from dicomquest.index.index import Index
from dicomquest.index.ingest.file_reader import FileState, read_file, read_left
from dicomquest.index.ingest.instance import Received
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

LOGGER = logging.getLogger("dicomquest.store")

SLOW_DISK = 0.002
"""Seconds that a disk may take while others wait for the write lock: what the rows of some five instances take."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A complete instance in its temporary file, until it is stored or that has failed.

    ``path`` is where it is to be kept, if it is. What a process that died has left is not, where its instance has a
    file that was written at ``yields_from`` or later, in nanoseconds since the epoch.
    """

    incoming: Incoming
    received: Received
    yields_from: int | None = None
    failure: StoreError | None = None
    path: str = ""


class _FileIdentity(NamedTuple):
    """What tells a file from another one that has its path later: numbers of files are given anew."""

    device: int
    number: int
    size: int
    modified_ns: int


class Archive:
    """A folder of instances with its index; threads share it, and so do processes, each with an archive of its own."""

    def __init__(
        self, index: Index, folder: Path, layout: Layout, *, keeps_first: bool = False
    ) -> None:
        """``keeps_first``: of instances with the same UID the first one stays, where else the last one does.

        ArchiveInUseError if another process stores in the folder, with another index.
        """
        self.index = index
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  a Path keeps the '..' that whoever reads has not
        self._layout = layout
        self._keeps_first = keeps_first
        self._incoming = IncomingFolder(self._folder, index.identity)
        self._turn = threading.Lock()
        # Its thread ends with it; whoever comes after ``close`` is told by the commit.
        self._syncing = ThreadPoolExecutor(1, "dicomquest-sync")
        self._disk_seconds = 0.0  # what the last batch's files took
        self._trouble = ""
        self._is_closed = False

    def recover(self) -> int:
        """Take over from processes that died: store what they had received whole, and index what they left in place.

        How many instances that were; nobody is told of those, so the peer will send some of them again.
        """
        left = take_leftovers(self._folder, self._incoming)
        if left is None:
            return 0
        since, paths = left
        in_place = files_since(self._folder, since)
        summary = self.index.ingest(in_place)
        self.index.forget_moved(in_place)
        stored = summary.indexed + summary.replaced
        for path in paths:
            # What was kept has been stored once; of what has arrived nobody knows yet whether it will be.
            read = read_file if path.endswith(KEPT) else read_left
            received = read(path, self.index.timezone_offset_minutes)
            incoming = Incoming(path, None)
            if isinstance(received, Received):
                # What was kept has had a later one in its place; of what has arrived another process may have.
                later = incoming.state().st_mtime_ns + (not path.endswith(KEPT))
                arrival = Arrival(incoming, received, later)
                self.store([arrival], self.sync([incoming]))
                if arrival.failure is not None:
                    # It may be the last copy of an instance that was answered: whoever starts next tries again.
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

    def sync(self, files: Sequence[Incoming]) -> Future[None]:
        """Begin to have complete instances on disk; they must stay open until that is done."""
        return self._syncing.submit(self._sync, files)

    def store(self, arrivals: Sequence[Arrival], synced: Future[None]) -> None:
        """Store instances together: each is in place and in the index then, or has a ``failure``.

        ``synced`` is what ``sync`` gave for them.
        """
        with self._turn:
            self._store(arrivals, synced)

    def close(self) -> None:
        """Store no more; what is not stored yet is removed."""
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

    # Inside: one thread at a time.

    def _store(self, arrivals: Sequence[Arrival], synced: Future[None]) -> None:
        """Store instances together, or each alone if that fails."""
        failure = self._commit(arrivals, synced)
        if failure is None:
            self._note_trouble("")
        elif len(arrivals) > 1 and not self._is_closed and synced.exception() is None:
            for arrival in arrivals:
                self._store([arrival], synced)
            return
        elif isinstance(failure, IndexDatabaseError):
            self._note_trouble(str(failure))
            failure = StoreError(statuses.OUT_OF_RESOURCES, "the index failed")
        for arrival in arrivals:
            arrival.failure = failure

    def _note_trouble(self, trouble: str) -> None:
        """Log what is wrong with the index once, not for each instance that is sent meanwhile."""
        if trouble and trouble != self._trouble:
            LOGGER.error("instances cannot be indexed: %s", trouble)
        elif self._trouble and not trouble:
            LOGGER.info("instances can be indexed again")
        self._trouble = trouble

    def _commit(
        self, arrivals: Sequence[Arrival], synced: Future[None]
    ) -> StoreError | IndexDatabaseError | None:
        """Store instances in one transaction; if it fails, say why: all files are where they were."""
        if self._is_closed:
            return StoreError(statuses.OUT_OF_RESOURCES, "the server is ending")
        # Outside the transaction: all others who want to write would wait for a slow disk, too.
        if self._disk_seconds > SLOW_DISK:
            wait([synced])
        uids = [each.received.sop_uid for each in arrivals]
        with contextlib.ExitStack() as until_settled:
            try:
                with self.index.receiving(uids) as batch:
                    chosen, moved = self._choose(arrivals, batch.known)
                    for each in chosen:
                        state = each.incoming.state()
                        file = FileState(each.path, state.st_size, state.st_mtime_ns)
                        batch.add(each.received, file)
                    # Rows are written while the disk still works, and only then is it waited for.
                    batch.write()
                    synced.result()
                    # Held beyond the transaction: files that have to go back go after its end.
                    until_settled.enter_context(self._incoming.alone())
                    for each in arrivals:
                        if each.path:
                            each.incoming.place(each.path)
                    left = {path: _identity(path) for path in moved}
            except (OSError, IndexDatabaseError) as error:
                # The last one first: it may have the place of an earlier one of its instance.
                for each in reversed(arrivals):
                    each.incoming.withdraw(each.path)
                return out_of_resources(error) if isinstance(error, OSError) else error
            for each in arrivals:
                each.incoming.settle()
        self._incoming.committed()
        if left:
            self._remove(left)
        return None

    def _choose(
        self, arrivals: Sequence[Arrival], known: Mapping[str, Sequence[str]]
    ) -> tuple[list[Arrival], set[str]]:
        """Give those that are kept their paths; return the last one of each instance, and paths left.

        The paths left are those of the same instances elsewhere in the folder.
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
            texts = {level: record.texts for level, record in arrival.received.records.items()}
            arrival.path = f"{self._folder}/{self._layout.path(texts)}"
            earlier = {*known.get(uid, ()), *([before.path] if before is not None else ())}
            moved |= {path for path in earlier if path.startswith(f"{self._folder}/")}
            moved.discard(arrival.path)
            chosen[uid] = arrival
        return list(chosen.values()), moved

    def _remove(self, left: Mapping[str, _FileIdentity | None]) -> None:
        """Remove files whose instances have moved, unless another process has put one in their place since.

        In a transaction of its own: the one that moves them may fail, and nobody puts a file in place without one.
        """
        try:
            with self.index.receiving(()) as batch:
                for path, identity in left.items():
                    if _identity(path) == identity and _unlink(path):
                        batch.forget(path)
        except IndexDatabaseError as error:
            # They stay known, so the next instance of the same UID takes them away.
            LOGGER.warning("files of instances that have moved may be left: %s", error)


def _is_there(paths: Sequence[str]) -> bool:
    """Whether an instance of the index has its file: a power cut may have taken the rename and left the commit."""
    return not paths or any(map(os.path.exists, paths))


def _is_late(arrival: Arrival, paths: Sequence[str]) -> bool:
    """Whether an arrival yields to a file of its instance."""
    since = arrival.yields_from
    return since is not None and any(
        each.modified_ns >= since for each in map(_identity, paths) if each is not None
    )


def _identity(path: str) -> _FileIdentity | None:
    """Which file has a path now; None if there is none that can be looked at."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return _FileIdentity(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _unlink(path: str) -> bool:
    """Remove a file; whether there is none now."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return True
    except OSError as error:
        LOGGER.warning(
            "the file of an instance that has moved is left: %s", error.strerror or error
        )
        return False
    return True


def out_of_resources(error: OSError) -> StoreError:
    """What the peer is told of a failure of the file system."""
    LOGGER.error("an instance could not be written: %s", error.strerror or error)
    return StoreError(
        statuses.OUT_OF_RESOURCES, f"not written: {error.strerror or type(error).__name__}"
    )

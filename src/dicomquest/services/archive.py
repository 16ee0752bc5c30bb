"""The folder that received instances are kept in, and the index of it, brought forward together (PS3.4 B.2).

An instance's file is complete and on disk before it is renamed into place, and it is in place before the index's
transaction commits; only then is it stored. Whoever dies in between leaves a whole file that is found at the next
start, never an entry of the index without its file. Instances that arrive together share a transaction: whose turn it
is takes all that wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dicomquest.errors import IndexDatabaseError, StoreError
from dicomquest.index.find import Index
from dicomquest.index.reader import FileState
from dicomquest.index.received import Received
from dicomquest.services.incoming import Incoming, IncomingFolder, clear_leftovers, files_since
from dicomquest.services.layout import Layout

LOGGER = logging.getLogger("dicomquest.store")

OUT_OF_RESOURCES = 0xA700
INDEX_FAILED = "the index failed"


@dataclass(slots=True, eq=False)
class _Waiting:
    """A whole instance in its temporary file, until it is stored; ``path`` is where its file lies then."""

    temporary: str
    received: Received
    state: os.stat_result
    path: str = ""
    is_new: bool = False
    is_done: bool = False
    failure: StoreError | None = None


class Archive:
    """A folder of instances with its index; threads share it, and so do processes, each with an archive of its own."""

    def __init__(self, index: Index, folder: Path, layout: Layout, *, keeps_first: bool = False) -> None:
        """``keeps_first``: of instances with the same UID the first one stays, where else the last one does."""
        self.index = index
        self._folder = folder.absolute()
        self._layout = layout
        self._keeps_first = keeps_first
        self._incoming = IncomingFolder(self._folder)
        self._waiting: list[_Waiting] = []
        self._turn = threading.Lock()
        self._is_closed = False
        # Paths of instances that have moved: their files are gone, their rows go with the next transaction.
        self._gone: list[str] = []
        self._folders: set[str] = set()

    def begin(self, meta: bytes) -> Incoming:
        """Begin an instance; StoreError if there is no room."""
        try:
            return self._incoming.begin(meta)
        except OSError as error:
            raise out_of_resources(error) from error

    def store(self, incoming: Incoming, received: Received) -> None:
        """Store a complete instance; returns when it is in place and in the index. StoreError if it cannot be."""
        try:
            state = incoming.sync()
        except OSError as error:
            raise out_of_resources(error) from error
        waiting = _Waiting(incoming.path, received, state)
        self._waiting.append(waiting)
        folders: set[str] = set()
        with self._turn:
            if not waiting.is_done:
                batch, self._waiting = self._waiting, []
                folders = self._store(batch)
        # Whoever wrote for the others has done this, too: a rename is on disk when its folder is.
        _sync(folders)
        if waiting.failure is not None:
            raise waiting.failure

    def close(self) -> None:
        """Store no more; what is not stored yet is removed."""
        with self._turn:
            self._is_closed = True
            self._incoming.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside: one thread at a time.

    def _store(self, batch: Sequence[_Waiting]) -> set[str]:
        """Store instances together, or each alone if that fails; give the folders that have changed."""
        try:
            return self._commit(batch)
        except IndexDatabaseError as error:
            if len(batch) > 1:
                return set().union(*(self._store([waiting]) for waiting in batch))
            LOGGER.error("an instance could not be indexed: %s", error)  # noqa: TRY400
            self._fail(batch, StoreError(OUT_OF_RESOURCES, INDEX_FAILED))
        except StoreError as error:
            self._fail(batch, error)
        except BaseException:
            # The others learn it too, instead of waiting for a turn that has passed.
            self._fail(batch, StoreError(OUT_OF_RESOURCES, INDEX_FAILED))
            raise
        finally:
            for waiting in batch:
                waiting.is_done = True
        return set()

    def _fail(self, batch: Sequence[_Waiting], failure: StoreError) -> None:
        for waiting in batch:
            if waiting.is_done:
                continue
            waiting.failure = waiting.failure or failure
            if waiting.path and waiting.is_new:
                with contextlib.suppress(OSError):
                    os.unlink(waiting.path)  # noqa: PTH108

    def _commit(self, batch: Sequence[_Waiting]) -> set[str]:
        if self._is_closed:
            raise StoreError(OUT_OF_RESOURCES, "the server is ending")
        moved: list[str] = []
        changed: set[str] = set()

        def place(known: Mapping[str, Sequence[str]]) -> list[tuple[Received, FileState]]:
            moved.clear()
            changed.clear()
            return self._place(batch, known, moved, changed)

        gone, self._gone = self._gone, []
        self.index.ingest_received([each.received.sop_uid for each in batch], place, gone=gone)
        self._incoming.committed()
        for path in moved:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
        self._gone += moved
        return changed

    def _place(
        self, batch: Sequence[_Waiting], known: Mapping[str, Sequence[str]], moved: list[str], changed: set[str]
    ) -> list[tuple[Received, FileState]]:
        """Rename into place what is to be kept, while no other process does; note what that leaves behind."""
        placed: dict[str, _Waiting] = {}
        for waiting in batch:
            uid = waiting.received.sop_uid
            before = placed.get(uid)
            is_known = uid in known or before is not None
            if waiting.failure is not None or (is_known and self._keeps_first and not waiting.path):
                continue
            try:
                self._rename(waiting, changed)
            except OSError as error:
                waiting.failure = out_of_resources(error)
                continue
            waiting.is_new = not is_known
            earlier = {*known.get(uid, ()), *([before.path] if before is not None else ())}
            moved += [path for path in earlier if path != waiting.path and path.startswith(f"{self._folder}/")]
            placed[uid] = waiting
        return [
            (each.received, FileState(each.path, each.state.st_size, each.state.st_mtime_ns))
            for each in placed.values()
        ]

    def _rename(self, waiting: _Waiting, changed: set[str]) -> None:
        if waiting.path:
            return  # it was in place when a transaction with others failed
        texts = {level: record.texts for level, record in waiting.received.records.items()}
        path = f"{self._folder}/{self._layout.path(texts)}"
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in self._folders:
            # A folder is in its parent only when that is on disk as well.
            changed.update(_make_folders(folder))
            self._folders.add(folder)
        try:
            os.replace(waiting.temporary, path)  # noqa: PTH105
        except FileNotFoundError:
            changed.update(_make_folders(folder))  # somebody has tidied up
            os.replace(waiting.temporary, path)  # noqa: PTH105
        changed.add(folder)
        waiting.path = path


def recover(index: Index, folder: Path) -> int:
    """Clear up after processes that died, and index what they left in place; how many instances that were."""
    since = clear_leftovers(folder)
    if since is None:
        return 0
    summary = index.ingest(files_since(folder.absolute(), since))
    return summary.indexed + summary.replaced


def out_of_resources(error: OSError) -> StoreError:
    """What the peer is told of a failure of the file system."""
    LOGGER.error("an instance could not be written: %s", error.strerror or error)
    return StoreError(OUT_OF_RESOURCES, f"not written: {error.strerror or type(error).__name__}")


def _make_folders(folder: str) -> list[str]:
    """Make a folder and those above it that are missing; give the parents of all that were made."""
    made: list[str] = []
    while True:
        try:
            os.mkdir(folder)  # noqa: PTH102
        except FileExistsError:
            pass
        except FileNotFoundError:
            parent = os.path.dirname(folder)  # noqa: PTH120
            made += _make_folders(parent)
            continue
        else:
            made.append(os.path.dirname(folder))  # noqa: PTH120
        return made


def _sync(folders: set[str]) -> None:
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

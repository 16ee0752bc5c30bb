"""Instances on their way to disk: temporary files, their owners, and leftovers (PS3.10 7).

The prefix makes a temporary file a DICOM file, and is written when all else is there. Each process
keeps its files in a folder of its own and holds a lock on it, so that the next process to start can
tell leftovers from files that are being written. That folder also keeps a file whose place another
one has taken, until that one is stored.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Self, cast
from uuid import uuid4

from dicomquest.errors import ArchiveInUseError
from dicomquest.index.ingest.file_reader import FIRST_READ
from dicomquest.index.ingest.files import PRIVATE_FOLDER

LOGGER = logging.getLogger("dicomquest.store")

LOCK = "lock"
PART, KEPT = ".part", ".kept"
"""The suffixes of temporary files, and of kept files whose place was taken."""

MARGIN = 600.0
"""Seconds before a dead process's last commit from which on files are looked at again.

A commit survives its process, but not always a power cut: the system may not have written it yet.
And the clock of a file server may differ from ours.
"""

_PREFIX = b"DICM"
_PREAMBLE = bytes(128)
_MODE = 0o666  # the process's umask takes away what it should
_MOST_VECTORS = 512  # one call takes 1024 (IOV_MAX of Linux)


class Incoming:
    """One instance while it arrives, in its temporary file.

    ``first`` has the file's first bytes, with zeros for the prefix; the data set begins at byte
    ``start``. ``is_moved``: the file has its last name, and ``path`` is no name of it any more.
    """

    def __init__(self, path: str, meta: bytes | None) -> None:
        """Create a file with its File Meta Information, or, without ``meta``, open a leftover."""
        self.path = path
        self.is_moved = False
        self._kept = ""  # path of the earlier file whose place it has taken
        self.descriptor = os.open(
            path, os.O_RDWR if meta is None else os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE
        )
        self.first = b"" if meta is None else _PREAMBLE + bytes(len(_PREFIX)) + meta
        self.start = len(self.first)
        self._is_empty = meta is not None

    def write(self, parts: Sequence[bytes]) -> None:
        """Append these bytes to the data set."""
        vectors = [self.first, *parts] if self._is_empty else parts
        if self._is_empty:
            self.first = _beginning(vectors)
            self._is_empty = False
        for start in range(0, len(vectors), _MOST_VECTORS):
            _write_all(self.descriptor, vectors[start : start + _MOST_VECTORS])

    def complete(self) -> None:
        """Write the prefix, which makes it a DICOM file: call this when all else is written."""
        os.pwrite(self.descriptor, _PREFIX, len(_PREAMBLE))

    def state(self) -> os.stat_result:
        """Return the state of the file."""
        return os.fstat(self.descriptor)

    def place(self, at: str) -> None:
        """Move to a path in the folder; keep the file there until ``settle`` or ``withdraw``."""
        kept = self.path.removesuffix(PART) + KEPT
        with contextlib.suppress(FileNotFoundError):
            _keep(at, kept)
            self._kept = kept
        _rename(self.path, at)
        self.is_moved = True

    def settle(self) -> None:
        """Stay in place for good, and delete the kept file."""
        if self._kept:
            with contextlib.suppress(OSError):
                os.unlink(self._kept)  # noqa: PTH108
            self._kept = ""

    def withdraw(self, at: str) -> None:
        """Undo ``place``, also one that failed halfway; a file put there since then stays."""
        try:
            if self.is_moved:
                # Somebody has replaced or removed the file: the kept one is older, and goes.
                if not _is_same(at, self.state()):
                    self.settle()
                    return
                os.replace(at, self.path)  # noqa: PTH105
                self.is_moved = False
            # Two names of one file are possible here: ``place`` failed between link and rename.
            if self._kept and not _is_same(at, os.stat(self._kept)):  # noqa: PTH116
                os.replace(self._kept, at)  # noqa: PTH105
                self._kept = ""
            self.settle()
        except OSError as error:
            reason = error.strerror or error
            # Without a traceback, which would say no more.
            LOGGER.error("a file cannot be put back to %s: %s", at, reason)  # noqa: TRY400

    def close(self) -> None:
        """Close the file, and leave it on disk."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Close the file, and remove it unless it is in place."""
        self.close()
        if self.is_moved:
            return
        with contextlib.suppress(OSError):
            # Not by a Path, which costs as much as the call.
            os.unlink(self.path)  # noqa: PTH108


def sync(files: Sequence[Incoming]) -> None:
    """Wait until files are on disk."""
    # One call each: the first one waits for the journal, and the others find it written. One call
    # for the whole file system would also wait for the data of all other programs.
    for file in files:
        os.fsync(file.descriptor)


def _keep(at: str, kept: str) -> None:
    """Give the file at a path a second name; FileNotFoundError if there is no file.

    A link, so that the path is never empty.
    """
    try:
        os.link(at, kept)
    except OSError as error:
        # Some file systems have no links, and some refuse a link to another user's file.
        if isinstance(error, FileNotFoundError) or os.path.isdir(at):  # noqa: PTH112
            raise
        os.replace(at, kept)  # noqa: PTH105


def _rename(path: str, to: str) -> None:
    try:
        os.replace(path, to)  # noqa: PTH105
    except FileNotFoundError:
        os.makedirs(os.path.dirname(to), exist_ok=True)  # noqa: PTH103, PTH120
        os.replace(path, to)  # noqa: PTH105


def _is_same(path: str, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), state)  # noqa: PTH116
    except FileNotFoundError:
        return False


def _beginning(vectors: Sequence[bytes]) -> bytes:
    """Return the bytes that a reader of the file would read first."""
    size, found = 0, []
    for part in vectors:
        found.append(part[: FIRST_READ - size])
        size += len(found[-1])
        if size == FIRST_READ:
            break
    return b"".join(found)


def _write_all(descriptor: int, vectors: Sequence[bytes]) -> None:
    """Write all of it: one call may write less."""
    size = sum(map(len, vectors))
    written = os.writev(descriptor, vectors)
    if written < size:
        rest = memoryview(b"".join(vectors))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


class _Placing:
    """The lock of an open file, held in a block, ``alone`` or with others."""

    __slots__ = ("_descriptor", "_kind", "_meanwhile")

    def __init__(
        self, descriptor: int, *, alone: bool, meanwhile: Callable[[], object] | None
    ) -> None:
        self._descriptor = descriptor
        self._kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        self._meanwhile = meanwhile

    def __enter__(self) -> None:
        if self._meanwhile is not None:
            try:
                fcntl.flock(self._descriptor, self._kind | fcntl.LOCK_NB)
            except BlockingIOError:
                self._meanwhile()
            else:
                return
        fcntl.flock(self._descriptor, self._kind)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class IncomingFolder:
    """The folder of this process's temporary files, in the folder where instances are stored."""

    def __init__(self, folder: Path, index: str) -> None:
        """Create and lock it for an index's identity.

        ArchiveInUseError if a living process stores here with another index.
        """
        self._private = folder / PRIVATE_FOLDER
        self._private.mkdir(parents=True, exist_ok=True)
        # Open for good: to open it for each transaction would take longer than to lock it.
        self._all = os.open(self._private / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
        self.path = self._private / uuid4().hex
        self._numbers = count(1)
        with self.placing(alone=True):
            for path, lock in _others(self._private):
                if lock is None and (path / LOCK).read_text() not in {index, ""}:
                    raise ArchiveInUseError("another server stores there, with another index")
            self.path.mkdir()
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.name_index(index)
        # A file server has a clock of its own, which all these times are of.
        self._earlier = self._earliest = os.fstat(self._lock).st_mtime
        self._since = monotonic()

    def name_index(self, identity: str) -> None:
        """Say on the lock file which index this process stores with."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, identity.encode(), 0)
        self._noted = 0.0  # that changed its time

    def begin(self, meta: bytes) -> Incoming:
        """Create the temporary file of one instance."""
        return Incoming(f"{self.path}/{next(self._numbers)}{PART}", meta)

    def scratch(self) -> BinaryIO:
        """Open a file without a name: nothing of it is left by a process that dies."""
        return cast("BinaryIO", tempfile.TemporaryFile(dir=self.path))

    def placing(
        self, *, alone: bool, meanwhile: Callable[[], object] | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the folder's lock; ``alone``, no other process puts a file in place, or back.

        For one thread at a time; an inner block may take it ``alone`` that an outer one shares.
        Before it waits for another process, it does ``meanwhile``.
        """
        return _Placing(self._all, alone=alone, meanwhile=meanwhile)

    def adopt(self, path: Path) -> str:
        """Take over a file of a dead process, and return its new path."""
        adopted = f"{self.path}/{next(self._numbers)}{path.suffix}"
        path.rename(adopted)
        return adopted

    def leave(self, file: Incoming) -> None:
        """Leave a whole file to the next process that starts: in a folder that nobody locks."""
        left = Path(self.path).with_name(uuid4().hex)
        left.mkdir()
        path = Path(file.path)
        path.rename(left / path.name)
        file.is_moved = True
        file.close()

    def committed(self, path: str) -> None:
        """Note the time of a commit on the lock file: the next start looks at later files only.

        It is that of the folder of ``path``, where the commit has put a file, or the earliest of
        the last minutes: somebody may set the clock between two commits.
        """
        with contextlib.suppress(OSError):
            clock, now = _changed(path.rpartition("/")[0]), monotonic()
            if now - self._since > MARGIN:
                self._earlier, self._earliest, self._since = self._earliest, clock, now
            self._earliest = min(self._earliest, clock)
            time = min(self._earlier, self._earliest)
            if time != self._noted:
                os.utime(self._lock, (time, time))
                self._noted = time

    def close(self) -> None:
        """Remove the folder with all unfinished files; one that waits to be put back stays."""
        if not any(self.path.glob(f"*{KEPT}")):
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        os.close(self._all)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _changed(folder: str) -> float:
    """Return the time when a folder got a file last, by the clock of the file system."""
    return os.stat(folder).st_mtime  # noqa: PTH116


def take_leftovers(folder: Path, into: IncomingFolder) -> tuple[float, list[str]] | None:
    """Take over the files of dead processes; delete those without a prefix, which are not whole.

    Return the time (seconds since the epoch) since which files in place may be missing in the
    index, and the paths of the files. None if no process has died here.
    """
    private = folder / PRIVATE_FOLDER
    since: float | None = None
    kept: list[str] = []
    with _locked(private):
        for path, lock in _others(private):
            if lock is None:
                continue
            last = os.fstat(lock).st_mtime - MARGIN
            files = [
                each
                for each in path.iterdir()
                if each.suffix in {PART, KEPT} and _is_complete(each)
            ]
            kept += [into.adopt(each) for each in sorted(files, key=_number)]
            shutil.rmtree(path)
            since = last if since is None else min(since, last)
    return None if since is None else (since, kept)


def _others(private: Path) -> Iterator[tuple[Path, int | None]]:
    """Yield the folder of each process; with its lock, held meanwhile, if the process is dead."""
    for path in private.iterdir():
        if not path.is_dir():
            continue
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield path, None
        else:
            yield path, lock
        finally:
            os.close(lock)


def _number(path: Path) -> tuple[int, str]:
    """Return a sort key for the order of arrival: of two files of one UID the later one counts."""
    return len(path.name), path.name


def _is_complete(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PREAMBLE) + len(_PREFIX)).endswith(_PREFIX)


def files_since(folder: Path, since: float) -> list[str]:
    """Return the files of all folders that have changed after ``since``, the oldest file first."""
    found: list[tuple[int, str]] = []
    for name, folders, files in os.walk(folder):
        if PRIVATE_FOLDER in folders:
            folders.remove(PRIVATE_FOLDER)
        if os.stat(name).st_mtime >= since:  # noqa: PTH116
            for path in [os.path.join(name, file) for file in files]:  # noqa: PTH118
                with contextlib.suppress(FileNotFoundError):
                    found.append((os.stat(path).st_mtime_ns, path))  # noqa: PTH116
    return [path for _, path in sorted(found)]


@contextlib.contextmanager
def _locked(private: Path) -> Iterator[None]:
    """Hold the lock of all processes that store here; closing the file lets go of it."""
    lock = os.open(private / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)

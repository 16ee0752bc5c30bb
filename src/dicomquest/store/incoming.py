"""Instances on their way to disk: temporary files, whose they are, and what a server that was killed leaves (PS3.10 7).

A temporary file becomes a DICOM file by its prefix, which is written when all else is there. Each process keeps its own
in a folder that it holds a lock on, so that whoever starts next can tell leftovers from what is being written. A file
whose place another one takes is kept there too, until that one is stored.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Self
from uuid import uuid4

from dicomquest.errors import ArchiveInUseError
from dicomquest.index.ingest.file_reader import FIRST_READ
from dicomquest.index.ingest.files import PRIVATE_FOLDER

LOGGER = logging.getLogger("dicomquest.store")

LOCK = "lock"
PART, KEPT = ".part", ".kept"
"""What temporary files end in, and those whose place was taken."""

MARGIN = 600.0
"""Seconds before the last commit of a process that died within which files are looked at again.

A commit is complete when a process dies, but a power cut may take those that the system had not written yet, and clocks
of file servers differ.
"""

_PREFIX = b"DICM"
_PREAMBLE = bytes(128)
_MODE = 0o666  # less what the process's umask takes away
_MOST_VECTORS = 512  # of the 1024 that one call can take


class Incoming:
    """One instance while it arrives, in its temporary file; ``meta`` is its File Meta Information.

    ``first`` are the file's first bytes but for the prefix, and ``start`` is where in the file the data set begins.
    ``is_moved``: the file has its last name now, no more that of ``path``.
    """

    def __init__(self, path: str, meta: bytes | None) -> None:
        """Without ``meta``, a file that is there already."""
        self.path = path
        self.is_moved = False
        self._kept = ""  # where the file is that was in its place
        self.descriptor = os.open(
            path, os.O_RDWR if meta is None else os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE
        )
        self.first = b"" if meta is None else _PREAMBLE + bytes(len(_PREFIX)) + meta
        self.start = len(self.first)
        self._is_empty = meta is not None

    def write(self, parts: Sequence[bytes]) -> None:
        """Append to the data set."""
        vectors = [self.first, *parts] if self._is_empty else parts
        if self._is_empty:
            self.first = _beginning(vectors)
            self._is_empty = False
        for start in range(0, len(vectors), _MOST_VECTORS):
            _write_all(self.descriptor, vectors[start : start + _MOST_VECTORS])

    def complete(self) -> None:
        """Make it a DICOM file."""
        os.pwrite(self.descriptor, _PREFIX, len(_PREAMBLE))

    def state(self) -> os.stat_result:
        """The state of the file."""
        return os.fstat(self.descriptor)

    def place(self, at: str) -> None:
        """Take a place in the folder; the file that is there is kept until ``settle`` or ``withdraw``."""
        kept = self.path.removesuffix(PART) + KEPT
        with contextlib.suppress(FileNotFoundError):
            _keep(at, kept)
            self._kept = kept
        _rename(self.path, at)
        self.is_moved = True

    def settle(self) -> None:
        """Stay in place for good."""
        if self._kept:
            with contextlib.suppress(OSError):
                os.unlink(self._kept)  # noqa: PTH108
            self._kept = ""

    def withdraw(self, at: str) -> None:
        """Undo ``place``, also where it has failed halfway; what somebody has put there since then stays."""
        try:
            if self.is_moved:
                if not _is_same(at, self.state()):
                    self.settle()
                    return
                os.replace(at, self.path)  # noqa: PTH105
                self.is_moved = False
            if self._kept and not _is_same(at, os.stat(self._kept)):  # noqa: PTH116
                os.replace(self._kept, at)  # noqa: PTH105
                self._kept = ""
            self.settle()
        except OSError as error:
            reason = error.strerror or error
            LOGGER.error("a file could not be put back into its place, %s: %s", at, reason)  # noqa: TRY400

    def close(self) -> None:
        """Close the file, which stays."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove the file, if it is still there."""
        self.close()
        if self.is_moved:
            return
        with contextlib.suppress(OSError):
            os.unlink(self.path)  # noqa: PTH108  a Path costs as much as the call


def sync(files: Sequence[Incoming]) -> None:
    """Have files on disk.

    One call each: of several, the first waits for the journal and the others find it written. One call for the whole
    file system would also wait for whatever other programs have written.
    """
    for file in files:
        os.fsync(file.descriptor)


def _keep(at: str, kept: str) -> None:
    """Give the file of a place another name, so that the place is never empty; FileNotFoundError if there is none."""
    try:
        os.link(at, kept)
    except OSError as error:
        # Not every file system has files of two names, and not everybody's file can be given one.
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
    """The bytes that a reader would begin with."""
    size, found = 0, []
    for part in vectors:
        found.append(part[: FIRST_READ - size])
        size += len(found[-1])
        if size == FIRST_READ:
            break
    return b"".join(found)


def _write_all(descriptor: int, vectors: Sequence[bytes]) -> None:
    """Write all of it: a call may take less than it is given."""
    size = sum(map(len, vectors))
    written = os.writev(descriptor, vectors)
    if written < size:
        rest = memoryview(b"".join(vectors))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


class IncomingFolder:
    """The temporary files of this process, below the folder where instances are stored."""

    def __init__(self, folder: Path, index: str) -> None:
        """``index`` tells it from others; ArchiveInUseError if a process that lives stores here with another one."""
        self._private = folder / PRIVATE_FOLDER
        self._private.mkdir(parents=True, exist_ok=True)
        self.path = self._private / uuid4().hex
        self._numbers = count(1)
        with self.alone():
            for path, lock in _others(self._private):
                if lock is None and (path / LOCK).read_text() not in {index, ""}:
                    raise ArchiveInUseError("another server stores there, with another index")
            self.path.mkdir()
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.write(self._lock, index.encode())

    def begin(self, meta: bytes) -> Incoming:
        """Begin a file."""
        return Incoming(f"{self.path}/{next(self._numbers)}{PART}", meta)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of all who store in the folder: nobody else puts a file in place, or back."""
        return _locked(self._private)

    def adopt(self, path: Path) -> str:
        """Take over a file of a process that died; its new path."""
        adopted = f"{self.path}/{next(self._numbers)}{path.suffix}"
        path.rename(adopted)
        return adopted

    def leave(self, file: Incoming) -> None:
        """Leave a whole file to the next process that starts."""
        left = Path(self.path).with_name(uuid4().hex)
        left.mkdir()
        path = Path(file.path)
        path.rename(left / path.name)
        file.is_moved = True
        file.close()

    def committed(self) -> None:
        """Note that all files in place are in the index now; without the note the next start looks at more of them."""
        with contextlib.suppress(OSError):
            os.utime(self._lock)

    def close(self) -> None:
        """Remove the folder with what is unfinished in it; a file that could not be put back is for the next start."""
        if not any(self.path.glob(f"*{KEPT}")):
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_leftovers(folder: Path, into: IncomingFolder) -> tuple[float, list[str]] | None:
    """Take over what processes that died have left: since when files in place may be missing in the index, and files.

    The time is that of the epoch. Of the files those may be instances that have the prefix: what is not whole goes.
    None if every process that stored here ended in good order, or lives.
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
    """The folders of all processes, each with its lock, held and open for as long; None of those that live."""
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
    """What sorts files as they arrived: of two of one UID the later one counts."""
    return len(path.name), path.name


def _is_complete(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PREAMBLE) + len(_PREFIX)).endswith(_PREFIX)


def files_since(folder: Path, since: float) -> list[str]:
    """The files in folders into which something was put after ``since``, in the order in which they were written."""
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
    """Hold the lock of all who store here."""
    lock = os.open(private / LOCK, os.O_RDWR | os.O_CREAT, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)

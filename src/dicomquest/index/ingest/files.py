"""Files and data sets into the index: walked, read by several processes, written in batches.

A file that was read before and has not changed since is not read again, so a run that was interrupted is simply started
once more: what was committed is skipped. The order of receiving is that of the paths, however many processes read.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState, read_file
from dicomquest.index.ingest.instance import Reason, Received, Skipped, receive
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.database.pool import Database

BATCH = 4000
"""Instances of one transaction: large enough that commits cost nothing, small enough that others get their turn."""

PRIVATE_FOLDER = ".dicomquest"
"""Where a Storage SCP keeps what is not whole yet, in the folder that it stores in: nothing there is indexed."""

# Files that a process reads before it reports; each result is some kilobytes.
_CHUNK = 64
# Chunks that may be read ahead of the writer, so that readers have work while a transaction is written: with less they
# wait for most of that. This bounds the memory.
_AHEAD = BATCH // _CHUNK
_MOST_EXAMPLES = 1000

COLLECTED_AFTER = 100_000
"""Objects after which the garbage collector looks again, in processes that do nothing but ingest.

A batch is made of some hundred thousand objects, none of them garbage: looked at after each 700 new ones, as is usual,
they take a third of writing and a twentieth of reading.
"""

Outcome: TypeAlias = Received | Skipped
_Item = TypeVar("_Item")


@dataclass(slots=True)
class Summary:
    """What came of the files so far: each counts once, as unchanged, indexed, replaced, or skipped for a reason.

    ``replaced``: the instance was there before. ``examples`` are the first thousand files skipped. ``removed``:
    instances that went because the last file that had them has another one now.
    """

    unchanged: int = 0
    indexed: int = 0
    replaced: int = 0
    skipped: Counter[Reason] = field(default_factory=Counter)
    examples: list[tuple[str, Skipped]] = field(default_factory=list)
    removed: int = 0

    @property
    def files(self) -> int:
        """All files looked at."""
        return self.unchanged + self.indexed + self.replaced + self.skipped.total()

    def skip(self, path: str, skipped: Skipped) -> None:
        """Count a file that is not indexed."""
        self.skipped[skipped.reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append((path, skipped))


def walk(
    paths: Iterable[str], on_error: Callable[[OSError], None] | None = None
) -> Iterator[FileState]:
    """All regular files at or below ``paths``, by name; folders behind symbolic links are not entered."""
    for path in paths:
        absolute = os.path.abspath(path)  # noqa: PTH100  a Path cannot say what the system's bytes say
        if PRIVATE_FOLDER in absolute.split(os.sep):  # noqa: PTH206
            continue
        try:
            status = os.stat(absolute)  # noqa: PTH116
        except OSError as error:
            _report(error, on_error)
            continue
        if os.path.isdir(absolute):  # noqa: PTH112
            yield from _walk_folder(absolute, on_error)
        elif os.path.isfile(absolute):  # noqa: PTH113
            yield FileState.of(absolute, status)


def _walk_folder(folder: str, on_error: Callable[[OSError], None] | None) -> Iterator[FileState]:
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            _report(error, on_error)
            continue
        folders += [
            entry.path
            for entry in reversed(entries)
            if entry.name != PRIVATE_FOLDER and entry.is_dir(follow_symlinks=False)
        ]
        for entry in entries:
            try:
                if entry.is_file():
                    yield FileState.of(entry.path, entry.stat())
            except OSError as error:
                _report(error, on_error)


def _report(error: OSError, on_error: Callable[[OSError], None] | None) -> None:
    if on_error is not None:
        on_error(error)


def ingest_files(
    database: Database,
    paths: Iterable[str],
    default_zone: int,
    *,
    jobs: int = 1,
    progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Index all files at or below ``paths``; ``progress`` is called with the summary as it grows."""
    summary = Summary()

    def on_error(error: OSError) -> None:
        summary.skip(
            os.fspath(error.filename or ""), Skipped(Reason.UNREADABLE, error.strerror or "")
        )

    waiting: list[tuple[Received, FileState]] = []
    with _Readers(jobs, default_zone) as readers:
        chunks = (
            _changed(database, chunk, summary) for chunk in _chunks(walk(paths, on_error), _CHUNK)
        )
        for files, outcomes in readers.read(chunks):
            for file, outcome in zip(files, outcomes, strict=True):
                if isinstance(outcome, Skipped):
                    summary.skip(file.path, outcome)
                else:
                    waiting.append((outcome, file))
            if len(waiting) >= BATCH:
                write(database, waiting, default_zone, summary)
                waiting = []
            if progress is not None:
                progress(summary)
    write(database, waiting, default_zone, summary)
    if progress is not None:
        progress(summary)
    return summary


def ingest_data_sets(
    database: Database, data_sets: Iterable[DataSet], default_zone: int
) -> Summary:
    """Index decoded instances, in the order given."""
    summary = Summary()
    for batch in _chunks(data_sets, BATCH):
        received: list[tuple[Received, FileState | None]] = []
        for outcome in (receive(data_set, default_zone) for data_set in batch):
            if isinstance(outcome, Skipped):
                summary.skip("", outcome)
            else:
                received.append((outcome, None))
        write(database, received, default_zone, summary)
    return summary


def _chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def write(
    database: Database,
    instances: Sequence[tuple[Received, FileState | None]],
    default_zone: int,
    summary: Summary,
) -> None:
    """Store prepared instances in a transaction of their own, and count them.

    What a file had when it was read must not come after what a Storage SCP has put in its place since; within the
    transaction none can.
    """
    if not instances:
        return
    with database.begin() as connection:
        current = []
        for received, file in instances:
            if file is None or _is_current(file):
                current.append((received, file))
            else:
                summary.skip(file.path, Skipped(Reason.CHANGED))
        batch = Batch(connection, [received for received, _ in current], default_zone)
        for received, file in current:
            batch.add(received, file)
        batch.write()
    summary.replaced += batch.replaced
    summary.removed += batch.removed[Level.IMAGE]
    summary.indexed += len(current) - batch.replaced


def _is_current(file: FileState) -> bool:
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError:
        return False
    return FileState.of(file.path, status) == file


def _changed(database: Database, files: Sequence[FileState], summary: Summary) -> list[FileState]:
    """The files that the index does not have in their present state."""
    paths = [os.fsencode(file.path) for file in files]
    marks = ", ".join("?" * len(paths))
    statement = f"SELECT path, size, modified_ns FROM file WHERE path IN ({marks})"
    with database.connect() as connection:
        found = {
            row[0]: (row[1], row[2]) for row in connection.exec_driver_sql(statement, tuple(paths))
        }
    changed = [
        file
        for path, file in zip(paths, files, strict=True)
        if found.get(path) != (file.size, file.modified_ns)
    ]
    summary.unchanged += len(files) - len(changed)
    return changed


class _Readers:
    """Reads chunks of files in this process or, from the second chunk on, in several; results keep their order."""

    def __init__(self, jobs: int, default_zone: int) -> None:
        self._jobs = jobs
        self._default_zone = default_zone
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def read(
        self, chunks: Iterator[list[FileState]]
    ) -> Iterator[tuple[list[FileState], list[Outcome]]]:
        """What is in the files of each chunk."""
        for files in chunks if self._jobs == 1 else islice(chunks, 1):
            yield files, _read_files([file.path for file in files], self._default_zone)
        running: deque[tuple[list[FileState], Future[list[Outcome]]]] = deque()
        for files in chunks:
            if files:
                running.append((files, self._submit(files)))
            if len(running) >= max(_AHEAD, self._jobs):
                yield _result(*running.popleft())
        while running:
            yield _result(*running.popleft())

    def _submit(self, files: list[FileState]) -> Future[list[Outcome]]:
        if self._pool is None:
            # Not forked: a fork would share the database's connections, and the caller's threads' locks.
            self._pool = ProcessPoolExecutor(self._jobs, get_context("spawn"), _begin_reader)
        return self._pool.submit(_read_files, [file.path for file in files], self._default_zone)


def _result(
    files: list[FileState], future: Future[list[Outcome]]
) -> tuple[list[FileState], list[Outcome]]:
    try:
        return files, future.result()
    except BrokenProcessPool as error:
        raise IndexDatabaseError(
            "a process that reads files died: what was indexed so far stays"
        ) from error


def _begin_reader() -> None:
    # Ctrl-C is for the process that writes, which ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(COLLECTED_AFTER)


def _read_files(paths: list[str], default_zone: int) -> list[Outcome]:
    return [read_file(path, default_zone) for path in paths]

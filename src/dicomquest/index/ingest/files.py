"""Files and data sets enter the index: walked, read by several processes, written in batches.

A file that has not changed since it was read is not read again. So an interrupted run is simply
started again: it skips what was committed. However many processes read, instances count as
received in the order of the paths.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from dicomquest.errors import IndexDatabaseError, WriteConflictError
from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState, read_file
from dicomquest.index.ingest.instance import (
    Prepared,
    Reason,
    Received,
    ReceivedObject,
    Skipped,
    receive,
)
from dicomquest.index.ingest.objects import displace, forget_files, known_states, write_objects
from dicomquest.index.ingest.patient_locks import patients_held
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.database.pool import Database

BATCH = 4000
"""Instances of one transaction: so many that commits cost nothing, so few that others can write."""

PRIVATE_FOLDER = ".dicomquest"
"""The folder of a Storage SCP's unfinished files, in its store: not indexed."""

# Files that a process reads before it hands them over; each result has some kilobytes.
_CHUNK = 64
# Chunks read ahead of the writer. With fewer, the readers would wait for most of a transaction;
# with no limit, results would fill the memory.
_AHEAD = BATCH // _CHUNK
_MOST_EXAMPLES = 1000

COLLECTED_AFTER = 100_000
"""New objects between two runs of the garbage collector, in processes that do nothing but ingest.

A batch consists of some hundred thousand objects, and none of them is garbage. The usual run after
each 700 takes a third of the time of writing and a twentieth of that of reading.
"""

Outcome: TypeAlias = Prepared | Skipped
_Item = TypeVar("_Item")


@dataclass(slots=True)
class Summary:
    """The outcome so far: each file counts once, as unchanged, indexed, replaced or skipped.

    ``replaced``: the instance was indexed before. ``examples`` has the first thousand skipped
    files. ``removed`` counts instances whose last file now has another instance. ``on_skip`` is
    called with the path of each skipped file.
    """

    unchanged: int = 0
    indexed: int = 0
    replaced: int = 0
    skipped: Counter[Reason] = field(default_factory=Counter)
    examples: list[tuple[str, Skipped]] = field(default_factory=list)
    removed: int = 0
    on_skip: Callable[[str, Skipped], None] | None = None

    @property
    def files(self) -> int:
        """The number of all files looked at."""
        return self.unchanged + self.indexed + self.replaced + self.skipped.total()

    def skip(self, path: str, skipped: Skipped) -> None:
        """Count a file that is not indexed."""
        self.skipped[skipped.reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append((path, skipped))
        if self.on_skip is not None:
            self.on_skip(path, skipped)


def walk(
    paths: Iterable[str], on_error: Callable[[OSError], None] | None = None
) -> Iterator[FileState]:
    """Yield all regular files at or below ``paths``, by name; do not follow links to folders."""
    for path in paths:
        # Not Path.absolute, which keeps '..'.
        absolute = os.path.abspath(path)  # noqa: PTH100
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
    on_skip: Callable[[str, Skipped], None] | None = None,
    reread: bool = False,
) -> Summary:
    """Index all files at or below ``paths``, unchanged ones only to ``reread`` them.

    ``progress`` is called with the growing summary.
    """
    # Before any file is read, as to read them may take hours.
    database.refuse_read_only()
    summary = Summary(on_skip=on_skip)

    def on_error(error: OSError) -> None:
        summary.skip(
            os.fspath(error.filename or ""), Skipped(Reason.UNREADABLE, error.strerror or "")
        )

    waiting: list[tuple[Prepared, FileState]] = []
    with _Readers(jobs, default_zone) as readers:
        chunks = _chunks(walk(paths, on_error), _CHUNK)
        if not reread:
            chunks = (_changed(database, chunk, summary) for chunk in chunks)
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
    """Index decoded instances in this order."""
    summary = Summary()
    for batch in _chunks(data_sets, BATCH):
        received: list[tuple[Prepared, FileState | None]] = []
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
    instances: Sequence[tuple[Prepared, FileState | None]],
    default_zone: int,
    summary: Summary,
) -> None:
    """Write prepared instances in one transaction, and count them."""
    if not instances:
        return
    arrivals = [
        (received, "" if file is None else file.path)
        for received, file in instances
        if isinstance(received, Received)
    ]
    if len(arrivals) == len(instances):
        with suppress(WriteConflictError):
            _write(database, instances, default_zone, summary, arrivals)
            return
    _write(database, instances, default_zone, summary)


def _write(
    database: Database,
    instances: Sequence[tuple[Prepared, FileState | None]],
    default_zone: int,
    summary: Summary,
    arrivals: Sequence[tuple[Received, str]] = (),
) -> None:
    changed: list[str] = []
    with patients_held(database, arrivals) as connection:
        # An older read of a file must not overwrite a newer stored instance. Checked within the
        # transaction, because archives put files in place only within theirs.
        current: list[tuple[Received, FileState | None]] = []
        objects: list[tuple[ReceivedObject, FileState | None]] = []
        for received, file in instances:
            if file is not None and not _is_current(file):
                changed.append(file.path)
            elif isinstance(received, Received):
                current.append((received, file))
            else:
                objects.append((received, file))
        batch = Batch(connection, [received for received, _ in current], default_zone)
        for received, file in current:
            batch.add(received, file)
        batch.remove(displace(connection, [file for _, file in objects if file is not None]))
        batch.write()
        removed = forget_files(connection, [file.path for _, file in current if file is not None])
        new = write_objects(connection, objects)
    for path in changed:
        summary.skip(path, Skipped(Reason.CHANGED))
    summary.replaced += batch.replaced + len(objects) - new
    summary.indexed += new
    summary.removed += removed
    summary.removed += batch.removed[Level.IMAGE]
    summary.indexed += len(current) - batch.replaced


def _is_current(file: FileState) -> bool:
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError:
        return False
    return FileState.of(file.path, status) == file


def _changed(database: Database, files: Sequence[FileState], summary: Summary) -> list[FileState]:
    """Return the files that the index does not know in their present state."""
    paths = [os.fsencode(file.path) for file in files]
    with database.connect() as connection:
        found = {path: state for path, *state in known_states(connection, paths)}
    changed = [
        file
        for path, file in zip(paths, files, strict=True)
        if found.get(path) != [file.size, file.modified_ns]
    ]
    summary.unchanged += len(files) - len(changed)
    return changed


class _Readers:
    """Reads files, from the second chunk on in several processes; results keep their order."""

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
        """Yield the files of each chunk with their outcomes."""
        # The first chunk is read here: a few files are read faster than processes start.
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
            # Not forked: a fork would share the connections to the database, and the locks of the
            # caller's threads.
            self._pool = ProcessPoolExecutor(self._jobs, get_context("spawn"), _begin_reader)
        with _without_interrupts():
            return self._pool.submit(_read_files, [file.path for file in files], self._default_zone)


def _result(
    files: list[FileState], future: Future[list[Outcome]]
) -> tuple[list[FileState], list[Outcome]]:
    try:
        return files, future.result()
    except BrokenProcessPool as error:
        raise IndexDatabaseError(
            "a process that reads files died: start again, all that is indexed so far stays"
        ) from error


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: a reader that still starts would complain."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_reader() -> None:
    # Ctrl-C reaches all processes; the one that writes ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(COLLECTED_AFTER)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that writes is gone: a killed one cannot end its readers.

    Readers hold both ends of the queue of their work, so that never closes by itself.
    """
    parent = parent_process()
    assert parent is not None  # noqa: S101
    wait([parent.sentinel])
    os._exit(1)


def _read_files(paths: list[str], default_zone: int) -> list[Outcome]:
    return [read_file(path, default_zone) for path in paths]

"""Files and data sets enter the index: walked, read by several processes, written in batches.

A file that has not changed since it was read is not read again. So an interrupted run is simply
started again: it skips what was committed. However many processes read, instances count as
received in the order of the paths.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.ingest import side_by_side
from dicomquest.index.ingest.file_batch import Summary, write
from dicomquest.index.ingest.file_reader import FileState, read_file
from dicomquest.index.ingest.instance import (
    Prepared,
    Reason,
    Skipped,
    receive,
)
from dicomquest.index.ingest.known_headers import KnownHeaders
from dicomquest.index.ingest.objects import known_states
from dicomquest.index.ingest.reader_process import begin_reader, without_interrupts

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

Outcome: TypeAlias = Prepared | Skipped
_Item = TypeVar("_Item")


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
        if jobs > 1 and database.dialect != "sqlite":
            are_many, chunks = side_by_side.many_files(chunks)
            if are_many:
                side_by_side.ingest_side_by_side(
                    database, chunks, default_zone, summary, jobs=jobs, progress=progress
                )
                return summary
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
            self._pool = ProcessPoolExecutor(self._jobs, get_context("spawn"), begin_reader)
        with without_interrupts():
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


class _Known(threading.local):
    """The headers that a thread of this process knows, over all its chunks."""

    def __init__(self) -> None:
        self.headers = KnownHeaders()


_known = _Known()


def _read_files(paths: list[str], default_zone: int) -> list[Outcome]:
    headers = _known.headers
    return [read_file(path, default_zone, headers) for path in paths]

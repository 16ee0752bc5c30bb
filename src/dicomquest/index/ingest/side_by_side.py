"""Processes that read files and write them to a server themselves, side by side (PS3.4 C.3).

Files come in spans, in the order of their paths. A process names the patients, studies, instances
and paths of its span before it writes, and writes when no earlier span with one of these is left.
So what belongs together counts as received in the order of the paths, as from one process.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, count, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.file_batch import Summary, write
from dicomquest.index.ingest.file_reader import FileState, read_file
from dicomquest.index.ingest.instance import Prepared, Skipped
from dicomquest.index.ingest.known_headers import KnownHeaders
from dicomquest.index.ingest.patient_locks import locks_of
from dicomquest.index.ingest.reader_process import begin_reader, without_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPAN = 1024
"""Files of a span. Fewer files than this are written by the process that asks."""

# Spans that a process has read and not written: it reads one while another waits for its turn.
_UNWRITTEN = 2

_Read: TypeAlias = "tuple[frozenset[int], list[tuple[str, Skipped]]]"


@dataclass(slots=True, eq=False)
class _Span:
    """The files that one process reads and writes; ``keys`` are known when they are read."""

    number: int
    process: ProcessPoolExecutor
    keys: frozenset[int] | None = None
    is_writing: bool = False


def many_files(
    chunks: Iterator[list[FileState]],
) -> tuple[bool, Iterator[list[FileState]]]:
    """Tell whether there are more files than a span has; return all their chunks, too."""
    begun: list[list[FileState]] = []
    number = 0
    for chunk in chunks:
        begun.append(chunk)
        number += len(chunk)
        if number > SPAN:
            return True, chain(begun, chunks)
    return False, iter(begun)


def ingest_side_by_side(
    database: Database,
    chunks: Iterator[list[FileState]],
    default_zone: int,
    summary: Summary,
    *,
    jobs: int,
    progress: Callable[[Summary], None] | None,
) -> None:
    """Index files by several processes, and count them."""
    spans = _spans(chunks)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_process(database.location, default_zone)) for _ in range(jobs)
        ]
        _Turns(spans, summary, progress).run(processes)


def _process(location: str, default_zone: int) -> ProcessPoolExecutor:
    # Not forked: a fork would share the connections to the database.
    return ProcessPoolExecutor(1, get_context("spawn"), _begin, (location, default_zone))


def _spans(chunks: Iterator[list[FileState]]) -> Iterator[list[FileState]]:
    files = chain.from_iterable(chunks)
    while span := list(islice(files, SPAN)):
        yield span


class _Turns:
    """The spans on their way: each is read at once, and written when no earlier one forbids it."""

    def __init__(
        self,
        spans: Iterator[list[FileState]],
        summary: Summary,
        progress: Callable[[Summary], None] | None,
    ) -> None:
        self._spans = spans
        self._summary = summary
        self._progress = progress
        self._numbers = count()
        self._running: dict[Future[Any], _Span] = {}
        self._unwritten: dict[int, _Span] = {}
        self._of_process: Counter[ProcessPoolExecutor] = Counter()

    def run(self, processes: list[ProcessPoolExecutor]) -> None:
        """Read and write all spans."""
        try:
            for process in processes:
                self._read_next(process)
            while self._running:
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._take(future)
                self._write_ready()
                if self._progress is not None:
                    self._progress(self._summary)
        except BrokenProcessPool as error:
            raise IndexDatabaseError(
                "a process that indexes files died: start again, all that is indexed so far stays"
            ) from error
        finally:
            for future in self._running:
                future.cancel()

    def _read_next(self, process: ProcessPoolExecutor) -> None:
        if self._of_process[process] >= _UNWRITTEN:
            return
        files = next(self._spans, None)
        if files is not None:
            span = _Span(next(self._numbers), process)
            self._unwritten[span.number] = span
            self._of_process[process] += 1
            self._submit(span, _read_span, span.number, files)

    def _submit(self, span: _Span, task: Callable[..., Any], *arguments: Any) -> None:
        with without_interrupts():
            self._running[span.process.submit(task, *arguments)] = span

    def _take(self, future: Future[Any]) -> None:
        span = self._running.pop(future)
        if span.keys is None:
            span.keys, skipped = future.result()
            for path, each in skipped:
                self._summary.skip(path, each)
        else:
            written: _Written = future.result()
            del self._unwritten[span.number]
            self._of_process[span.process] -= 1
            self._summary.indexed += written.indexed
            self._summary.replaced += written.replaced
            self._summary.removed += written.removed
            for path, each in written.skipped:
                self._summary.skip(path, each)
        self._read_next(span.process)

    def _write_ready(self) -> None:
        """Let each span be written that has nothing in common with an earlier one."""
        earlier: set[int] = set()
        for span in self._unwritten.values():
            if span.keys is None:
                return
            if not span.is_writing and span.keys.isdisjoint(earlier):
                span.is_writing = True
                self._submit(span, _write_span, span.number)
            earlier |= span.keys


class _Written(NamedTuple):
    """The numbers of a written span, and its files that have changed meanwhile."""

    indexed: int
    replaced: int
    removed: int
    skipped: list[tuple[str, Skipped]]


class _Here:
    """The state of one of the processes: what it has read, and its connection."""

    def __init__(self, location: str, default_zone: int) -> None:
        self._location = location
        self._default_zone = default_zone
        self._headers = KnownHeaders()
        self._database: Database | None = None
        self._read: dict[int, list[tuple[Prepared, FileState | None]]] = {}

    def read(self, number: int, files: list[FileState]) -> _Read:
        instances: list[tuple[Prepared, FileState | None]] = []
        skipped: list[tuple[str, Skipped]] = []
        keys: set[int] = set()
        for file in files:
            outcome = read_file(file.path, self._default_zone, self._headers)
            if isinstance(outcome, Skipped):
                skipped.append((file.path, outcome))
                continue
            instances.append((outcome, file))
            keys.update(locks_of(outcome, file.path, of_rows=True))
        self._read[number] = instances
        return frozenset(keys), skipped

    def write(self, number: int) -> _Written:
        if self._database is None:
            self._database = Database(self._location, create=False)
        skipped: list[tuple[str, Skipped]] = []
        summary = Summary(on_skip=lambda path, each: skipped.append((path, each)))
        write(self._database, self._read.pop(number), self._default_zone, summary)
        return _Written(summary.indexed, summary.replaced, summary.removed, skipped)


_here: _Here


def _begin(location: str, default_zone: int) -> None:
    global _here  # noqa: PLW0603  a process of a pool has no other place for its state
    begin_reader()
    _here = _Here(location, default_zone)


def _read_span(number: int, files: list[FileState]) -> _Read:
    return _here.read(number, files)


def _write_span(number: int) -> _Written:
    return _here.write(number)

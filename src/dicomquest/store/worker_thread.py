"""A thread that does jobs one after another, for the archive and its service (PS3.4 B.2).

A job costs a few microseconds. In a pool of ``concurrent.futures`` it takes the locks of a future,
of the pool and of two conditions: a tenth of a millisecond, of the one that an instance has.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

Job: TypeAlias = Callable[[], object]


class WorkerThread:
    """A thread that begins with the first job, and ends when nobody has this object any more.

    A process that exits does not wait for it. A job must not raise.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._has_begun = False
        self._beginning = threading.Lock()

    def do(self, job: Job) -> None:
        """Have a job done, after those before it."""
        if not self._has_begun:
            self._begin()
        self._jobs.put(job)

    def _begin(self) -> None:
        with self._beginning:
            if not self._has_begun:
                weakref.finalize(self, self._jobs.put, None)
                threading.Thread(
                    target=_work, args=(self._jobs,), name=self._name, daemon=True
                ).start()
                self._has_begun = True


class Outcome:
    """The end of a job, for whoever waits for it in another thread."""

    __slots__ = ("_failure", "_running")

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def run(self, function: Callable[[], object]) -> None:
        """Call a function, the job, and keep its exception."""
        try:
            function()
        except BaseException as error:  # noqa: BLE001 (raised again where somebody waits)
            self._failure = error
        finally:
            self._running.release()

    def exception(self) -> BaseException | None:
        """Wait for the end, and return the exception of the job, if it raised one."""
        with self._running:
            return self._failure

    def result(self) -> None:
        """Wait for the end, and raise the exception of the job, if it raised one."""
        failure = self.exception()
        if failure is not None:
            raise failure


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        # Else the last job would keep its instances until the next one comes.
        del job

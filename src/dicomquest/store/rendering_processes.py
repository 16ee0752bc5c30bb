"""The processes that render for a server, and the end of one that takes too long (PS3.18 10.4)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from dicomquest.errors import DicomquestError
from dicomquest.store.rendering_job import RenderingFault, RenderingJob
from dicomquest.store.rendering_worker import LENGTH

_MOST_JOBS: Final = 500
"""Jobs after which a process is replaced, as libraries lose memory."""


class RenderingError(DicomquestError):
    """A frame of which there is no picture; ``fault`` is the reason."""

    def __init__(self, fault: RenderingFault, words: str) -> None:
        super().__init__(words)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class RenderingLimits:
    """The bounds of rendering.

    - ``at_once`` pictures are made at a time; others wait.
    - ``pixels`` are the most of an image, and of a viewport.
    - ``seconds`` are the longest time for one picture.
    """

    at_once: int = 2
    pixels: int = 64_000_000
    seconds: float = 20.0


class RenderingProcesses:
    """Processes that wait for jobs; they are started when they are needed, and end when idle."""

    def __init__(self, limits: RenderingLimits) -> None:
        self.limits = limits
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _stop_all, self._idle, self._lock)

    def render(self, job: RenderingJob) -> bytes:
        """Return a picture; RenderingError if there is none. It blocks for ``seconds`` at most."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            is_fresh = worker is None
            worker = worker or _Worker(self.limits.pixels)
            try:
                return worker.render(job, self.limits.seconds)
            except _EndedError:
                if is_fresh:
                    raise RenderingError(
                        RenderingFault.NOT_DECODABLE, "its decoder crashed"
                    ) from None
                # It may have been idle for too long just now.
            finally:
                self._take_back(worker)

    def close(self) -> None:
        """End the processes that wait."""
        self._end()

    def _take_back(self, worker: _Worker) -> None:
        if worker.is_usable and self._end.alive:
            with self._lock:
                self._idle.append(worker)
        else:
            worker.stop()


class _EndedError(Exception):
    """The process ended without an answer."""


class _Worker:
    """One process; a thread at a time uses it."""

    def __init__(self, most_pixels: int) -> None:
        # Threads of a numerical library would take address space, and processors of the server.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-P", "-m", "dicomquest.store.rendering_worker", str(most_pixels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._jobs = 0
        self.is_usable = True

    def render(self, job: RenderingJob, seconds: float) -> bytes:
        """Return a picture; RenderingError if there is none, _EndedError if the process ended."""
        self._jobs += 1
        self.is_usable = False
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            fault, picture = self._asked(job)
        except (OSError, _EndedError) as error:
            if is_late.is_set():
                words = f"it takes longer than {seconds:g} s"
                raise RenderingError(RenderingFault.TOO_SLOW, words) from error
            raise _EndedError from error
        finally:
            timer.cancel()
        self.is_usable = self._jobs < _MOST_JOBS and not is_late.is_set()
        if fault:
            name, _, words = fault.partition("\n")
            raise RenderingError(RenderingFault(name), words)
        return picture

    def _asked(self, job: RenderingJob) -> tuple[str, bytes]:
        jobs, answers = self._process.stdin, self._process.stdout
        assert jobs is not None  # noqa: S101  both are pipes
        assert answers is not None  # noqa: S101
        message = job.to_json()
        jobs.write(LENGTH.pack(len(message)) + message)
        jobs.flush()
        return _block(answers).decode("utf-8"), _block(answers)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        for each in (self._process.stdin, self._process.stdout):
            if each is not None:
                # A message may be left that nobody will read.
                with suppress(OSError):
                    each.close()
        self._process.wait()


def _block(answers: IO[bytes]) -> bytes:
    head = answers.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise _EndedError
    size = LENGTH.unpack(head)[0]
    data = answers.read(size)
    if len(data) < size:
        raise _EndedError
    return data


def _stop_all(idle: list[_Worker], lock: threading.Lock) -> None:
    with lock:
        workers, idle[:] = list(idle), []
    for each in workers:
        each.stop()

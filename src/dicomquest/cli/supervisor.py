"""The parent of several server processes: it starts them, and another one for each that dies.

Parent and worker hold the two ends of a socket. The kernel closes an end with its process, however
that dies: a worker whose parent is gone ends, so none is left behind.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from dicomquest.cli.messages import give_up
from dicomquest.cli.worker_orders import ENDING, SIGNALS, Order, has_terminal, order_bytes

LOGGER = logging.getLogger("dicomquest.serve")

STEADY = 2.0
"""Seconds of life after which a worker's death is no reason to wait with the next one."""

FIRST_PAUSE = 0.5
"""Seconds before the next worker after one that lived shorter; each further time twice as long."""

LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that dies each time, say because the index is gone."""

LATE = 5.0
"""Seconds beyond the grace time after which a worker that has not ended is killed."""


@dataclass(slots=True, eq=False)
class _Worker:
    """The place of one worker: its process, while it has one, and when the next one starts."""

    pid: int = 0
    end: socket.socket | None = None
    began: float = 0.0
    is_ready: bool = False
    early_deaths: int = 0
    next_start: float = 0.0


class Supervisor:
    """Keeps so many workers alive until a signal; ``run`` is called once.

    ``work`` serves in a new process until it is told to end, and never returns to here.
    ``reload`` reads the settings again on SIGHUP, and pickles them for the workers: so all get the
    same. It returns nothing if they are wrong. ``tell`` gets the words of ``sd_notify``.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[socket.socket], None],
        *,
        grace: Callable[[], float],
        reload: Callable[[], bytes],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._work = work
        self._grace = grace
        self._reload = reload
        self._tell = tell
        self._workers = [_Worker() for _ in range(count)]
        self._selector = selectors.DefaultSelector()
        self._kill_at: float | None = None
        self._is_serving = False
        self._terminal = has_terminal()

    def run(self) -> None:
        """Serve until told to end; raise click's Exit if a worker cannot start at all."""
        with self._signals() as signals:
            self._selector.register(signals, selectors.EVENT_READ)
            for worker in self._workers:
                self._start(worker)
            while self._kill_at is None or any(worker.pid for worker in self._workers):
                for key, _ in self._selector.select(self._seconds_to_wait()):
                    if key.data is None:
                        for number in signals.recv(64):
                            self._take(signal.Signals(number))
                    elif key.fileobj is key.data.end:  # the worker has not been buried just now
                        self._hear(key.data)
                self._start_due()

    @contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Give a socket with the number of each signal that arrives."""
        ours, signals = socket.socketpair()
        for each in (ours, signals):
            each.setblocking(False)
        with ours, signals:
            signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
            for number in (*SIGNALS, signal.SIGCHLD):
                signal.signal(number, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            try:
                yield ours
            finally:
                signal.set_wakeup_fd(-1)

    def _take(self, number: signal.Signals) -> None:
        if number is signal.SIGCHLD:
            self._bury()
        elif number in ENDING or (self._terminal and not has_terminal()):
            self._end()
        elif settings := self._reload():
            self._order(Order.RELOAD, settings)

    def _end(self) -> None:
        """Let the workers end; the second time, at once."""
        if self._kill_at is None:
            self._tell("STOPPING=1")
            self._order(Order.END)
            self._kill_at = monotonic() + self._grace() + LATE
        else:
            self._order(Order.END_NOW)
            self._kill_at = min(self._kill_at, monotonic() + LATE)

    def _order(self, order: Order, payload: bytes = b"") -> None:
        for worker in self._workers:
            if worker.end is not None:
                with suppress(OSError):  # it is dead, and SIGCHLD is on its way
                    worker.end.sendall(order_bytes(order, payload))

    def _hear(self, worker: _Worker) -> None:
        """Note that a worker listens, or that it has closed its end."""
        assert worker.end is not None  # noqa: S101
        try:
            heard = worker.end.recv(64)
        except OSError:
            heard = b""
        if not heard:
            self._selector.unregister(worker.end)
            return
        worker.is_ready = True
        if not self._is_serving and all(each.is_ready for each in self._workers):
            self._is_serving = True
            self._tell("READY=1")

    def _start(self, worker: _Worker) -> None:
        """Start a worker, or note when to try again: memory or processes may have run out."""
        try:
            self._fork(worker)
        except OSError as error:
            if not self._is_serving:
                raise
            worker.early_deaths += 1
            pause = pause_after(worker.early_deaths)
            worker.next_start = monotonic() + pause
            LOGGER.error(  # noqa: TRY400
                "no server process can be started: %s; tried again in %g s",
                error.strerror or error, pause,
            )  # fmt: skip

    def _fork(self, worker: _Worker) -> None:
        ours, its = socket.socketpair()
        # No signal is lost between the fork and the worker's own handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            with warnings.catch_warnings():
                # The one other thread is the log's, and the log knows of forks.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                self._become_worker(ours)
                self._work(its)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            its.close()
        ours.settimeout(1)  # a worker that hangs must not hold up the others
        worker.pid, worker.end, worker.is_ready = pid, ours, False
        worker.began = monotonic()
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _become_worker(self, ours: socket.socket) -> None:
        """Undo in a new process what only the parent needs."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # As long as a worker held the parent's end of another one, that one would not see it close.
        for end in (ours, *(each.end for each in self._workers)):
            if end is not None:
                end.close()
        self._selector.close()

    def _bury(self) -> None:
        """Note the workers that have died, and when others take their places."""
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._note_death(worker, os.waitstatus_to_exitcode(status))

    def _note_death(self, worker: _Worker, status: int) -> None:
        pid, worker.pid = worker.pid, 0
        if worker.end is not None:
            with suppress(KeyError):  # its end was read before
                self._selector.unregister(worker.end)
            worker.end.close()
            worker.end = None
        if self._kill_at is not None:
            return
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        if not self._is_serving:
            for each in self._workers:
                if each.pid:
                    os.kill(each.pid, signal.SIGKILL)
                    os.waitpid(each.pid, 0)
            raise give_up(
                f"a server process ended {how} before it listened; the log above says why"
            )
        now = monotonic()
        worker.early_deaths = 0 if now - worker.began > STEADY else worker.early_deaths + 1
        pause = pause_after(worker.early_deaths)
        worker.next_start = now + pause
        LOGGER.warning(
            "server process %d ended %s, and its associations with it; another one starts in %g s",
            pid, how, pause,
        )  # fmt: skip

    def _start_due(self) -> None:
        now = monotonic()
        for worker in self._workers:
            if self._kill_at is None and not worker.pid and worker.next_start <= now:
                self._start(worker)
            elif self._kill_at is not None and worker.pid and self._kill_at <= now:
                LOGGER.warning("server process %d has not ended: it is killed", worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                worker.pid = 0

    def _seconds_to_wait(self) -> float | None:
        due = [worker.next_start for worker in self._workers if not worker.pid]
        if self._kill_at is not None:
            due = [self._kill_at]
        return max(0.0, min(due) - monotonic()) if due else None


def pause_after(early_deaths: int) -> float:
    """Return the seconds before the next start, after so many short lives in a row."""
    if early_deaths <= 1:
        return FIRST_PAUSE * early_deaths
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(early_deaths - 1, 16)))

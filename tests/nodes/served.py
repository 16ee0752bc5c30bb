"""Nodes on one database, and load: queries and stores without a pause."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from fixtures.timing import LONG, MS
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import Peer, free_port, server


def log_of(peer: Peer, folder: Path) -> str:
    """The log of a node so far."""
    return (folder / f"serve-{peer.port}.log").read_text(encoding="utf-8")


@contextlib.contextmanager
def node(url: str, folder: Path, *options: str, program: Sequence[str] = COMMAND) -> Iterator[Peer]:
    """Run ``dicomquest serve``; it must end cleanly, without a traceback."""
    peer = Peer("127.0.0.1", free_port(), "NODE")
    log = folder / f"serve-{peer.port}.log"
    command = [
        *program,
        "serve",
        "--index",
        url,
        "--port",
        str(peer.port),
        "--aet",
        peer.aet,
        *options,
    ]
    with server(command, peer.port, log, environment=ENVIRONMENT) as process:
        yield peer
    text = log_of(peer, folder)
    assert process.returncode == 0, text
    assert "Traceback" not in text, text


@dataclass(frozen=True, slots=True)
class Attempt:
    """The begin and end of one attempt, and its failure in words, empty if all is well."""

    began: float
    ended: float
    failure: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True)
class Load:
    """Attempts the same over and over in a thread; ``act`` returns its failure in words."""

    name: str
    act: Callable[[], str]
    attempts: list[Attempt] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name=self.name)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        assert self._thread is not None
        self._thread.join(6 * LONG)
        assert not self._thread.is_alive(), f"{self.name} hangs"
        if self._error is not None:
            raise AssertionError(f"{self.name} failed otherwise than it may") from self._error

    def _run(self) -> None:
        try:
            while not self._is_over.wait(2 * MS):
                began = time.monotonic()
                failure = self.act()
                self.attempts.append(Attempt(began, time.monotonic(), failure))
        except BaseException as error:  # noqa: BLE001 - raised again by the test's own thread
            self._error = error

    def successes_since(self, moment: float) -> list[Attempt]:
        """The successful attempts that began after a moment."""
        self.check()
        return [each for each in list(self.attempts) if each.began >= moment and not each.failure]

    def check(self) -> None:
        """Do not wait for attempts that have ended."""
        if self._error is not None:
            raise AssertionError(f"{self.name} failed otherwise than it may") from self._error

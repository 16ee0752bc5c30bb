"""A process that reads files for another one: how it begins, and ends with that one."""

from __future__ import annotations

import gc
import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTED_AFTER = 100_000
"""New objects between two runs of the garbage collector, in processes that do nothing but ingest.

A batch consists of some hundred thousand objects, and none of them is garbage. The usual run after
each 700 takes a third of the time of writing and a twentieth of that of reading.
"""


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: a reader that still starts would complain."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_reader() -> None:
    """Prepare a process that reads for another one: it ends with that, and not by Ctrl-C."""
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

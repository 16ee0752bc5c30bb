"""Instances that a peer sends to us, on their way into a folder (PS3.4 B.2)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from dicomquest.errors import StoreError
from dicomquest.standard import statuses

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest.cli.retrieving.landing import Kept, Landing
    from dicomquest.cli.retrieving.portion_queue import Arrivals
    from dicomquest.cli.retrieving.tally import Tally
    from dicomquest.evt import Event

AT_ONCE = 8
"""Files that are brought to the disk together: they share a commit of the file system."""
MOST_WAITING = 64
"""Files that wait for the disk before the peer does."""


class Receiver:
    """The handler of C-STORE requests; ``stop`` ends a retrieve whose disk takes no more.

    A peer that sends for a C-GET keeps what it has, so it is answered before the disk has the file:
    an ``fsync`` takes longer than all else. An instance counts once it is in its place.
    """

    def __init__(self, landing: Landing, tally: Tally, stop: Callable[[str], None]) -> None:
        self._landing = landing
        self._tally = tally
        self._stop = stop
        self._disk = ThreadPoolExecutor(AT_ONCE, "dicomquest-disk")
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """The folder for instances that still arrive."""
        return self._landing.temporary

    def store(self, event: Event, arrivals: Arrivals) -> int:
        """Take an instance, and return the status of the response."""
        uid = str(event.request.AffectedSOPInstanceUID)
        try:
            kept = self._landing.keep(str(event.dataset_path), uid)
        except StoreError as error:
            self._refuse(uid, error, arrivals)
            return error.status
        self._waiting.append(self._disk.submit(self._place, kept, arrivals))
        if len(self._waiting) > MOST_WAITING:
            self._wait_for_one()
        return statuses.SUCCESS

    def wait(self) -> None:
        """Wait until all that has come is in its place, or refused."""
        while self._waiting:
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        # Another thread may have taken the last one meanwhile.
        with suppress(IndexError):
            self._waiting.popleft().result()

    def _place(self, kept: Kept, arrivals: Arrivals) -> None:
        uid = kept.sop_instance_uid
        try:
            size = self._landing.place(kept)
        except StoreError as error:
            self._refuse(uid, error, arrivals)
            return
        with self._lock:
            arrivals.refused.pop(uid, None)
            is_new = uid not in arrivals.uids
            arrivals.uids.add(uid)
        if is_new:
            self._tally.arrive(size)

    def _refuse(self, uid: str, error: StoreError, arrivals: Arrivals) -> None:
        with self._lock:
            arrivals.refused[uid] = error.comment
        if error.status == statuses.OUT_OF_RESOURCES:
            self._stop(f"{self._landing.folder}: {error.comment}")

    def look_for_room(self) -> None:
        """End the retrieve if the disk is full: an instance that finds no room calls no handler."""
        try:
            self._landing.check_room()
        except OSError as error:
            self._stop(f"{self._landing.folder}: not written: {error.strerror or error}")

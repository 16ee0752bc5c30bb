"""Instances that a peer sends to us, put into a folder while it waits (PS3.4 B.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dicomquest.errors import StoreError
from dicomquest.standard import statuses

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest.cli.retrieving.landing import Landing
    from dicomquest.cli.retrieving.portion_queue import Arrivals
    from dicomquest.cli.retrieving.tally import Tally
    from dicomquest.evt import Event


class Receiver:
    """The handler of C-STORE requests; ``stop`` ends a retrieve whose disk takes no more."""

    def __init__(self, landing: Landing, tally: Tally, stop: Callable[[str], None]) -> None:
        self._landing = landing
        self._tally = tally
        self._stop = stop

    @property
    def folder(self) -> Path:
        """The folder for instances that still arrive."""
        return self._landing.temporary

    def store(self, event: Event, arrivals: Arrivals) -> int:
        """Put the instance in its place, and return the status of the response."""
        uid = str(event.request.AffectedSOPInstanceUID)
        try:
            size = self._landing.place(str(event.dataset_path), uid)
        except StoreError as error:
            arrivals.refused[uid] = error.comment
            if error.status == statuses.OUT_OF_RESOURCES:
                self._stop(f"{self._landing.folder}: {error.comment}")
            return error.status
        arrivals.refused.pop(uid, None)
        if uid not in arrivals.uids:
            arrivals.uids.add(uid)
            self._tally.arrive(size)
        return statuses.SUCCESS

    def look_for_room(self) -> None:
        """End the retrieve if the disk is full: an instance that finds no room calls no handler."""
        try:
            self._landing.check_room()
        except OSError as error:
            self._stop(f"{self._landing.folder}: not written: {error.strerror or error}")

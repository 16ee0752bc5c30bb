"""The transfer syntaxes that a server prefers to send instances in, by SOP class (PS3.4 C.5.3).

An acceptor chooses one of a context before it knows what will be retrieved. That in which most
instances of the class are stored suits most of them.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomquest.errors import IndexDatabaseError
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

if TYPE_CHECKING:
    from dicomquest.index.index import Index

LATEST: Final = 10_000
"""Instances that are looked at, some milliseconds of the database."""

LONGEST_KNOWN: Final = 60.0
"""Seconds after which the latest instances are looked at again."""


class StoredSyntaxes:
    """The transfer syntaxes of the latest instances, kept up to date by a thread."""

    def __init__(self, index: Index) -> None:
        """Look at an index when an association first asks, and again from time to time."""
        self._index = index
        self._known: dict[str, tuple[str, ...]] | None = None
        self._read_at = 0.0
        self._reading = threading.Lock()

    def __call__(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes of a SOP class, the best one first."""
        if self._known is None:
            self._read()
        elif monotonic() - self._read_at > LONGEST_KNOWN and self._reading.acquire(blocking=False):
            # Old news is as good as none: the answer waits for nobody.
            threading.Thread(target=self._read_again, name="syntaxes", daemon=True).start()
        stored = (self._known or {}).get(sop_class_uid, ())
        return (*stored, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

    def _read_again(self) -> None:
        try:
            self._read()
        finally:
            self._reading.release()

    def _read(self) -> None:
        self._read_at = monotonic()
        try:
            self._known = self._index.stored_syntaxes(LATEST)
        except IndexDatabaseError:
            # Whoever retrieves next hears of it.
            self._known = self._known or {}

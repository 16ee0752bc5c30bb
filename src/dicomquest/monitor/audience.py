"""Several observers as one, none of which can harm the server or another (PS3.15 A.5)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dicomquest.services.observer import Event, Observer

LOGGER = logging.getLogger("dicomquest.monitor")


class Audience:
    """Tells each event to all of its observers; one that fails is named in the log, once."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._failed: set[Observer] = set()

    def tell(self, event: Event) -> None:
        """Tell all observers of an event."""
        for observer in self._observers:
            try:
                observer.tell(event)
            except Exception:
                if observer not in self._failed:
                    self._failed.add(observer)
                    LOGGER.exception("%s failed; the server goes on", type(observer).__name__)

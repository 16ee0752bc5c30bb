"""The lines of the log that are events: kept as they are where the log's handler can do so."""

from __future__ import annotations

import logging
from typing import Protocol

from dicomquest.services.observer import LoggedEvent

LOGGER = logging.getLogger("dicomquest.server")


class EventKeeper(Protocol):
    """A handler that keeps an event until it writes its line."""

    def keep(self, event: LoggedEvent) -> None:
        """Keep an event at INFO."""


class EventLog:
    """The way of an event into the log, at INFO.

    A record of ``logging`` and its way through the loggers cost a small query three times what the
    event itself does, so a program whose only handler is an ``EventKeeper`` goes without.
    """

    def __init__(self) -> None:
        self.keeper: EventKeeper | None = None

    def log(self, event: LoggedEvent) -> None:
        """Log an event."""
        if LOGGER.isEnabledFor(logging.INFO):
            if self.keeper is None:
                LOGGER.info("%s", event)
            else:
                self.keeper.keep(event)


EVENT_LOG = EventLog()
"""The one of this process, as loggers are."""

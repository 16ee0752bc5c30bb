"""The log as JSON lines: one object a line, with the fields of its event (RFC 8259)."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from dicomquest.services.event_log import LOGGER
from dicomquest.services.observer import LOGGED, FindFinished, LoggedEvent

OF_ASSOCIATION = re.compile(r"association (\d+): ")
"""The begin of each line about an association; the number is ours, whatever a peer sends."""


class JsonFormatter(logging.Formatter):
    """A formatter of one object a line; JSON escapes whatever names a peer has put into it."""

    def __init__(self, *, names_keys: bool) -> None:
        """Name the keys of queries, if ``names_keys``; never their values."""
        super().__init__()
        self._names_keys = names_keys

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = event_of(record)
        if event is not None:
            line |= event.fields()
            if self._names_keys and isinstance(event, FindFinished):
                line |= event.key_fields()
        elif found := OF_ASSOCIATION.match(str(line["message"])):
            line["association"] = int(found[1])
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)

    def format_event(self, created: float, event: LoggedEvent) -> str:
        """Return the object of an event at INFO."""
        record = logging.LogRecord(LOGGER.name, logging.INFO, "", 0, "%s", (event,), None)
        record.created = created
        return self.format(record)


def event_of(record: logging.LogRecord) -> LoggedEvent | None:
    """Return the event that a record stands for, None for a line of words."""
    if isinstance(record.args, tuple) and record.args and type(record.args[0]) in LOGGED:
        event: LoggedEvent = record.args[0]  # type: ignore[assignment]
        return event
    return None

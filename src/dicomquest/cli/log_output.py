"""The log of ``serve`` and ``watch``: lines on standard error."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from dicomquest.cli.buffered_log import BufferedHandler
from dicomquest.cli.json_log import JsonFormatter, event_of
from dicomquest.cli.library_log import log_libraries
from dicomquest.escaping import EscapingFormatter, escaped
from dicomquest.services.event_log import EVENT_LOG
from dicomquest.services.observer import FindFinished, LoggedEvent

CHATTY = ("alembic", "watchfiles")
"""Loggers of libraries that report each step; only their warnings are shown."""


def log_to_stderr(
    level: str, *, names_process: bool = False, form: str = "console", names_keys: bool = False
) -> None:
    """Show messages of ``level`` and above, with the process number where there are several.

    ``form`` is ``console`` or ``json``; ``names_keys`` has the keys of queries named.
    """
    handler = BufferedHandler(sys.stderr)
    handler.setFormatter(_formatter(form, names_process=names_process, names_keys=names_keys))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    if logging.root.handlers == [handler]:
        EVENT_LOG.keeper = handler
    logging.setLogRecordFactory(_Record)
    # To find the caller, whom no line shows, takes as long as the rest of a record.
    logging._srcfile = None  # noqa: SLF001  as the HOWTO of logging says
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    log_libraries(handler)


def change_log(level: str, *, names_process: bool, form: str, names_keys: bool) -> None:
    """Show other messages from now on, or show them in another form."""
    for handler in logging.root.handlers:
        if isinstance(handler, BufferedHandler):
            # The lines that wait still have the form of their time.
            handler.flush()
            formatter = _formatter(form, names_process=names_process, names_keys=names_keys)
            handler.setFormatter(formatter)
            logging.root.setLevel(level.upper())


def _formatter(form: str, *, names_process: bool, names_keys: bool) -> logging.Formatter:
    if form == "json":
        return JsonFormatter(names_keys=names_keys)
    return _Formatter(names_process=names_process, names_keys=names_keys)


class _Formatter(EscapingFormatter):
    """Writes the time as usual, but the date and the second of many lines only once."""

    def __init__(self, *, names_process: bool = False, names_keys: bool = False) -> None:
        process = "%(process)d " if names_process else ""
        super().__init__(f"%(asctime)s {process}%(levelname)s %(message)s")
        self._names_process = names_process
        self._names_keys = names_keys
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        if self._names_keys and isinstance(event := event_of(record), FindFinished):
            record.msg, record.args = event.with_keys(), None
        return super().format(record)

    def format_event(self, created: float, event: LoggedEvent) -> str:
        """Return the line of an event at INFO."""
        text = (
            event.with_keys()
            if self._names_keys and isinstance(event, FindFinished)
            else str(event)
        )
        process = f"{os.getpid()} " if self._names_process else ""
        return f"{self._time(created)} {process}INFO {escaped(text)}"

    def formatTime(
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002
    ) -> str:
        """Return the time of a record, such as ``2026-01-31 23:59:59,123``."""
        return self._time(record.created)

    def _time(self, created: float) -> str:
        second = int(created)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = (second, text)
        return f"{text},{int(created % 1 * 1000):03d}"


class _Record(logging.LogRecord):
    """A record with what the lines show: to find out more takes half of the time of a record."""

    def __init__(self, name: str, level: int, *rest: Any, **_: object) -> None:
        # The order of logging's own record.
        self.pathname, self.lineno, self.msg, args, self.exc_info, *more = rest
        self.funcName, self.stack_info = (*more, None, None)[:2]
        self.exc_text = None
        self.name, self.levelno, self.levelname = name, level, logging.getLevelName(level)
        # A mapping as the only argument is for %(name)s in the message.
        self.args = args[0] if len(args) == 1 and args[0] and type(args[0]) is dict else args
        self.created = time.time()
        self.msecs = self.created % 1 * 1000
        self.process = os.getpid()

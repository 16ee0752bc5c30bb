"""The probes behind /health and /ready: the event loop runs, and the index answers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from dicomquest.dataset.elements import Element
from dicomquest.errors import DicomquestError
from dicomquest.index.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

PATIENCE = 5.0
"""Seconds that the event loop and the index get to answer."""

# A query for one study by its unique key, which no study has: it costs a look into one index.
_QUERY = parse_identifier(
    {
        QUERY_RETRIEVE_LEVEL: Element("CS", ("STUDY",)),
        UNIQUE_KEYS[Level.STUDY].tag: Element("UI", ("0.0",)),
    },
    STUDY_ROOT.uid,
    QueryOptions(),
)


class Probes:
    """Asks one process how it is; all but the constructor may be called in any thread."""

    def __init__(
        self, index: Index, loop: asyncio.AbstractEventLoop, patience: float = PATIENCE
    ) -> None:
        self._index = index
        self._loop = loop
        self._patience = patience
        # One thread: a database that hangs must not take more of them with each probe.
        self._thread = ThreadPoolExecutor(1, "probe")
        self._lock = threading.Lock()
        self._asked: Future[str] | None = None
        self._is_ending = False

    def fault(self) -> str:
        """Return the reason why the process should be ended; empty if its event loop runs."""
        has_run = threading.Event()
        try:
            self._loop.call_soon_threadsafe(has_run.set)
        except RuntimeError:
            return "the event loop is closed"
        if has_run.wait(self._patience):
            return ""
        return f"the event loop has not run for {self._patience:g} s"

    def unready(self) -> str:
        """Return the reason why the process should get no associations; empty if all is well."""
        if self._is_ending:
            return "the server ends"
        if fault := self.fault():
            return fault
        with self._lock:
            # Probes at the same time share one answer.
            if self._asked is None or self._asked.done():
                self._asked = self._thread.submit(self._ask)
            asked = self._asked
        try:
            return asked.result(self._patience)
        except TimeoutError:
            return f"the index has not answered for {self._patience:g} s"

    def end(self) -> None:
        """Note that the server ends: it should get no new associations."""
        self._is_ending = True

    def close(self) -> None:
        """Let the thread end; one that hangs in the database is left to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> str:
        try:
            with self._index.search(_QUERY) as cursor:
                cursor.fetch(1)
        except DicomquestError:
            # The error's own words may hold a path or a host name: they are for the log.
            return "the index does not answer"
        return ""

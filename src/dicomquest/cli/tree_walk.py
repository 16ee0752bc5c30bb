"""The walk through a tree of studies over a pool of associations, in order and bounded memory."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from dicomquest.errors import DicomquestError
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.sync import Association

WINDOW = 4
"""Studies whose rows wait in order behind each association, so that memory stays bounded."""

PATIENCE = 3.0
"""Seconds for the query of the studies to end after it was cancelled."""

_STUDY_UID = UNIQUE_KEYS[Level.STUDY].tag


class Rows(Protocol):
    """The rows below one study."""

    def rows(self, association: Association, study: DataSet) -> list[DataSet]:
        """Ask for them over an association."""


class Walk:
    """Studies by the first association, what is below them by the others, in their order.

    A thread of its own takes the studies in: the peer never waits for those below, and the first
    rows come before the last study.
    """

    def __init__(
        self,
        tree: Rows,
        pool: Sequence[Association],
        studies: Callable[[], Iterator[DataSet]],
    ) -> None:
        """Walk over ``pool``; ``studies`` asks its first association."""
        self._tree = tree
        self._pool = pool
        self._studies = studies
        self._is_over = False
        self._found: queue.SimpleQueue[DataSet | DicomquestError | None] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[Association] = queue.SimpleQueue()
        for association in pool[1:]:
            self._free.put(association)

    def rows(self, known: frozenset[str]) -> Iterator[DataSet]:
        """Yield the rows, study by study; the studies in ``known`` are left out."""
        jobs = len(self._pool) - 1
        reader = threading.Thread(target=self._take_studies, daemon=True)
        reader.start()
        with ThreadPoolExecutor(jobs) as threads:
            waiting: deque[Future[list[DataSet]]] = deque()
            try:
                while (study := self._found.get()) is not None:
                    if isinstance(study, DicomquestError):
                        raise study
                    if _uid(study) in known:
                        continue
                    waiting.append(threads.submit(self._rows_of, study))
                    while waiting and (len(waiting) >= jobs * WINDOW or waiting[0].done()):
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                self._is_over = True
                if reader.is_alive():
                    self._pool[0].cancel_all()
                    reader.join(PATIENCE)
                threads.shutdown(wait=False, cancel_futures=True)

    def cancel(self) -> None:
        """Cancel all running queries, and begin no other one."""
        self._is_over = True
        for association in self._pool:
            association.cancel_all()

    def abort(self) -> None:
        """End all associations at once."""
        for association in self._pool:
            association.abort()

    def _take_studies(self) -> None:
        try:
            for study in self._studies():
                if self._is_over:
                    return
                self._found.put(study)
        except DicomquestError as error:
            self._found.put(error)
        finally:
            self._found.put(None)

    def _rows_of(self, study: DataSet) -> list[DataSet]:
        if self._is_over:
            return []
        association = self._free.get()
        try:
            return self._tree.rows(association, study)
        finally:
            self._free.put(association)


def _uid(study: DataSet) -> str:
    element = study.get(_STUDY_UID)
    return str(element.values[0]) if element is not None and element.values else ""

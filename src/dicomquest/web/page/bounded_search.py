"""The searches of one request, which end together when its client is gone (PS3.4 C.4.1.3.2)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

from dicomquest.index.search.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.index import Index
    from dicomquest.index.search.plan import Columns
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query
    from dicomquest.services.request import Run
    from dicomquest.services.retrieve_source import StudyOfPatient


_ROWS = 512

Located: TypeAlias = "tuple[StudyOfPatient, tuple[str, ...]]"
"""The study of an instance, and the paths of its files."""


class BoundedSearch:
    """Searches one after the other, in any thread; ``interrupt`` ends the one that runs.

    ``is_federated`` says that they ask several archives, ``run`` the threads to wait in.
    """

    is_federated = False
    most: int | None = None
    """Matches of a question that are found at all, None for all of them."""

    is_cut = False
    """Tell whether a list or a download has not all matches, as there are more than ``most``."""

    run: Run | None = None

    def __init__(self, index: Index) -> None:
        self.index = index
        self._lock = threading.Lock()
        self._cursor: Cursor | None = None
        self._others: list[BoundedSearch] = []
        self.is_interrupted = False

    def beside(self) -> BoundedSearch:
        """Return searches that may run at the same time, and end with these."""
        other = BoundedSearch(self.index)
        with self._lock:
            other.is_interrupted = self.is_interrupted
            self._others.append(other)
        return other

    def begin(self, query: Query, *, columns: Columns = ()) -> Cursor:
        """Begin a search; the caller closes it."""
        cursor = self.index.search(query, columns=columns)
        with self._lock:
            self._cursor = cursor
            if self.is_interrupted:
                cursor.interrupt()
        return cursor

    @property
    def overview(self) -> Overview:
        """The lists, counts and facets of the index, under this search's end."""
        return Overview(self.begin)

    def matches(self, query: Query, most: int) -> list[DataSet]:
        """Return the first matches of a query."""
        with self.begin(query) as cursor:
            rows = cursor.fetch(most)
            return [cursor.plan.to_data_set(row) for row in rows]

    def batches(self, query: Query) -> Iterator[list[DataSet]]:
        """Yield all matches of a query, some hundred at a time."""
        with self.begin(query) as cursor:
            while rows := cursor.fetch(_ROWS):
                yield [cursor.plan.to_data_set(row) for row in rows]

    def located(self, instances: Sequence[tuple[str, str, str]]) -> Iterator[Located]:
        """Yield the files of instances by study, series and instance, wherever they are."""
        raise NotImplementedError

    async def end(self) -> None:
        """Let go of files of other archives, at the end of the request."""

    def holders_of(self, query: Query) -> tuple[str, ...]:
        """Return the names of the archives that hold what a query finds, if several are asked."""
        del query
        return ()

    @property
    def archives(self) -> list[str]:
        """The names of the archives that are asked, if there are several."""
        return []

    @property
    def shortfalls(self) -> list[str]:
        """One sentence for each archive that fell short."""
        return []

    @property
    def cut_words(self) -> str:
        """The sentence about matches that no list has; "" if there are none."""
        return ""

    @property
    def is_silent(self) -> bool:
        """Tell whether no archive has answered to its end."""
        return False

    def interrupt(self) -> None:
        """End all searches, from another thread."""
        with self._lock:
            self.is_interrupted = True
            if self._cursor is not None:
                self._cursor.interrupt()
            others = list(self._others)
        for each in others:
            each.interrupt()

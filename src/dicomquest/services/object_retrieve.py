"""C-GET and C-MOVE of objects without a patient (PS3.4 U, X, BB, HH, II), by the engine of all.

A site has some hundreds of them, so a request's objects are selected with the paths of their files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.search.plan import MoreColumn
from dicomquest.query.identifier.object_retrieve_identifier import parse_object_retrieve
from dicomquest.services.access import PeerChoices
from dicomquest.services.retrieve import RetrieveService, Selection
from dicomquest.services.retrieve_source import Needed, Selected, StudyOfPatient
from dicomquest.services.stored_source import IndexedInstance, TooManyInstancesError
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.index import Index
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions
    from dicomquest.services.request import Run, ServiceRequest

_ROWS: Final = 256
_TABLE = "non_patient_object"
_PATH = (
    f"(SELECT path FROM object_file WHERE object_file.object = {_TABLE}.id"
    " ORDER BY object_file.id DESC LIMIT 1)"
)
_COLUMNS = tuple(
    MoreColumn(Level.IMAGE, sql)
    for sql in (f"{_TABLE}.sop_class_uid", f"{_TABLE}.sop_instance_uid", _PATH)
)


class ObjectRetrieveService(RetrieveService):
    """Answers C-GET and C-MOVE requests for objects without a patient."""

    def read_identifier(
        self, data_set: DataSet, sop_class: str, options: QueryOptions
    ) -> RetrieveIdentifier:
        """Return the query of an identifier; IdentifierError refuses it."""
        return parse_object_retrieve(data_set, sop_class, options)

    def select(
        self, request: ServiceRequest, identifier: RetrieveIdentifier, peer: PeerChoices
    ) -> Selection:
        """Return what a request asks for."""
        return ObjectSource(
            self.index,
            identifier.query,
            request.run,
            most=peer.most_retrieved,
            is_latest=request.association.state.has_stored,
        )


class ObjectSource:
    """The objects that a query finds; ``interrupt`` stops its database at any time."""

    def __init__(
        self, index: Index, query: Query, run: Run, *, most: int | None, is_latest: bool
    ) -> None:
        """Select at most ``most``; ``is_latest`` asks no replica, which may lag behind."""
        self._index = index
        self._query = query
        self._run = run
        self._most = most
        self._is_latest = is_latest
        self._cursor: Cursor | None = None
        self._is_interrupted = False
        self._found: list[IndexedInstance] = []
        self._is_given = False

    async def count(self) -> int:
        """Select the objects, and return their number; TooManyInstancesError beyond the limit."""
        return await self._run(self._select)

    def needed(self) -> Sequence[Needed]:
        """Return the classes, whose instances have no pixels to compress."""
        classes = {each.sop_class_uid for each in self._found}
        return [Needed(uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for uid in sorted(classes)]

    async def next(self) -> Sequence[Selected]:
        """Return all objects; none at the end, then from the first again."""
        self._is_given = not self._is_given
        return self._found if self._is_given else []

    def interrupt(self) -> None:
        """Make the database give up; ``count`` raises IndexDatabaseError then."""
        self._is_interrupted = True
        if self._cursor is not None:
            self._cursor.interrupt()

    def give_up(self) -> None:
        """Do nothing: to name objects costs little."""

    def close(self) -> None:
        """Forget the selection."""
        self._found.clear()

    def _select(self) -> int:
        search = self._index.search(self._query, is_latest=self._is_latest, columns=_COLUMNS)
        with search as cursor:
            self._cursor = cursor
            try:
                while rows := self._fetch(cursor):
                    for _, sop_class, uid, path in rows:
                        paths = () if path is None else (os.fsdecode(bytes(path)),)
                        self._found.append(IndexedInstance(sop_class, uid, StudyOfPatient(), paths))
                    if self._most is not None and len(self._found) > self._most:
                        raise TooManyInstancesError(f"more than {self._most} instances")
            finally:
                self._cursor = None
        return len(self._found)

    def _fetch(self, cursor: Cursor) -> list[tuple[str, str, str, bytes | None]]:
        if self._is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        return cursor.fetch(_ROWS)

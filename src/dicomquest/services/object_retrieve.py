"""C-GET and C-MOVE of objects without a patient (PS3.4 U, X, BB, HH, II), by the engine of all.

A site has some hundreds of them, so a request's objects are selected with the paths of their files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dicomquest.index.search.plan import MoreColumn
from dicomquest.query.identifier.object_retrieve_identifier import parse_object_retrieve
from dicomquest.services.access import PeerChoices
from dicomquest.services.interruptible_source import InterruptibleSource
from dicomquest.services.retrieve import RetrieveService, Selection
from dicomquest.services.retrieve_source import Needed, Selected, StudyOfPatient
from dicomquest.services.stored_source import IndexedInstance
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.index import Index
    from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions
    from dicomquest.services.request import Run, ServiceRequest

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


class ObjectSource(InterruptibleSource):
    """The objects that a query finds; ``interrupt`` stops its database at any time."""

    def __init__(
        self, index: Index, query: Query, run: Run, *, most: int | None, is_latest: bool
    ) -> None:
        """Select at most ``most``; ``is_latest`` asks no replica, which may lag behind."""
        super().__init__(index, query, run, most=most, is_latest=is_latest)
        self._found: list[IndexedInstance] = []
        self._is_given = False

    def needed(self) -> Sequence[Needed]:
        """Return the classes, whose instances have no pixels to compress."""
        classes = {each.sop_class_uid for each in self._found}
        return [Needed(uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for uid in sorted(classes)]

    async def next(self) -> Sequence[Selected]:
        """Return all objects; none at the end, then from the first again."""
        self._is_given = not self._is_given
        return self._found if self._is_given else []

    def give_up(self) -> None:
        """Do nothing: to name instances costs little."""

    def close(self) -> None:
        """Forget the selection."""
        self._found.clear()

    def _select(self) -> int:
        for rows in self._pages_of_rows(_COLUMNS):
            for _, sop_class, uid, path in rows:
                paths = () if path is None else (os.fsdecode(bytes(path)),)
                self._found.append(IndexedInstance(sop_class, uid, StudyOfPatient(), paths))
        return len(self._found)

"""The instances of the index as the source of a retrieve (PS3.4 C.4.2.2, C.4.3.2).

A query selects them once, in their order, so that their number is known before the first is sent
and none is added meanwhile. Their UIDs stay in memory, compressed: about ten bytes an instance.
Their files are looked up some hundred at a time.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.errors import StoredInstanceError
from dicomquest.services.interruptible_source import PAGE, InterruptibleSource
from dicomquest.services.retrieve_source import Needed, Selected, Sendable, StudyOfPatient
from dicomquest.store.stored_instance import StoredInstance

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.query.model import Query
    from dicomquest.services.request import Run


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """An instance of the index, with the paths of its files; most have one."""

    sop_class_uid: str
    sop_instance_uid: str
    belongs_to: StudyOfPatient
    paths: tuple[str, ...]

    def open(self) -> Sendable:
        """Open the first of its files that still holds it."""
        failure = StoredInstanceError("the index knows no file of it")
        for path in self.paths:
            try:
                return StoredInstance.open(path, self.sop_instance_uid)
            except StoredInstanceError as error:
                failure = error
        raise failure


class StoredSource(InterruptibleSource):
    """The instances that a query finds; ``interrupt`` stops its database at any time."""

    def __init__(
        self, index: Index, query: Query, run: Run, *, most: int | None, is_latest: bool
    ) -> None:
        """Select at most ``most``; ``is_latest`` asks no replica, which may lag behind."""
        super().__init__(index, query, run, most=most, is_latest=is_latest)
        self._pages: list[bytes] = []
        self._position = 0
        self._needed: dict[str, set[str]] = {}

    def needed(self) -> Sequence[Needed]:
        """Return the classes with the transfer syntaxes that the index has for them."""
        return [Needed(uid, tuple(sorted(found))) for uid, found in sorted(self._needed.items())]

    async def next(self) -> Sequence[Selected]:
        """Return the next instances; none at the end, then from the first again."""
        if self._position == len(self._pages):
            self._position = 0
            return []
        self._position += 1
        return await self._run(self._look_up, self._pages[self._position - 1])

    async def around(self, position: int) -> Sequence[Selected]:
        """Return the instance at a position, from 0 on, with those of its page behind and before.

        It leaves the place of ``next`` where it is.
        """
        page, at = divmod(position, PAGE)
        found = await self._run(self._look_up, self._pages[page])
        return [*found[at:], *found[:at]]

    def give_up(self) -> None:
        """Do nothing: to name instances costs little."""

    def close(self) -> None:
        """Forget the selection."""
        self._pages.clear()

    def _select(self) -> int:
        total = 0
        for rows in self._pages_of_rows():
            total += len(rows)
            self._pages.append(_packed(rows))
            for sop_class, _, syntaxes, _ in rows:
                stored = (syntaxes or "").split("\\")
                self._needed.setdefault(sop_class or "", set()).update(filter(None, stored))
        return total

    def _look_up(self, page: bytes) -> list[IndexedInstance]:
        named = _unpacked(page)
        files = self._index.files([uid for _, uid in named], is_latest=self._is_latest)
        nothing = (StudyOfPatient(), ())
        found = []
        for sop_class, uid in named:
            file = files.get(uid)
            belongs_to, paths = nothing if file is None else (StudyOfPatient(*file[:3]), file.paths)
            found.append(IndexedInstance(sop_class, uid, belongs_to, paths))
        return found


def _packed(rows: Iterable[Sequence[str | None]]) -> bytes:
    """Compress classes and instances: the UIDs of a series differ in a few characters."""
    return zlib.compress(json.dumps([row[:2] for row in rows]).encode(), 1)


def _unpacked(page: bytes) -> list[tuple[str, str]]:
    return [(sop_class or "", uid) for sop_class, uid in json.loads(zlib.decompress(page))]

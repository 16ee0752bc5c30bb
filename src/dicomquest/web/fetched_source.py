"""The instances of a retrieve by HTTP in all archives (PS3.18 10.4, PS3.4 C.4.3).

Those of an upstream are fetched by C-GET, as for a retrieve by DIMSE, and lie in files of this
server until the response has ended: only then are their number, their transfer syntaxes and what is
missing known before the first byte.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomquest.errors import StoredInstanceError
from dicomquest.federation.federated_retrieve import FederatedSelection, FetchedInstance
from dicomquest.federation.patient_source import PatientSource
from dicomquest.federation.shortfall import SourceEnd, comment_of
from dicomquest.query.criteria import KeyCriterion, SingleValue, Step
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier
from dicomquest.services.retrieve_source import Needed, Selected, StudyOfPatient
from dicomquest.services.stored_source import IndexedInstance
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from dicomquest.federation.federated_find import FederatedFind
    from dicomquest.services.request import AssociationInfo, Run

SOURCE_SECONDS: Final = 10.0
"""Seconds in which each archive says what it holds."""

SILENT_SECONDS: Final = 30.0
"""Seconds for an instance of the index, or of a holder without a ``retrieve-timeout``."""

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at the holder that is asked."""

PAGE: Final = 256
"""Instances that are given at a time."""

MOST_SPOOLED: Final = 2 << 30
"""Bytes of the files of one response."""


class FetchedSource:
    """The instances, in the way of a ``StoredSource``; ``end`` deletes their files."""

    def __init__(
        self,
        find: FederatedFind,
        run: Run,
        identifier: RetrieveIdentifier,
        most: int | None,
    ) -> None:
        """Select at most ``most`` instances of the sources that C-FIND asks."""
        self._find = find
        self._run = run
        self._identifier = identifier
        self._most = most
        until = monotonic() + SOURCE_SECONDS
        asked = [PatientSource(each, until) for each in find.sources]
        self._selection = FederatedSelection(find.sources, run, identifier, most, asked=asked)
        self._found: list[IndexedInstance] | None = None
        self._syntaxes: frozenset[str] = frozenset()
        self._folder: Path | None = None
        self._bytes = 0
        self._kept_files = 0
        self._position = 0
        self._only: FetchedSource | None = None

    @property
    def missing(self) -> list[SourceEnd]:
        """The ends of archives that may hold more."""
        return self._selection.missing()

    @property
    def shortfall(self) -> str:
        """The archives that may hold more, in words; "" if there are none."""
        return comment_of(self.missing)

    @property
    def troubles(self) -> list[str]:
        """The reasons of archives that did not send what they hold."""
        of_only = [] if self._only is None else self._only.troubles
        return [*self._selection.troubles, *of_only]

    def tell(self, association: AssociationInfo) -> None:
        """Tell which archives may hold more."""
        self._find.tell(association, self.missing)

    async def count(self) -> int:
        """Ask all archives for the number; TooManyInstancesError beyond the limit."""
        return await self._selection.count()

    async def fetch(self) -> bool:
        """Fetch all instances; False if none has come. RefusalError 413 if they are too large."""
        if self._found is None:
            self._folder = Path(await self._run(tempfile.mkdtemp, prefix="dicomquest-http-"))
            found: dict[str, IndexedInstance] = {}
            with suppress(TimeoutError):
                while page := await self._next_page():
                    for each in page:
                        found[each.sop_instance_uid] = self._kept(each)
            for uid in self._selection.uids():
                found.setdefault(uid, IndexedInstance("", uid, StudyOfPatient(), ()))
            self._found = [*found.values()]
            self._syntaxes = await self._run(_syntaxes, self._found)
        return any(each.paths for each in self._found)

    async def _next_page(self) -> Sequence[Selected]:
        """Return the next instances; TimeoutError if none comes from any holder."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        since, holder = loop.time(), self._selection.holder
        async with asyncio.timeout(None) as limit:

            def look() -> None:
                nonlocal timer, since, holder
                # Each holder, of which several may be asked in turn, has its own time.
                if self._selection.holder is not holder:
                    since, holder = loop.time(), self._selection.holder
                seconds = (holder.patience if holder is not None else None) or SILENT_SECONDS
                left = since + seconds - loop.time()
                if left > 0:
                    timer = loop.call_later(min(left, LOOK_SECONDS), look)
                elif self._selection.pass_over(f"no instance within {seconds:g} s"):
                    since = loop.time()
                    timer = loop.call_later(LOOK_SECONDS, look)
                else:
                    limit.reschedule(loop.time())

            timer = loop.call_later(LOOK_SECONDS, look)
            try:
                return await self._selection.next()
            finally:
                if timer is not None:
                    timer.cancel()

    def _kept(self, instance: Selected) -> IndexedInstance:
        """Take a file out of the folder that the selection empties."""
        if not isinstance(instance, FetchedInstance):
            assert isinstance(instance, IndexedInstance)  # noqa: S101  there is no other
            return instance
        paths: tuple[str, ...] = ()
        if not instance.trouble:
            assert self._folder is not None  # noqa: S101  fetch makes it
            # An archive chooses its UIDs, and one with a path in it would lead out of the folder.
            self._kept_files += 1
            path = Path(instance.path).rename(self._folder / str(self._kept_files))
            paths = (str(path),)
            self._bytes += path.stat().st_size
            if self._bytes > MOST_SPOOLED:
                raise RefusalError(
                    413, f"more than {MOST_SPOOLED:,} bytes from other archives: ask for less"
                )
        return IndexedInstance(
            instance.sop_class_uid, instance.sop_instance_uid, instance.belongs_to, paths
        )

    def needed(self) -> Sequence[Needed]:
        """Return the transfer syntaxes of what has come."""
        return [Needed("", tuple(sorted(self._syntaxes)))]

    async def next(self) -> Sequence[Selected]:
        """Return the next instances; none at the end, then from the first again."""
        await self.fetch()
        assert self._found is not None  # noqa: S101  fetch makes it
        page = self._found[self._position : self._position + PAGE]
        self._position = self._position + PAGE if page else 0
        return page

    async def around(self, position: int) -> Sequence[Selected]:
        """Return the instance at a position, from 0 on; no other is fetched."""
        tag = UNIQUE_KEYS[Level.IMAGE].tag
        uid = self._selection.uids()[position]
        key = KeyCriterion((Step(tag),), Level.IMAGE, "UI", SingleValue(uid))
        query = self._identifier.query
        others = tuple(each for each in query.criteria if each.tag != tag)
        only = RetrieveIdentifier(Level.IMAGE, replace(query, criteria=(*others, key)))
        self._only = FetchedSource(self._find, self._run, only, None)
        await self._only.count()
        return await self._only.next()

    def interrupt(self) -> None:
        """Stop asking and fetching."""
        self._selection.interrupt()
        if self._only is not None:
            self._only.interrupt()

    async def end(self) -> None:
        """End what runs, and delete the files."""
        self._selection.close()
        if self._only is not None:
            await self._only.end()
        if self._folder is not None:
            await self._run(shutil.rmtree, self._folder, ignore_errors=True)


def _syntaxes(found: Sequence[IndexedInstance]) -> frozenset[str]:
    """Return the transfer syntaxes of files; blocking."""
    syntaxes = set()
    for each in found:
        with suppress(StoredInstanceError):
            stored = each.open()
            assert isinstance(stored, StoredInstance)  # noqa: S101  it is a file
            with stored:
                syntaxes.add(stored.transfer_syntax_uid)
    return frozenset(syntaxes)

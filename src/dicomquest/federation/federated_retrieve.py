"""C-GET and C-MOVE of instances that lie in several archives (PS3.4 C.4.2.2, C.4.3.2).

All sources are asked for the instances first. Those of the own index come from its files; those of
an upstream are fetched by C-GET, from its first holder, and go on to the caller or the destination
as they arrive. So no upstream has to know this server's destinations, and a caller's rights hold.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from dicomquest.errors import IndexDatabaseError, StoredInstanceError, error_comment
from dicomquest.federation.held_instances import (
    Holdings,
    find_holdings,
    named_instances,
    orders_of,
)
from dicomquest.federation.holder_fetch import HolderFetch
from dicomquest.federation.shortfall import SourceEnd, SourceError, incomplete
from dicomquest.federation.sources import IndexSource, Source, UpstreamSource
from dicomquest.index.index import Index
from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier
from dicomquest.scu.storage_proposal import USUAL_SYNTAXES
from dicomquest.services.access import PeerChoices
from dicomquest.services.failures import Failure
from dicomquest.services.interruptible_source import PAGE, TooManyInstancesError
from dicomquest.services.move_destinations import Destinations
from dicomquest.services.request import Run, ServiceRequest
from dicomquest.services.retrieve import RetrieveLimits, RetrieveService, Selection
from dicomquest.services.retrieve_source import Needed, Selected, Sendable, StudyOfPatient
from dicomquest.services.stored_source import IndexedInstance
from dicomquest.standard import statuses
from dicomquest.store.stored_instance import StoredInstance

LOGGER = logging.getLogger("dicomquest.federation")

PAGES_IN_USE = 3
"""Pages of instances whose files are kept: one is sent, one is open, one is being opened."""


class FederatedRetrieve(RetrieveService):
    """Answers C-GET and C-MOVE requests from all sources."""

    def __init__(
        self,
        index: Index,
        destinations: Destinations,
        limits: RetrieveLimits | None = None,
        *,
        sources: Sequence[Source],
    ) -> None:
        """Send what these sources hold."""
        super().__init__(index, destinations, limits)
        self._sources = sources

    def select(
        self, request: ServiceRequest, identifier: RetrieveIdentifier, peer: PeerChoices
    ) -> Selection:
        """Return what a request asks for, wherever it is."""
        return FederatedSelection(self._sources, request.run, identifier, peer.most_retrieved)

    def verdict(self, request: ServiceRequest, source: Selection, final: Failure) -> Failure:
        """Return the final response: no Success if an archive did not say what it holds."""
        assert isinstance(source, FederatedSelection)  # noqa: S101  ``select`` makes no other
        missing = source.missing()
        lines = [f"{end.name}: {end.kind.value}: {end.detail}" for end in missing]
        for line in (*lines, *source.troubles):
            LOGGER.warning("%s: the retrieve is not complete: %s", request.association.words, line)
        said = [final.comment, *source.troubles]
        if missing:
            said.append(incomplete(missing))
        comment = error_comment("; ".join(filter(None, said)))
        if final.status != statuses.SUCCESS or not missing:
            return Failure(final.status, comment)
        if request.association.profile.choices.incomplete_is_success:
            return final
        return Failure(statuses.INCOMPLETE, comment)


@dataclass(frozen=True, slots=True)
class FetchedInstance:
    """An instance of an upstream: in a file of this server, or the reason why it is not."""

    sop_class_uid: str
    sop_instance_uid: str
    belongs_to: StudyOfPatient
    path: str = ""
    trouble: str = ""

    def open(self) -> Sendable:
        """Open its file."""
        if self.trouble:
            raise StoredInstanceError(self.trouble)
        return StoredInstance.open(self.path, self.sop_instance_uid)


class FederatedSelection:
    """The instances of a retrieve in all places; they are fetched as they are asked for."""

    def __init__(
        self,
        sources: Sequence[Source],
        run: Run,
        identifier: RetrieveIdentifier,
        most: int | None,
        *,
        asked: Sequence[Source] | None = None,
    ) -> None:
        """Select at most ``most`` instances; ``asked`` are the same sources with time limits."""
        self._sources = sources
        self._asked = sources if asked is None else asked
        self._run = run
        self._identifier = identifier
        self._most = most
        self._holdings = Holdings()
        self._listing: asyncio.Task[Holdings] | None = None
        self._pages: AsyncGenerator[list[Selected], None] | None = None
        self._fetch: HolderFetch | None = None
        self._folder: Path | None = None
        self._lent: deque[list[str]] = deque()
        self._has_given_up = False
        self._passed_over = ""
        self._ending: asyncio.Task[None] | None = None
        self.troubles: list[str] = []

    def uids(self) -> list[str]:
        """Return all instances."""
        return [*self._holdings.first_places()]

    def missing(self) -> list[SourceEnd]:
        """Return the ends of sources that did not say all that they hold.

        They miss nothing if all instances that the request names have been found elsewhere.
        """
        named = named_instances(self._identifier)
        if named is not None and named <= self._holdings.first_places().keys():
            return []
        return self._holdings.short

    async def count(self) -> int:
        """Ask all sources; TooManyInstancesError beyond the limit."""
        listing = self._listing = asyncio.create_task(
            find_holdings(self._asked, self._identifier, self._run, self._most)
        )
        try:
            self._holdings = await listing
        except asyncio.CancelledError:
            if self._has_given_up:
                raise IndexDatabaseError("the query was interrupted") from None
            raise
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        total = len(self._holdings.first_places())
        if self._most is not None and total > self._most:
            raise TooManyInstancesError(f"more than {self._most} instances")
        return total

    def needed(self) -> Sequence[Needed]:
        """Return the classes, in all transfer syntaxes that archives have: none says its own."""
        classes = sorted({uid for found in self._holdings.classes.values() for uid in found})
        # One association for all of them: another pass would fetch everything again.
        room = MAXIMUM_CONTEXTS // max(len(classes), 1) - 1
        return [Needed(uid, USUAL_SYNTAXES[: max(room, 0)]) for uid in classes]

    async def next(self) -> Sequence[Selected]:
        """Return the next instances; none at the end, then from the first again."""
        if self._pages is None:
            self._pages = self._all_pages()
        page = await anext(self._pages, None)
        if page is None:
            self._pages = None
            return []
        self._lent.append([each.path for each in page if isinstance(each, FetchedInstance)])
        # One page is being sent while the next one is opened: those before have gone.
        while len(self._lent) > PAGES_IN_USE:
            _delete(self._lent.popleft())
        return page

    @property
    def holder(self) -> HolderFetch | None:
        """The holder that is asked now, None for the own index."""
        return self._fetch

    def pass_over(self, reason: str) -> bool:
        """Fetch no more from the holder that is asked now; False if none is, or it ends already.

        What it has not sent comes from the next holders.
        """
        if self._fetch is None or self._passed_over:
            return False
        self._passed_over = reason
        self._fetch.stop()
        return True

    def give_up(self) -> None:
        """Fetch no more: ``next`` gives the others without their files."""
        self._has_given_up = True
        if self._fetch is not None:
            self._fetch.stop()

    def interrupt(self) -> None:
        """Stop asking and fetching."""
        self.give_up()
        if self._listing is not None:
            self._listing.cancel()

    def close(self) -> None:
        """End what runs, and delete the files."""
        self.interrupt()
        self._ending = asyncio.create_task(self._end())
        _ENDING.add(self._ending)
        self._ending.add_done_callback(_ENDING.discard)

    async def _end(self) -> None:
        if self._pages is not None:
            await self._pages.aclose()
        if self._folder is not None:
            await self._run(shutil.rmtree, self._folder, ignore_errors=True)

    async def _all_pages(self) -> AsyncGenerator[list[Selected], None]:
        """Yield the instances of each source in turn; those that it fails come from others."""
        assigned: dict[int, list[str]] = {}
        for uid, place in self._holdings.first_places().items():
            assigned.setdefault(place, []).append(uid)
        for place, source in enumerate(self._sources):
            uids = assigned.get(place, [])
            if isinstance(source, IndexSource):
                for start in range(0, len(uids), PAGE):
                    yield await self._run(self._look_up, source.index, place, uids[start:][:PAGE])
            elif isinstance(source, UpstreamSource) and uids:
                missing = dict.fromkeys(uids)
                async with aclosing(self._fetched(place, source, missing)) as pages:
                    async for page in pages:
                        yield page
                left = [uid for uid in missing if not self._hand_on(uid, place, assigned)]
                if left:
                    yield [self._unsent(place, uid) for uid in left]

    def _hand_on(self, uid: str, place: int, assigned: dict[int, list[str]]) -> bool:
        """Assign an instance to its next holder; False if there is none."""
        others = self._holdings.places_after(uid, place)
        if others:
            assigned.setdefault(others[0], []).append(uid)
        return bool(others)

    async def _fetched(
        self, place: int, source: UpstreamSource, missing: dict[str, None]
    ) -> AsyncGenerator[list[Selected], None]:
        """Yield what an upstream sends, and take it from what is missing."""
        if self._has_given_up:
            return
        if self._folder is None:
            self._folder = Path(await self._run(tempfile.mkdtemp, prefix="dicomquest-retrieve-"))
        here = self._holdings.by_place[place]
        classes = self._holdings.classes[place]
        fetch = HolderFetch(source.upstream, source.pool, classes, self._folder / str(place))
        level, model = self._identifier.level, fetch.model
        orders = [
            *orders_of(here, list(missing), None if self._holdings.is_chosen else level, model)
        ]
        self._fetch = fetch
        try:
            async with aclosing(fetch.fetch(orders)) as batches:
                async for batch in batches:
                    page: list[Selected] = []
                    for each in batch:
                        if each.sop_instance_uid in missing:
                            del missing[each.sop_instance_uid]
                            held = here[each.sop_instance_uid]
                            page.append(
                                FetchedInstance(
                                    each.sop_class_uid,
                                    each.sop_instance_uid,
                                    held.belongs_to,
                                    each.path,
                                )
                            )
                    if page:
                        yield page
            trouble = self._passed_over
        except SourceError as error:
            trouble = str(error)
        finally:
            self._fetch, self._passed_over = None, ""
        if trouble and missing and not self._has_given_up:
            self.troubles.append(f"{source.name}: {trouble}")

    def _unsent(self, place: int, uid: str) -> FetchedInstance:
        held = self._holdings.by_place[place][uid]
        trouble = f"{self._sources[place].name} did not send it"
        return FetchedInstance(held.sop_class_uid, uid, held.belongs_to, trouble=trouble)

    def _look_up(self, index: Index, place: int, uids: Sequence[str]) -> list[Selected]:
        files = index.files(list(uids), is_latest=True)
        here = self._holdings.by_place[place]
        return [
            IndexedInstance(
                here[uid].sop_class_uid,
                uid,
                here[uid].belongs_to,
                files[uid].paths if uid in files else (),
            )
            for uid in uids
        ]


_ENDING: set[asyncio.Task[None]] = set()
"""Selections that end, kept from the collector of garbage."""


def _delete(paths: Sequence[str]) -> None:
    for path in paths:
        with suppress(OSError):
            Path(path).unlink()

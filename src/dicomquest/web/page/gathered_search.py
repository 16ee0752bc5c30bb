"""The searches of one page in all archives, as ``BoundedSearch`` is in the index (PS3.4 C.4.1).

A page has an order, a number and counts, which need all matches: they are gathered up to a limit.
Pages are made in threads; the archives are asked in the event loop. Each archive has some seconds,
and one that was late is not asked again for the same page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dicomquest.dataset.elements import Element
from dicomquest.errors import IndexDatabaseError
from dicomquest.federation.gathering import Gathering, Response
from dicomquest.federation.identifier_of_query import asked_of, meets
from dicomquest.federation.patient_source import PatientSource
from dicomquest.federation.shortfall import EndKind, SourceEnd
from dicomquest.federation.sources import IndexSource
from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.identifier.retrieve_identifier import parse_retrieve
from dicomquest.query.options import QueryOptions
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.services.stored_source import IndexedInstance
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL
from dicomquest.web.fetched_source import FetchedSource
from dicomquest.web.match_order import match_order
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.gathered_overview import Gathered, GatheredOverview
from dicomquest.web.page.study_rows import STUDY_KEYS
from dicomquest.web.refusals import RefusalError
from dicomquest.web.web_service import in_own_threads

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.federation.federated_find import FederatedFind
    from dicomquest.federation.sources import Source
    from dicomquest.index.index import Index
    from dicomquest.index.search.overview import Overview
    from dicomquest.index.search.stop import Stop
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query
    from dicomquest.services.request import AssociationInfo, Run
    from dicomquest.web.page.bounded_search import Located

MOST_GATHERED: Final = 10_000
"""Matches of one question that are in hand: those that come first; some 40 MB."""

TOGETHER: Final = 64
"""Instances of a download that are fetched at a time."""

FETCH_SECONDS: Final = 300.0
"""Seconds for these."""

SOURCE_SECONDS: Final = 10.0
"""Seconds that a page gives each archive."""

_GRACE = 5.0
_OF_STUDY = parse_identifier(
    build_identifier([parse_key(each) for each in ("QueryRetrieveLevel=STUDY", *STUDY_KEYS)]),
    STUDY_ROOT.uid,
    QueryOptions(),
).return_keys
_WORDS = {
    EndKind.UNREACHABLE: "cannot be reached",
    EndKind.REJECTED: "does not let this server ask",
    EndKind.TIMED_OUT: "did not answer in time",
    EndKind.LOST: "broke off",
    EndKind.CAPPED: "has more, and sent no more than its own limit",
    EndKind.FAILED: "could not answer",
    EndKind.UNREADABLE: "sent answers that cannot be read",
    EndKind.WRONG_TEXT: "sent text that cannot be read",
    EndKind.UNFILTERED: "does not tell what this account may see",
}

# Threads that wait for archives must not take those that the index is searched in.
run_waiting: Run = in_own_threads(32)

_Key: TypeAlias = "tuple[Level, tuple[KeyCriterion, ...], tuple[KeyCriterion, ...]]"


class _Asked(NamedTuple):
    """A question that is asked for so many matches, with so many seconds for each archive."""

    most: int
    seconds: float
    task: asyncio.Task[Gathered]


class GatheredSearch(BoundedSearch):
    """Searches in all archives; ``shortfalls`` says in words which of them fell short."""

    is_federated = True
    most = MOST_GATHERED

    def __init__(
        self, index: Index, find: FederatedFind, association: AssociationInfo, run: Run
    ) -> None:
        """Ask the sources of ``find``; their index is searched in the threads of ``run``."""
        super().__init__(index)
        self._find = find
        self._association = association
        self._sources_run = run
        self._loop = asyncio.get_running_loop()
        self._known: dict[_Key, _Asked] = {}
        self._running: set[Gathering] = set()
        self._late: set[int] = set()
        self._ends: dict[str, SourceEnd] = {}
        self._has_answer = False
        self._unsent: dict[str, None] = {}
        self._files: FetchedSource | None = None
        seconds = association.profile.choices.query_seconds
        self._seconds = SOURCE_SECONDS if seconds is None else min(SOURCE_SECONDS, seconds)
        self.run = run_waiting

    @property
    def archives(self) -> list[str]:
        """The names of all archives."""
        return [_name(each) for each in self._find.sources]

    @property
    def shortfalls(self) -> list[str]:
        """One sentence for each archive that fell short."""
        return [
            f"Archive {name} {_WORDS.get(end.kind, 'fell short')}: what is shown is not complete."
            for name, end in self._ends.items()
        ] + [f"Archive {name} did not send what it holds." for name in self._unsent]

    @property
    def cut_words(self) -> str:
        """The sentence about matches that no list has; "" if there are none."""
        if not self.is_cut:
            return ""
        return (
            f"More than {self.most:,} studies match. The list has the {self.most:,} that the "
            "archives sent first: add keys to see others."
        )

    @property
    def is_silent(self) -> bool:
        """Tell whether no archive has answered to its end."""
        return bool(self._ends) and not self._has_answer

    @property
    def overview(self) -> Overview:
        """The lists, counts and facets of what is gathered."""
        return GatheredOverview(self)

    def beside(self) -> BoundedSearch:
        """Return these searches: they run beside each other anyway."""
        return self

    def matches(self, query: Query, most: int) -> list[DataSet]:
        """Return the first matches of a query, in the order of the index."""
        found = [each.response for each in self.gathered(query).found]
        found.sort(key=partial(match_order, level=query.level))
        if query.page is not None:
            found = list(query.page.of(found, 0))
        return found[:most]

    def batches(self, query: Query) -> Iterator[list[DataSet]]:
        """Yield all matches of a query that are gathered."""
        matches = self.matches(query, self.most)
        self.is_cut |= self.gathered(query).is_cut
        yield matches

    def holders_of(self, query: Query) -> tuple[str, ...]:
        """Return the names of the archives that hold what a query finds."""
        found = self.gathered(query).found
        return tuple(dict.fromkeys(name for each in found for name in self.holders(each)))

    def holders(self, found: Response) -> tuple[str, ...]:
        """Return the names of the archives that hold an entity."""
        return tuple(_name(self._find.sources[place]) for place in found.sources)

    def gathered(self, query: Query, most: int | None = None, stop: Stop | None = None) -> Gathered:
        """Return what archives hold; blocking. IndexDatabaseError if it is interrupted."""
        seconds = self._seconds
        if stop is not None and stop.seconds_left is not None:
            seconds = min(seconds, stop.seconds_left)
        limit = self.most if most is None else min(most, self.most)
        asking = self._shared(query, limit, seconds)
        future: Future[Gathered] = asyncio.run_coroutine_threadsafe(asking, self._loop)
        try:
            return future.result(seconds + _GRACE)
        except TimeoutError as error:
            future.cancel()
            raise IndexDatabaseError("the archives did not answer") from error

    def located(self, instances: Sequence[tuple[str, str, str]]) -> Iterator[Located]:
        """Yield the files of instances; those of a part are there until the next one.

        What cannot be fetched has none: a download of several has begun by then.
        """
        for _, of_series in groupby(instances, key=lambda each: each[:2]):
            named = [*of_series]
            for start in range(0, len(named), TOGETHER):
                part = named[start : start + TOGETHER]
                try:
                    found = self._files_of(part)
                except (RefusalError, TimeoutError) as error:
                    if len(instances) == 1 and isinstance(error, RefusalError):
                        raise
                    yield from self._each_located(part)
                    continue
                for each in part:
                    yield _located(found, each)

    def _each_located(self, part: Sequence[tuple[str, str, str]]) -> Iterator[Located]:
        """Yield the files of instances that are too large, or take too long, together."""
        for each in part:
            found: dict[str, IndexedInstance] = {}
            if len(part) > 1:
                with suppress(RefusalError, TimeoutError):
                    found = self._files_of([each])
            yield _located(found, each)

    def _files_of(self, part: Sequence[tuple[str, str, str]]) -> dict[str, IndexedInstance]:
        """Fetch instances; blocking. RefusalError if they are too large, TimeoutError if late."""
        if self.is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        future = asyncio.run_coroutine_threadsafe(self._fetched_in_time(part), self._loop)
        try:
            return future.result(FETCH_SECONDS + _GRACE)
        except TimeoutError:
            future.cancel()
            raise

    async def _fetched_in_time(
        self, part: Sequence[tuple[str, str, str]]
    ) -> dict[str, IndexedInstance]:
        # The loop ends a fetch itself: what it holds is closed before the next one begins.
        async with asyncio.timeout(FETCH_SECONDS):
            return await self._fetched(part)

    async def _fetched(self, part: Sequence[tuple[str, str, str]]) -> dict[str, IndexedInstance]:
        await self.end()
        study, series, _ = part[0]
        uids = dict(zip((Level.STUDY, Level.SERIES), (study, series), strict=True))
        keys = {
            QUERY_RETRIEVE_LEVEL: Element("CS", (Level.IMAGE.name,)),
            UNIQUE_KEYS[Level.IMAGE].tag: Element("UI", tuple(uid for _, _, uid in part)),
            **{UNIQUE_KEYS[level].tag: Element("UI", (uid,)) for level, uid in uids.items()},
        }
        read = parse_retrieve(dict(sorted(keys.items())), STUDY_ROOT.get_uid, QueryOptions())
        query = replace(read.query, visible=self._association.profile.visible)
        read = replace(read, query=query)
        source = self._files = FetchedSource(self._find, self._sources_run, read, None)
        await source.count()
        await source.fetch()
        self._unsent |= dict.fromkeys(each.partition(":")[0] for each in source.troubles)
        self._ends = {end.name: end for end in source.missing} | self._ends
        found = await source.next()
        return {each.sop_instance_uid: each for each in found if isinstance(each, IndexedInstance)}

    async def end(self) -> None:
        """Let go of files of other archives."""
        if self._files is not None:
            await self._files.end()
            self._files = None

    def interrupt(self) -> None:
        """End all searches, from another thread."""
        self.is_interrupted = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for each in self._running:
            each.wake()
        if self._files is not None:
            self._files.interrupt()

    async def _shared(self, query: Query, most: int, seconds: float) -> Gathered:
        """Ask once for each question: its rows, their number and its counts are one answer."""
        key = query.level, query.criteria, query.visible
        known = self._known.get(key)
        if known is not None:
            answer = await asyncio.shield(known.task)
            is_enough = known.most >= most or not answer.is_cut
            if is_enough and (known.seconds >= seconds or not answer.is_late):
                return answer
        task = asyncio.create_task(self._ask(query, most, seconds))
        self._known[key] = _Asked(most, seconds, task)
        return await asyncio.shield(task)

    async def _ask(self, query: Query, most: int, seconds: float) -> Gathered:
        if self.is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        question = asked_of(query, _OF_STUDY if query.level is Level.STUDY else ())
        until = monotonic() + seconds
        sources = [
            PatientSource(source, until, place in self._late)
            for place, source in enumerate(self._find.sources)
        ]
        gathering = Gathering(sources, question, self._sources_run, self._find.merge_wait)
        self._running.add(gathering)
        found: list[Response] = []
        is_cut = False
        try:
            async with aclosing(gathering.batches()) as batches:
                async for batch in batches:
                    found += [each for each in batch if meets(each.response, question.query)]
                    if len(found) > most:
                        is_cut = True
                        break
        finally:
            self._running.discard(gathering)
        if self.is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        self._has_answer |= bool(found)
        late = {place for place, each in enumerate(sources) if each.is_late}
        if seconds >= self._seconds:
            self._late |= late
        self._note(gathering.ends, is_whole=seconds >= self._seconds)
        return Gathered(found[:most], is_cut, bool(late))

    def _note(self, ends: dict[int, SourceEnd], *, is_whole: bool) -> None:
        """Remember who fell short, but for a look-up that gave nobody much time."""
        told = [
            (_name(self._find.sources[place]), end)
            for place, end in sorted(ends.items())
            if is_whole or end.kind is not EndKind.TIMED_OUT
        ]
        short = {name: end for name, end in told if end.kind.is_short}
        self._has_answer |= len(short) < len(told)
        told = [(name, end) for name, end in told if name not in self._ends]
        self._ends |= {name: end for name, end in short.items() if name not in self._ends}
        self._find.tell(self._association, [end for _, end in told])


def _located(found: dict[str, IndexedInstance], named: tuple[str, str, str]) -> Located:
    each = found.get(named[-1])
    return (each.belongs_to, each.paths) if each else (StudyOfPatient(), ())


def _name(source: Source) -> str:
    is_own = isinstance(source, IndexSource) and source.name == "index"
    return "this server" if is_own else source.name

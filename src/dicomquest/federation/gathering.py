"""One query to all sources at once: their answers as they come, merged (PS3.4 C.4.1.3)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import monotonic
from typing import TypeAlias

from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.confluence import AnyPart, Confluence
from dicomquest.federation.conversation import Found
from dicomquest.federation.merged_answer import Merged, Part, merged
from dicomquest.federation.related_counts import Answers, Ask, counting_of
from dicomquest.federation.row_reader import RowPart
from dicomquest.federation.shortfall import EndKind, SourceEnd, SourceError
from dicomquest.federation.sieve import Sieve
from dicomquest.federation.sources import Source
from dicomquest.query.options import QueryOptions
from dicomquest.services.request import Run
from dicomquest.standard.levels import Level

LOGGER = logging.getLogger("dicomquest.federation")

AHEAD = 2
"""Batches that a source may be ahead of the caller, who reads as slowly as it likes."""

MOST_COUNTED = 100
"""Entities of a query in several places whose related entities are counted by unique keys."""


Response: TypeAlias = "Merged | RowPart"
"""A response: of several answers, or of a single one that is a row."""


class Gathering:
    """A running query: its sources, their answers, and how each of them ended (``ends``).

    ``wake`` may be called at any time, and lets a waiting reader look around.
    """

    def __init__(
        self, sources: Sequence[Source], question: AskedQuery, run: Run, patience: float
    ) -> None:
        """Ask nothing yet; ``patience`` is that of an answer for those of other sources."""
        query = question.query
        self._question = question
        self._run = run
        self._sources = {
            place: source
            for place, source in enumerate(sources)
            if source.holds(query.model, query.level)
        }
        self._confluence = Confluence(self._sources, patience)
        self._batches: deque[tuple[int, Found]] = deque()
        self._room = {place: asyncio.Semaphore(AHEAD) for place in self._sources}
        self._arrived = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._uncounted: list[list[Part]] = []
        self.ends: dict[int, SourceEnd] = {}
        self.is_stopped = False

    def wake(self) -> None:
        """Stop the gathering: ``batches`` gives no more."""
        self.is_stopped = True
        self._arrived.set()

    async def batches(self) -> AsyncGenerator[list[Response], None]:
        """Ask all sources, and yield what comes of them, several responses at a time."""
        began = monotonic()
        for place, source in self._sources.items():
            task = asyncio.create_task(self._pump(place, source, began))
            task.add_done_callback(lambda _: self._arrived.set())
            self._tasks[place] = task
        try:
            while not self.is_stopped:
                is_over = all(task.done() for task in self._tasks.values())
                if len(self._sources) == 1:
                    responses = self._alone()
                else:
                    self._take_batches()
                    responses = self._singly(self._confluence.take_single())
                    responses += self._merged(self._confluence.take(monotonic()))
                if responses:
                    yield responses
                    continue
                if is_over and not self._batches:
                    break
                await self._wait()
            for task in self._tasks.values():
                if task.done():
                    task.result()
            if not self.is_stopped and self._uncounted:
                yield [await self._counted(parts) for parts in self._uncounted]
        finally:
            await self._stop()
        if self._confluence.late:
            LOGGER.info(
                "%d answers came after another source's about the same entity: "
                "Retrieve AE Title does not name their source; --merge-wait gives them more time",
                self._confluence.late,
            )

    async def _stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _wait(self) -> None:
        deadline = self._confluence.next_deadline()
        try:
            async with asyncio.timeout(
                None if deadline is None else max(deadline - monotonic(), 0.0)
            ):
                await self._arrived.wait()
        except TimeoutError:
            return
        self._arrived.clear()

    def _alone(self) -> list[Response]:
        """Return the responses of the only source, which nobody has to be told apart from."""
        if not self._batches:
            return []
        place, found = self._batches.popleft()
        self._room[place].release()
        return self._singly([part for _, part in found])

    def _singly(self, parts: Sequence[AnyPart]) -> list[Response]:
        query = self._question.query
        return [part if isinstance(part, RowPart) else merged([part], query) for part in parts]

    def _take_batches(self) -> None:
        now = monotonic()
        while self._batches:
            place, found = self._batches.popleft()
            self._room[place].release()
            self._confluence.add_all(place, found, now)
        for place in self.ends:
            self._confluence.finish(place)

    async def _pump(self, place: int, source: Source, began: float) -> None:
        matches = 0
        kind, detail = EndKind.COMPLETE, ""
        is_hidden = not Sieve(self._question.query, QueryOptions()).sees_all
        if is_hidden and not source.applies_filter:
            kind, detail = EndKind.UNFILTERED, "its answers do not show what the caller may see"
        else:
            try:
                async with aclosing(source.answers(self._question, self._run)) as batches:
                    async for found in batches:
                        await self._room[place].acquire()
                        matches += len(found)
                        self._batches.append((place, found))
                        self._arrived.set()
            except SourceError as error:
                kind, detail = error.kind, str(error)
        self.ends[place] = SourceEnd(source.name, kind, detail, matches, monotonic() - began)

    def _merged(self, ready: list[list[AnyPart]]) -> list[Response]:
        query = self._question.query
        responses: list[Response] = []
        for found in ready:
            if len(found) == 1 and isinstance(found[0], RowPart):
                responses.append(found[0])
                continue
            parts = [each.part if isinstance(each, RowPart) else each for each in found]
            if len(parts) > 1 and counting_of(query, parts)[1] is not None:
                if len(self._uncounted) < MOST_COUNTED:
                    self._uncounted.append(parts)
                    continue
                LOGGER.info(
                    "more than %d entities lie in several places: their numbers are at least right",
                    MOST_COUNTED,
                )
            responses.append(merged(parts, query))
        return responses

    async def _counted(self, parts: list[Part]) -> Merged:
        """Return a response whose numbers are those of all places, each related entity once."""
        tags, counting = counting_of(self._question.query, parts)
        numbers: dict[Level, int] | None = None
        if counting is not None:
            try:
                asks = next(counting)
                while True:
                    asks = counting.send(await self._answers_to(asks))
            except StopIteration as end:
                numbers = end.value
        if numbers is None:
            LOGGER.info("an entity lies in several places, which did not say what is in it")
        known = numbers or {}
        counts = {tag: known[level] for level, tag in tags.items() if level in known}
        return merged(parts, self._question.query, counts)

    async def _answers_to(self, asks: list[Ask]) -> Answers:
        return list(
            await asyncio.gather(
                *(
                    self._sources[ask.source].related(ask.identifier, self._question, self._run)
                    for ask in asks
                )
            )
        )

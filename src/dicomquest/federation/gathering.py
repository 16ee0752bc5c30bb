"""One query to all sources at once: their answers as they come, merged (PS3.4 C.4.1.3)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import monotonic
from typing import Any, TypeAlias

from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.completion import Completion
from dicomquest.federation.confluence import AnyPart, Confluence
from dicomquest.federation.conversation import Found
from dicomquest.federation.merged_answer import Merged, Part, merged
from dicomquest.federation.row_reader import RowPart
from dicomquest.federation.shortfall import EndKind, SourceEnd, SourceError
from dicomquest.federation.sieve import Sieve
from dicomquest.federation.sources import Source
from dicomquest.query.options import QueryOptions
from dicomquest.services.request import Run

LOGGER = logging.getLogger("dicomquest.federation")

AHEAD = 2
"""Batches that a source may be ahead of the caller, who reads as slowly as it likes."""

MOST_COMPLETED = 300
"""Entities of a query in several places whose computed keys are made whole by more questions."""

MOST_AT_ONCE = 100
"""Entities that are made whole together; the first ones go on before the others."""

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
        self._completion = Completion(self._sources, question, run)
        self._incomplete: list[list[Part]] = []
        self._put_aside = 0
        self._looked_at = (0, 0)
        self._completing: asyncio.Task[list[Merged]] | None = None
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
                    responses += self._completed()
                if responses:
                    yield responses
                    continue
                if is_over and not self._batches and self._completing is None:
                    break
                await self._wait()
            for task in self._tasks.values():
                if task.done():
                    task.result()
        finally:
            await self._stop()
        if self._confluence.late:
            LOGGER.info(
                "%d answers came after another source's about the same entity: "
                "Retrieve AE Title does not name their source; --merge-wait gives them more time",
                self._confluence.late,
            )

    async def _stop(self) -> None:
        tasks: list[asyncio.Task[Any]] = [*self._tasks.values()]
        if self._completing is not None:
            tasks.append(self._completing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
                if kind.is_gone:
                    self._completion.failures[place] = error
        self.ends[place] = SourceEnd(source.name, kind, detail, matches, monotonic() - began)

    def _merged(self, ready: list[list[AnyPart]]) -> list[Response]:
        query = self._question.query
        responses: list[Response] = []
        for found in ready:
            if len(found) == 1 and isinstance(found[0], RowPart):
                responses.append(found[0])
                continue
            parts = [each.part if isinstance(each, RowPart) else each for each in found]
            if self._completion.concerns(parts):
                self._put_aside += 1
                if self._put_aside <= MOST_COMPLETED:
                    self._incomplete.append(parts)
                    continue
                if self._put_aside == MOST_COMPLETED + 1:
                    LOGGER.info(
                        "more than %d entities lie in several places: numbers and lists of the "
                        "others may be too small",
                        MOST_COMPLETED,
                    )
            responses.append(merged(parts, query))
        return responses

    def _completed(self) -> list[Response]:
        """Return entities that have been made whole, and begin with the next ones.

        They wait for the ends of their own holders alone, whose associations they use then.
        """
        done: list[Response] = []
        if self._completing is not None and self._completing.done():
            done += self._completing.result()
            self._completing = None
            for place, error in self._completion.failures.items():
                end = self.ends[place]
                if not end.kind.is_short:
                    self.ends[place] = end._replace(kind=error.kind, detail=str(error))
        looked_at = len(self.ends), len(self._incomplete)
        if self._completing is None and looked_at != self._looked_at:
            self._looked_at = looked_at
            ready = [
                parts
                for parts in self._incomplete
                if all(part.source in self.ends for part in parts)
            ][:MOST_AT_ONCE]
            if ready:
                # What is left has to be looked at again.
                self._looked_at = (0, 0)
                for parts in ready:
                    self._incomplete.remove(parts)
                self._completing = asyncio.create_task(self._completion.responses(ready))
                self._completing.add_done_callback(lambda _: self._arrived.set())
        return done

"""The sources of a federated query: upstreams by their associations, and an index (PS3.4 C.4.1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from dicomquest.dataset.elements import DataSet
from dicomquest.errors import (
    IndexDatabaseError,
)
from dicomquest.federation.asked_query import AskedQuery, request_for
from dicomquest.federation.conversation import Conversation, Found
from dicomquest.federation.deadline import Deadline
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sieve import Sieve
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import UpstreamPool
from dicomquest.index.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.query.extended_negotiation import offer
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.services.request import Run
from dicomquest.standard.levels import Level
from dicomquest.standard.models import InformationModel

LOGGER = logging.getLogger("dicomquest.federation")

T = TypeVar("T")

BATCH = 512
"""Rows of the index that a thread fetches at a time."""

MOST_RELATED = 100_000
"""Answers to a question for related entities; more are not counted."""


class Source(Protocol):
    """A source of answers to queries; ``name`` is that of the log and of Error Comments."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def applies_filter(self) -> bool:
        """Tell whether it applies the visibility filter itself, at all levels."""

    def holds(self, model: InformationModel, level: Level) -> bool:
        """Tell whether queries of a model and level go to it."""

    def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        """Ask, and yield the answers as they come; SourceError if they are not all.

        ``run`` runs blocking code in a thread.
        """

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        """Return all answers to a plain question in the model of another; None if too many.

        SourceError if they are not all.
        """

    async def end(self) -> None:
        """Let go of what it holds open."""


@dataclass(eq=False, slots=True)
class UpstreamSource:
    """An upstream as the ``place``-th source."""

    place: int
    upstream: Upstream
    applies_filter: ClassVar[bool] = False
    pool: UpstreamPool = field(init=False)

    def __post_init__(self) -> None:
        self.pool = UpstreamPool(self.upstream)

    @property
    def name(self) -> str:
        """The name."""
        return self.upstream.name

    def holds(self, model: InformationModel, level: Level) -> bool:
        """Tell whether queries of a model and level go to it."""
        return model in self.upstream.models and level in self.upstream.levels

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        """Ask over an association of the pool, and yield the answers as they come."""
        del run
        query = question.query
        offered = offer(replace(query.options, relational=True, enhanced_multiframe=False))
        deadline = Deadline(self.upstream.timeouts.dimse)
        for is_fresh in (False, True):
            link = await self.pool.take(offered, deadline, is_fresh=is_fresh)
            conversation = Conversation(
                self.upstream, self.place, self.pool, link, question, deadline=deadline
            )
            try:
                async with aclosing(conversation.answers()) as batches:
                    async for batch in batches:
                        yield batch
            except SourceError as error:
                if error.kind is EndKind.LOST and not link.is_new and not conversation.has_begun:
                    # The upstream had ended the idle association: a new one tells more.
                    continue
                raise
            return

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        """Return all answers to a plain question; None if they are too many."""
        options = QueryOptions(relational=True)
        model = question.query.model
        plain = AskedQuery(identifier, parse_identifier(identifier, model.uid, options))
        found: list[DataSet] = []
        async with aclosing(self.answers(plain, run)) as batches:
            async for batch in batches:
                found += [part.answer for _, part in batch]
                if len(found) > MOST_RELATED:
                    return None
        return found

    async def end(self) -> None:
        """End the associations."""
        await self.pool.end()


@dataclass(frozen=True, eq=False, slots=True)
class IndexSource:
    """The index of this server as the ``place``-th source; ``title`` is its Retrieve AE Title."""

    place: int
    index: Index
    title: str
    name: str = "index"
    applies_filter: ClassVar[bool] = True

    def holds(self, model: InformationModel, level: Level) -> bool:
        """Tell whether queries of a model and level go to it."""
        return level in model.levels

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        """Search in threads, and yield the answers as they come."""
        query = question.query
        options = replace(query.options, strict=False)
        request = request_for(question, options)
        own = replace(parse_identifier(request, query.model.uid, options), visible=query.visible)
        sieve = Sieve(replace(query, criteria=(), visible=()), options)
        cursor: Cursor | None = None
        try:
            # A sender must find what it has stored, so no replica is asked.
            cursor = await _to_the_end(run(self.index.search, own, is_latest=True), cursor)
            is_over = False
            while not is_over:
                rows = await _to_the_end(run(cursor.fetch, BATCH), cursor)
                is_over = len(rows) < BATCH
                answers = map(cursor.plan.to_data_set, rows)
                yield [
                    (sieve.identity(each), Part(self.place, each, (self.title,)))
                    for each in map(sieve.take, answers)
                    if each is not None
                ]
        except (IndexDatabaseError, MemoryError) as error:
            raise SourceError(EndKind.FAILED, str(error)) from error
        finally:
            if cursor is not None:
                cursor.interrupt()
                if cursor.closes_at_once:
                    cursor.close()
                else:
                    await run(cursor.close)

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        """Return all answers to a plain question."""
        options = QueryOptions(relational=True)
        plain = parse_identifier(identifier, question.query.model.uid, options)
        try:
            return await run(
                self.index.find_data_sets, replace(plain, visible=question.query.visible)
            )
        except (IndexDatabaseError, MemoryError) as error:
            raise SourceError(EndKind.FAILED, str(error)) from error

    async def end(self) -> None:
        """Leave the index open: it is the server's."""


async def _to_the_end(working: Coroutine[Any, Any, T], cursor: Cursor | None) -> T:
    """Wait for a thread, also when cancelled: it must not use a cursor that is closed."""
    task = asyncio.ensure_future(working)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if cursor is not None:
            cursor.interrupt()
        with suppress(IndexDatabaseError, MemoryError):
            result = await task
            if isinstance(result, Cursor):
                result.close()
        raise

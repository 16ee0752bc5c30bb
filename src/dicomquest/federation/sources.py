"""The sources of a federated query: upstreams by their associations, and an index (PS3.4 C.4.1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import RemarkKind, Remarks, decode
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import PENDING, Response
from dicomquest.dimse.events import ResponseReceived, ResponsesReceived
from dicomquest.errors import (
    AssociationError,
    DataSetError,
    IndexDatabaseError,
    LocalProtocolError,
    ValueFormatError,
)
from dicomquest.federation.asked_query import AskedQuery, request_for
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sieve import Sieve
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import Link, UpstreamPool
from dicomquest.index.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.query.extended_negotiation import offer
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.services.request import Run
from dicomquest.standard import statuses
from dicomquest.standard.levels import Level
from dicomquest.standard.models import InformationModel

LOGGER = logging.getLogger("dicomquest.federation")

T = TypeVar("T")

BATCH = 512
"""Rows of the index that a thread fetches at a time."""

MOST_RELATED = 100_000
"""Answers to a question for related entities; more are not counted."""

_WRONG_TEXT = frozenset({RemarkKind.UNDECODABLE, RemarkKind.UNKNOWN_CHARSET, RemarkKind.NO_CHARSET})

Found: TypeAlias = "list[tuple[bytes, Part]]"
"""Answers that match, with the unique keys of their entities."""


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
        """Return all answers to a plain question in the model of another; None if it fails."""

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
        for is_fresh in (False, True):
            link = await self.pool.take(offered, is_fresh=is_fresh)
            conversation = _Conversation(self, link, question)
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
        """Return all answers to a plain question; None if the upstream falls short of them."""
        options = QueryOptions(relational=True)
        model = question.query.model
        plain = AskedQuery(identifier, parse_identifier(identifier, model.uid, options))
        found: list[DataSet] = []
        try:
            async with aclosing(self.answers(plain, run)) as batches:
                async for batch in batches:
                    found += [part.answer for _, part in batch]
                    if len(found) > MOST_RELATED:
                        return None
        except SourceError:
            return None
        return found

    async def end(self) -> None:
        """End the associations."""
        await self.pool.end()


class _Conversation:
    """One query on one association, which goes back to the pool if all went well."""

    def __init__(self, source: UpstreamSource, link: Link, question: AskedQuery) -> None:
        self._source = source
        self._upstream = source.upstream
        self._link = link
        self._question = question
        self._remarks = Remarks()
        self._wrong_texts = 0
        self._unreadable = 0
        self.has_begun = False

    async def answers(self) -> AsyncGenerator[Found, None]:
        """Yield the answers as they come; SourceError if they are not all."""
        pool, link, heard = self._source.pool, self._link, monotonic()
        is_over = False
        try:
            model = self._question.query.model
            context = link.context(model)
            accepted = link.accepted(model, self._question.query.options)
            request = request_for(self._question, accepted, has_issuer=bool(self._upstream.issuer))
            sieve = Sieve(self._question.query, accepted, self._upstream.issuer)
            data = encode(request, context.transfer_syntax, choose(request))
            final: Response | None = None
            async with aclosing(link.association.find_rows(data, context)) as rows:
                async for row in rows:
                    self.has_begun, heard = True, monotonic()
                    if isinstance(row, ResponseReceived) and row.command.status not in PENDING:
                        final = row.command
                    elif found := self._taken(row, sieve):
                        yield found
            is_over = True
            self._tell(sieve)
            self._check(final)
        except (AssociationError, LocalProtocolError) as error:
            is_over = True
            patience = self._upstream.timeouts.dimse
            waited = patience is not None and monotonic() - heard >= patience
            kind = EndKind.TIMED_OUT if waited else EndKind.LOST
            raise SourceError(kind, str(error)) from error
        except ValueFormatError as error:
            raise SourceError(EndKind.FAILED, "the identifier cannot be encoded") from error
        finally:
            if is_over and not link.association.is_established:
                pool.drop(link)
            else:
                pool.give_back(link)

    def _taken(self, row: ResponseReceived | ResponsesReceived, sieve: Sieve) -> Found:
        titles = (self._upstream.ae_title,)
        found: Found = []
        for answer in self._decoded(row):
            taken = sieve.take(answer)
            if taken is not None:
                part = Part(self._source.place, taken, titles)
                found.append((sieve.identity(taken), part))
        return found

    def _decoded(self, row: ResponseReceived | ResponsesReceived) -> Iterator[DataSet]:
        for data in row.data_sets if isinstance(row, ResponsesReceived) else [row.data_set]:
            self._remarks.clear()
            try:
                if data is None:
                    self._unreadable += 1
                    continue
                answer = decode(data, row.context.transfer_syntax, remarks=self._remarks)
            except DataSetError:
                self._unreadable += 1
                continue
            if any(remark.kind in _WRONG_TEXT for remark in self._remarks):
                self._wrong_texts += 1
            yield answer

    def _tell(self, sieve: Sieve) -> None:
        if sieve.dropped or sieve.without_key:
            LOGGER.info(
                "%s: %d answers did not match and %d had no unique key: left out",
                self._upstream.words,
                sieve.dropped,
                sieve.without_key,
            )

    def _check(self, final: Response | None) -> None:
        """Raise SourceError unless the upstream has answered well and to its end."""
        status = statuses.CANNOT_UNDERSTAND if final is None else final.status
        if status == statuses.OUT_OF_RESOURCES:
            raise SourceError(EndKind.CAPPED, _words(final))
        if statuses.status_class(status) is not statuses.StatusClass.SUCCESS:
            raise SourceError(EndKind.FAILED, _words(final))
        if self._unreadable:
            raise SourceError(EndKind.UNREADABLE, f"{self._unreadable} answers cannot be read")
        if self._wrong_texts:
            raise SourceError(
                EndKind.WRONG_TEXT,
                f"{self._wrong_texts} answers have text that is not in their character set",
            )


def _words(final: Response | None) -> str:
    if final is None:
        return "no final response"
    return statuses.in_words(final.status, comment=final.error_comment or "")


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
        """Return all answers to a plain question; None if the index fails."""
        options = QueryOptions(relational=True)
        plain = parse_identifier(identifier, question.query.model.uid, options)
        try:
            return await run(
                self.index.find_data_sets, replace(plain, visible=question.query.visible)
            )
        except (IndexDatabaseError, MemoryError):
            return None

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

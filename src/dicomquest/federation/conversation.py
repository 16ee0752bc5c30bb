"""One query on one association with an upstream (PS3.4 C.4.1.3, PS3.7 9.1.2)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import RemarkKind, Remarks, decode
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import PENDING, Response
from dicomquest.dimse.events import ResponseReceived, ResponsesReceived
from dicomquest.errors import (
    AssociationError,
    DataSetError,
    LocalProtocolError,
    ValueFormatError,
)
from dicomquest.federation.answer_shape import shape_of
from dicomquest.federation.asked_query import AskedQuery, request_for
from dicomquest.federation.deadline import Deadline
from dicomquest.federation.descent import MOST_WALKED, levels_to_walk, question_at
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.raw_answer import Check
from dicomquest.federation.row_reader import RowPart, RowReader, reader_of
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sieve import Sieve
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import Link, UpstreamPool
from dicomquest.query.options import QueryOptions
from dicomquest.standard import statuses
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.ul.negotiation import AcceptedContext

LOGGER = logging.getLogger("dicomquest.federation")

_WRONG_TEXT = frozenset({RemarkKind.UNDECODABLE, RemarkKind.UNKNOWN_CHARSET, RemarkKind.NO_CHARSET})

Found: TypeAlias = "list[tuple[bytes, Part | RowPart]]"
"""Answers that match, with the unique keys of their entities."""

MOST_SHAPES = 8
"""Shapes of answers to one query that are read as rows; archives use one or two."""

Row: TypeAlias = "ResponseReceived | ResponsesReceived"


class _Terms(NamedTuple):
    """The terms of a query with an upstream, and the sieve of its answers."""

    context: AcceptedContext
    accepted: QueryOptions
    sieve: Sieve


class Conversation:
    """A query, whose association goes back to the pool if all went well."""

    def __init__(
        self,
        upstream: Upstream,
        place: int,
        pool: UpstreamPool,
        link: Link,
        question: AskedQuery,
        *,
        deadline: Deadline,
    ) -> None:
        """Ask over a link of the pool, as the ``place``-th source."""
        self._upstream = upstream
        self._place = place
        self._pool = pool
        self._link = link
        self._question = question
        self._deadline = deadline
        self._remarks = Remarks()
        self._wrong_texts = 0
        self._unreadable = 0
        self._walked = 0
        self._readers: dict[bytes, list[RowReader]] = {}
        self._plain: dict[bytes, tuple[Check, RowReader]] = {}
        self._shapes_seen = 0
        self._is_silent = False
        self.has_begun = False

    async def answers(self) -> AsyncGenerator[Found, None]:
        """Yield the answers as they come; SourceError if they are not all."""
        link = self._link
        try:
            query = self._question.query
            context = link.context(query.model)
            accepted = link.accepted(query.model, query.options)
            if self._upstream.relational:
                accepted = replace(accepted, relational=True)
            sieve = Sieve(query, accepted, self._upstream.issuer)
            levels = levels_to_walk(self._question, accepted)
            terms = _Terms(context, accepted, sieve)
            async with aclosing(self._walk(levels, {}, {}, terms)) as batches:
                async for found in batches:
                    yield found
            self._tell(sieve)
            self._check_texts()
        except (AssociationError, LocalProtocolError) as error:
            raise SourceError(EndKind.LOST, str(error)) from error
        except ValueFormatError as error:
            raise SourceError(EndKind.FAILED, "the identifier cannot be encoded") from error
        finally:
            if self._is_silent:
                self._pool.drop(link)
            else:
                self._pool.give_back(link)

    async def _walk(
        self,
        levels: tuple[Level, ...],
        path: Mapping[Level, str],
        above: DataSet,
        terms: _Terms,
    ) -> AsyncGenerator[Found, None]:
        """Ask at the first of the levels, and below each entity there at the others."""
        level, *below = levels
        question = self._question
        if below or path:
            question = question_at(self._question, level, path, is_first=not path)
        if not below:
            async with aclosing(self._rows(question, terms)) as rows:
                async for row in rows:
                    if found := self._taken(row, terms.sieve, above):
                        yield found
            return
        here = Sieve(question.query, terms.accepted, self._upstream.issuer)
        entities: list[DataSet] = []
        async with aclosing(self._rows(question, terms)) as rows:
            async for row in rows:
                for data in _data_sets(row):
                    answer = self._decoded(data, row.context.transfer_syntax)
                    if answer is not None and (kept := here.take(answer)) is not None:
                        entities.append(kept)
                if self._walked + len(entities) > MOST_WALKED:
                    raise SourceError(
                        EndKind.FAILED,
                        f"it does not accept relational queries, and has more than {MOST_WALKED} "
                        "entities above the level of this one: name upper ones",
                    )
        self._walked += len(entities)
        unique = UNIQUE_KEYS[level].tag
        for entity in entities:
            further = {**path, level: str(entity[unique].values[0])}
            known = {**above, **entity}
            async with aclosing(self._walk(tuple(below), further, known, terms)) as batches:
                async for found in batches:
                    yield found

    async def _rows(self, question: AskedQuery, terms: _Terms) -> AsyncGenerator[Row, None]:
        """Send one request, and yield its Pending responses; SourceError for another end."""
        context, issuer = terms.context, self._upstream.issuer
        request = request_for(
            question, terms.accepted, has_issuer=bool(issuer), is_exact=self._link.is_exact
        )
        data = encode(request, context.transfer_syntax, choose(request))
        final: Response | None = None
        async with aclosing(self._link.association.find_rows(data, context)) as rows:
            while (row := await self._next(rows)) is not None:
                self.has_begun = True
                if isinstance(row, ResponseReceived) and row.command.status not in PENDING:
                    final = row.command
                else:
                    yield row
        _check(final)

    async def _next(self, rows: AsyncGenerator[Row, None]) -> Row | None:
        """Return the next response; None at the end."""
        if self.has_begun:
            # The time in which nobody asked for it is that of a caller who reads slowly.
            self._deadline.renew()
        try:
            async with self._deadline.limit():
                return await anext(rows, None)
        except SourceError:
            self._is_silent = True
            raise

    def _taken(self, row: Row, sieve: Sieve, above: DataSet) -> Found:
        found: Found = []
        no_check: tuple[Check, RowReader] | tuple[None, None] = (None, None)
        for data in _data_sets(row):
            if not above and data is not None:
                # Most answers go no further; a call for each of them would take half as long again.
                check, reader = self._plain.get(data[:4], no_check)
                if check is not None and (match := check(data)) is not None and match[1]:
                    part = tuple.__new__(RowPart, (self._place, None, data, reader))
                    found.append((match[1], part))
                    continue
                taken = self._taken_as_row(data)
                if taken is True:
                    continue
                if taken is not False:
                    found.append(taken)
                    continue
            answer = self._decoded(data, row.context.transfer_syntax)
            if answer is None:
                continue
            if not above:
                self._learn(data or b"", answer, row.context.transfer_syntax, sieve)
            kept = sieve.take(_below(above, answer) if above else answer)
            if kept is not None:
                own = Part(self._place, kept, (self._upstream.ae_title,))
                found.append((sieve.identity(kept), own))
        return found

    def _taken_as_row(self, data: bytes) -> tuple[bytes, RowPart] | bool:
        # The first tag tells shapes with a character set from those without.
        for reader in self._readers.get(data[:4], ()):
            taken = reader.take(data, self._place)
            if taken is not False:
                return taken
        return False

    def _learn(self, data: bytes, answer: DataSet, transfer_syntax: str, sieve: Sieve) -> None:
        """Read further answers of the same shape as rows, if that can be."""
        if self._shapes_seen >= MOST_SHAPES:
            return
        shape = shape_of(answer, self._remarks, transfer_syntax)
        readers = self._readers.setdefault(data[:4], [])
        if shape is None or any(reader.shape is shape for reader in readers):
            return
        self._shapes_seen += 1
        titles = (self._upstream.ae_title,)
        reader = reader_of(shape, self._question.query, sieve, titles)
        if reader is not None:
            readers.append(reader)
            if reader.is_plain and reader.raw is not None:
                self._plain.setdefault(data[:4], (reader.raw.check, reader))

    def _decoded(self, data: bytes | None, transfer_syntax: str) -> DataSet | None:
        """Return an answer; None for one that cannot be read, which is counted."""
        self._remarks.clear()
        if data is None:
            self._unreadable += 1
            return None
        try:
            answer = decode(data, transfer_syntax, remarks=self._remarks)
        except DataSetError:
            self._unreadable += 1
            return None
        if any(remark.kind in _WRONG_TEXT for remark in self._remarks):
            self._wrong_texts += 1
        return answer

    def _tell(self, sieve: Sieve) -> None:
        if sieve.dropped or sieve.without_key:
            LOGGER.info(
                "%s: %d answers did not match and %d had no unique key: left out",
                self._upstream.words,
                sieve.dropped,
                sieve.without_key,
            )

    def _check_texts(self) -> None:
        """Raise SourceError unless all answers could be read."""
        if self._unreadable:
            raise SourceError(EndKind.UNREADABLE, f"{self._unreadable} answers cannot be read")
        if self._wrong_texts:
            raise SourceError(
                EndKind.WRONG_TEXT,
                f"{self._wrong_texts} answers have text that is not in their character set",
            )


def _data_sets(row: Row) -> Sequence[bytes | None]:
    return row.data_sets if isinstance(row, ResponsesReceived) else [row.data_set]


def _below(above: DataSet, answer: DataSet) -> DataSet:
    """Return an answer with what is known of the entities above it; its own elements win."""
    own = {tag: element for tag, element in answer.items() if element.values or tag not in above}
    return dict(sorted({**above, **own}.items()))


def _check(final: Response | None) -> None:
    """Raise SourceError unless an upstream has answered to its end."""
    status = statuses.CANNOT_UNDERSTAND if final is None else final.status
    if status == statuses.OUT_OF_RESOURCES:
        raise SourceError(EndKind.CAPPED, _words(final))
    if statuses.status_class(status) is not statuses.StatusClass.SUCCESS:
        raise SourceError(EndKind.FAILED, _words(final))


def _words(final: Response | None) -> str:
    if final is None:
        return "no final response"
    return statuses.in_words(final.status, comment=final.error_comment or "")

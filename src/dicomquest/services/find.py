"""C-FIND answered from the index: identifier in, Pending responses out, row by row (PS3.4 C.4.1.3).

Everything between the request and the bytes of its responses meets here: the identifier becomes a ``Query``, the query
an SQL plan with a cursor, the cursor's rows encoded identifiers. No response waits for another, no result is held in
memory, and a C-CANCEL or a lost connection interrupts the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

from dicomquest.dataset.charset import (
    FALLBACK,
    normalise_terms,
)
from dicomquest.dataset.codec import RemarkKind, Remarks, decode
from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.dataset.response_fields import Field, Source
from dicomquest.errors import DataSetError, IdentifierError, IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.index.search.plan import Row
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.query.extended_negotiation import accepted_options
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.services.failures import failure_of
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    tag_text,
)

LOGGER = logging.getLogger("dicomquest.find")


# The first rows go out at once; after that a write of some 512 responses (about 200 KiB) keeps the network busy while
# the next is made, and a small query of another association waits for no more than that (3 ms).
FIRST_BATCH = 32
BATCH = 512

# Seconds. Small queries are answered without another thread; where that takes long twice within a while (a cold disk),
# all go to threads for a while, so that no association waits for another's. Once may be the machine's other work.
LONGEST_AT_ONCE = 0.02
THREADS_ONLY = 1.0


@dataclass(frozen=True, slots=True)
class PeerChoices:
    """Our choices that may differ by calling AE title (docs/reference/conformance.md, 4.1)."""

    options: QueryOptions = field(default_factory=QueryOptions)
    result_limit: int | None = None
    limit_is_success: bool = False
    default_charset: str | None = None


@dataclass(frozen=True, slots=True)
class FindChoices:
    """The choices of a server; ``peers`` overrides ``default`` for a calling AE title."""

    retrieve_ae_title: str
    default: PeerChoices = field(default_factory=PeerChoices)
    peers: Mapping[str, PeerChoices] = field(default_factory=dict)

    def for_peer(self, calling_ae_title: str) -> PeerChoices:
        """The choices that hold for this calling AE title."""
        return self.peers.get(calling_ae_title, self.default)


class FindService:
    """Answers C-FIND requests of the three Query/Retrieve information models from one index."""

    def __init__(self, index: Index, choices: FindChoices) -> None:
        self._index = index
        self._choices = choices
        self._at_once_from = 0.0
        self._slow_until = 0.0

    async def handle(self, request: ServiceRequest) -> None:
        """Answer one request, to its final response."""
        peer = self._choices.for_peer(request.association.requestor.ae_title)
        try:
            query = self._parse(request, peer)
        except (DataSetError, IdentifierError) as error:
            await request.send_final(*failure_of(error))
            return
        _log(request, query)
        search = _Search(
            self._index, query, self._encoder(request, query), request.association.state.has_stored
        )
        request.on_cancel(search.interrupt)
        batches = _Batches(request, search, peer.result_limit)
        try:
            if monotonic() >= self._at_once_from:
                self._begin_at_once(batches)
            await self._stream(request, query, batches, peer)
        except IndexDatabaseError as error:
            if request.is_cancelled:
                await request.send_final(statuses.CANCEL)
            else:
                LOGGER.error(  # noqa: TRY400
                    "association %d: the index failed: %s", request.association.number, error
                )
                await request.send_final(*failure_of(error))
        except MemoryError as error:
            await request.send_final(*failure_of(error))
        finally:
            await batches.end()
            if search.closes_at_once:
                search.close()
            else:
                await request.run(search.close)

    def _begin_at_once(self, batches: _Batches) -> None:
        """Have the first matches found here and now, if that costs less than another thread."""
        started = monotonic()
        batches.begin_at_once()
        ended = monotonic()
        if ended - started > LONGEST_AT_ONCE:
            if ended < self._slow_until:
                self._at_once_from = ended + THREADS_ONLY
            self._slow_until = ended + THREADS_ONLY

    def _parse(self, request: ServiceRequest, peer: PeerChoices) -> Query:
        sop_class = request.context.abstract_syntax
        negotiated = request.association.extended_negotiation.get(sop_class, b"")
        fallback = (peer.default_charset, *FALLBACK) if peer.default_charset else FALLBACK
        remarks = Remarks()
        identifier = decode(
            request.data_set or b"",
            request.context.transfer_syntax,
            fallback=fallback,
            remarks=remarks,
        )
        for tag, kind, _ in remarks:
            LOGGER.info(
                "association %d: %s: %s", request.association.number, tag_text(tag), kind.value
            )
            if kind is RemarkKind.UNDECODABLE and peer.options.strict:
                raise IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, kind.value, (tag,))
        return parse_identifier(identifier, sop_class, accepted_options(negotiated, peer.options))

    def _encoder(self, request: ServiceRequest, query: Query) -> ResponseEncoder:
        constants = _constants(
            query.level,
            self._choices.retrieve_ae_title,
            query.private_creators,
            query.wants_availability,
        )
        requested = normalise_terms(query.charset_terms)
        return encoder(
            (*self._index.fields(query), *constants), request.context.transfer_syntax, requested
        )

    async def _stream(
        self, request: ServiceRequest, query: Query, batches: _Batches, peer: PeerChoices
    ) -> None:
        while True:
            identifiers = await batches.next()
            if request.is_cancelled:
                await request.send_final(statuses.CANCEL)
                return
            if identifiers:
                await request.send_pending(
                    query.pending_status, identifiers, final_follows=batches.is_exhausted
                )
            if batches.is_exhausted:
                break
        if not batches.is_cut_off:
            await request.send_final(statuses.SUCCESS)
        elif peer.limit_is_success:
            LOGGER.warning(
                "association %d: result limit %s reached",
                request.association.number,
                peer.result_limit,
            )
            await request.send_final(statuses.SUCCESS)
        else:
            await request.send_final(
                statuses.OUT_OF_RESOURCES, f"result limit {peer.result_limit} reached"
            )


@lru_cache(maxsize=256)
def _constants(
    level: Level,
    retrieve_ae_title: str,
    private_creators: tuple[tuple[int, str], ...],
    is_available: bool,
) -> tuple[Field, ...]:
    """What stands in all responses to a query besides the columns."""
    constants = [
        Field(QUERY_RETRIEVE_LEVEL, "CS", Source.CONSTANT, level.name),
        Field(RETRIEVE_AE_TITLE, "AE", Source.CONSTANT, retrieve_ae_title),
        *(Field(tag, "LO", Source.CONSTANT, creator) for tag, creator in private_creators),
    ]
    if is_available:
        constants.append(Field(INSTANCE_AVAILABILITY, "CS", Source.CONSTANT, "ONLINE"))
    return tuple(constants)


@lru_cache(maxsize=256)
def encoder(
    fields: tuple[Field, ...], transfer_syntax: str, requested: tuple[str, ...]
) -> ResponseEncoder:
    """The encoder of a query shape: made once, it takes a millisecond."""
    return ResponseEncoder(fields, transfer_syntax, requested)


class _Search:
    """One running query: its cursor and encoder.

    ``next``, ``at_once`` and ``close`` are called one after the other, from changing threads; only ``interrupt`` may
    come at any time, also before there is a cursor.
    """

    def __init__(
        self, index: Index, query: Query, response_encoder: ResponseEncoder, is_latest: bool
    ) -> None:
        """``is_latest``: what the association itself has stored must be found, so no replica will do."""
        self._index = index
        self._query = query
        self._is_latest = is_latest
        self._encoder = response_encoder
        self._cursor: Cursor | None = None
        self._is_interrupted = False
        self.is_exhausted = False

    def at_once(self, size: int) -> list[bytes] | None:
        """The first ``size`` identifiers, if the database has them at once."""
        self._cursor = self._index.search(self._query, is_latest=self._is_latest)
        rows = self._cursor.fetch_at_once(size)
        return None if rows is None else self._encoded(rows, size)

    def next(self, size: int) -> list[bytes]:
        """The next ``size`` identifiers; fewer means that there are no more. The first call runs the query."""
        if self._cursor is None:
            self._cursor = self._index.search(self._query, is_latest=self._is_latest)
        if self._is_interrupted:
            return []
        return self._encoded(self._cursor.fetch(size), size)

    def _encoded(self, rows: list[Row], size: int) -> list[bytes]:
        self.is_exhausted = len(rows) < size
        return self._encoder.encode(rows)

    def interrupt(self) -> None:
        """Have the database give up what it is doing."""
        self._is_interrupted = True
        if self._cursor is not None:
            self._cursor.interrupt()

    @property
    def closes_at_once(self) -> bool:
        """Whether ``close`` waits for nobody."""
        return self._cursor is None or self._cursor.closes_at_once

    def close(self) -> None:
        """Give the connection back."""
        if self._cursor is not None:
            self._cursor.close()


class _Batches:
    """The identifiers of a search in batches: while one is sent, the next is made in another thread.

    ``is_exhausted``: there is no batch after the last one; ``is_cut_off``: because the limit is reached.
    """

    def __init__(self, request: ServiceRequest, search: _Search, limit: int | None) -> None:
        self._request = request
        self._search = search
        self._limit = limit
        self._taken = 0
        self._at_once: list[bytes] | None = None
        self._running: asyncio.Task[list[bytes]] | None = None
        self.is_exhausted = False
        self.is_cut_off = False

    def begin_at_once(self) -> None:
        """Make the first batch without another thread, if it takes next to nothing."""
        self._at_once = self._search.at_once(self._size(FIRST_BATCH))

    async def next(self) -> list[bytes]:
        """The next batch; the one after it is begun."""
        identifiers, self._at_once = self._at_once, None
        if identifiers is None:
            identifiers = await (self._running or self._run(FIRST_BATCH))
            self._running = None
        self._taken += len(identifiers)
        self.is_exhausted = self._search.is_exhausted
        if self._limit is not None and self._taken > self._limit:
            self.is_exhausted = self.is_cut_off = True
            identifiers = identifiers[: self._limit - self._taken]
        if not self.is_exhausted and not self._request.is_cancelled:
            self._running = self._run(BATCH)
        return identifiers

    async def end(self) -> None:
        """Wait until no thread uses the search."""
        if self._running is not None:
            self._search.interrupt()
            with suppress(IndexDatabaseError, MemoryError):
                await self._running

    def _run(self, size: int) -> asyncio.Task[list[bytes]]:
        return asyncio.ensure_future(self._request.run(self._search.next, self._size(size)))

    def _size(self, size: int) -> int:
        """As much of ``size`` as is needed: one more than the limit tells whether it cut anything off."""
        return size if self._limit is None else min(size, self._limit - self._taken + 1)


def _log(request: ServiceRequest, query: Query) -> None:
    """One line a query, without values; one for each key that does not act as asked."""
    number = request.association.number
    LOGGER.info("association %d: C-FIND %s at %s level", number, query.model.name, query.level.name)
    for note in query.notes:
        LOGGER.info("association %d: %s", number, note)
    for ignored in query.ignored:
        path = ".".join(map(tag_text, ignored.path))
        LOGGER.info("association %d: key %s: %s", number, path, ignored.reason)

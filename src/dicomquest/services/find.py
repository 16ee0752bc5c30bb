"""C-FIND answered from the index: one identifier in, a stream of responses out (PS3.4 C.4.1.3).

The network and the engine meet in this module. A request goes through five steps:

    identifier -> Query -> cursor -> rows -> bytes

1. ``decode`` reads the identifier, and ``parse_identifier`` makes a ``Query`` of it. Either may
   refuse it: the error stands for the final status, and the database is not asked.
2. The query's columns and ``_constants`` are the fields of its responses. One ``ResponseEncoder``
   serves all queries that ask for the same fields, because making it takes a millisecond.
3. ``Index.search`` gives a cursor, which has a connection and a snapshot of its own.
4. The cursor's rows become encoded identifiers, some hundred at a time. No Dataset is built.
5. ``send_pending`` frames them for one write, and waits while the peer reads slowly.

Batches are made one ahead (``Batches``): while one is on its way to the peer, a thread of the
server makes the next. Database and network work at the same time, and memory holds two batches,
however many matches there are.

The first batch is different. A query for one patient's studies costs SQLite less than the way to a
thread and back costs us, so ``at_once`` tries it in the event loop. The cursor gives up after some
thousand instructions of the database, and a thread begins anew. Instructions say nothing of a slow
disk, on which every association of the process would wait: if an attempt takes longer than
``LONGEST_AT_ONCE`` twice within ``THREADS_ONLY``, threads do everything for that long. One slow
attempt may be other work of the machine.

A C-CANCEL and the loss of the association both call ``Search.interrupt`` in the event loop, while
a thread may be inside the database. The database gives up, and the thread's ``fetch`` raises
IndexDatabaseError; for a cancelled request ``handle`` answers that with FE00. If the association is
gone, the answer itself raises AssociationAbortedError, for whoever runs the service. Either way
``handle`` waits for the thread before it closes the cursor, whose connection goes to another query.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from time import monotonic
from typing import ClassVar

from dicomquest.dataset.charset import (
    FALLBACK,
    Terms,
    normalise_terms,
)
from dicomquest.dataset.codec import (
    IDENTIFIER_LIMITS,
    Limits,
    RemarkKind,
    Remarks,
    decode,
    is_deflated,
)
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.dataset.response_fields import Field, Source
from dicomquest.errors import DataSetError, IdentifierError, IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.query.extended_negotiation import accepted_options
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.services.access import PeerChoices, Profile
from dicomquest.services.failures import failure_of
from dicomquest.services.find_gate import FindGate
from dicomquest.services.limit_names import OF_IDENTIFIER, LimitName
from dicomquest.services.observer import find_in_words
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import Batches, RowEncoder, Search
from dicomquest.standard import statuses
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    REMOVED_FROM_OPERATIONAL_USE,
    RETRIEVE_AE_TITLE,
    tag_text,
)

LOGGER = logging.getLogger("dicomquest.find")

_ITEM_KEYS = attrgetter("item_keys")

SMALL_IDENTIFIER = 1024
"""Bytes of an identifier that is read in the event loop, which takes well below 2 ms.

Usual ones have some hundred. A longer one is read by a thread, because every association would wait
for it; so is a deflated one, of which the bytes tell nothing.
"""

MOST_REMEMBERED_FIELDS = 256
"""Fields of a response whose encoder is remembered; long ones would fill the memory."""

MOST_ENCODERS = 256
"""Encoders that a service finds by the shape of a query."""

MOST_NOTES = 20
"""Lines that the log gets of one identifier's deviations; the last one counts the others."""

LONGEST_AT_ONCE = 0.02
"""Seconds that a first batch may take in the event loop before threads are thought of."""

THREADS_ONLY = 1.0
"""Seconds that all queries go to threads after first batches were slow."""


@dataclass(frozen=True, slots=True)
class FindLimits:
    """The limits of a process: finds that run at a time, and those of each identifier."""

    most_running: int | None = None
    identifier: Limits = IDENTIFIER_LIMITS


class FindService:
    """Answers C-FIND requests of the Query/Retrieve information models from one index."""

    is_federated: ClassVar[bool] = False
    """Other archives are asked, too, if it is true."""

    def __init__(
        self,
        index: Index,
        retrieve_ae_title: str,
        limits: FindLimits | None = None,
        gate: FindGate | None = None,
    ) -> None:
        """Answer from an index; ``retrieve_ae_title`` is the (0008,0054) of all responses.

        Services that share a ``gate`` share the limits of finds that run and begin.
        """
        self.limits = limits or FindLimits()
        self.gate = gate or FindGate(self.limits.most_running)
        self.index = index
        self._retrieve_ae_title = retrieve_ae_title
        # One thread reads long identifiers: several would keep the event loop from its turns.
        self._reading = asyncio.Lock()
        self._encoders: dict[tuple[object, ...], ResponseEncoder] = {}
        self._at_once_from = 0.0
        self._slow_until = 0.0

    async def end(self) -> None:
        """Let go of what the service holds open: nothing, as the index is the server's."""

    async def handle(self, request: ServiceRequest) -> None:
        """Answer one request, to its final response (PS3.4 C.4.1.3)."""
        peer = request.association.profile.choices
        title = request.association.requestor.ae_title
        limit = self.gate.enter(title, peer.finds_per_second, request.began)
        if limit is not None:
            most = self.limits.most_running if limit is LimitName.FINDS else peer.finds_per_second
            await refuse_at(request, limit, most)
            return
        try:
            await self._answer(request, peer)
        finally:
            self.gate.leave()

    async def _answer(self, request: ServiceRequest, peer: PeerChoices) -> None:
        is_small = is_short(request)
        try:
            if is_small:
                query, encoder = self.understand(request, peer)
            else:
                async with self._reading:
                    request.check_association()
                    query, encoder = await request.run(self.understand, request, peer)
        except (DataSetError, IdentifierError) as error:
            if error.limit in OF_IDENTIFIER:
                request.hit(OF_IDENTIFIER[error.limit])
            await request.send_final(*failure_of(error))
            return
        log_query(request, query)
        search = Search(self.index, query, encoder, request.association.state.has_stored)
        request.on_cancel(search.interrupt)
        batches = Batches(request, search, self.most_responses(query, peer))
        try:
            # A long query takes its time to be compiled, too.
            if is_small and monotonic() >= self._at_once_from:
                self._begin_at_once(batches)
            search.expire_at(request.began, peer.query_seconds)
            await self._stream(request, query, batches, peer)
        except IndexDatabaseError as error:
            if request.is_cancelled:
                # It was interrupted, as it should be.
                await request.send_final(statuses.CANCEL)
            elif search.is_expired:
                await refuse_at(request, LimitName.QUERY_TIME, peer.query_seconds)
            else:
                LOGGER.error(  # noqa: TRY400
                    "%s: the index failed: %s", request.association.words, error
                )
                await request.send_final(*failure_of(error))
        except MemoryError as error:
            await request.send_final(*failure_of(error))
        finally:
            search.expire_never()
            await batches.end()
            request.forget_callbacks()
            if search.closes_at_once:
                search.close()
            else:
                await request.run(search.close)

    def _begin_at_once(self, batches: Batches) -> None:
        """Find the first matches in the event loop, and note whether that held it up."""
        started = monotonic()
        batches.begin_at_once()
        ended = monotonic()
        if ended - started > LONGEST_AT_ONCE:
            if ended < self._slow_until:
                self._at_once_from = ended + THREADS_ONLY
            self._slow_until = ended + THREADS_ONLY

    def understand(self, request: ServiceRequest, peer: PeerChoices) -> tuple[Query, RowEncoder]:
        """Return the query of a request, and the encoder of its responses; in any thread."""
        query = self.read_query(request, peer)
        return query, self._encoder(request, query)

    def read_query(self, request: ServiceRequest, peer: PeerChoices) -> Query:
        """Return the query of a request; DataSetError or IdentifierError refuses it."""
        sop_class = request.context.abstract_syntax
        negotiated = request.association.extended_negotiation.get(sop_class, b"")
        identifier = self.decoded(request, peer)
        query = parse_identifier(identifier, sop_class, accepted_options(negotiated, peer.options))
        profile = request.association.profile
        check_level(query.level, profile)
        return replace(query, visible=profile.visible) if profile.visible else query

    def decoded(self, request: ServiceRequest, peer: PeerChoices) -> DataSet:
        """Return the identifier of a request, and log what deviates in it."""
        fallback = (peer.default_charset, *FALLBACK) if peer.default_charset else FALLBACK
        remarks = Remarks()
        identifier = decode(
            request.data_set or b"",
            request.context.transfer_syntax,
            fallback=fallback,
            limits=self.limits.identifier,
            remarks=remarks,
        )
        for tag, kind, _ in remarks:
            _note(request, f"{tag_text(tag)}: {kind.value}")
            if kind is RemarkKind.UNDECODABLE and peer.options.strict:
                raise IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, kind.value, (tag,))
        return identifier

    def _encoder(self, request: ServiceRequest, query: Query) -> ResponseEncoder:
        keys, syntax = query.return_keys, request.context.transfer_syntax
        requested = normalise_terms(query.charset_terms)
        if len(keys) > MOST_REMEMBERED_FIELDS or any(map(_ITEM_KEYS, keys)):
            return self._make_encoder(query, syntax, requested)
        # By what the fields are made of: to make and to hash them takes longer than all else here.
        shape = (
            keys, query.level, query.private_creators, query.wants_availability, requested, syntax,
            query.records and (query.records.is_returned, query.records.tells_use),
        )  # fmt: skip
        encoder = self._encoders.get(shape)
        if encoder is None:
            if len(self._encoders) >= MOST_ENCODERS:
                self._encoders.clear()
            encoder = self._encoders[shape] = self._make_encoder(query, syntax, requested)
        return encoder

    def _make_encoder(
        self, query: Query, transfer_syntax: str, requested: Terms
    ) -> ResponseEncoder:
        is_usual = len(query.return_keys) <= MOST_REMEMBERED_FIELDS
        constants = (_constants if is_usual else _constants.__wrapped__)(
            query.level,
            self._retrieve_ae_title,
            query.private_creators,
            query.wants_availability,
        )
        in_use = [_IN_USE] if query.records is not None and query.records.tells_use else []
        fields = (*self.index.fields(query), *constants, *in_use)
        make = _response_encoder if is_usual else ResponseEncoder
        return make(fields, transfer_syntax, requested)

    async def _stream(
        self, request: ServiceRequest, query: Query, batches: Batches, peer: PeerChoices
    ) -> None:
        while True:
            identifiers = await batches.next()
            if request.is_cancelled:
                await request.send_final(statuses.CANCEL)
                return
            if batches.is_expired:
                await refuse_at(request, LimitName.QUERY_TIME, peer.query_seconds)
                return
            if identifiers:
                await request.send_pending(
                    query.pending_status, identifiers, final_follows=batches.is_exhausted
                )
            if batches.is_exhausted:
                break
        if batches.is_cut_off:
            await self.end_cut_off(request, query, peer)
        else:
            await request.send_final(statuses.SUCCESS)

    def most_responses(self, query: Query, peer: PeerChoices) -> int | None:
        """Return the limit of Pending responses to a query; None for no limit."""
        del query
        return peer.result_limit

    async def end_cut_off(self, request: ServiceRequest, query: Query, peer: PeerChoices) -> None:
        """End a query of which the limit left matches out."""
        del query
        request.hit(LimitName.RESULTS)
        if peer.limit_is_success:
            LOGGER.warning(
                "%s: result limit %s reached",
                request.association.words,
                peer.result_limit,
            )
            await request.send_final(statuses.SUCCESS)
        else:
            await request.send_final(
                statuses.OUT_OF_RESOURCES, f"result limit {peer.result_limit} reached"
            )


async def refuse_at(request: ServiceRequest, limit: LimitName, most: float | None) -> None:
    """End a request with A700 for a limit that is reached, and tell the observer."""
    request.hit(limit)
    comment = f"limit {limit.value} of {most:g} reached"
    await request.send_final(statuses.OUT_OF_RESOURCES, comment)


def check_level(level: Level, profile: Profile) -> None:
    """Raise IdentifierError for a level that the profile does not allow."""
    if level not in profile.levels:
        allowed = ", ".join(each.name for each in sorted(profile.levels))
        raise IdentifierError(
            statuses.NOT_AUTHORIZED, f"{level.name} level not authorized; allowed: {allowed}"
        )


def is_short(request: ServiceRequest) -> bool:
    """Tell whether an identifier is read faster than a thread is reached."""
    size = len(request.data_set or b"")
    return size <= SMALL_IDENTIFIER and not is_deflated(request.context.transfer_syntax)


_IN_USE = Field(REMOVED_FROM_OPERATIONAL_USE, "CS", Source.CONSTANT, "N")
"""The answer for each entity: the index forgets what is removed."""


@lru_cache(maxsize=256)
def _constants(
    level: Level,
    retrieve_ae_title: str,
    private_creators: tuple[tuple[int, str], ...],
    is_available: bool,
) -> tuple[Field, ...]:
    """Return the fields that all responses to a query have besides the columns."""
    constants = [
        Field(QUERY_RETRIEVE_LEVEL, "CS", Source.CONSTANT, level.name),
        Field(RETRIEVE_AE_TITLE, "AE", Source.CONSTANT, retrieve_ae_title),
        *(Field(tag, "LO", Source.CONSTANT, creator) for tag, creator in private_creators),
    ]
    if is_available:
        constants.append(Field(INSTANCE_AVAILABILITY, "CS", Source.CONSTANT, "ONLINE"))
    return tuple(constants)


@lru_cache(maxsize=256)
def _response_encoder(
    fields: tuple[Field, ...], transfer_syntax: str, requested: tuple[str, ...]
) -> ResponseEncoder:
    """Return the encoder of a query shape; making one takes a millisecond."""
    return ResponseEncoder(fields, transfer_syntax, requested)


def log_query(request: ServiceRequest, query: Query) -> None:
    """Keep the query for the log, and log a line for each key that does not act as asked.

    No line has values.
    """
    request.query = query
    association, sop_class = request.association, request.context.abstract_syntax
    LOGGER.debug(
        "%s: %s begins",
        association.words,
        find_in_words(sop_class, query.level_name, is_http=association.is_http),
    )
    lines = [*query.notes]
    for ignored in query.ignored:
        path = ".".join(map(tag_text, ignored.path))
        lines.append(f"key {path}: {ignored.reason}")
    if len(lines) > MOST_NOTES:
        lines = [*lines[: MOST_NOTES - 1], f"and {len(lines) - MOST_NOTES + 1} more deviations"]
    for line in lines:
        _note(request, line)


def _note(request: ServiceRequest, words: str) -> None:
    """Log a deviation of an identifier; also in the thread that reads long ones."""
    association = request.association
    line = f"{association.words}: {words}"
    association.lines.log(LOGGER, logging.INFO, "identifier", line)

"""C-FIND answered from several archives, as from one (PS3.4 C.4.1.3).

A request goes the way of ``FindService`` until its query is known, and has the same rights and
limits. Then all sources are asked at once, and their merged answers stream to the caller while it
reads them. A source that falls short costs nobody else's time; it is named in the log, to the
observer and in the Error Comment, and the final status is none of success.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from itertools import groupby
from time import monotonic

from dicomquest.dataset.charset import normalise_terms
from dicomquest.errors import DataSetError, IdentifierError
from dicomquest.federation.answer_encoder import encode_responses
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.gathering import Gathering, Response
from dicomquest.federation.row_reader import RowPart
from dicomquest.federation.shortfall import SourceEnd, final_of
from dicomquest.federation.sources import Source
from dicomquest.index.index import Index
from dicomquest.query.extended_negotiation import accepted_options
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.services.access import PeerChoices
from dicomquest.services.failures import failure_of
from dicomquest.services.find import (
    FindLimits,
    FindService,
    check_level,
    is_short,
    log_query,
    refuse_at,
)
from dicomquest.services.limit_names import OF_IDENTIFIER, LimitName
from dicomquest.services.observer import Observer, UpstreamFinished
from dicomquest.services.request import AssociationInfo, ServiceRequest
from dicomquest.standard import statuses

LOGGER = logging.getLogger("dicomquest.federation")

MERGE_WAIT = 0.2
"""Seconds that an answer waits for those of other sources about the same entity."""


class FederatedFind(FindService):
    """Answers C-FIND requests of the three information models from all sources."""

    is_federated = True

    def __init__(
        self,
        index: Index,
        retrieve_ae_title: str,
        limits: FindLimits | None = None,
        *,
        sources: Sequence[Source],
        merge_wait: float = MERGE_WAIT,
        observer: Observer | None = None,
    ) -> None:
        """Ask these sources; the index is asked only as one of them."""
        super().__init__(index, retrieve_ae_title, limits)
        self.sources = sources
        self.merge_wait = merge_wait
        self._observer = observer

    async def end(self) -> None:
        """Let the sources go, at the end of the server."""
        await asyncio.gather(*(source.end() for source in self.sources))

    async def _answer(self, request: ServiceRequest, peer: PeerChoices) -> None:
        try:
            if is_short(request):
                question = self._question(request, peer)
            else:
                question = await request.run(self._question, request, peer)
        except (DataSetError, IdentifierError) as error:
            if error.limit in OF_IDENTIFIER:
                request.hit(OF_IDENTIFIER[error.limit])
            await request.send_final(*failure_of(error))
            return
        log_query(request, question.query)
        gathering = Gathering(self.sources, question, request.run, self.merge_wait)
        request.on_cancel(gathering.wake)
        seconds = peer.query_seconds
        timer = None
        if seconds is not None:
            left = max(request.began + seconds - monotonic(), 0.0)
            timer = asyncio.get_running_loop().call_later(left, gathering.wake)
        try:
            is_cut_off = await self._send_all(request, question, gathering, peer.result_limit)
        finally:
            if timer is not None:
                timer.cancel()
        ends = [gathering.ends[place] for place in sorted(gathering.ends)]
        self.tell(request.association, ends)
        if request.is_cancelled:
            await request.send_final(statuses.CANCEL)
        elif gathering.is_stopped:
            await refuse_at(request, LimitName.QUERY_TIME, seconds)
        elif is_cut_off:
            await self._end_at_limit(request, peer)
        else:
            await self._end(request, peer, ends)

    def _question(self, request: ServiceRequest, peer: PeerChoices) -> AskedQuery:
        sop_class = request.context.abstract_syntax
        negotiated = request.association.extended_negotiation.get(sop_class, b"")
        identifier = self.decoded(request, peer)
        query = parse_identifier(identifier, sop_class, accepted_options(negotiated, peer.options))
        profile = request.association.profile
        check_level(query.level, profile)
        return asked(identifier, query, profile.visible)

    async def _send_all(
        self,
        request: ServiceRequest,
        question: AskedQuery,
        gathering: Gathering,
        limit: int | None,
    ) -> bool:
        """Send what is gathered; True if the result limit has cut it off."""
        left = limit
        async with aclosing(gathering.batches()) as batches:
            async for batch in batches:
                sent = batch if left is None else batch[:left]
                await _send(request, question, sent)
                if left is not None:
                    if len(batch) > left:
                        return True
                    left -= len(batch)
        return False

    async def _end_at_limit(self, request: ServiceRequest, peer: PeerChoices) -> None:
        request.hit(LimitName.RESULTS)
        if peer.limit_is_success:
            LOGGER.warning(
                "%s: result limit %s reached", request.association.words, peer.result_limit
            )
            await request.send_final(statuses.SUCCESS)
        else:
            comment = f"result limit {peer.result_limit} reached"
            await request.send_final(statuses.OUT_OF_RESOURCES, comment)

    async def _end(
        self, request: ServiceRequest, peer: PeerChoices, ends: Sequence[SourceEnd]
    ) -> None:
        final = final_of(ends)
        if final.status != statuses.SUCCESS and peer.incomplete_is_success:
            LOGGER.warning(
                "%s: %s; ended with 0000, as incomplete-is-success says",
                request.association.words,
                final.comment,
            )
            await request.send_final(statuses.SUCCESS)
            return
        await request.send_final(*final)

    def tell(self, association: AssociationInfo, ends: Sequence[SourceEnd]) -> None:
        """Log the sources that fell short, and tell the observer of all."""
        for end in ends:
            if end.kind.is_short:
                LOGGER.warning(
                    "%s: the answer is not complete: %s: %s: %s",
                    association.words,
                    end.name,
                    end.kind.value,
                    end.detail,
                )
            if self._observer is not None:
                self._observer.tell(
                    UpstreamFinished(end.name, end.kind.value, end.matches, end.seconds)
                )


async def _send(request: ServiceRequest, question: AskedQuery, batch: Sequence[Response]) -> None:
    """Send responses, with FF01 where a source lacks an optional key."""
    query = question.query
    requested = normalise_terms(query.charset_terms)
    for lacks, group in _by_lack(batch):
        status = statuses.PENDING_WITH_UNSUPPORTED_KEYS if lacks else query.pending_status
        await request.send_pending(
            status, encode_responses(group, request.context.transfer_syntax, requested)
        )


def _by_lack(batch: Sequence[Response]) -> list[tuple[bool, Sequence[Response]]]:
    """Return the responses in their order, apart where an optional key begins or ceases to lack."""
    # Nearly always a few readers have made them all.
    readers = {each.reader for each in batch if isinstance(each, RowPart)}
    lacking = {each.lacks for each in readers}
    lacking |= {each.lacks for each in batch if not isinstance(each, RowPart)}
    if len(lacking) == 1:
        return [(batch[0].lacks, batch)]
    return [(lacks, [*group]) for lacks, group in groupby(batch, key=lambda each: each.lacks)]

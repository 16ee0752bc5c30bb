"""QIDO-RS answered from several archives, as from one (PS3.18 10.6).

The archives are asked as for C-FIND. The matches of all are in hand before the first is sent: only
then are their order, their number, and the archives that fell short known, of which a Warning
header tells.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from time import monotonic
from typing import Final

from dicomquest.dataset.json_encoder import JsonEncoder, Place
from dicomquest.dataset.response_fields import Field, Source
from dicomquest.errors import IdentifierError
from dicomquest.federation.answer_encoder import fields_of, row_of
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.federated_find import FederatedFind
from dicomquest.federation.gathering import Gathering, Response
from dicomquest.federation.shortfall import SourceEnd, comment_of
from dicomquest.index.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.services.access import PeerChoices
from dicomquest.services.failures import failure_of
from dicomquest.services.find import check_level, log_query, refuse_at
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses
from dicomquest.standard.tags import INSTANCE_AVAILABILITY, QUERY_RETRIEVE_LEVEL
from dicomquest.web.match_order import match_order
from dicomquest.web.search_parameters import MODEL
from dicomquest.web.search_service import (
    AS_JSON,
    SearchService,
    SearchServiceRequest,
    XmlEncoder,
)

MOST_HELD: Final = 20_000
"""Matches of one search that are in hand at a time; about 40 MB."""

PORTION: Final = 200
"""Matches that are encoded before the event loop goes on; some 10 ms."""


class FederatedSearch(SearchService):
    """Answers searches from all sources of C-FIND."""

    is_federated = True

    def __init__(self, index: Index, find: FederatedFind) -> None:
        """Ask the sources of a service, within its limits."""
        super().__init__(index, find)
        self.find = find

    async def _answer(self, request: ServiceRequest, peer: PeerChoices) -> None:
        assert isinstance(request, SearchServiceRequest)  # noqa: S101  nobody asks otherwise
        try:
            question = self._question(request)
        except IdentifierError as error:
            await request.send_final(*failure_of(error))
            return
        log_query(request, question.query)
        page = request.search.page
        wanted = MOST_HELD if page.limit is None else page.offset + page.limit
        if wanted > MOST_HELD:
            await request.send_final(
                statuses.IDENTIFIER_DOES_NOT_MATCH,
                f"offset and limit go beyond {MOST_HELD} matches of several archives: add keys",
            )
            return
        gathering = Gathering(self.find.sources, question, request.run, self.find.merge_wait)
        request.on_cancel(gathering.wake)
        seconds = peer.query_seconds
        timer = None
        if seconds is not None:
            left = max(request.began + seconds - monotonic(), 0.0)
            timer = asyncio.get_running_loop().call_later(left, gathering.wake)
        try:
            found, request.total = await _first_of(gathering, question, wanted, all_of=page.limit)
        finally:
            if timer is not None:
                timer.cancel()
        ends = [gathering.ends[place] for place in sorted(gathering.ends)]
        self.find.tell(request.association, ends)
        if request.is_cancelled:
            await request.send_final(statuses.CANCEL)
        elif gathering.is_stopped:
            await refuse_at(request, LimitName.QUERY_TIME, seconds)
        elif request.total > wanted and page.limit is None:
            await request.send_final(
                statuses.OUT_OF_RESOURCES,
                f"more than {MOST_HELD} matches of several archives: add keys, or a limit",
            )
        else:
            await self._send(request, found[page.offset :], ends)

    def _question(self, request: SearchServiceRequest) -> AskedQuery:
        search, profile = request.search, request.association.profile
        query = parse_identifier(search.identifier, MODEL.uid, search.options)
        check_level(query.level, profile)
        return asked(search.identifier, query, profile.visible)

    async def _send(
        self, request: SearchServiceRequest, found: list[Response], ends: list[SourceEnd]
    ) -> None:
        short = [end for end in ends if end.kind.is_short]
        if short and len(short) == len(ends):
            await request.send_final(statuses.INCOMPLETE, f"incomplete: {comment_of(short)}")
            return
        if short:
            words = f"The answer is incomplete: {comment_of(short)}"
            warnings = (words, *request.search.warnings)
            request.search = replace(request.search, warnings=warnings)
            request.is_partial = True
        if found:
            encoded: list[bytes] = []
            for start in range(0, len(found), PORTION):
                encoded += [self._encoded(request, each) for each in found[start : start + PORTION]]
                # Other requests go on between the portions of a long answer.
                await asyncio.sleep(0)
            await request.send_pending(statuses.PENDING, encoded, final_follows=True)
        if short:
            await request.send_final(statuses.INCOMPLETE, f"incomplete: {comment_of(short)}")
        else:
            await request.send_final(statuses.SUCCESS)

    def _encoded(self, request: SearchServiceRequest, found: Response) -> bytes:
        response = {
            tag: element
            for tag, element in found.response.items()
            if tag not in {QUERY_RETRIEVE_LEVEL, INSTANCE_AVAILABILITY}
        }
        fields = fields_of(response)
        place = None
        if request.base is not None:
            place = Place(request.base, request.search.resource.segments)
        fields += (Field(INSTANCE_AVAILABILITY, "CS", Source.CONSTANT, "ONLINE"),)
        encoder = _json_encoder(fields, request.search.optional, place)
        row = row_of(response)
        if request.form is AS_JSON:
            return encoder.encode([row])[0]
        return XmlEncoder(encoder, request.form.boundary).encode([row])[0]


@lru_cache(maxsize=256)
def _json_encoder(
    fields: tuple[Field, ...], optional: frozenset[int], place: Place | None
) -> JsonEncoder:
    """Return the encoder of a shape of matches; making one takes a millisecond."""
    return JsonEncoder(fields, optional, place)


async def _first_of(
    gathering: Gathering, question: AskedQuery, wanted: int, *, all_of: int | None
) -> tuple[list[Response], int]:
    """Return the first matches in their order, and the number of all."""
    level = question.query.level
    held: list[tuple[tuple[object, ...], Response]] = []
    total = 0
    async with aclosing(gathering.batches()) as batches:
        async for batch in batches:
            total += len(batch)
            held += [(match_order(each.response, level), each) for each in batch]
            if len(held) > wanted + MOST_HELD:
                if all_of is None:
                    break
                held.sort(key=_key)
                del held[wanted:]
    held.sort(key=_key)
    return [each for _, each in held[:wanted]], total


def _key(each: tuple[tuple[object, ...], Response]) -> tuple[object, ...]:
    return each[0]

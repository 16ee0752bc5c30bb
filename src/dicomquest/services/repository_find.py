"""Repository Query: all of an index in parts, each going on after a record (PS3.4 C.6.4)."""

from __future__ import annotations

from dataclasses import replace

from dicomquest.query.extended_negotiation import accepted_options
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.records import records_of, take_records
from dicomquest.services.access import PeerChoices
from dicomquest.services.find import FindService, check_level
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses


class RepositoryService(FindService):
    """Answers Repository Query from one index: Study Root, with keys and limits of records."""

    _identity = ""

    def read_query(self, request: ServiceRequest, peer: PeerChoices) -> Query:
        """Return the query of a request; IdentifierError (A710) for an invalid PriorRecordKey."""
        sop_class = request.context.abstract_syntax
        negotiated = request.association.extended_negotiation.get(sop_class, b"")
        identifier, asked = take_records(self.decoded(request, peer))
        query = parse_identifier(identifier, sop_class, accepted_options(negotiated, peer.options))
        profile = request.association.profile
        check_level(query.level, profile)
        self._identity = self._identity or self.index.identity
        records = records_of(asked, self._identity, query.level, peer.result_limit)
        return replace(query, visible=profile.visible, records=records)

    def most_responses(self, query: Query, peer: PeerChoices) -> int | None:
        """Return the limit of Pending responses: the lower of the two sides' limits."""
        del peer
        return query.records.most if query.records is not None else None

    async def end_cut_off(self, request: ServiceRequest, query: Query, peer: PeerChoices) -> None:
        """End a query of which the limit left matches out: a further one may go on (B001)."""
        most = self.most_responses(query, peer)
        if most == peer.result_limit:
            request.hit(LimitName.RESULTS)
        await request.send_final(
            statuses.RESPONSE_LIMIT_REACHED, f"response limit {most} reached: there are more"
        )

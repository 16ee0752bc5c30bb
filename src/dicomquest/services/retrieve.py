"""C-GET and C-MOVE answered from the index (PS3.4 C.4.2.2, C.4.3.2).

    identifier -> Query for instances -> their number -> files -> C-STORE sub-operations

``decode`` and ``parse_retrieve`` may refuse the identifier. ``StoredSource`` selects the instances
by the engine and under the filter of C-FIND. ``Retrieving`` sends them by a route: the association
itself, or one with the destination.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from dicomquest.dataset.charset import FALLBACK
from dicomquest.dataset.codec import IDENTIFIER_LIMITS, Limits, decode
from dicomquest.dimse.commands import CGetRQ, CMoveRQ, RetrieveRQ
from dicomquest.errors import DataSetError, IdentifierError, IndexDatabaseError, error_comment
from dicomquest.index.index import Index
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier, parse_retrieve
from dicomquest.services.access import PeerChoices
from dicomquest.services.failures import Failure, failure_of
from dicomquest.services.find import check_level, is_short
from dicomquest.services.find_gate import FindGate
from dicomquest.services.interruptible_source import TooManyInstancesError
from dicomquest.services.limit_names import OF_IDENTIFIER, LimitName
from dicomquest.services.move_destinations import Destination, Destinations
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_progress import Progress, Retrieved
from dicomquest.services.retrieve_routes import DestinationRoute, OwnRoute
from dicomquest.services.retrieve_source import InstanceSource
from dicomquest.services.retrieving import Retrieving, Route
from dicomquest.services.stored_source import StoredSource
from dicomquest.standard import statuses

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions

LOGGER = logging.getLogger("dicomquest.retrieve")


@dataclass(frozen=True, slots=True)
class RetrieveLimits:
    """The limits of a process: retrieves that run at a time, and those of each identifier."""

    most_running: int | None = None
    identifier: Limits = IDENTIFIER_LIMITS


class Selection(InstanceSource, Protocol):
    """The instances that a retrieve asks for; ``interrupt`` ends their selection at any time."""

    def interrupt(self) -> None:
        """Give up; ``count`` raises IndexDatabaseError then."""


class RetrieveService:
    """Answers C-GET and C-MOVE requests from one index."""

    def __init__(
        self,
        index: Index,
        destinations: Destinations,
        limits: RetrieveLimits | None = None,
        gate: FindGate | None = None,
    ) -> None:
        """Send instances of an index, those of a C-MOVE to ``destinations``.

        Services that share a ``gate`` share the limit of retrieves that run.
        """
        self.index = index
        self.destinations = destinations
        self._limits = limits or RetrieveLimits()
        self.gate = gate or FindGate(self._limits.most_running)

    async def handle(self, request: ServiceRequest) -> None:
        """Answer one request, to its final response."""
        command = request.command
        if not isinstance(command, CGetRQ | CMoveRQ):
            await request.send_final(statuses.UNRECOGNIZED_OPERATION)
            return
        request.retrieved = Retrieved(
            destination=command.move_destination if isinstance(command, CMoveRQ) else ""
        )
        title = request.association.requestor.ae_title
        if self.gate.enter(title, None, request.began) is not None:
            await _refuse(request, LimitName.RETRIEVES, self._limits.most_running)
            return
        try:
            await self._answer(request, command)
        finally:
            self.gate.leave()

    async def _answer(self, request: ServiceRequest, command: RetrieveRQ) -> None:
        peer = request.association.profile.choices
        try:
            destination = self._destination(request, command)
            if is_short(request):
                identifier = self._parse(request, peer)
            else:
                identifier = await request.run(self._parse, request, peer)
        except (DataSetError, IdentifierError) as error:
            if isinstance(error, DataSetError) and error.limit in OF_IDENTIFIER:
                request.hit(OF_IDENTIFIER[error.limit])
            await request.send_final(*failure_of(error))
            return
        self._note(request, identifier, destination)
        source = self.select(request, identifier, peer)
        request.on_cancel(source.interrupt)
        try:
            await self._send(request, source, destination)
        except TooManyInstancesError:
            await _refuse(request, LimitName.RETRIEVED_INSTANCES, peer.most_retrieved)
        except IndexDatabaseError as error:
            if request.is_cancelled:
                await self._end(request, statuses.CANCEL)
                return
            LOGGER.error(  # noqa: TRY400
                "association %d: the index failed: %s", request.association.number, error
            )
            await self._end(request, statuses.CANNOT_COUNT_MATCHES, failure_of(error).comment)
        finally:
            source.close()

    def select(
        self, request: ServiceRequest, identifier: RetrieveIdentifier, peer: PeerChoices
    ) -> Selection:
        """Return what a request asks for."""
        return StoredSource(
            self.index,
            identifier.query,
            request.run,
            most=peer.most_retrieved,
            is_latest=request.association.state.has_stored,
        )

    def verdict(self, request: ServiceRequest, source: Selection, final: Failure) -> Failure:
        """Return the final response of a retrieve, with what its source has to say of it."""
        del request, source
        return final

    def _destination(self, request: ServiceRequest, command: RetrieveRQ) -> Destination | None:
        """Return the destination of a C-MOVE; IdentifierError A801 or 0124 if it may not be."""
        if isinstance(command, CGetRQ):
            return None
        title, association = command.move_destination, request.association
        allowed = association.profile.destinations
        if allowed is not None and title not in allowed:
            raise IdentifierError(
                statuses.NOT_AUTHORIZED, f"move destination {title} is not allowed to you"
            )
        destination = self.destinations.find(title, association)
        if destination is None:
            LOGGER.warning(
                "association %d: the move destination %r is not configured: give it a table "
                "[destinations.%s] with host and port",
                association.number,
                title,
                title,
            )
            raise IdentifierError(
                statuses.MOVE_DESTINATION_UNKNOWN, f"move destination {title} is not configured"
            )
        return destination

    def _parse(self, request: ServiceRequest, peer: PeerChoices) -> RetrieveIdentifier:
        sop_class, association = request.context.abstract_syntax, request.association
        negotiated = association.extended_negotiation.get(sop_class, b"")
        fallback = (peer.default_charset, *FALLBACK) if peer.default_charset else FALLBACK
        data_set = decode(
            request.data_set or b"",
            request.context.transfer_syntax,
            fallback=fallback,
            limits=self._limits.identifier,
        )
        options = replace(peer.options, relational=negotiated[:1] == b"\1")
        identifier = self.read_identifier(data_set, sop_class, options)
        check_level(identifier.level, association.profile)
        if visible := association.profile.visible:
            return replace(identifier, query=replace(identifier.query, visible=visible))
        return identifier

    def read_identifier(
        self, data_set: DataSet, sop_class: str, options: QueryOptions
    ) -> RetrieveIdentifier:
        """Return the query of an identifier; IdentifierError refuses it."""
        return parse_retrieve(data_set, sop_class, options)

    def _note(
        self,
        request: ServiceRequest,
        identifier: RetrieveIdentifier,
        destination: Destination | None,
    ) -> None:
        """Keep for the log what is asked for, and log the deviations that were read leniently."""
        request.query = identifier.query
        request.retrieved = Retrieved(
            identifier.level,
            destination.ae_title if destination is not None else "",
            destination.host if destination is not None else "",
        )
        association = request.association
        for note in identifier.query.notes:
            line = f"association {association.number}: {note}"
            association.lines.log(LOGGER, logging.INFO, "identifier", line)

    async def _send(
        self, request: ServiceRequest, source: Selection, destination: Destination | None
    ) -> None:
        total = await source.count()
        if not total or request.is_cancelled:
            self._keep(request, Progress(total))
            final = Failure(statuses.CANCEL if request.is_cancelled else statuses.SUCCESS)
            await self._end(request, *self.verdict(request, source, final)[:2])
            return
        route: Route
        if destination is None:
            route = OwnRoute(request)
        else:
            route = DestinationRoute(request, self.destinations, destination, source.needed())
        retrieving = Retrieving(request, source, total, route)
        self._keep(request, retrieving.progress)
        final = Failure(await retrieving.run(), retrieving.trouble)
        await self._end(request, *self.verdict(request, source, final)[:2])

    def _keep(self, request: ServiceRequest, progress: Progress) -> None:
        assert request.retrieved is not None  # noqa: S101
        request.retrieved = replace(request.retrieved, progress=progress)

    async def _end(self, request: ServiceRequest, status: int, comment: str = "") -> None:
        """Send the final response with what was counted."""
        retrieved = request.retrieved
        known = retrieved.progress if retrieved is not None else None
        progress = known or Progress(0)
        counts = progress.sub_operations(status)
        if known is None:
            # A request that was cancelled before its instances were counted: 0 would say too much.
            counts = counts._replace(remaining=None)
        failed = progress.failed_list(request.context.transfer_syntax)
        await request.send_counts(status, counts, error_comment(comment), failed)


async def _refuse(request: ServiceRequest, limit: LimitName, most: int | None) -> None:
    """End a request with A701 for a limit that is reached, and tell the observer."""
    request.hit(limit)
    comment = f"limit {limit.value} of {most} reached"
    await request.send_final(statuses.CANNOT_COUNT_MATCHES, comment)

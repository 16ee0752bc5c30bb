"""The responses of an accepted association, and its sub-operations (PS3.7 9.1, 9.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from dicomquest.aio.accepted_view import AcceptedView, ViewHost
from dicomquest.aio.own_storage_link import OwnStorageLink
from dicomquest.aio.session_protocol import SessionOwner, SessionProtocol
from dicomquest.aio.teller import Teller
from dicomquest.dimse.commands import (
    CGetRQ,
    CMoveRQ,
    SubOperations,
    response_to,
    retrieve_response,
)
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import Observer
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses


class ResponseChannel(AcceptedView, SessionOwner):
    """The way of services' answers to the peer, all of it in the event loop's thread.

    ``protocol`` drives the session on the transport.
    """

    def __init__(self, server: ViewHost, number: int, observer: Observer | None) -> None:
        super().__init__(server, number)
        self.protocol = SessionProtocol(self._session, self)
        self._requests: dict[int, ServiceRequest] = {}
        self._link: OwnStorageLink | None = None
        self._lines = RepeatedLines()
        self._teller = Teller(number, self._lines, observer)

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        """Send Pending responses; wait while the peer reads too slowly."""
        request.check_association()
        self._session.send_pending(
            request.context.context_id, request.command.message_id, status, identifiers, monotonic()
        )
        if final_follows:
            # The final response takes these along: one write instead of two saves a wake-up of the
            # peer, a tenth of a small query's time.
            return
        self.protocol.pump()
        # Give other associations a turn, and this peer's C-CANCEL a chance to be read.
        await asyncio.sleep(0)
        await self.protocol.drain()

    async def send_explained(
        self,
        request: ServiceRequest,
        status: int,
        identifier: bytes,
        comment: str,
        offending: tuple[int, ...],
    ) -> None:
        """Send one Pending response with an Error Comment or Offending Elements."""
        request.check_association()
        response = response_to(
            request.command, status, error_comment=comment, offending_element=offending
        )
        self._session.send_response(request.command, response, identifier, monotonic())
        self.protocol.pump()
        await asyncio.sleep(0)
        await self.protocol.drain()

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        """Send the final response."""
        request.check_association()
        response = response_to(
            request.command,
            status,
            error_comment=comment,
            offending_element=offending,
            error_id=request.error_id,
            has_attributes=request.attributes is not None,
        )
        self._session.send_response(request.command, response, request.attributes, monotonic())
        self._end_request(request, status, comment, offending)
        self.protocol.pump()
        await self.protocol.drain()

    async def send_counts(
        self,
        request: ServiceRequest,
        status: int,
        counts: SubOperations,
        comment: str,
        failed: bytes | None,
    ) -> None:
        """Send a response to a retrieve; any status but Pending makes it the final one."""
        request.check_association()
        command = request.command
        assert isinstance(command, CGetRQ | CMoveRQ)  # noqa: S101
        has_data_set = failed is not None
        response = retrieve_response(
            command, status, counts, error_comment=comment, has_data_set=has_data_set
        )
        self._session.send_response(command, response, failed, monotonic())
        if status != statuses.PENDING:
            self._end_request(request, status, comment, ())
        self.protocol.pump()
        await self.protocol.drain()

    def _end_request(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        self._requests.pop(request.command.message_id, None)
        self._teller.finished(request, status, comment, offending)

    def storage_link(self, request: ServiceRequest) -> OwnStorageLink:
        """Return this association as the way of a C-GET's sub-operations."""
        link = self._link = OwnStorageLink(self.protocol, request.association)
        return link

    def hit(self, limit: LimitName) -> None:
        """Tell the server's observer that the peer has reached a limit."""
        self._teller.hit(self.requestor, limit)

    def observed_by(self, observer: Observer | None) -> None:
        """Tell another observer from now on."""
        self._teller.observer = observer

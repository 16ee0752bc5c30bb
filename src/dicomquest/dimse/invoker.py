"""Operations that this side invokes: requests out, responses in (PS3.7 8.1, 9.1, 9.3).

A request is *outstanding* from its sending to its final response. A response belongs to the
outstanding request whose Message ID it names, whatever came in between. So a user who stops reading
a query's matches gets none of them as an answer to the next query. Each outstanding request has a
deadline; an overdue query or retrieve is cancelled first and aborted later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dicomquest.dimse.commands import (
    PENDING,
    Cancellable,
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
    NCreateRQ,
    NCreateRSP,
    NormalizedRSP,
    NSetRQ,
    NSetRSP,
    Request,
    Response,
    name_of,
)
from dicomquest.dimse.events import MessageIgnored, ResponseReceived, ResponsesReceived
from dicomquest.dimse.fragments import Message, Reassembler
from dicomquest.dimse.link import HopelessError, Link
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import PresentationDataValue
from dicomquest.pdu.reader import RepeatedPDVs
from dicomquest.ul.timers import Timeouts

LAST_MESSAGE_ID: Final = 0xFFFF

IGNORED_RESPONSES: Final = 16
"""Responses to no outstanding request that are put up with; a peer that sends more is aborted."""

CANCEL_PATIENCE: Final = 10.0
"""Seconds from the C-CANCEL of an overdue query to the A-ABORT."""

_REQUEST_OF: Final[dict[type[Response], type[Request]]] = {
    CEchoRSP: CEchoRQ,
    CFindRSP: CFindRQ,
    CStoreRSP: CStoreRQ,
    CGetRSP: CGetRQ,
    CMoveRSP: CMoveRQ,
    NCreateRSP: NCreateRQ,
    NSetRSP: NSetRQ,
}


@dataclass(slots=True)
class _Operation:
    """A request until its final response; ``deadline`` is ``seconds`` after the last response.

    ``is_expiring`` says that it was cancelled because it was overdue.
    """

    context_id: int
    request: Request
    seconds: float | None = None
    deadline: float | None = None
    is_cancelled: bool = False
    is_expiring: bool = False

    def restart(self, seconds: float | None, now: float) -> None:
        self.seconds = seconds
        self.deadline = None if seconds is None else now + seconds


class Invoker:
    """The outstanding requests; ``window`` is their greatest number at a time, 0 for any number."""

    def __init__(self, link: Link, timeouts: Timeouts) -> None:
        self.window = 1
        self._link = link
        self._timeouts = timeouts
        self._operations: dict[int, _Operation] = {}
        self._last_message_id = 0
        self._ignored_responses = 0
        # Context ID and Message ID of the C-STORE request whose data set is being sent: no other
        # message may come in between (PS3.8 Annex E).
        self._storing: tuple[int, int] | None = None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """The Message IDs of requests without their final response."""
        return tuple(self._operations)

    def __bool__(self) -> bool:
        return bool(self._operations)

    def new_message_id(self) -> int:
        """Return the next Message ID, 1 to 65535 and around, that is not outstanding."""
        if len(self._operations) >= LAST_MESSAGE_ID:
            raise LocalProtocolError(
                f"{len(self._operations)} operations are outstanding: no Message ID is left"
            )
        while True:
            self._last_message_id = self._last_message_id % LAST_MESSAGE_ID + 1
            if self._last_message_id not in self._operations:
                return self._last_message_id

    def send_request(
        self, context_id: int, request: Request, data_set: bytes | None, now: float
    ) -> None:
        """Send a request, if one may be sent now."""
        self._check(context_id, request)
        self._link.send(context_id, request, data_set, now)
        operation = _Operation(context_id, request)
        # A query may take long to find its first match, and a retrieve to send an instance.
        times = self._timeouts
        match request:
            case CFindRQ():
                seconds = times.first_response
            case CGetRQ() | CMoveRQ():
                seconds = times.retrieve
            case _:
                seconds = times.dimse
        operation.restart(seconds, now)
        self._operations[request.message_id] = operation

    def _check(self, context_id: int, request: Request) -> None:
        """Raise LocalProtocolError if this request may not be sent now."""
        if self._storing is not None:
            raise LocalProtocolError(f"{name_of(request)} within the data set of a C-STORE request")
        if not self._link.we_are_scu(self._link.context(context_id)):
            raise LocalProtocolError(
                f"{name_of(request)} without the SCU role on presentation context {context_id}"
            )
        if self.window and len(self._operations) >= self.window:
            raise LocalProtocolError(
                f"{name_of(request)} while {len(self._operations)} operations await their final"
                f" response: {self.window} may at a time"
            )
        if request.message_id in self._operations:
            raise LocalProtocolError(
                f"Message ID {request.message_id} is that of an operation that is outstanding"
            )

    def begin_store(self, context_id: int, request: CStoreRQ, now: float) -> None:
        """Send a C-STORE request whose data set follows by ``send_data``."""
        self._check(context_id, request)
        # No deadline yet: the response is due when the whole data set is sent, and how long that
        # takes is the sender's affair.
        self._link.send_command(context_id, request, now)
        self._operations[request.message_id] = _Operation(context_id, request)
        self._storing = context_id, request.message_id

    def send_data(self, data: bytes, now: float, *, is_last: bool) -> None:
        """Send a part of the data set, an even number of bytes; the last starts the deadline."""
        if self._storing is None:
            raise LocalProtocolError(
                "a part of a data set without a C-STORE request that it belongs to"
            )
        context_id, message_id = self._storing
        self._link.send_data(context_id, data, now, is_last=is_last)
        if is_last:
            self._storing = None
            # Some peers refuse before they have read all, so the operation may be gone. The message
            # has to be completed all the same: the next one begins behind it.
            if (operation := self._operations.get(message_id)) is not None:
                operation.restart(self._timeouts.dimse, now)

    def send_cancel(self, message_id: int, now: float) -> None:
        """Send C-CANCEL-RQ for a query or retrieve, once; then its final response is due."""
        operation = self._operations.get(message_id)
        if operation is None or not isinstance(operation.request, Cancellable):
            raise LocalProtocolError(
                f"C-CANCEL of {message_id}: no C-FIND, C-GET or C-MOVE of this Message ID is "
                "outstanding"
            )
        if not operation.is_cancelled:
            self._cancel(operation, now)
            operation.restart(self._timeouts.dimse, now)

    def note_sub_operation(self, now: float) -> None:
        """Take a C-STORE of the peer, or its end, as a sign that the C-GET goes on."""
        for operation in self._operations.values():
            if isinstance(operation.request, CGetRQ) and not operation.is_expiring:
                operation.restart(self._timeouts.retrieve, now)

    def receive_response(self, message: Message, response: Response, now: float) -> None:
        """Tell the user of a response; raise HopelessError for one that makes no sense."""
        # The type must fit, too: a C-ECHO-RSP with the Message ID of a query is not its answer.
        message_id = response.message_id_being_responded_to
        operation = self._operations.get(message_id)
        if operation is None or type(operation.request) is not _REQUEST_OF[type(response)]:
            self._ignore(response)
            return
        context = self._link.upper_layer.contexts[message.context_id]
        data_set, is_oversized = None, False
        if isinstance(operation.request, Cancellable):
            if response.status in PENDING:
                # An overdue query that was cancelled has to end: matches do not prolong it.
                if not operation.is_expiring:
                    is_find = isinstance(response, CFindRSP)
                    times = self._timeouts
                    operation.restart(times.dimse if is_find else times.retrieve, now)
                self._link.events.append(
                    ResponseReceived(context, response, message.data_set, message.is_oversized)
                )
                return
            # FF02 to FFFF look like Pending and are undefined (PS3.4 C.4.1.1.4): whether more
            # follows, nobody can tell.
            if response.status & 0xFF00 == 0xFF00:
                raise HopelessError(
                    f"{name_of(response)} with status {response.status:04X}:"
                    " the Pending ones are FF00 and FF01"
                )
            if not isinstance(response, CFindRSP):
                data_set, is_oversized = message.data_set, message.is_oversized
        elif isinstance(response, NormalizedRSP):
            data_set, is_oversized = message.data_set, message.is_oversized
        del self._operations[message_id]
        self._link.events.append(ResponseReceived(context, response, data_set, is_oversized))

    def receive_repeated(
        self,
        reassembler: Reassembler,
        pdvs: Sequence[PresentationDataValue | RepeatedPDVs],
        position: int,
        now: float,
    ) -> int:
        """Take the Pending responses that repeat the last one; return the position of the rest.

        The user is told of them together, otherwise as by ``receive_response``.
        """
        response = reassembler.known_command
        if not isinstance(response, CFindRSP) or response.status not in PENDING:
            return position
        operation = self._operations.get(response.message_id_being_responded_to)
        if operation is None or not isinstance(operation.request, CFindRQ):
            return position
        data_sets, position = reassembler.receive_repeated(operation.context_id, pdvs, position)
        if data_sets:
            if not operation.is_expiring:
                operation.restart(self._timeouts.dimse, now)
            context = self._link.upper_layer.contexts[operation.context_id]
            self._link.events.append(ResponsesReceived(context, response, data_sets))
        return position

    def _ignore(self, response: Response) -> None:
        # One late response does no harm; an endless row of them does.
        self._ignored_responses += 1
        if self._ignored_responses > IGNORED_RESPONSES:
            raise HopelessError(
                f"{self._ignored_responses} responses to requests that are not outstanding"
            )
        self._link.events.append(MessageIgnored(response, "it responds to no outstanding request"))

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Use other time-outs from now on, in the upper layer, too; what runs keeps its own."""
        self._timeouts = timeouts
        self._link.upper_layer.set_timeouts(timeouts)

    def next_deadline(self) -> float | None:
        """Return the time at which the next response is overdue."""
        deadlines = (
            each.deadline for each in self._operations.values() if each.deadline is not None
        )
        return min(deadlines, default=None)

    def expire(self, now: float) -> None:
        """Cancel a query whose response is overdue; raise HopelessError if that did not help."""
        for message_id, operation in self._operations.items():
            if operation.deadline is None or operation.deadline > now:
                continue
            # Only a query or retrieve can be cancelled, once, and only while messages may be sent:
            # for any other overdue operation A-ABORT is what is left.
            if (
                operation.is_cancelled
                or not isinstance(operation.request, Cancellable)
                or not self._link.may_send
            ):
                raise HopelessError(
                    f"no response to {name_of(operation.request)} (Message ID {message_id}) "
                    f"within {operation.seconds or 0.0:g} s"
                )
            self._cancel(operation, now)
            operation.is_expiring = True
            # ``seconds`` stays: the message of the abort names the time-out that ran out first.
            operation.deadline = now + min(operation.seconds or 0.0, CANCEL_PATIENCE)

    def fail(self) -> tuple[int, ...]:
        """Forget all operations; return their Message IDs."""
        outstanding = self.outstanding
        self._operations.clear()
        self._storing = None
        return outstanding

    def _cancel(self, operation: _Operation, now: float) -> None:
        cancel = CCancelRQ(message_id_being_responded_to=operation.request.message_id)
        self._link.send(operation.context_id, cancel, None, now)
        operation.is_cancelled = True

"""Operations that we invoke: requests out, responses in, matched by Message ID (PS3.7 8.1, 9.1, 9.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dicomquest.dimse.commands import (
    PENDING,
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    Command,
    CStoreRQ,
    CStoreRSP,
    Request,
    Response,
    name_of,
)
from dicomquest.dimse.events import MessageIgnored, ResponseReceived
from dicomquest.dimse.fragments import Message
from dicomquest.dimse.link import HopelessError, Link
from dicomquest.errors import LocalProtocolError
from dicomquest.ul.timers import Timeouts

LAST_MESSAGE_ID: Final = 0xFFFF

IGNORED_RESPONSES: Final = 16
"""Responses that belong to no operation of ours: a peer that sends more is aborted."""

CANCEL_PATIENCE: Final = 10.0
"""Seconds that a peer which answers no more is given after C-CANCEL, before A-ABORT."""

_REQUEST_OF: Final[dict[type[Response], type[Request]]] = {
    CEchoRSP: CEchoRQ,
    CFindRSP: CFindRQ,
    CStoreRSP: CStoreRQ,
}


@dataclass(slots=True)
class _Operation:
    """A request of ours until its final response; ``seconds`` are what the ``deadline`` comes from."""

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
    """Our requests that wait for responses; ``window`` is how many there may be at a time, 0 for any number."""

    def __init__(self, link: Link, timeouts: Timeouts) -> None:
        self.window = 1
        self._link = link
        self._timeouts = timeouts
        self._operations: dict[int, _Operation] = {}
        self._last_message_id = 0
        self._ignored_responses = 0
        # Context ID and Message ID of the C-STORE request whose data set is being sent.
        self._storing: tuple[int, int] | None = None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """The Message IDs of requests without their final response."""
        return tuple(self._operations)

    def __bool__(self) -> bool:
        return bool(self._operations)

    def new_message_id(self) -> int:
        """Return the next Message ID, 1 to 65535 and around, that no outstanding operation has."""
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
        # A query may take long to find its first match; from then on, and for the other services, responses are due.
        is_find = isinstance(request, CFindRQ)
        operation.restart(self._timeouts.first_response if is_find else self._timeouts.dimse, now)
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
                f"{name_of(request)} while {len(self._operations)} operations await their final response: "
                f"{self.window} may at a time"
            )
        if request.message_id in self._operations:
            raise LocalProtocolError(
                f"Message ID {request.message_id} is that of an operation that is outstanding"
            )

    def begin_store(self, context_id: int, request: CStoreRQ, now: float) -> None:
        """Send a C-STORE request whose data set follows by ``send_data``."""
        self._check(context_id, request)
        self._link.send_command(context_id, request, now)
        self._operations[request.message_id] = _Operation(context_id, request)
        self._storing = context_id, request.message_id

    def send_data(self, data: bytes, now: float, *, is_last: bool) -> None:
        """Send a part of the data set, of an even number of bytes; its response is due after the last one."""
        if self._storing is None:
            raise LocalProtocolError(
                "a part of a data set without a C-STORE request that it belongs to"
            )
        context_id, message_id = self._storing
        self._link.send_data(context_id, data, now, is_last=is_last)
        if is_last:
            self._storing = None
            # Some peers refuse before they have read all; the message is to be completed all the same.
            if (operation := self._operations.get(message_id)) is not None:
                operation.restart(self._timeouts.dimse, now)

    def send_cancel(self, message_id: int, now: float) -> None:
        """Send C-CANCEL-RQ once for a C-FIND; its final response is due then."""
        operation = self._operations.get(message_id)
        if operation is None or not isinstance(operation.request, CFindRQ):
            raise LocalProtocolError(
                f"C-CANCEL of {message_id}: no C-FIND of this Message ID is outstanding"
            )
        if not operation.is_cancelled:
            self._cancel(operation, now)
            operation.restart(self._timeouts.dimse, now)

    def receive_response(self, message: Message, response: Response, now: float) -> None:
        """Tell the user of a response; raise HopelessError for one that makes no sense."""
        message_id = response.message_id_being_responded_to
        operation = self._operations.get(message_id)
        if operation is None or type(operation.request) is not _REQUEST_OF[type(response)]:
            self._ignore(response)
            return
        context = self._link.upper_layer.contexts[message.context_id]
        if isinstance(response, CFindRSP):
            if response.status in PENDING:
                if not operation.is_expiring:
                    operation.restart(self._timeouts.dimse, now)
                self._link.events.append(
                    ResponseReceived(context, response, message.data_set, message.is_oversized)
                )
                return
            if response.status & 0xFF00 == 0xFF00:
                raise HopelessError(
                    f"C-FIND-RSP with status {response.status:04X}: of the Pending ones, FF00 and FF01 are"
                )
        del self._operations[message_id]
        self._link.events.append(ResponseReceived(context, response, None))

    def context_of_stream(self, response: Command | None) -> int | None:
        """The context ID of the C-FIND of ours that this Pending response belongs to; None if it is anything else."""
        if not isinstance(response, CFindRSP) or response.status not in PENDING:
            return None
        operation = self._operations.get(response.message_id_being_responded_to)
        is_find = operation is not None and isinstance(operation.request, CFindRQ)
        return operation.context_id if operation is not None and is_find else None

    def receive_stream(self, response: Response, data_sets: Iterable[bytes], now: float) -> None:
        """Tell the user of many Pending responses to the same query, as ``receive_response`` does of one."""
        operation = self._operations[response.message_id_being_responded_to]
        if not operation.is_expiring:
            operation.restart(self._timeouts.dimse, now)
        context = self._link.upper_layer.contexts[operation.context_id]
        # A tuple's own constructor takes a third of the time of that of a NamedTuple.
        new = tuple.__new__
        self._link.events += [
            new(ResponseReceived, (context, response, each, False)) for each in data_sets
        ]

    def _ignore(self, response: Response) -> None:
        self._ignored_responses += 1
        if self._ignored_responses > IGNORED_RESPONSES:
            raise HopelessError(
                f"{self._ignored_responses} responses to requests that are not outstanding"
            )
        self._link.events.append(MessageIgnored(response, "it responds to no outstanding request"))

    def next_deadline(self) -> float | None:
        """When the next response is overdue."""
        deadlines = (
            each.deadline for each in self._operations.values() if each.deadline is not None
        )
        return min(deadlines, default=None)

    def expire(self, now: float) -> None:
        """Cancel a query whose response is overdue; raise HopelessError if that does not help."""
        for message_id, operation in self._operations.items():
            if operation.deadline is None or operation.deadline > now:
                continue
            if (
                operation.is_cancelled
                or not isinstance(operation.request, CFindRQ)
                or not self._link.may_send
            ):
                raise HopelessError(
                    f"no response to {name_of(operation.request)} (Message ID {message_id}) "
                    f"within {operation.seconds or 0.0:g} s"
                )
            self._cancel(operation, now)
            operation.is_expiring = True
            # The message of an abort is to name what was waited for in the first place.
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

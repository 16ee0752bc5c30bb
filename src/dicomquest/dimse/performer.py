"""Operations that this side performs: requests in, responses out (PS3.7 8.1, 9.1, 10.1).

A request is refused at once if a row of ``REFUSALS`` applies. Else it *runs*, if the negotiated
window has room, or *waits* for its turn. The user hears of it when it runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import (
    PENDING,
    RESPONSE,
    Cancellable,
    CCancelRQ,
    CEchoRQ,
    CFindRQ,
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    NCreateRQ,
    NormalizedRQ,
    NSetRQ,
    Request,
    Response,
    UnknownCommand,
    echoed_uid,
    name_of,
    response_to,
    with_sop_class,
)
from dicomquest.dimse.events import (
    CancelReceived,
    DataSetFragmentReceived,
    MessageIgnored,
    RequestReceived,
)
from dicomquest.dimse.fragments import DataSetFragment, Message, PendingFramer
from dicomquest.dimse.link import HopelessError, Link
from dicomquest.errors import LocalProtocolError
from dicomquest.standard import statuses
from dicomquest.standard.sop_classes import QUERY_RETRIEVE_BY_UID
from dicomquest.ul.negotiation import AcceptedContext

SERVICES: Final[dict[type[Request], str]] = {
    CEchoRQ: "C-ECHO",
    CFindRQ: "C-FIND",
    CStoreRQ: "C-STORE",
    CGetRQ: "C-GET",
    CMoveRQ: "C-MOVE",
    NCreateRQ: "N-CREATE",
    NSetRQ: "N-SET",
}
"""The DIMSE service of each request, as the table of SOP classes names it."""


class Arrival(NamedTuple):
    """A request that has arrived, with the facts that ``REFUSALS`` look at."""

    context: AcceptedContext
    request: Request
    we_are_scp: bool
    is_outstanding: bool
    is_oversized: bool


class Refusal(NamedTuple):
    """A reason to refuse a request without asking the user: the status and its Error Comment."""

    applies: Callable[[Arrival], bool]
    status: int
    comment: str = ""


def _is_of_another_service(arrival: Arrival) -> bool:
    # A C-ECHO on a context for queries, for instance. SOP classes that no table has are the user's
    # affair.
    sop_class = QUERY_RETRIEVE_BY_UID.get(arrival.context.abstract_syntax)
    return sop_class is not None and sop_class.service != SERVICES[type(arrival.request)]


# PS3.7 C.5 and PS3.4 C.4.1.1.4; the first row that applies counts. Statuses 0210 and 0211 have no
# Error Comment.
REFUSALS: Final = (
    Refusal(lambda arrival: arrival.is_outstanding, statuses.DUPLICATE_INVOCATION),
    Refusal(
        lambda arrival: not arrival.we_are_scp,
        statuses.SOP_CLASS_NOT_SUPPORTED,
        "no SCP role on this presentation context",
    ),
    # Requests about a Unified Procedure Step name UPS Push on contexts of the others (PS3.4 CC.2).
    Refusal(
        lambda arrival: (
            isinstance(arrival.request, NormalizedRQ) and _is_of_another_service(arrival)
        ),
        statuses.UNRECOGNIZED_OPERATION,
    ),
    Refusal(
        lambda arrival: arrival.request.affected_sop_class_uid != arrival.context.abstract_syntax,
        statuses.SOP_CLASS_NOT_SUPPORTED,
        "SOP class is not the abstract syntax of the context",
    ),
    Refusal(_is_of_another_service, statuses.UNRECOGNIZED_OPERATION),
    Refusal(
        lambda arrival: arrival.is_oversized and isinstance(arrival.request, Cancellable),
        statuses.IDENTIFIER_UNREADABLE,
        "identifier is longer than the limit (max-identifier)",
    ),
    Refusal(
        lambda arrival: arrival.is_oversized and isinstance(arrival.request, NormalizedRQ),
        statuses.RESOURCE_LIMITATION,
        "attributes are longer than the limit (max-step)",
    ),
    Refusal(
        lambda arrival: arrival.is_oversized,
        statuses.OUT_OF_RESOURCES,
        "data set is longer than the limit",
    ),
)


@dataclass(slots=True)
class _Operation:
    """A request of the peer until its final response; ``framers`` by the status of Pending ones."""

    context: AcceptedContext
    request: Request
    is_cancelled: bool = False
    framers: dict[int, PendingFramer] = field(default_factory=dict)


class Performer:
    """The peer's requests; at most ``window`` of them run at a time, 0 is no limit."""

    def __init__(self, link: Link) -> None:
        self.window = 1
        self._link = link
        self._running: dict[int, _Operation] = {}
        self._waiting: deque[RequestReceived] = deque()
        # True while the user knows the request whose data set arrives in fragments: the fragments
        # of a refused request are thrown away.
        self._tells_fragments = False
        # The Message ID of the request whose data set is still arriving.
        self._receiving: int | None = None

    @property
    def is_busy(self) -> bool:
        """Tell whether a request waits for this side, and not for the rest of its data set."""
        return bool(self._waiting) or any(
            message_id != self._receiving for message_id in self._running
        )

    def __bool__(self) -> bool:
        return bool(self._running or self._waiting)

    def is_streamed(self, command: object) -> bool:
        """Tell whether the data set of this command is handed out while it arrives."""
        return self._link.options.streams_stores and isinstance(command, CStoreRQ)

    def receive_request(self, message: Message, request: Request) -> Response | None:
        """Tell the user of a request, now or in its turn; return the response to a refused one.

        Raises HopelessError if too many requests wait already.
        """
        context = self._link.upper_layer.contexts[message.context_id]
        # Some peers leave the SOP class out: the presentation context has it.
        is_class_told = bool(request.affected_sop_class_uid)
        if not is_class_told:
            request = with_sop_class(request, context.abstract_syntax)
        arrival = Arrival(
            context=context,
            request=request,
            we_are_scp=self._link.we_are_scp(context),
            is_outstanding=self._is_outstanding(request.message_id),
            is_oversized=message.is_oversized,
        )
        refusal = None
        for row in REFUSALS:
            if row.applies(arrival):
                refusal = row
                break
        self._tells_fragments = message.is_streamed and refusal is None
        self._receiving = request.message_id if self._tells_fragments else None
        if refusal is not None:
            return response_to(request, refusal.status, error_comment=refusal.comment)
        data_set = None if isinstance(request, CEchoRQ) else message.data_set
        received = RequestReceived(context, request, data_set, message.is_streamed, is_class_told)
        if not self._waiting and self._has_room:
            self._begin(received)
        elif len(self._waiting) >= self._link.options.most_waiting or message.is_streamed:
            # A streamed data set arrives now, and cannot wait for the turn of its request.
            raise HopelessError(
                f"{name_of(request)} while {len(self._running)} requests are answered"
                f" and {len(self._waiting)} wait",
                limit="waiting",
            )
        else:
            self._waiting.append(received)
        return None

    def receive_fragment(self, received: DataSetFragment) -> None:
        """Tell the user of a part of a streamed data set, unless its request was refused."""
        if self._tells_fragments and isinstance(received.command, CStoreRQ):
            message_id = received.command.message_id
            if received.is_last:
                self._receiving = None
            self._link.events.append(
                DataSetFragmentReceived(message_id, received.fragment, received.is_last)
            )

    def receive_cancel(self, cancel: CCancelRQ, now: float) -> None:
        """Tell the user of a C-CANCEL; a request that waits for its turn is answered at once."""
        message_id = cancel.message_id_being_responded_to
        operation = self._running.get(message_id)
        waiting = next(
            (each for each in self._waiting if each.command.message_id == message_id), None
        )
        if (
            operation is not None
            and isinstance(operation.request, Cancellable)
            and not operation.is_cancelled
        ):
            self._cancel(operation)
        elif waiting is not None and isinstance(waiting.command, Cancellable):
            # The user has not heard of it, and need not.
            self._waiting.remove(waiting)
            self._link.answer(
                waiting.context.context_id, response_to(waiting.command, statuses.CANCEL), now
            )
        else:
            self._link.events.append(
                MessageIgnored(cancel, "no operation of this Message ID is left to be cancelled")
            )

    def receive_unknown(self, context_id: int, command: UnknownCommand, now: float) -> None:
        """Refuse a request of an unknown service; raise HopelessError if it cannot be answered."""
        if command.is_response or command.message_id is None:
            raise HopelessError(f"{name_of(command)}, which cannot be answered")
        response = UnknownCommand(
            command_field=command.command_field | RESPONSE,
            message_id_being_responded_to=command.message_id,
            affected_sop_class_uid=echoed_uid(command.affected_sop_class_uid),
            status=statuses.UNRECOGNIZED_OPERATION,
        )
        self._link.events.append(MessageIgnored(command, "there is no such service here"))
        self._link.answer(context_id, response, now)

    def send_pending(
        self,
        context_id: int,
        message_id: int,
        status: int,
        identifiers: Sequence[bytes],
        now: float,
    ) -> None:
        """Send one Pending response for each identifier."""
        operation = self._running.get(message_id)
        if operation is None or operation.context.context_id != context_id:
            raise LocalProtocolError(
                f"response to Message ID {message_id} on context {context_id}: no such request runs"
            )
        # The command set is encoded once for a query and a status, not for each response.
        framer = operation.framers.get(status) or self._framer(operation, status)
        self._link.upper_layer.send_encoded_p_data(framer.frame(identifiers), now)

    def send_response(
        self, request: Request, response: Response, identifier: bytes | None, now: float
    ) -> None:
        """Send one response; after a final one, the next request has its turn."""
        operation = self._running.get(request.message_id)
        if operation is None or response.message_id_being_responded_to != request.message_id:
            raise LocalProtocolError(
                f"{name_of(response)} to Message ID {response.message_id_being_responded_to}:"
                " no such request runs"
            )
        self._link.send(operation.context.context_id, response, identifier, now)
        # A final response makes room in the window for requests that wait.
        if not (isinstance(request, Cancellable) and response.status in PENDING):
            del self._running[request.message_id]
            while self._waiting and self._has_room:
                self._begin(self._waiting.popleft())

    def cancel_all(self) -> None:
        """Tell the user that all queries and retrieves may end: the peer asks for release."""
        for operation in self._running.values():
            if isinstance(operation.request, Cancellable) and not operation.is_cancelled:
                self._cancel(operation)

    def fail(self) -> None:
        """Forget all operations."""
        self._running.clear()
        self._waiting.clear()

    @property
    def _has_room(self) -> bool:
        return not self.window or len(self._running) < self.window

    def _is_outstanding(self, message_id: int) -> bool:
        # A Message ID is free again after its final response: some peers use 1 always (PS3.7 9.1).
        return message_id in self._running or any(
            each.command.message_id == message_id for each in self._waiting
        )

    def _begin(self, received: RequestReceived) -> None:
        self._running[received.command.message_id] = _Operation(received.context, received.command)
        self._link.events.append(received)

    def _cancel(self, operation: _Operation) -> None:
        operation.is_cancelled = True
        self._link.events.append(CancelReceived(operation.request.message_id))

    def _framer(self, operation: _Operation, status: int) -> PendingFramer:
        request = operation.request
        if not isinstance(request, CFindRQ) or status not in PENDING:
            raise LocalProtocolError(
                f"response {status:04X} to {name_of(request)}: Pending are FF00 and FF01 to C-FIND"
            )
        framer = operation.framers[status] = _pending_framer(
            request,
            status,
            operation.context.context_id,
            self._link.longest_fragment,
            self._link.options.shares_pdu,
        )
        return framer


@lru_cache(maxsize=64)
def _pending_framer(
    request: CFindRQ, status: int, context_id: int, longest_fragment: int, shares_pdu: bool
) -> PendingFramer:
    """Return the framer of a query: most associations count Message IDs from 1, so few differ."""
    command_set = encode_command(response_to(request, status))
    return PendingFramer(context_id, command_set, longest_fragment, shares_pdu=shares_pdu)

"""One association as DIMSE sees it: the upper layer, and the operations that are outstanding (PS3.7 7, 8, 9).

It never waits and reads no clock: bytes and times go in, bytes and events come out. After every call that takes
``now``, send what ``data_to_send`` gives and look at ``events``: sending a final response, for instance, may bring the
next request. What the peer does wrong is answered here and raises nothing; LocalProtocolError is for our own caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from dicomquest.dimse.commands import (
    PENDING,
    RESPONSE,
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
    UnknownCommand,
    encode_command,
    name_of,
    response_to,
)
from dicomquest.dimse.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    CancelReceived,
    DataSetFragmentReceived,
    Ended,
    MessageIgnored,
    Released,
    RequestReceived,
    ResponseReceived,
    SessionEvent,
)
from dicomquest.dimse.fragments import (
    DataSetFragment,
    Limits,
    Message,
    PendingFramer,
    Reassembler,
    encode_message,
    longest_fragment,
)
from dicomquest.dimse.operations import Arrival, InvokedOperations, PerformedOperations, refusal_of
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import INVALID_VALUE
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ, PresentationDataValue
from dicomquest.pdu.reasons import abort_words
from dicomquest.ul import indications
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.states import Event, Role, State
from dicomquest.ul.timers import Timeouts

__all__ = [
    "Aborted",
    "AssociationAccepted",
    "AssociationRejected",
    "AssociationRequested",
    "CancelReceived",
    "DataSetFragmentReceived",
    "Ended",
    "MessageIgnored",
    "Released",
    "RequestReceived",
    "ResponseReceived",
    "Session",
    "SessionEvent",
    "SessionOptions",
]

CANCELLED: Final = 0xFE00
UNRECOGNIZED_OPERATION: Final = 0x0211

IGNORED_RESPONSES: Final = 16
"""Responses that belong to no operation of ours: a peer that sends more is aborted."""

_USER, _PROVIDER = 0, 2
"""The sources of an A-ABORT (PS3.8 9.3.8)."""

_RESPONSE_TO: Final[dict[type[Response], type[Request]]] = {CEchoRSP: CEchoRQ, CFindRSP: CFindRQ, CStoreRSP: CStoreRQ}


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What may differ by peer.

    ``streams_stores`` hands out the data sets of C-STORE requests while they arrive. ``shares_pdu`` puts command and
    identifier of a Pending response in one PDU where they fit. ``counts_pdu_header`` is for peers whose maximum length
    wrongly includes the PDU header.
    """

    limits: Limits = field(default_factory=Limits)
    streams_stores: bool = False
    shares_pdu: bool = False
    counts_pdu_header: bool = False


class Session:
    """An association with its operations, on either side."""

    def __init__(self, role: Role, timeouts: Timeouts, options: SessionOptions | None = None) -> None:
        self._upper_layer = UpperLayer(role, timeouts=timeouts)
        self._options = options or SessionOptions()
        self._reassembler = Reassembler(self._options.limits, streamed=self._is_streamed)
        self._invoked = InvokedOperations(timeouts)
        self._performed = PerformedOperations()
        self._events: list[SessionEvent] = []
        self._longest_fragment = 0
        self._ignored_responses = 0
        self._release_requested = False
        # Whether the data set that arrives in fragments is that of a request which was told to the user.
        self._tells_fragments = False
        # Whether the association was ended from here: what the peer sends then is not looked at.
        self._is_deaf = False
        # Whether Released, Aborted or AssociationRejected has been told; nothing but Ended comes after it.
        self._is_over = False

    @classmethod
    def requestor(
        cls, rq: AAssociateRQ, timeouts: Timeouts, now: float, options: SessionOptions | None = None
    ) -> Session:
        """Return the requestor's side of an association on a connection that has just been made."""
        session = cls(Role.REQUESTOR, timeouts, options)
        session._upper_layer.send_associate_rq(rq, now)
        session._upper_layer.transport_connected(now)
        return session

    @classmethod
    def acceptor(cls, timeouts: Timeouts, now: float, options: SessionOptions | None = None) -> Session:
        """Return the acceptor's side of an association on a connection that has just been accepted."""
        session = cls(Role.ACCEPTOR, timeouts, options)
        session._upper_layer.transport_connected(now)
        return session

    # What is.

    @property
    def is_established(self) -> bool:
        """Whether requests may be sent, as far as the association is concerned."""
        return self._upper_layer.state is State.STA6

    @property
    def state(self) -> State:
        """The state of the upper layer."""
        return self._upper_layer.state

    @property
    def rq(self) -> AAssociateRQ | None:
        """The association request, sent or received."""
        return self._upper_layer.rq

    @property
    def ac(self) -> AAssociateAC | None:
        """The acceptance, sent or received."""
        return self._upper_layer.ac

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """The accepted presentation contexts by their ID."""
        return self._upper_layer.contexts

    @property
    def peer_maximum_length(self) -> int:
        """What the peer announced to receive, in bytes of the PDU-length field; 0 is no limit."""
        return self._upper_layer.peer_maximum_length

    @property
    def outstanding(self) -> tuple[int, ...]:
        """The Message IDs of our requests without their final response."""
        return tuple(operation.message_id for operation in self._invoked)

    @property
    def should_close(self) -> bool:
        """Whether the connection is to be closed, after what is left to send."""
        return self._upper_layer.should_close

    # Bytes, events, time.

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the connection, in pieces of any size."""
        self._upper_layer.receive_data(data, now)
        self._take_indications(now)

    def receive_eof(self, now: float, message: str = "the peer closed the connection") -> None:
        """Take the end of the connection, however it came.

        Many peers close without a release when they are done: where nothing is outstanding that is no failure.
        """
        is_quiet = self._reassembler.is_idle and not self._invoked and not self._performed
        if is_quiet and self.state in (State.STA6, State.STA7):
            self._tell_released(is_orderly=False)
        self._upper_layer.receive_eof(now, message)
        self._take_indications(now)

    def events(self) -> list[SessionEvent]:
        """Give what has happened since the last call."""
        events = self._events
        self._events = []
        return events

    def data_to_send(self) -> bytes:
        """Give the bytes to send since the last call."""
        return self._upper_layer.data_to_send()

    def next_deadline(self) -> float | None:
        """When to call ``expire`` at the latest."""
        deadlines = (self._upper_layer.next_deadline(), self._invoked.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def expire(self, now: float) -> None:
        """Let happen what the time-outs that have run out by now demand."""
        self._upper_layer.expire(now)
        self._take_indications(now)
        while (operation := self._invoked.expired(now)) is not None:
            if isinstance(operation.request, CFindRQ) and not operation.is_cancelled and self._may_send:
                self._send_cancel(operation.context_id, operation.message_id, now)
                self._invoked.note_expiry(operation, now)
            else:
                self._abort(
                    f"no response to {name_of(operation.request)} (Message ID {operation.message_id}) "
                    f"within {operation.seconds:g} s",
                    now,
                )

    def writing_paused(self, now: float) -> None:
        """Say that the connection takes no more bytes for now."""
        self._upper_layer.writing_paused(now)

    def writing_resumed(self) -> None:
        """Say that the connection takes bytes again."""
        self._upper_layer.writing_resumed()

    # The association.

    def accept(self, ac: AAssociateAC, now: float) -> None:
        """Accept the association; raises LocalProtocolError for an answer that does not fit the request."""
        self._upper_layer.send_associate_ac(ac, now)
        self._establish(ac)

    def reject(self, rj: AAssociateRJ, now: float) -> None:
        """Refuse the association."""
        self._upper_layer.send_associate_rj(rj.result, rj.source, rj.reason, now)
        self._is_over = True

    def release(self, now: float) -> None:
        """End the association in good order: the requestor may, when all its operations have their final response."""
        if self._upper_layer.role is Role.ACCEPTOR:
            raise LocalProtocolError("A-RELEASE request by the acceptor of the association: only the requestor may")
        if self._invoked:
            raise LocalProtocolError(f"A-RELEASE request while operations {self.outstanding} are outstanding")
        self._upper_layer.send_release_rq(now)

    def abort(self, now: float) -> None:
        """End the association now; one that is over is left alone."""
        self._abort("this side aborted the association", now)

    # Requests.

    def send_echo(self, context_id: int, now: float, *, message_id: int | None = None) -> int:
        """Send C-ECHO-RQ; return its Message ID."""
        uid = self._context(context_id).abstract_syntax
        request = CEchoRQ(message_id=self._message_id(message_id), affected_sop_class_uid=uid)
        return self.send_request(context_id, request, None, now)

    def send_find(
        self, context_id: int, identifier: bytes, now: float, *, priority: int = 0, message_id: int | None = None
    ) -> int:
        """Send C-FIND-RQ with an identifier in the context's transfer syntax; return its Message ID."""
        uid = self._context(context_id).abstract_syntax
        request = CFindRQ(message_id=self._message_id(message_id), affected_sop_class_uid=uid, priority=priority)
        return self.send_request(context_id, request, identifier, now)

    def send_request(self, context_id: int, request: Request, data_set: bytes | None, now: float) -> int:
        """Send any request, with its data set where it has one; return its Message ID."""
        context = self._context(context_id)
        if not self._is_role(context, ours=True):
            raise LocalProtocolError(f"{name_of(request)} without the SCU role on presentation context {context_id}")
        if self.state is not State.STA6:
            raise LocalProtocolError(f"{name_of(request)} in state {self.state:d} ({self.state.words})")
        self._invoked.check(request)
        self._send(context_id, request, data_set, now)
        self._invoked.begin(context_id, request, now)
        self._note_busy(now)
        return request.message_id

    def send_cancel(self, message_id: int, now: float) -> None:
        """Ask the peer to end a C-FIND of ours; responses go on to come until the final one. Asking once is enough."""
        operation = self._invoked.get(message_id)
        if operation is None or not isinstance(operation.request, CFindRQ):
            raise LocalProtocolError(f"C-CANCEL of {message_id}: no C-FIND of this Message ID is outstanding")
        if not operation.is_cancelled:
            self._send_cancel(operation.context_id, message_id, now)
            self._invoked.note_cancel(operation, now)

    # Responses.

    def send_pending(
        self, context_id: int, message_id: int, status: int, identifiers: Sequence[bytes], now: float
    ) -> None:
        """Send one Pending response an identifier, in the context's transfer syntax, all with this status."""
        operation = self._performed.get(message_id)
        if operation is None or operation.context.context_id != context_id:
            raise LocalProtocolError(f"response to {message_id} on context {context_id}: no such request is running")
        framer = operation.framers.get(status)
        if framer is None:
            command_set = encode_command(_pending_response(operation.request, status))
            framer = PendingFramer(context_id, command_set, self._longest_fragment, shares_pdu=self._options.shares_pdu)
            operation.framers[status] = framer
        self._upper_layer.send_encoded_p_data(framer.frame(identifiers), now)

    def send_response(self, request: Request, response: Response, identifier: bytes | None, now: float) -> None:
        """Send one response to a running request: Pending with an identifier, or the final one without."""
        operation = self._performed.get(request.message_id)
        if operation is None or response.message_id_being_responded_to != request.message_id:
            raise LocalProtocolError(
                f"{name_of(response)} to {response.message_id_being_responded_to}: no such request is running"
            )
        self._send(operation.context.context_id, response, identifier, now)
        if isinstance(response, CFindRSP) and response.status in PENDING:
            return
        self._performed.end(request.message_id)
        if (received := self._performed.begin_next()) is not None:
            self._events.append(received)
        self._note_busy(now)
        self._answer_release(now)

    # Inside: sending.

    @property
    def _may_send(self) -> bool:
        return self._upper_layer.allows(Event.P_DATA_REQUEST)

    def _context(self, context_id: int) -> AcceptedContext:
        context = self.contexts.get(context_id)
        if context is None:
            raise LocalProtocolError(f"presentation context {context_id}: accepted are {sorted(self.contexts)}")
        return context

    def _is_role(self, context: AcceptedContext, *, ours: bool) -> bool:
        """Whether we (or else the peer) are SCU on this context, and the other side SCP."""
        is_requestor = (self._upper_layer.role is Role.REQUESTOR) is ours
        return context.requestor_is_scu if is_requestor else context.requestor_is_scp

    def _message_id(self, wanted: int | None) -> int:
        return self._invoked.new_message_id() if wanted is None else wanted

    def _send(self, context_id: int, command: Command, data_set: bytes | None, now: float) -> None:
        if command.has_data_set is not (data_set is not None):
            raise LocalProtocolError(
                f"{name_of(command)} {'without its' if command.has_data_set else 'with a'} data set"
            )
        data = encode_message(context_id, encode_command(command), data_set, self._longest_fragment)
        self._upper_layer.send_encoded_p_data(data, now)

    def _send_cancel(self, context_id: int, message_id: int, now: float) -> None:
        self._send(context_id, CCancelRQ(message_id_being_responded_to=message_id), None, now)

    def _answer(self, context_id: int, command: Command, now: float) -> None:
        """Answer without the user; too late if the association has ended in the same breath."""
        if self._may_send:
            self._send(context_id, command, None, now)

    def _note_busy(self, now: float) -> None:
        self._upper_layer.set_busy(bool(self._invoked) or bool(self._performed), now)

    # Inside: the association.

    def _take_indications(self, now: float) -> None:
        # What is done here can itself bring indications.
        while received := self._upper_layer.events():
            for indication in received:
                self._take(indication, now)

    def _take(self, indication: indications.Indication, now: float) -> None:
        match indication:
            case indications.DataReceived(pdvs):
                self._receive_pdvs(pdvs, now)
            case indications.AssociateRequested(rq):
                if self._check_maximum_length(now):
                    self._events.append(AssociationRequested(rq))
            case indications.AssociateAccepted(ac):
                if self._check_maximum_length(now):
                    self._establish(ac)
                    self._events.append(AssociationAccepted(ac, self.contexts))
            case indications.AssociateRejected(rj):
                self._is_over = True
                self._events.append(AssociationRejected(rj))
            case indications.ReleaseRequested():
                self._release_requested = True
                self._cancel_performed()
                self._answer_release(now)
            case indications.ReleaseConfirmed():
                self._answer_release(now)
                self._tell_released()
            case indications.Aborted(source, reason):
                self._tell_aborted(source, reason, f"A-ABORT of the peer: {abort_words(source, reason)}", by_peer=True)
            case indications.ProviderAborted(reason, message):
                self._tell_aborted(_PROVIDER, reason, message)
            case indications.TransportClosed(message):
                self._events.append(Ended(message))
            case _:
                assert_never(indication)

    def _check_maximum_length(self, now: float) -> bool:
        longest = longest_fragment(self._upper_layer.send_limit, counts_pdu_header=self._options.counts_pdu_header)
        self._longest_fragment = longest
        if longest:
            return True
        self._fail(f"a maximum length of {self.peer_maximum_length}: no fragment fits", INVALID_VALUE, now)
        return False

    def _establish(self, ac: AAssociateAC) -> None:
        window = ac.user_information.async_operations_window
        if window is not None and self.rq is not None and self.rq.user_information.async_operations_window is not None:
            is_requestor = self._upper_layer.role is Role.REQUESTOR
            self._invoked.window = window.invoked if is_requestor else window.performed
            self._performed.window = window.performed if is_requestor else window.invoked

    def _answer_release(self, now: float) -> None:
        """Answer the peer's release request once our final responses are sent; it cannot be refused (PS3.8 7.2)."""
        may = self._release_requested and not self._performed and self._upper_layer.allows(Event.RELEASE_RESPONSE)
        if may:
            self._release_requested = False
            self._upper_layer.send_release_rp(now)
            # In a collision our own release is confirmed later.
            if self.state is State.STA13:
                self._tell_released()

    def _cancel_performed(self) -> None:
        """Let the peer's queries end early: it says good-bye."""
        for operation in self._performed:
            if isinstance(operation.request, CFindRQ) and not operation.is_cancelled:
                operation.is_cancelled = True
                self._events.append(CancelReceived(operation.request.message_id))

    def _abort(self, message: str, now: float) -> None:
        """End the association as its user."""
        self._is_deaf = True
        if self._upper_layer.allows(Event.ABORT_REQUEST):
            self._upper_layer.send_abort(now)
            self._tell_aborted(_USER, 0, message)
            self._take_indications(now)
        else:
            self._invoked.fail()

    def _fail(self, message: str, reason: int, now: float) -> None:
        """End the association for what the peer sent; the upper layer's indication tells the user."""
        self._is_deaf = True
        self._upper_layer.send_provider_abort(reason, message, now)

    def _tell_aborted(self, source: int, reason: int, message: str, *, by_peer: bool = False) -> None:
        outstanding = self._invoked.fail()
        self._performed.fail()
        if not self._is_over:
            self._is_over = True
            self._events.append(Aborted(source, reason, by_peer, message, outstanding))

    def _tell_released(self, *, is_orderly: bool = True) -> None:
        outstanding = self._invoked.fail()
        self._performed.fail()
        if not self._is_over:
            self._is_over = True
            self._events.append(Released(is_orderly, outstanding))

    # Inside: receiving.

    def _is_streamed(self, command: Command) -> bool:
        return self._options.streams_stores and isinstance(command, CStoreRQ)

    def _receive_pdvs(self, pdvs: Sequence[PresentationDataValue], now: float) -> None:
        for pdv in pdvs:
            if self._is_deaf:
                return
            try:
                received = self._reassembler.receive(pdv)
            except RemoteProtocolError as error:
                self._fail(str(error), error.reason, now)
                return
            if isinstance(received, Message):
                self._receive_message(received, now)
            elif received is not None:
                self._receive_fragment(received)

    def _receive_message(self, message: Message, now: float) -> None:
        command = message.command
        match command:
            case CFindRSP() | CEchoRSP() | CStoreRSP():
                self._receive_response(message, command, now)
            case CFindRQ() | CEchoRQ() | CStoreRQ():
                self._receive_request(message, command, now)
            case CCancelRQ():
                self._receive_cancel(command, now)
            case UnknownCommand():
                self._receive_unknown(message.context_id, command, now)
            case _:
                assert_never(command)

    def _receive_fragment(self, received: DataSetFragment) -> None:
        command = received.command
        if self._tells_fragments and isinstance(command, CStoreRQ):
            self._events.append(DataSetFragmentReceived(command.message_id, received.fragment, received.is_last))

    def _receive_response(self, message: Message, response: Response, now: float) -> None:
        operation = self._invoked.get(response.message_id_being_responded_to)
        if operation is None or type(operation.request) is not _RESPONSE_TO[type(response)]:
            self._ignored_responses += 1
            self._events.append(MessageIgnored(response, "it responds to no outstanding request"))
            if self._ignored_responses > IGNORED_RESPONSES:
                self._abort(f"{self._ignored_responses} responses to no outstanding request", now)
            return
        context = self.contexts[message.context_id]
        if isinstance(response, CFindRSP):
            if response.status in PENDING:
                self._invoked.note_pending(operation, now)
                self._events.append(ResponseReceived(context, response, message.data_set, message.is_oversized))
                return
            if response.status & 0xFF00 == 0xFF00:
                self._abort(f"C-FIND-RSP with status {response.status:04X}H, of the Pending kind and unknown", now)
                return
        self._invoked.end(operation)
        self._events.append(ResponseReceived(context, response, None))
        self._note_busy(now)

    def _receive_request(self, message: Message, request: Request, now: float) -> None:
        context = self.contexts[message.context_id]
        if not request.affected_sop_class_uid:
            request = replace(request, affected_sop_class_uid=context.abstract_syntax)
        arrival = Arrival(
            context=context,
            request=request,
            is_oversized=message.is_oversized,
            we_are_scp=self._is_role(context, ours=False),
            is_outstanding=request.message_id in self._performed,
        )
        refusal = refusal_of(arrival)
        self._tells_fragments = message.is_streamed and refusal is None
        if refusal is not None:
            self._answer(message.context_id, refusal, now)
            return
        data_set = None if isinstance(request, CEchoRQ) else message.data_set
        received = RequestReceived(context, request, data_set, message.is_streamed)
        if self._performed.has_room:
            self._events.append(self._performed.begin(received))
            self._note_busy(now)
        elif self._performed.is_full or message.is_streamed:
            self._abort(f"{name_of(request)} while {len(self._performed)} requests await their final response", now)
        else:
            self._performed.wait(received)

    def _receive_cancel(self, cancel: CCancelRQ, now: float) -> None:
        message_id = cancel.message_id_being_responded_to
        operation = self._performed.get(message_id)
        if operation is not None and isinstance(operation.request, CFindRQ) and not operation.is_cancelled:
            operation.is_cancelled = True
            self._events.append(CancelReceived(message_id))
        elif (waiting := self._performed.withdraw(message_id)) is not None:
            self._answer(waiting.context.context_id, response_to(waiting.command, CANCELLED), now)
        else:
            self._events.append(MessageIgnored(cancel, "no running C-FIND has this Message ID, or it is cancelled"))

    def _receive_unknown(self, context_id: int, command: UnknownCommand, now: float) -> None:
        if command.is_response or command.message_id is None:
            self._abort(f"{name_of(command)}, which cannot be answered", now)
            return
        response = UnknownCommand(
            command_field=command.command_field | RESPONSE,
            message_id_being_responded_to=command.message_id,
            affected_sop_class_uid=command.affected_sop_class_uid,
            status=UNRECOGNIZED_OPERATION,
        )
        self._events.append(MessageIgnored(command, "this service is not provided"))
        self._answer(context_id, response, now)


def _pending_response(request: Request, status: int) -> Response:
    if not isinstance(request, CFindRQ) or status not in PENDING:
        raise LocalProtocolError(f"Pending response {status:04X}H to {name_of(request)}: only C-FIND has FF00 and FF01")
    return response_to(request, status)

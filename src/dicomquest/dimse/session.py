"""The session: one association with its operations, on either side (PS3.7 7, 8, 9).

A ``Session`` is the upper layer and the operations that are outstanding on it. It does no I/O and
reads no clock: bytes and times go in, bytes and events come out.

- ``receive_data`` and ``receive_eof`` take what the connection brought.
- ``accept``, ``release``, ``send_find``, ``send_pending`` and their like do what the user wants.
- ``data_to_send`` returns the bytes for the connection, ``events`` what has happened.
- ``next_deadline`` and ``expire`` say when to come back without news, and act on it.

Nothing here waits. A face (``sync``, ``aio``) waits for its socket until ``next_deadline``. After
every call that takes ``now`` it sends ``data_to_send`` and looks at ``events``.

Operations are matched by Message ID, never by their order. ``Invoker`` has the requests of this
side. ``Performer`` has those of the peer, which it refuses or lets run until their final response.

``LocalProtocolError`` is for the caller, who asked for what is forbidden now: nothing has changed.
``RemoteProtocolError`` is for the peer: the session answers with A-ABORT and tells ``Aborted``, and
``receive_data`` raises nothing. An association ends with one of ``Released``, ``Aborted`` and
``AssociationRejected``, told once, and ``Ended``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CFindRQ,
    CStoreRQ,
    Request,
    Response,
    name_of,
)
from dicomquest.dimse.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    Ended,
    Released,
    RequestRefused,
    ResponsesReceived,
    SessionEvent,
    apart,
)
from dicomquest.dimse.fragments import Message, Reassembler
from dicomquest.dimse.invoker import Invoker
from dicomquest.dimse.link import REQUEST_LIMITS, HopelessError, Link, SessionOptions
from dicomquest.dimse.performer import Performer
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ, PresentationDataValue
from dicomquest.pdu.reader import RepeatedPDVs
from dicomquest.pdu.reasons import AbortReason, AbortSource, abort_words
from dicomquest.ul import indications
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.states import Event, Role, State
from dicomquest.ul.timers import Timeouts


class Session:
    """An association with its operations, on either side."""

    def __init__(
        self, role: Role, timeouts: Timeouts, options: SessionOptions | None = None
    ) -> None:
        options = options or SessionOptions()
        self._upper_layer = UpperLayer(role, timeouts=timeouts)
        self._link = Link(self._upper_layer, options)
        self._invoker = Invoker(self._link, timeouts)
        self.position_behind = self._upper_layer.position_behind
        self.data_to_send = self._upper_layer.data_to_send
        self.parts_to_send = self._upper_layer.parts_to_send
        self.set_timeouts = self._invoker.set_timeouts
        self.new_message_id = self._invoker.new_message_id
        self.assume_roles = self._link.assume_roles
        self._performer = Performer(self._link)
        self._reassembler = Reassembler(options.limits, streamed=self._performer.is_streamed)
        self._is_busy = False
        self._release_requested = False
        # Set by an abort of this side: PDVs that arrive later, or came in the same bytes, are not
        # looked at.
        self._is_deaf = False
        # Set once Released, Aborted or AssociationRejected is told: only Ended comes after it.
        self._is_over = False

    @classmethod
    def requestor(
        cls, rq: AAssociateRQ, timeouts: Timeouts, now: float, options: SessionOptions | None = None
    ) -> Session:
        """Return the requestor's side of an association, on a connection that is just made."""
        session = cls(Role.REQUESTOR, timeouts, options)
        session._upper_layer.send_associate_rq(rq, now)
        session._upper_layer.transport_connected(now)
        return session

    @classmethod
    def acceptor(
        cls, timeouts: Timeouts, now: float, options: SessionOptions | None = None
    ) -> Session:
        """Return the acceptor's side of an association, on a connection that is just accepted."""
        session = cls(Role.ACCEPTOR, timeouts, options or SessionOptions(limits=REQUEST_LIMITS))
        session._upper_layer.transport_connected(now)
        return session

    @property
    def is_established(self) -> bool:
        """Tell whether the association allows requests to be sent."""
        return self._upper_layer.state is State.STA6

    @property
    def state(self) -> State:
        """The state of the upper layer."""
        return self._upper_layer.state

    @property
    def limit(self) -> str:
        """The name of the limit or time-out that ended the association; empty if none did."""
        return self._link.limit or self._upper_layer.limit

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
        """The longest P-DATA-TF that the peer receives, in bytes of PDU-length; 0 is no limit."""
        return self._upper_layer.peer_maximum_length

    @property
    def outstanding(self) -> tuple[int, ...]:
        """The Message IDs of our requests without their final response."""
        return self._invoker.outstanding

    @property
    def is_inside_message(self) -> bool:
        """Tell whether a PDU or a message has begun to arrive and is not complete."""
        return not self._reassembler.is_idle or self._upper_layer.is_inside_pdu

    @property
    def should_close(self) -> bool:
        """Tell whether to close the connection, after sending what is left."""
        return self._upper_layer.should_close

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the connection, in pieces of any size."""
        self._upper_layer.receive_data(data, now)
        self._take_indications(now)

    def receive_eof(self, now: float, message: str = "the peer closed the connection") -> None:
        """Take the end of the connection, however it came.

        Many peers close without a release when they are done: with nothing outstanding that is no
        failure.
        """
        # Released is told before the upper layer tells a loss, which then finds the session over.
        is_quiet = self._reassembler.is_idle and not self._invoker and not self._performer
        if self._upper_layer.is_inside_pdu:
            is_quiet, message = False, f"{message} within a PDU"
        if is_quiet and self.state in (State.STA6, State.STA7):
            self._tell_released(is_orderly=False)
        self._upper_layer.receive_eof(now, message)
        self._take_indications(now)

    def events(self) -> list[SessionEvent]:
        """Return the events since the last call, in their order."""
        return apart(self.rows_of_events()) if self._link.events else []

    def rows_of_events(self) -> list[SessionEvent | ResponsesReceived]:
        """Return the events, too, but Pending responses that came in a row as one."""
        events, self._link.events = self._link.events, []
        return events

    def next_deadline(self) -> float | None:
        """Return the time to call ``expire`` at the latest; None if no timer runs."""
        deadline = self._upper_layer.next_deadline()
        # A face asks after each event, and nearly always has no operation of its own.
        overdue = self._invoker.next_deadline() if self._invoker else None
        if deadline is None or overdue is None:
            return overdue if deadline is None else deadline
        return min(deadline, overdue)

    def expire(self, now: float) -> None:
        """Act on the time-outs that have run out by now."""
        # The upper layer comes first: if it ends the association, no operation is left to expire.
        self._upper_layer.expire(now)
        self._take_indications(now)
        try:
            self._invoker.expire(now)
        except HopelessError as error:
            self._abort(str(error), now)

    def writing_paused(self, now: float) -> None:
        """Take note that the connection takes no more bytes for now."""
        self._upper_layer.writing_paused(now)

    def writing_resumed(self) -> None:
        """Take note that the connection takes bytes again."""
        self._upper_layer.writing_resumed()

    def accept(self, ac: AAssociateAC, now: float) -> None:
        """Accept the association; LocalProtocolError if the answer does not fit the request."""
        self._upper_layer.send_associate_ac(ac, now)
        self._establish(ac)

    def reject(self, rj: AAssociateRJ, now: float) -> None:
        """Refuse the association."""
        self._upper_layer.send_associate_rj(rj.result, rj.source, rj.reason, now)
        # The user knows that it is over; only the end of the connection is still to be told.
        self._is_over = True

    def release(self, now: float) -> None:
        """Ask for the orderly end, as requestor with no operation outstanding (PS3.7 A.5)."""
        if self._upper_layer.role is Role.ACCEPTOR:
            raise LocalProtocolError("A-RELEASE request by the acceptor: only the requestor may")
        if self._invoker:
            message = f"A-RELEASE request while operations {self.outstanding} are outstanding"
            raise LocalProtocolError(message)
        self._upper_layer.send_release_rq(now)

    def abort(self, now: float) -> None:
        """End the association at once; one that is over is left alone."""
        self._abort("this side aborted the association", now)

    def send_echo(self, context_id: int, now: float, *, message_id: int | None = None) -> int:
        """Send C-ECHO-RQ; return its Message ID."""
        uid = self._link.context(context_id).abstract_syntax
        request = CEchoRQ(
            message_id=message_id or self.new_message_id(), affected_sop_class_uid=uid
        )
        return self.send_request(context_id, request, None, now)

    def send_find(
        self,
        context_id: int,
        identifier: bytes,
        now: float,
        *,
        priority: int = 0,
        message_id: int | None = None,
    ) -> int:
        """Send C-FIND-RQ, its identifier in the context's syntax; return its Message ID."""
        uid = self._link.context(context_id).abstract_syntax
        request = CFindRQ(
            message_id=message_id or self.new_message_id(),
            affected_sop_class_uid=uid,
            priority=priority,
        )
        return self.send_request(context_id, request, identifier, now)

    def send_store(
        self,
        context_id: int,
        sop_instance_uid: str,
        now: float,
        *,
        priority: int = 0,
        message_id: int | None = None,
        originator: tuple[str, int] | None = None,
    ) -> int:
        """Send C-STORE-RQ and return its Message ID; the data set follows by ``send_data``.

        ``originator``: AE title and Message ID of the C-MOVE that this is a sub-operation of.
        """
        request = CStoreRQ(
            message_id=message_id or self.new_message_id(),
            affected_sop_class_uid=self._link.context(context_id).abstract_syntax,
            affected_sop_instance_uid=sop_instance_uid,
            priority=priority,
            move_originator_application_entity_title=originator[0] if originator else "",
            move_originator_message_id=originator[1] if originator else None,
        )
        self._check_established(request)
        self._invoker.begin_store(context_id, request, now)
        self._note_busy(now)
        return request.message_id

    def send_data(self, data: bytes, now: float, *, is_last: bool) -> None:
        """Send a part of the data set of the last C-STORE request, in its transfer syntax."""
        self._invoker.send_data(data, now, is_last=is_last)

    def send_request(
        self, context_id: int, request: Request, data_set: bytes | None, now: float
    ) -> int:
        """Send any request, with its data set if it has one; return its Message ID."""
        self._check_established(request)
        self._invoker.send_request(context_id, request, data_set, now)
        self._note_busy(now)
        return request.message_id

    def _check_established(self, request: Request) -> None:
        if (state := self.state) is not State.STA6:
            raise LocalProtocolError(f"{name_of(request)} in state {state:d} ({state.words})")

    def send_cancel(self, message_id: int, now: float) -> None:
        """Ask the peer to end a query or retrieve, once; its final response is still to come."""
        self._invoker.send_cancel(message_id, now)

    def send_pending(
        self,
        context_id: int,
        message_id: int,
        status: int,
        identifiers: Sequence[bytes],
        now: float,
    ) -> None:
        """Send one Pending response for each identifier, in the context's transfer syntax."""
        self._performer.send_pending(context_id, message_id, status, identifiers, now)

    def send_response(
        self, request: Request, response: Response, identifier: bytes | None, now: float
    ) -> None:
        """Send one response, with its identifier if it has one."""
        self._performer.send_response(request, response, identifier, now)
        # The handler of an instance may have taken longer than the peer is waited for.
        self._invoker.note_sub_operation(now)
        self._note_busy(now)
        # The peer's release may be waiting for this last final response.
        self._answer_release(now)

    def _take_indications(self, now: float) -> None:
        # In a loop, as acting on one indication can bring others: an abort, for instance.
        while received := self._upper_layer.events():
            for indication in received:
                self._take(indication, now)

    def _take(self, indication: indications.Indication, now: float) -> None:
        match indication:
            case indications.DataReceived(pdvs):
                self._receive_pdvs(pdvs, now)
            case indications.AssociateRequested(rq):
                # The peer's maximum length is known from here on.
                if self._has_room_for_fragments(now):
                    self._link.events.append(AssociationRequested(rq))
            case indications.AssociateAccepted(ac):
                if self._has_room_for_fragments(now):
                    self._establish(ac)
                    self._link.events.append(AssociationAccepted(ac, self.contexts))
            case indications.AssociateRejected(rj):
                self._is_over = True
                self._link.events.append(AssociationRejected(rj))
            case indications.ReleaseRequested():
                # A peer that wants to go needs no more matches: its queries are told to end, and
                # the answer waits for their final responses.
                self._release_requested = True
                self._performer.cancel_all()
                self._answer_release(now)
            case indications.ReleaseConfirmed():
                # In a collision the acceptor's turn to answer comes with this confirmation.
                self._answer_release(now)
                self._tell_released()
            case indications.Aborted(source, reason):
                message = f"A-ABORT of the peer: {abort_words(source, reason)}"
                self._tell_aborted(source, reason, message, by_peer=True)
            case indications.ProviderAborted(reason, message):
                self._tell_aborted(AbortSource.SERVICE_PROVIDER, reason, message)
            case indications.TransportClosed(message):
                self._link.events.append(Ended(message))
            case _:
                assert_never(indication)

    def _has_room_for_fragments(self, now: float) -> bool:
        """Tell whether a fragment fits in what the peer receives; abort if none does."""
        if self._link.measure():
            return True
        message = f"a maximum length of {self.peer_maximum_length} bytes: no fragment fits"
        self._fail(RemoteProtocolError(message, reason=AbortReason.INVALID_VALUE), now)
        return False

    def _establish(self, ac: AAssociateAC) -> None:
        """Set the windows of both halves: "invoked" and "performed" are the requestor's words."""
        offer = self.rq and self.rq.user_information.async_operations_window
        window = ac.user_information.async_operations_window
        # Without both, the windows stay 1: one operation at a time (PS3.7 D.3.3.3).
        if offer is not None and window is not None:
            is_requestor = self._upper_layer.role is Role.REQUESTOR
            self._invoker.window = window.invoked if is_requestor else window.performed
            self._performer.window = window.performed if is_requestor else window.invoked

    def _answer_release(self, now: float) -> None:
        """Answer the peer's release request, which cannot be refused (PS3.8 7.2).

        It waits until the final responses are sent, and in a collision for its turn.
        """
        if (
            not self._release_requested
            or self._performer
            or not self._upper_layer.allows(Event.RELEASE_RESPONSE)
        ):
            return
        self._release_requested = False
        self._upper_layer.send_release_rp(now)
        # In a collision the requestor answers first, and its own release is confirmed after this.
        if self.state is State.STA13:
            self._tell_released()

    def _note_busy(self, now: float) -> None:
        """Tell the upper layer whether operations are outstanding, if that has changed."""
        # A request whose data set does not go on is not counted as busy: its peer has to time out,
        # and the idle timer does that.
        is_busy = bool(self._invoker) or self._performer.is_busy
        if is_busy is not self._is_busy:
            self._is_busy = is_busy
            self._upper_layer.set_busy(is_busy, now)

    def _abort(self, message: str, now: float) -> None:
        """End the association as its user."""
        self._is_deaf = True
        if self._upper_layer.allows(Event.ABORT_REQUEST):
            self._upper_layer.send_abort(now)
            # Told here: the upper layer indicates nothing when its user aborts.
            self._tell_aborted(AbortSource.SERVICE_USER, 0, message)
            self._take_indications(now)

    def _fail(self, error: RemoteProtocolError, now: float) -> None:
        """End the association for what the peer sent."""
        # The upper layer indicates its own abort, and from that the user is told.
        self._is_deaf, self._link.limit = True, error.limit
        self._upper_layer.send_provider_abort(error.reason, str(error), now)

    def _tell_aborted(
        self, source: int, reason: int, message: str, *, by_peer: bool = False
    ) -> None:
        # Several things may go wrong at the end of an association; the first one is its reason.
        outstanding = self._invoker.fail()
        self._performer.fail()
        if not self._is_over:
            self._is_over = True
            self._link.events.append(Aborted(source, reason, by_peer, message, outstanding))

    def _tell_released(self, *, is_orderly: bool = True) -> None:
        outstanding = self._invoker.fail()
        self._performer.fail()
        if not self._is_over:
            self._is_over = True
            self._link.events.append(Released(is_orderly, outstanding))

    def _receive_pdvs(
        self, pdvs: Sequence[PresentationDataValue | RepeatedPDVs], now: float
    ) -> None:
        position, is_asking = 0, bool(self._invoker)
        while position < len(pdvs):
            # Asked anew for each PDV: the one before may have led to an abort.
            if self._is_deaf:
                return
            # Pending responses come in long rows; each way takes as many PDVs as it can.
            if is_asking:
                after = self._invoker.receive_repeated(self._reassembler, pdvs, position, now)
                if after > position:
                    position = after
                    continue
            pdv = pdvs[position]
            position += 1
            if isinstance(pdv, RepeatedPDVs):
                pdvs, position = [*pdv.apart(), *pdvs[position:]], 0
                continue
            try:
                received = self._reassembler.receive(pdv)
                if isinstance(received, Message):
                    self._receive_message(received, now)
                elif received is not None:
                    self._invoker.note_sub_operation(now)
                    self._performer.receive_fragment(received)
            except HopelessError as error:
                self._link.limit = error.limit
                self._abort(str(error), now)
            except RemoteProtocolError as error:
                self._fail(error, now)
        self._note_busy(now)

    def _receive_message(self, message: Message, now: float) -> None:
        command = message.command
        if isinstance(command, Response):
            self._invoker.receive_response(message, command, now)
        elif isinstance(command, Request):
            self._invoker.note_sub_operation(now)
            refusal = self._performer.receive_request(message, command)
            # After a release request of this side no response may be sent (PS3.8 Table 9-10).
            if refusal is not None and self._link.may_send:
                self._link.answer(message.context_id, refusal, now)
                self._link.events.append(RequestRefused(command, refusal))
        elif isinstance(command, CCancelRQ):
            self._performer.receive_cancel(command, now)
        else:
            self._performer.receive_unknown(message.context_id, command, now)

"""The requestor's side of an association, without I/O (PS3.7 9.1, PS3.8 7).

The blocking and the asyncio face share all of it. Work that takes more than one turn with the peer
is a *flow*: a generator that yields when it needs bytes of the peer, and returns its result. A face
drives a flow in one loop, whether it blocks or awaits: resume the flow, send ``data_to_send()``,
receive, call ``receive_data``, ``receive_eof`` or ``expire``, and again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias, TypeVar, assert_never

from dicomquest.dimse.commands import (
    PENDING,
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    NormalizedRQ,
    RetrieveRQ,
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
    RequestRefused,
    ResponseReceived,
    ResponsesReceived,
    SessionEvent,
)
from dicomquest.dimse.link import SessionOptions
from dicomquest.dimse.session import Session
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    AssociationRejectedError,
    ConnectionFailedError,
    LocalProtocolError,
)
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.scu.agreement import Agreement, no_context
from dicomquest.scu.incoming_store import IncomingStore
from dicomquest.services.failures import Failure
from dicomquest.services.life_cycle import LifeStage
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.timers import Timeouts

# pydicom's UIDs are imported where contexts are shown: a C-ECHO starts in half the time without.


LOGGER = logging.getLogger("dicomquest.scu")

T = TypeVar("T")
Flow: TypeAlias = Generator[None, None, T]
"""A generator that yields whenever it needs bytes of the peer, and returns its result."""


@dataclass(slots=True, eq=False)
class Operation:
    """A request with its unread responses in ``inbox``, the final one last.

    ``is_cut`` says that responses were thrown away unread, for a later request.
    """

    message_id: int
    context: AcceptedContext
    inbox: deque[ResponseReceived | ResponsesReceived] = field(default_factory=deque)
    is_answered: bool = False
    is_cut: bool = False

    def take(self) -> ResponseReceived:
        """Return the next response of an inbox that is not empty."""
        first = self.inbox.popleft()
        if isinstance(first, ResponsesReceived):
            first, *others = first.apart()
            self.inbox.extendleft(reversed(others))
        return first


class Requestor(Agreement):
    """One association from its request to its end.

    Responses are kept by operation, found by Message ID: a response that one loop left unread never
    shows up in another. A new operation, or a release, first settles the one before by a C-CANCEL
    and reads to its final response.
    """

    def __init__(
        self, rq: AAssociateRQ, timeouts: Timeouts, *, assumes_scp_role: bool = False
    ) -> None:
        super().__init__(rq)
        self.timeouts = timeouts
        self.stage = LifeStage.REQUESTED
        self.failure: AssociationError | None = None
        self._options = SessionOptions(streams_stores=True, assumes_scp_role=assumes_scp_role)
        self._session: Session | None = None
        self._operations: dict[int, Operation] = {}
        self.stores: deque[IncomingStore] = deque()

    @property
    def session(self) -> Session:
        """The session on the connection; LocalProtocolError before there is one."""
        if self._session is None:
            raise LocalProtocolError("the association has no connection yet")
        return self._session

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Use other time-outs from now on."""
        self.timeouts = timeouts
        if self._session is not None:
            self._session.set_timeouts(timeouts)

    @property
    def is_ending(self) -> bool:
        """Tell whether the association is over, but the peer has yet to close the connection."""
        is_over = self.stage not in (LifeStage.REQUESTED, LifeStage.ESTABLISHED)
        return is_over and self._session is not None and not self._session.should_close

    @property
    def has_unread_responses(self) -> bool:
        """Tell whether responses have arrived that nobody has read yet."""
        return any(operation.inbox for operation in self._operations.values())

    def connected(self) -> None:
        """Ask for the association, on a connection that has just been made."""
        self._session = Session.requestor(self.rq, self.timeouts, monotonic(), self._options)

    def data_to_send(self) -> bytes:
        """Return the bytes to send since the last call."""
        return b"" if self._session is None else self._session.data_to_send()

    def seconds_left(self) -> float | None:
        """Return the seconds to wait for the peer until ``expire`` is due; None waits for ever."""
        deadline = self.session.next_deadline()
        return None if deadline is None else max(deadline - monotonic(), 0.0)

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self.session.receive_data(data, monotonic())
        self._take_events()

    def receive_eof(self, message: str = "the peer closed the connection") -> None:
        """Take the end of the connection, however it came about."""
        self.session.receive_eof(monotonic(), message)
        self._take_events()

    def expire(self) -> None:
        """Act on the time-outs that are due."""
        self.session.expire(monotonic())
        self._take_events()

    def fail_connection(self, message: str) -> None:
        """End the association for want of a transport connection."""
        self._end(LifeStage.ABORTED, ConnectionFailedError(message))

    def establish(self) -> Flow[None]:
        """Wait for the answer to the association request."""
        while self.stage is LifeStage.REQUESTED:
            yield

    def find(
        self,
        context: AcceptedContext,
        identifier: bytes,
        *,
        message_id: int | None = None,
        priority: int = 0,
    ) -> Flow[Operation]:
        """Send a C-FIND request; its responses follow by ``response``."""
        yield from self.settle()
        self.check_established()
        sent = self.session.send_find(
            context.context_id, identifier, monotonic(), priority=priority, message_id=message_id
        )
        return self._start(sent, context)

    def retrieve(
        self,
        context: AcceptedContext,
        identifier: bytes,
        *,
        destination: str | None = None,
        message_id: int | None = None,
        priority: int = 0,
    ) -> Flow[Operation]:
        """Send a C-GET request, or a C-MOVE request to a destination; ``response`` as for a query.

        The instances of a C-GET come as ``stores``, which the face has answered by ``answer``.
        """
        yield from self.settle()
        self.check_established()
        uid, number = context.abstract_syntax, message_id or self.session.new_message_id()
        request: RetrieveRQ = (
            CGetRQ(message_id=number, affected_sop_class_uid=uid, priority=priority)
            if destination is None
            else CMoveRQ(
                message_id=number,
                affected_sop_class_uid=uid,
                move_destination=destination,
                priority=priority,
            )
        )
        self.session.send_request(context.context_id, request, identifier, monotonic())
        return self._start(number, context)

    def echo(
        self, context: AcceptedContext, *, message_id: int | None = None
    ) -> Flow[ResponseReceived | None]:
        """Send a C-ECHO request and return its response; None if the association ended first."""
        yield from self.settle()
        self.check_established()
        sent = self.session.send_echo(context.context_id, monotonic(), message_id=message_id)
        return (yield from self.response(self._start(sent, context)))

    def exchange(
        self, context: AcceptedContext, request: NormalizedRQ, attributes: bytes
    ) -> Flow[ResponseReceived | None]:
        """Send a DIMSE-N request and return its response; None if the association ended first."""
        yield from self.settle()
        self.check_established()
        sent = self.session.send_request(context.context_id, request, attributes, monotonic())
        return (yield from self.response(self._start(sent, context)))

    def store(
        self,
        context: AcceptedContext,
        sop_instance_uid: str,
        *,
        message_id: int | None = None,
        priority: int = 0,
        originator: tuple[str, int] | None = None,
    ) -> Flow[Operation]:
        """Begin a C-STORE request: its data set follows by ``send_data``, then ``response``."""
        yield from self.settle()
        self.check_established()
        sent = self.session.send_store(
            context.context_id,
            sop_instance_uid,
            monotonic(),
            priority=priority,
            message_id=message_id,
            originator=originator,
        )
        return self._start(sent, context)

    def send_data(self, data: bytes, *, is_last: bool) -> None:
        """Send a part of the data set of a C-STORE request; nothing if the association is gone."""
        if self.stage is LifeStage.ESTABLISHED:
            self.session.send_data(data, monotonic(), is_last=is_last)

    def answer(self, store: IncomingStore, failure: Failure) -> None:
        """Answer a C-STORE request of the peer; nothing if the association ends or is gone."""
        # After an A-RELEASE-RQ no message may be sent, though instances may still come.
        if self.session.is_established:
            status, comment, offending = failure
            response = response_to(
                store.command, status, error_comment=comment, offending_element=offending
            )
            self.session.send_response(store.command, response, None, monotonic())

    def response(self, operation: Operation) -> Flow[ResponseReceived | None]:
        """Return the next response of an operation; None if the association ended first.

        LocalProtocolError if the operation succeeded, but not with all of its responses read.
        """
        return operation.take() if (yield from self.arrival(operation)) else None

    def arrival(self, operation: Operation) -> Flow[bool]:
        """Wait until the inbox has something; False and errors as those of ``response``."""
        while not operation.inbox:
            if operation.is_cut and operation.is_answered:
                raise LocalProtocolError(
                    "responses of this query were thrown away for a later request: read a query "
                    "to its end before the next request, or use two associations"
                )
            if operation.is_answered or self.stage is not LifeStage.ESTABLISHED:
                return False
            yield
        return True

    def release(self) -> Flow[None]:
        """End the association in good order; one that is gone is left alone."""
        yield from self.settle()
        if self.stage is LifeStage.ESTABLISHED:
            self.session.release(monotonic())
            while self.stage is LifeStage.ESTABLISHED:
                yield

    def abort(self) -> Flow[None]:
        """End the association now; one that is gone is left alone."""
        if self.stage in (LifeStage.REQUESTED, LifeStage.ESTABLISHED):
            if self._session is not None:
                self._session.abort(monotonic())
                self._take_events()
            self._end(
                LifeStage.ABORTED, AssociationAbortedError("this side aborted the association")
            )
        # Makes this a generator, and so a flow.
        yield from ()

    def cancel(self, message_id: int | None) -> None:
        """Send a C-CANCEL for a running operation, None for all; final responses still come."""
        for running in list(self._operations) if self.stage is LifeStage.ESTABLISHED else ():
            if message_id in {running, None}:
                self.session.send_cancel(running, monotonic())

    def settle(self) -> Flow[None]:
        """Bring running operations to their end; only their final responses stay unread."""
        for operation in list(self._operations.values()):
            self.cancel(operation.message_id)
            patience = None if self.timeouts.dimse is None else monotonic() + self.timeouts.dimse
            while not operation.is_answered and self.stage is LifeStage.ESTABLISHED:
                operation.is_cut = operation.is_cut or bool(operation.inbox)
                operation.inbox.clear()
                if patience is not None and monotonic() > patience:
                    # A peer that ignores the C-CANCEL and streams on never runs into the session's
                    # own time-out, and would keep us here for as long as it likes.
                    yield from self.abort()
                    break
                yield
            _keep_final_response(operation)

    def _start(self, message_id: int, context: AcceptedContext) -> Operation:
        operation = Operation(message_id, context)
        self._operations[message_id] = operation
        return operation

    def check_established(self) -> None:
        """Raise LocalProtocolError if the association is not established."""
        if self.stage is not LifeStage.ESTABLISHED:
            raise LocalProtocolError(
                f"a request needs an established association, this one is {self.stage.value}: "
                "associate anew"
            )

    def _end(self, stage: LifeStage, failure: AssociationError | None) -> None:
        # The first end counts: the end of the connection follows each of them.
        if self.stage in (LifeStage.REQUESTED, LifeStage.ESTABLISHED):
            self.stage = stage
            self.failure = failure

    def _take_events(self) -> None:
        for event in self.session.rows_of_events():
            if isinstance(event, ResponsesReceived):
                operation = self._operations.get(event.command.message_id_being_responded_to)
                if operation is not None:
                    operation.inbox.append(event)
            else:
                self._take(event)

    def _take(self, event: SessionEvent) -> None:
        match event:
            case ResponseReceived():
                self._take_response(event)
            case AssociationAccepted():
                self.ac, self.contexts = event.ac, dict(event.contexts)
                if self.contexts:
                    self.stage = LifeStage.ESTABLISHED
                else:
                    # Of no use to anyone, and the peer has a place taken by it.
                    self._end(LifeStage.ABORTED, no_context(self.rq))
                    self.session.abort(monotonic())
            case AssociationRejected():
                rj = event.rj
                failure = AssociationRejectedError(
                    str(rj), result=rj.result, source=rj.source, reason=rj.reason
                )
                self._end(LifeStage.REJECTED, failure)
            case Released():
                self._end(LifeStage.RELEASED, None)
            case Aborted() | Ended():
                self._end(LifeStage.ABORTED, AssociationAbortedError(event.message))
            case MessageIgnored():
                LOGGER.warning("%s ignored: %s", name_of(event.command), event.reason)
            case RequestReceived(context, CStoreRQ() as command, _, True):
                self.stores.append(IncomingStore(context, command))
            case DataSetFragmentReceived(_, fragment, is_last):
                # It is of the last one: data sets come one after the other.
                self.stores[-1].parts.append(fragment)
                self.stores[-1].is_whole = is_last
            case RequestReceived():
                # Possible only if this side asked for the SCP role, and the peer granted it.
                refusal = response_to(
                    event.command,
                    statuses.SOP_CLASS_NOT_SUPPORTED,
                    error_comment="this side is no SCP",
                )
                self.session.send_response(event.command, refusal, None, monotonic())
            case RequestRefused(command, response):
                words = f"{name_of(command)} refused: {response.error_comment}"
                if isinstance(command, CStoreRQ) and not self._options.assumes_scp_role:
                    words += (
                        "; ask for the role by build_role(uid, scp_role=True), or, of a peer that "
                        "never grants it, take instances by AE.assume_scp_role = True"
                    )
                LOGGER.warning("%s", words)
            case AssociationRequested() | CancelReceived():
                # Events of acceptors alone.
                pass
            case _:
                assert_never(event)

    def _take_response(self, event: ResponseReceived) -> None:
        operation = self._operations.get(event.command.message_id_being_responded_to)
        if operation is None:
            return
        operation.inbox.append(event)
        if event.command.status not in PENDING:
            operation.is_answered = True
            del self._operations[operation.message_id]


def _keep_final_response(operation: Operation) -> None:
    """Throw the Pending responses of a query away; then a Success would be a lie, and goes, too."""
    *unread, last = operation.inbox or (None,)
    operation.inbox.clear()
    if not operation.is_answered or last is None:
        operation.is_cut = True
        return
    operation.is_cut = operation.is_cut or bool(unread)
    is_complete = statuses.status_class(last.command.status) in (
        statuses.StatusClass.SUCCESS,
        statuses.StatusClass.WARNING,
    )
    if not (operation.is_cut and is_complete):
        operation.inbox.append(last)

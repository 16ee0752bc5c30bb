"""One association of the server: its events and the task that answers (PS3.7 9.1, PS3.8 7)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Never, ParamSpec, Protocol, TypeAlias, TypeVar, assert_never

from dicomquest import evt
from dicomquest.absent_names import no_attribute
from dicomquest.aio.accepted_view import ViewHost
from dicomquest.aio.bound_handlers import NEGOTIATION_EVENTS, answer_association
from dicomquest.aio.containment import contained
from dicomquest.aio.handler_kinds import is_async
from dicomquest.aio.response_channel import ResponseChannel
from dicomquest.aio.tls_handshake import TlsHandshake
from dicomquest.dimse.commands import CEchoRQ, name_of
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
    SessionEvent,
)
from dicomquest.errors import (
    AssociationAbortedError,
    DataSetError,
    IdentifierError,
    LocalProtocolError,
)
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ
from dicomquest.services.access import EVERYTHING, Identity
from dicomquest.services.admission import Admission, Admitted, Refused
from dicomquest.services.failures import failure_of, failure_of_handler, out_of_resources_of
from dicomquest.services.identifiers import show_request
from dicomquest.services.life_cycle import LifeStage
from dicomquest.services.limit_names import OF_ASSOCIATION, LimitName, reached
from dicomquest.services.request import AssociationInfo, ServiceRequest, ServiceUser, service_user
from dicomquest.services.stream import DataSetStream
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import (
    AUTHENTICATION_FAILED,
    LOCAL_LIMIT_EXCEEDED,
    TEMPORARY_CONGESTION,
    AcceptorPolicy,
    negotiate,
)

LOGGER = logging.getLogger("dicomquest.server")

P = ParamSpec("P")
T = TypeVar("T")

TIME_TO_RELEASE = 0.2
"""Seconds that a peer gets to release its association after its last answer, at the end."""

Task: TypeAlias = AssociationRequested | ServiceRequest | Released | Aborted
"""The work of an association's task, done in the order of its arrival."""


class Host(ViewHost, Protocol):
    """The server as an association needs it; only the server knows associations by their class."""

    def connected(self, association: AcceptedAssociation) -> None:
        """Note a connection; if it is one too many, drop one that waits for an association."""

    def admit(self, association: AcceptedAssociation) -> LimitName | None:
        """Give an association its place; return the limit that is reached if there is none."""

    def admit_title(self, association: AcceptedAssociation, most: int) -> LimitName | None:
        """Count an admitted association for its calling AE title, unless that has too many."""

    def tell_limit(self, host: str, limit: LimitName, words: str) -> None:
        """Log a connection that a limit ends before it has an association, and tell observers."""

    def dismiss(self, association: AcceptedAssociation) -> None:
        """Take back the place of an association that is rejected after all."""

    def disconnected(self, association: AcceptedAssociation) -> None:
        """Note the end of a connection, and free the place of its association."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's own threads."""


class AcceptedAssociation(ResponseChannel):
    """An association as acceptor, as handlers and services see it.

    Everything runs in the event loop's thread, except ``abort``, which handlers call from theirs.
    The session reads the peer's bytes as they arrive, so that a C-CANCEL or an A-ABORT is noticed
    while responses stream. Work that takes time waits in ``_inbox`` for the association's one task.

    ``handshake`` is the TLS handshake that came before, if there was one.
    """

    def __init__(self, server: Host, number: int, handshake: TlsHandshake | None = None) -> None:
        super().__init__(server, number, server.settings.observer)
        self.handshake = handshake
        self._server: Host = server
        self._info: AssociationInfo | None = None
        self._admitted: Admitted | None = None
        self._reason = ""
        self._limit: LimitName | None = None
        self._inbox: deque[Task] = deque()
        self._arrived = asyncio.Event()
        self._is_closing = False
        self.task: asyncio.Task[None]

    @property
    def peer_address(self) -> tuple[str, int]:
        """The (host, port) of the peer's end of the connection."""
        return self.protocol.peer_address

    @property
    def host(self) -> str:
        """The address that the peer connected from."""
        return self.protocol.peer_address[0]

    def connected(self) -> None:
        """Start the task, and take part in the server's connections."""
        self.task = self._loop.create_task(self._serve())
        self._server.connected(self)

    def disconnected(self) -> None:
        """Let the task end once its inbox is empty."""
        self._arrived.set()
        self._server.disconnected(self)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's threads."""
        return await self._server.run(function, *args, **kwargs)

    def end(self) -> None:
        """Abort the association, and close the connection without waiting for the peer to do so."""
        self.protocol.abort()

    def end_when_idle(self) -> None:
        """End the association as soon as no request is running; accept no new one."""
        self._is_closing = True
        if not self._requests:
            self.end()

    def drop(self) -> None:
        """Close the connection at once."""
        self.protocol.drop()

    def take(self, event: SessionEvent) -> None:
        """Sort an event: what is quick is done now, the rest waits for the task."""
        match event:
            case RequestReceived():
                self._put(self._begin(event))
            case DataSetFragmentReceived(message_id, fragment, is_last):
                request = self._requests.get(message_id)
                if request is not None and request.stream is not None:
                    request.stream.feed(fragment, is_last=is_last)
            case ResponseReceived():
                if self._link is not None:
                    self._link.answered(event.command)
            case CancelReceived(message_id):
                if (request := self._requests.get(message_id)) is not None:
                    request.cancel()
                if self._link is not None and not self._session.is_established:
                    self._link.expect_no_answer()
            case AssociationRequested():
                self._put(event)
            case Released() | Aborted():
                self._put(event)
                self._abandon_requests()
            case Ended():
                self._abandon_requests()
                limit = OF_ASSOCIATION.get(self._session.limit)
                # The other limits of an association end it by an event of its own.
                is_told_here = self._stage is LifeStage.REQUESTED
                if limit is not None and (is_told_here or limit is LimitName.ARTIM_TIMEOUT):
                    self._server.tell_limit(self.host, limit, f"closed: {event.message}")
            case MessageIgnored():
                self._log_repeated(
                    logging.WARNING, "ignored", f"{name_of(event.command)} ignored: {event.reason}"
                )
            case RequestRefused():
                self._teller.refused(self.requestor, event)
            case AssociationAccepted() | AssociationRejected():
                # An acceptor's session has none of these: they are events of requestors.
                pass
            case _:
                assert_never(event)

    def _log_repeated(self, level: int, kind: str, words: str) -> None:
        self._lines.log(LOGGER, level, kind, f"association {self.number}: {words}")

    def _abandon_requests(self) -> None:
        """Tell the services that nobody reads their responses any more, however long they wait."""
        for request in self._requests.values():
            request.cancel(is_abandoned=True)
        self._requests.clear()
        if self._link is not None:
            self._link.lose(f"association {self.number} has ended")
        self.protocol.wake_writers()

    def _begin(self, event: RequestReceived) -> ServiceRequest:
        if self._info is None:
            raise LocalProtocolError(
                f"association {self.number}: a request before the association is accepted"
            )
        if not event.is_class_told:
            self._log_repeated(
                logging.INFO,
                "without class",
                f"{name_of(event.command)} without SOP class, taken for that of the context",
            )
        stream = (
            DataSetStream(self.protocol.pause_reading, self.protocol.resume_reading)
            if event.is_streamed
            else None
        )
        request = ServiceRequest(
            self, self._info, event.context, event.command, event.data_set, stream=stream
        )
        self._requests[event.command.message_id] = request
        show_request(event.data_set, event.context.transfer_syntax)
        return request

    def _put(self, task: Task) -> None:
        self._inbox.append(task)
        self._arrived.set()

    async def _serve(self) -> None:
        """Do the inbox's work in its order, until the connection is gone."""
        try:
            await self._notify(evt.EVT_CONN_OPEN, address=self.peer_address)
            # The inbox is emptied also after the connection is lost: handlers hear of the end.
            while self._inbox or not self.protocol.is_lost:
                if self._inbox:
                    await self._react(self._inbox.popleft())
                else:
                    self._arrived.clear()
                    await self._arrived.wait()
            await self._notify(evt.EVT_CONN_CLOSE, address=self.peer_address)
        finally:
            self._teller.ended(LifeStage.ABORTED, "the server ends")
            self._lines.end()
            self.drop()
            if self.protocol.is_lost:
                self.protocol.leave_owner()

    async def _react(self, task: Task) -> None:
        match task:
            case ServiceRequest():
                await self._perform(task)
            case AssociationRequested(rq):
                await self._negotiate(rq)
            case Released():
                self._stage = LifeStage.RELEASED
                # The usual end has no line at INFO: what went on before has one.
                level = logging.DEBUG if task.is_orderly else logging.INFO
                words = "released" if task.is_orderly else "released by closing"
                LOGGER.log(level, "association %d: %s", self.number, words)
                self._teller.ended(self._stage, words)
                await self._notify(evt.EVT_RELEASED)
            case Aborted():
                self._stage = LifeStage.ABORTED
                limit, message = OF_ASSOCIATION.get(self._session.limit), task.message
                if limit is not None:
                    self._teller.hit(self.requestor, limit)
                    message = f"{message} ({limit.value})"
                LOGGER.info("association %d: aborted: %s", self.number, message)
                self._teller.ended(self._stage, message)
                await self._notify(evt.EVT_ABORTED)
            case _:
                assert_never(task)

    async def _negotiate(self, rq: AAssociateRQ) -> None:
        own_address = self.protocol.own_address
        self.requestor = service_user(
            rq.calling_ae_title, self.peer_address, rq.user_information, rq
        )
        self.acceptor = ServiceUser(rq.called_ae_title, *own_address)
        await self._notify(evt.EVT_REQUESTED)
        answer = await self._answer(rq)
        try:
            if isinstance(answer, AAssociateRJ):
                self._stage = LifeStage.REJECTED
                self._server.dismiss(self)
                self._session.reject(answer, monotonic())
            else:
                self._establish(rq, answer, own_address)
        except LocalProtocolError as error:
            # The peer has aborted, or is gone, while handlers looked at its request.
            LOGGER.info(
                "association %d: requested by %s at %s, called %s: not answered: %s",
                self.number,
                self.requestor.ae_title,
                self.host,
                self.acceptor.ae_title,
                error,
            )
            return
        self.protocol.pump()
        if isinstance(answer, AAssociateRJ):
            claimed = rq.user_information.user_identity_rq
            self._teller.rejected(
                self.requestor, self.acceptor, answer, self._reason, self._limit, claimed=claimed
            )
            await self._notify(evt.EVT_REJECTED)
        else:
            assert self._info is not None  # noqa: S101  it is established
            self._teller.accepted(self._info)
            self.log_negotiation()
            await self._notify(evt.EVT_ACCEPTED)
            await self._notify(evt.EVT_ESTABLISHED)

    async def _answer(self, rq: AAssociateRQ) -> AAssociateAC | AAssociateRJ:
        self._reason = self._server.settings.suspension()
        if self._is_closing or self._reason:
            return TEMPORARY_CONGESTION
        if (limit := self._server.admit(self)) is not None:
            return self._too_many(limit)
        policy, handlers = self._server.settings.policy_now, self.handlers
        if self._server.settings.admission is not None:
            decision = await self._decide(self._server.settings.admission, rq, policy)
            if isinstance(decision, Refused):
                self._reason, self._limit = decision.reason, decision.limit
                return decision.answer
            self._admitted, policy = decision, decision.policy
            most = decision.profile.most_associations
            if most is not None and (limit := self._server.admit_title(self, most)) is not None:
                return self._too_many(limit)
        if any(handlers.bound(event) for event in NEGOTIATION_EVENTS):
            return await self.run(answer_association, self, rq, policy, handlers)
        return negotiate(rq, policy)

    def _too_many(self, limit: LimitName) -> AAssociateRJ:
        self._limit, self._reason = limit, reached(limit)
        return LOCAL_LIMIT_EXCEEDED

    async def _decide(
        self, admission: Admission, rq: AAssociateRQ, policy: AcceptorPolicy
    ) -> Admitted | Refused:
        """Ask the rules of who may ask; whatever goes wrong there lets nobody in."""
        identity = Identity(rq.calling_ae_title, self.host, certificate=self.protocol.certificate)
        with contained(f"association {self.number}: the rules of who may ask"):
            return await admission.decide(rq, policy, identity, self.run)
        return Refused(AUTHENTICATION_FAILED, "its identity cannot be verified")

    def _establish(self, rq: AAssociateRQ, ac: AAssociateAC, own_address: tuple[str, int]) -> None:
        self._session.accept(ac, monotonic())
        self._stage = LifeStage.ESTABLISHED
        if self._admitted is not None and self._admitted.profile.assumes_roles:
            self._session.assume_roles()
        self.acceptor = service_user(rq.called_ae_title, own_address, ac.user_information, ac)
        claim, admitted = rq.user_information.user_identity_rq, self._admitted
        claimed = None if claim is None else claim.user_name
        self._info = AssociationInfo(
            self.number,
            self.requestor,
            self.acceptor,
            dict(self._session.contexts),
            self.acceptor.sop_class_extended,
            claimed if admitted is None else admitted.identity.user,
            EVERYTHING if admitted is None else admitted.profile,
            lines=self._lines,
        )

    async def _perform(self, request: ServiceRequest) -> None:
        """Have the request answered by its service; a service that fails gives a failure status."""
        name = name_of(request.command)
        service = self._server.settings.services.get(request.context.abstract_syntax)
        with suppress(AssociationAbortedError):
            if service is None:
                await request.send_final(
                    statuses.SOP_CLASS_NOT_SUPPORTED, "no service for this abstract syntax"
                )
                return
            with contained(f"association {self.number}: {name}") as guard:
                try:
                    # C-ECHO asks whether the server is there, and it is.
                    reason = self._server.settings.suspension()
                    if reason and not isinstance(request.command, CEchoRQ):
                        await request.refuse(out_of_resources_of(request.command), reason)
                    else:
                        await service.handle(request)
                except (IdentifierError, DataSetError) as error:
                    # Handlers read the identifier whenever they like, and it may be unreadable.
                    await request.send_final(*failure_of(error))
                except AssociationAbortedError as error:
                    LOGGER.debug("association %d: %s", self.number, error)
            if not request.is_finished:
                await request.send_final(*failure_of_handler(guard.failure, request.command))
        # Without a final response, its peer is gone.
        self._teller.finished(request, None, "", ())
        if self._is_closing:
            # A peer that has its answer may release the association meanwhile, as it should.
            self._loop.call_later(TIME_TO_RELEASE, self.end)

    async def _notify(self, event: evt.NotificationEvent, **attributes: Any) -> None:
        for bound in self.handlers.bound(event):
            with contained(f"association {self.number}: {event}"):
                told = evt.Event(self, event, **attributes)
                if is_async(bound.function):
                    await bound(told)
                else:
                    await self.run(partial(bound, told))


class ScriptedAssociation(AcceptedAssociation):
    """An association that the handlers of an AE see, with words for pynetdicom's other names.

    Not for ``serve``: Python takes longer for each attribute of a class with ``__getattr__``.
    """

    def __getattr__(self, name: str) -> Never:
        # Reached only for names that are not here.
        raise no_attribute("Association", name)

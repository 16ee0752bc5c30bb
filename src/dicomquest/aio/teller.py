"""The teller of one association: its log and its observer hear of the same events (PS3.15 A.5)."""

from __future__ import annotations

import logging
from time import monotonic

from dicomquest.aio.response_log import LOGGER, ResponseLog
from dicomquest.dimse.commands import (
    CEchoRQ,
    CFindRQ,
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    NCreateRQ,
    NSetRQ,
    Request,
)
from dicomquest.dimse.events import RequestRefused
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.disclosures import InstancesAccessed, StudiesExported
from dicomquest.services.event_log import EVENT_LOG
from dicomquest.services.life_cycle import LifeStage
from dicomquest.services.limit_names import LOCKING, LimitName
from dicomquest.services.observer import (
    LONGEST_LOGGED,
    AlertKind,
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    FindFinished,
    LimitHit,
    Observer,
    RetrieveFinished,
    SecurityAlert,
    StoreFinished,
)
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.request import AssociationInfo, ServiceRequest, ServiceUser
from dicomquest.services.retrieve_progress import Retrieved
from dicomquest.services.step_events import StepFinished
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import AUTHENTICATION_FAILED, CALLING_AE_TITLE_NOT_RECOGNIZED

IDENTITY_REFUSED = {CALLING_AE_TITLE_NOT_RECOGNIZED, AUTHENTICATION_FAILED}
"""The answers to an identity that the rules do not let in."""


class Teller:
    """Makes an event of what happens to an association, if anybody listens or it is logged."""

    def __init__(self, number: int, lines: RepeatedLines, observer: Observer | None) -> None:
        """Tell of association ``number``; ``lines`` bounds what a peer can have logged."""
        self._number = number
        self.observer = observer
        self._log = ResponseLog(number, lines)
        self._running: AssociationInfo | None = None
        self._began = 0.0

    def accepted(self, association: AssociationInfo) -> None:
        """Tell that the association is established."""
        self._running = association
        self._began = monotonic()
        event = AssociationBegan(association)
        EVENT_LOG.log(event)
        if self.observer is not None:
            self.observer.tell(event)

    def rejected(
        self,
        requestor: ServiceUser,
        acceptor: ServiceUser,
        answer: AAssociateRJ,
        detail: str = "",
        limit: LimitName | None = None,
        *,
        claimed: UserIdentityRQ | None = None,
        is_http: bool = False,
    ) -> None:
        """Tell that the association was rejected; ``detail`` is what only the operator learns.

        ``limit`` is the one that is reached, if that is the reason, ``claimed`` the identity of
        the requestor.
        """
        user = _name(claimed) if claimed is not None else ""
        event = AssociationRefused(self._number, requestor, acceptor, answer, detail, user, is_http)
        LOGGER.info("%s", event)
        if self.observer is not None:
            self.observer.tell(event)
            if detail and answer in IDENTITY_REFUSED:
                self._alert(AlertKind.IDENTITY, requestor, event.reason)
            if limit in LOCKING and answer == AUTHENTICATION_FAILED:
                # Once a lock: the rejections that it causes have another answer.
                self._alert(AlertKind.LOCKED_OUT, requestor, event.reason, user)
        if limit is not None:
            self.hit(requestor, limit)

    def _alert(
        self, kind: AlertKind, requestor: ServiceUser, reason: str, user: str | None = None
    ) -> None:
        """Tell that the peer has tried what it may not do."""
        if self.observer is not None:
            self.observer.tell(
                SecurityAlert(kind, requestor.address, requestor.ae_title, reason, user or "")
            )

    def hit(self, requestor: ServiceUser, limit: LimitName) -> None:
        """Tell that the peer has reached a limit."""
        if self.observer is not None:
            self.observer.tell(LimitHit(limit, requestor.address, requestor.ae_title))

    def ended(self, stage: LifeStage, reason: str = "") -> None:
        """Tell once that an established association has ended."""
        association, self._running = self._running, None
        if association is not None and self.observer is not None:
            seconds = monotonic() - self._began
            self.observer.tell(AssociationOver(association, stage.value, reason, seconds))

    def answered(self, association: AssociationInfo) -> None:
        """Tell that a request by HTTP is over, if it has stored: an audit message waits for it."""
        if association.state.has_stored and self.observer is not None:
            self.observer.tell(AssociationOver(association, LifeStage.RELEASED.value, "", 0.0))

    def disclosed(self, event: InstancesAccessed | StudiesExported) -> None:
        """Tell that a person was shown stored data, or took it out as a table."""
        if isinstance(event, InstancesAccessed):
            EVENT_LOG.log(event)
        if self.observer is not None:
            self.observer.tell(event)

    def finished(
        self, request: ServiceRequest, status: int | None, comment: str, offending: tuple[int, ...]
    ) -> None:
        """Tell once how a request ended; ``status`` is None if its peer was gone before."""
        if request.is_told:
            return
        request.is_told = True
        match request.command:
            case CFindRQ():
                self._finished_find(request, status, comment, offending)
            case CStoreRQ():
                self._finished_store(request, request.command, status, comment)
            case CGetRQ():
                is_http = request.association.is_http
                service = request.service_name or ("WADO-RS" if is_http else "C-GET")
                self._finished_retrieve(request, service, status, comment, offending)
            case CMoveRQ():
                self._finished_retrieve(request, "C-MOVE", status, comment, offending)
            case NCreateRQ() | NSetRQ():
                self._finished_step(request, request.command, status, comment)
            case CEchoRQ():
                if status is not None and LOGGER.isEnabledFor(logging.INFO):
                    self._log.echo(status)

    def refused(self, requestor: ServiceUser, refusal: RequestRefused) -> None:
        """Log how a request ended that no service has seen."""
        command: Request = refusal.command
        response = refusal.response
        self._log.refused(requestor, command, response.status, response.error_comment)
        if response.status == statuses.IDENTIFIER_UNREADABLE:
            # The session reads no data set: it refuses those that are too long.
            self.hit(requestor, LimitName.IDENTIFIER)
        elif response.status == statuses.RESOURCE_LIMITATION:
            self.hit(requestor, LimitName.STEP)

    def _finished_find(
        self, request: ServiceRequest, status: int | None, comment: str, offending: tuple[int, ...]
    ) -> None:
        if self.observer is None and not LOGGER.isEnabledFor(logging.INFO):
            return
        seconds = monotonic() - request.began
        event = FindFinished(
            request.association,
            request.context,
            request.data_set or b"",
            request.query,
            status,
            comment,
            offending,
            request.matches,
            seconds,
            request.service_name,
        )
        self._log.find(event)
        if self.observer is not None:
            self.observer.tell(event)
            if status == statuses.NOT_AUTHORIZED:
                asked = request.association
                self._alert(AlertKind.FORBIDDEN, asked.requestor, event.reason, asked.user_identity)

    def _finished_store(
        self, request: ServiceRequest, command: CStoreRQ, status: int | None, comment: str
    ) -> None:
        event = StoreFinished(
            request.association,
            command.affected_sop_class_uid,
            command.affected_sop_instance_uid,
            request.instance,
            status,
            comment,
            monotonic() - request.began,
        )
        self._log.store(event)
        if self.observer is not None:
            self.observer.tell(event)

    def _finished_step(
        self,
        request: ServiceRequest,
        command: NCreateRQ | NSetRQ,
        status: int | None,
        comment: str,
    ) -> None:
        event = StepFinished(
            request.association,
            "N-CREATE" if isinstance(command, NCreateRQ) else "N-SET",
            command.affected_sop_instance_uid,
            request.instance,
            status,
            comment,
            monotonic() - request.began,
        )
        self._log.step(event)
        if self.observer is not None:
            self.observer.tell(event)

    def _finished_retrieve(
        self,
        request: ServiceRequest,
        service: str,
        status: int | None,
        comment: str,
        offending: tuple[int, ...],
    ) -> None:
        retrieved = request.retrieved or Retrieved()
        seconds = monotonic() - request.began
        event = RetrieveFinished(
            request.association,
            request.context,
            service,
            retrieved,
            status,
            comment,
            offending,
            seconds,
        )
        self._log.retrieve(event)
        if self.observer is not None:
            self.observer.tell(event)
            if status == statuses.NOT_AUTHORIZED:
                asked = request.association
                self._alert(AlertKind.FORBIDDEN, asked.requestor, event.reason, asked.user_identity)


def _name(claimed: UserIdentityRQ) -> str:
    """Return the name of a user identity; those of other types are no names (PS3.7 D.3.3.7)."""
    if claimed.identity_type not in {1, 2}:
        return ""
    return claimed.primary[:LONGEST_LOGGED].decode("utf-8", "replace")

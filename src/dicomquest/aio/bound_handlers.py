"""The bound handlers of a server, as its service and in its negotiation (PS3.7 9.1, D.3.3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dicomquest import evt
from dicomquest.aio.containment import contained
from dicomquest.aio.handled_instances import answer_instance, event_of
from dicomquest.aio.handled_retrieves import HandledRetrieve
from dicomquest.aio.handled_stores import HandledStore
from dicomquest.aio.handler_items import AsyncItems, BlockingItems
from dicomquest.aio.handler_kinds import is_async
from dicomquest.dimse.commands import CGetRQ, CMoveRQ, CStoreRQ, NormalizedRQ, RetrieveRQ
from dicomquest.handled_request import Request
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.contexts import as_uid
from dicomquest.services.handlers import Handler, HandlerService
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import AcceptorPolicy, negotiate

NEGOTIATION_EVENTS = (evt.EVT_SOP_EXTENDED, evt.EVT_USER_ID)


@dataclass(frozen=True, slots=True)
class BoundHandlers:
    """A service that answers by the handlers bound to the events of requests.

    Instances for EVT_C_STORE are written to ``incoming_folder``, or kept in memory without one.
    """

    handlers: evt.Handlers
    incoming_folder: str | os.PathLike[str] | None = None

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request by the handler that is bound now."""
        # An association may have handlers of its own.
        association = request.channel
        bound = association.handlers if isinstance(association, evt.HasHandlers) else self.handlers
        if isinstance(request.command, CStoreRQ):
            store = HandledStore(request, request.command, self.incoming_folder)
            own = next(iter(bound.bound(evt.EVT_C_STORE)), None)
            await store.answer(own, is_async=own is not None and is_async(own.function))
            return
        if isinstance(request.command, CGetRQ | CMoveRQ):
            await _retrieve(bound, request, request.command)
            return
        if isinstance(request.command, NormalizedRQ):
            handler = _handler(bound, event_of(request.command))
            await answer_instance(request, request.command, handler)
            return
        find, echo = _handler(bound, evt.EVT_C_FIND), _handler(bound, evt.EVT_C_ECHO)
        await HandlerService(find, echo).handle(request)


async def _retrieve(handlers: evt.Handlers, request: ServiceRequest, command: RetrieveRQ) -> None:
    event = evt.EVT_C_GET if isinstance(command, CGetRQ) else evt.EVT_C_MOVE
    for bound in handlers.bound(event):
        call = partial(bound, _event(event, request))
        items = AsyncItems(call) if is_async(bound.function) else BlockingItems(request, call)
        await HandledRetrieve(request, command, items).answer()
        return
    status = (
        statuses.GET_HANDLER_FAILED if isinstance(command, CGetRQ) else statuses.MOVE_HANDLER_FAILED
    )
    await request.send_final(status, f"no handler is bound to {event.name}")


def _handler(handlers: evt.Handlers, event: evt.InterventionEvent) -> Handler | None:
    for bound in handlers.bound(event):
        return Handler(partial(_call, bound, event), is_async(bound.function))
    return None


def _call(bound: evt.BoundHandler, event: evt.InterventionEvent, request: ServiceRequest) -> Any:
    return bound(_event(event, request))


def _event(event: evt.InterventionEvent, request: ServiceRequest) -> evt.Event:
    context = request.context
    return evt.Event(
        request.channel,
        event,
        request=Request(request.command, request.data_set, context.transfer_syntax),
        cancelled=lambda: request.is_cancelled,
        context=evt.context_tuple(context),
    )


def answer_association(
    assoc: Any, rq: AAssociateRQ, policy: AcceptorPolicy, handlers: evt.Handlers
) -> AAssociateAC | AAssociateRJ:
    """Negotiate by the policy, but ask the handlers of a negotiation event first, where bound.

    A handler that raises accepts nothing: no extended negotiation, no identity.
    """
    offers = rq.user_information.extended_negotiations
    for bound in handlers.bound(evt.EVT_SOP_EXTENDED) if offers else ():
        app_info = {as_uid(offer.sop_class_uid): offer.application_information for offer in offers}
        answers: dict[str, bytes] = {}
        with contained("EVT_SOP_EXTENDED"):
            answers = dict(bound(evt.Event(assoc, evt.EVT_SOP_EXTENDED, app_info=app_info)) or {})
        policy = replace(policy, answer_extended=partial(_look_up, answers))
    for bound in handlers.bound(evt.EVT_USER_ID):
        policy = replace(policy, verify_identity=partial(_verify, assoc, bound))
    return negotiate(rq, policy)


def _look_up(answers: Mapping[str, bytes], sop_class_uid: str, offer: bytes) -> bytes | None:
    del offer
    return answers.get(sop_class_uid)


def _verify(assoc: Any, bound: evt.BoundHandler, identity: UserIdentityRQ) -> bytes | None:
    event = evt.Event(
        assoc,
        evt.EVT_USER_ID,
        user_id_type=identity.identity_type,
        primary_field=identity.primary,
        secondary_field=identity.secondary,
    )
    with contained("EVT_USER_ID"):
        is_verified, response = bound(event)
        return (response or b"") if is_verified else None
    return None

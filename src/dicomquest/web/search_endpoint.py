"""The endpoint of one resource of QIDO-RS (PS3.18 10.6)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import CFindRQ
from dicomquest.errors import AssociationAbortedError
from dicomquest.services.access import ServiceKind
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.media_types import JSON, search_type
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_channel import SearchChannel
from dicomquest.web.search_parameters import MODEL, SearchRequest, read_search
from dicomquest.web.search_resources import SearchResource
from dicomquest.web.search_service import AS_JSON, Form, SearchServiceRequest, as_xml

if TYPE_CHECKING:
    from dicomquest.web.web_service import Visit, WebService

_CONTEXT = AcceptedContext(1, MODEL.uid, EXPLICIT_VR_LITTLE_ENDIAN)
_COMMAND = CFindRQ(message_id=1, affected_sop_class_uid=MODEL.uid)


class SearchEndpoint:
    """Answers GET on one resource; an ASGI application."""

    def __init__(self, service: WebService, resource: SearchResource) -> None:
        self._service = service
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        visit = await self._service.admit(exchange)
        visit.check(ServiceKind.FIND, MODEL)
        parameters = exchange.parameters
        form = self._form(exchange, parameters, is_strict=visit.profile.choices.options.strict)
        choices = visit.profile.choices
        search = read_search(
            self._resource, scope["path_params"], parameters, choices.options, choices.result_limit
        )
        await self._answer(exchange, visit, search, form)

    def _form(
        self, exchange: Exchange, parameters: list[tuple[str, str]], *, is_strict: bool
    ) -> Form:
        ranges = exchange.accepted(parameters)
        if not ranges and not is_strict and not exchange.header(b"accept"):
            return AS_JSON
        chosen = search_type(ranges)
        if not chosen:
            raise RefusalError(
                406,
                "no acceptable media type: accept application/dicom+json, or "
                'multipart/related; type="application/dicom+xml"',
            )
        return AS_JSON if chosen == JSON else as_xml()

    async def _answer(
        self, exchange: Exchange, visit: Visit, search: SearchRequest, form: Form
    ) -> None:
        service = self._service
        teller = service.teller(visit)
        base = service.base(exchange)
        # A page that is cut is a success here: its Warning says what is left.
        profile = replace(visit.profile, choices=replace(visit.profile.choices, result_limit=None))
        association = replace(visit.association, profile=profile)
        channel = SearchChannel(
            exchange, service.search, teller, association.requestor, service.run, base
        )
        data_set = None
        if service.observer is not None:
            data_set = encode(search.identifier, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
        request = SearchServiceRequest(channel, association, _CONTEXT, _COMMAND, data_set)
        request.search, request.form = search, form
        request.total = None
        request.is_partial = False
        request.base = base if service.retrieves else None
        watching = asyncio.ensure_future(exchange.watch(lambda: request.cancel(is_abandoned=True)))
        try:
            if search.page.limit == 0:
                await request.send_final(0)
            else:
                await service.search.handle(request)
        except AssociationAbortedError:
            request.cancel(is_abandoned=True)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            teller.finished(request, None, "", ())

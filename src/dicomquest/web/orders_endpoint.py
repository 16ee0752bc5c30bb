"""The endpoint that takes worklist entries by HTTP, a resource of our own (PS3.4 K.6.1)."""

from __future__ import annotations

import json
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from dicomquest.errors import AssociationAbortedError, IndexDatabaseError
from dicomquest.services.access import ServiceKind
from dicomquest.services.limit_names import LimitName
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.media_types import JSON, read_ranges
from dicomquest.web.refusals import RefusalError
from dicomquest.web.request_body import body_pieces
from dicomquest.worklist.entry import Entry, WorklistEntryError, entries_of
from dicomquest.worklist.entry_files import read_entry_data
from dicomquest.worklist.workitem import is_workitem

if TYPE_CHECKING:
    from dicomquest.web.web_service import Visit, WebService
    from dicomquest.worklist.entries import Added, Worklist

LOGGER = logging.getLogger("dicomquest.web")

ORDERS_PATH = "/worklist"
KINDS = frozenset({JSON, "application/json", "application/dicom"})
"""The media types of entries: those of files that ``dicomquest worklist add`` reads."""

_LATER = {"Retry-After": "60"}


class OrdersEndpoint:
    """Answers POST on the worklist once all entries of the body are stored; an ASGI application.

    One wrong entry refuses the whole body.
    """

    def __init__(self, service: WebService, worklist: Worklist) -> None:
        self._service = service
        self._worklist = worklist

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        exchange = service.exchange(scope, receive, send)
        visit = await service.admit(exchange)
        visit.check(ServiceKind.ORDERS)
        _check_kind(exchange)
        try:
            data = await self._body(visit, exchange)
        except AssociationAbortedError:
            return
        association = visit.association
        source = f"http:{association.requestor.address}"
        try:
            # Entries take many times their bytes of memory: those of one body at a time.
            async with service.making:
                added = await service.run(_stored, self._worklist, data, source)
        except WorklistEntryError as error:
            raise RefusalError(400, str(error)) from error
        except IndexDatabaseError as error:
            LOGGER.error("%s: no entry stored: %s", association.words, error)  # noqa: TRY400
            raise RefusalError(503, "the entries could not be stored", _LATER) from error
        LOGGER.info(
            "%s: %d new entries of the worklist, %d changed",
            association.words, added.new, added.replaced,
        )  # fmt: skip
        body = json.dumps({"new": added.new, "replaced": added.replaced}).encode()
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        await exchange.answer(200, body, headers)

    async def _body(self, visit: Visit, exchange: Exchange) -> bytes:
        found = bytearray()
        async with aclosing(body_pieces(self._service, visit, exchange)) as pieces:
            async for piece in pieces:
                found += piece
                if len(found) > (most := self._service.settings.longest_orders):
                    self._service.teller(visit).hit(visit.association.requestor, LimitName.ORDERS)
                    words = f"the body is longer than {most:,} bytes: send fewer entries"
                    raise RefusalError(413, words, {"Connection": "close"})
        return bytes(found)


def _check_kind(exchange: Exchange) -> None:
    ranges = read_ranges([exchange.header(b"content-type")])
    if len(ranges) != 1 or ranges[0].kind not in KINDS:
        raise RefusalError(415, f"the Content-Type is not supported: send {JSON}, an array")
    if exchange.header(b"content-encoding").strip().lower() not in {"", "identity"}:
        words = "the content coding is not supported: send the body as it is"
        raise RefusalError(415, words, {"Accept-Encoding": "identity"})


def _stored(worklist: Worklist, data: bytes, source: str) -> Added:
    entries = _entries(data)
    return worklist.add(entries, int(time.time()), source=source)


def _entries(data: bytes) -> list[Entry]:
    found: list[Entry] = []
    for number, data_set in enumerate(read_entry_data(data), 1):
        if is_workitem(data_set):
            raise WorklistEntryError(
                f"entry {number} is a Unified Procedure Step, which does not come by HTTP: add it "
                "with `dicomquest worklist add`"
            )
        try:
            found += entries_of(data_set)
        except WorklistEntryError as error:
            words = str(error).partition(", or take the entry")[0]
            raise WorklistEntryError(f"entry {number}: {words}") from error
    if not found:
        raise WorklistEntryError("the body has no entry: send one, or an array of them")
    return found

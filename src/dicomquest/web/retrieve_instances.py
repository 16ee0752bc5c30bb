"""WADO-RS for studies, series and instances (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dicomquest.errors import StoredInstanceError
from dicomquest.services.stored_source import IndexedInstance
from dicomquest.store.decompression import is_decodable, is_image_syntax
from dicomquest.store.stored_instance import StoredInstance, reachable
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.part10_pieces import file_head, file_pieces
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_media import DICOM, Wanted, fits, instance_syntax, wanted_forms
from dicomquest.web.retrieve_parts import Multipart, send_pieces
from dicomquest.web.retrieve_request import Inventory, Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

VARY = "Accept, Accept-Encoding, Authorization"

_OFFERED = (
    'no acceptable media type: accept multipart/related; type="application/dicom"; '
    "transfer-syntax=*"
)


class InstancesEndpoint:
    """Answers GET on a study, a series or an instance; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        async with retrieving(self._service, exchange, scope["path_params"]) as retrieval:
            await self._answer(retrieval, exchange)

    async def _answer(self, retrieval: Retrieval, exchange: Exchange) -> None:
        await retrieval.select()
        form = _form(retrieval)
        found = await retrieval.inventory()
        tag = entity_tag(found.digest, form.is_multipart, form.syntax)
        headers = {
            "Cache-Control": "private, no-cache",
            "ETag": tag,
            "Vary": VARY,
            "Content-Type": DICOM,
        }
        if retrieval.unchanged(tag) and not found.warning:
            del headers["Content-Type"]
            await exchange.answer(304, b"", headers)
        elif form.is_multipart:
            await _send_all(retrieval, form, headers, found)
        else:
            await _send_one(retrieval, form, headers)


async def _send_all(
    retrieval: Retrieval, form: Wanted, headers: dict[str, str], found: Inventory
) -> None:
    """Send all instances as parts; 206 if files are gone, which a Warning says."""
    missing = found.missing
    exchange = retrieval.exchange
    message = Multipart(retrieval, DICOM)
    headers["Content-Type"] = message.content_type
    if found.warning:
        headers["Warning"] = f'299 {retrieval.service.base(exchange)} "{found.warning}"'
    skipped, code = 0, 206 if found.warning else 200
    if exchange.scope["method"] == "HEAD":
        await exchange.start(code, headers)
        await exchange.write(b"", more=False)
        return
    async for instance in retrieval.instances():
        if missing > skipped and not await retrieval.service.run(_has_file, instance):
            skipped += 1
            retrieval.progress.fail(instance.sop_instance_uid)
            continue
        with await retrieval.opened(instance) as stored:
            syntax = _syntax(form, stored)
            location = retrieval.address() if retrieval.is_one else ""
            pieces = await _pieces(retrieval, stored, syntax)
            if not exchange.is_started:
                # The status waits for the first instance: a failure can still be told.
                await exchange.start(code, headers)
            size = await message.part(f"{DICOM}; transfer-syntax={syntax}", location, pieces)
        retrieval.sent(instance, size)
    await message.end()


async def _send_one(retrieval: Retrieval, form: Wanted, headers: dict[str, str]) -> None:
    """Send the one instance as a file."""
    exchange = retrieval.exchange
    instance = await retrieval.only()
    with await retrieval.opened(instance) as stored:
        syntax = _syntax(form, stored)
        headers["Content-Type"] = f"{DICOM}; transfer-syntax={syntax}"
        pieces = await _pieces(retrieval, stored, syntax)
        if syntax == stored.transfer_syntax_uid:
            length = len(file_head(stored, syntax)) + stored.length
            headers["Content-Length"] = str(length)
        await exchange.start(200, headers)
        if exchange.scope["method"] != "HEAD":
            retrieval.sent(instance, await send_pieces(retrieval, pieces))
    await exchange.write(b"", more=False)


async def _pieces(retrieval: Retrieval, stored: StoredInstance, syntax: str) -> Iterator[bytes]:
    """Return the bytes of a file; RefusalError 406 if its pixels cannot be decoded."""
    try:
        return await retrieval.service.run(file_pieces, stored, syntax)
    except StoredInstanceError as error:
        if retrieval.exchange.is_started or syntax == stored.transfer_syntax_uid:
            raise
        retrieval.service.log_failure(retrieval.visit, stored.sop_instance_uid, error)
        raise RefusalError(406, refusal_words("", stored.transfer_syntax_uid)) from error


def _form(retrieval: Retrieval) -> Wanted:
    """Return the best form in which all instances can be had; RefusalError 406 if there is none."""
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    words = _OFFERED
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        if form.kind == "application/*" and not form.is_multipart:
            return Wanted(is_multipart=True, kind=DICOM, syntax="*")
        if not fits(DICOM, form.kind) or not (form.is_multipart or retrieval.is_one):
            continue
        unreachable = [
            uid
            for uid in sorted(retrieval.stored_syntaxes())
            if instance_syntax(form.syntax, uid, reachable(uid)) is None
        ]
        if not unreachable:
            return form
        words = refusal_words(form.syntax, unreachable[0])
    raise RefusalError(406, words)


def refusal_words(asked: str, stored: str) -> str:
    """Return why a transfer syntax cannot be had, and what can."""
    wanted = f"in transfer syntax {asked}" if asked else "uncompressed"
    remedy = "accept transfer-syntax=*, which is as stored"
    if is_image_syntax(stored) and not is_decodable(stored):
        remedy += "; the server decompresses with its extra dicomquest[images]"
    return f"stored in {stored}, not to be had {wanted}: {remedy}"


def _syntax(form: Wanted, stored: StoredInstance) -> str:
    """Return the transfer syntax to send in; RefusalError 406 if the file is not as indexed."""
    own = stored.transfer_syntax_uid
    syntax = instance_syntax(form.syntax, own, reachable(own))
    if syntax is None:
        raise RefusalError(406, refusal_words(form.syntax, own))
    return syntax


def _has_file(instance: IndexedInstance) -> bool:
    try:
        instance.open().close()
    except StoredInstanceError:
        return False
    return True

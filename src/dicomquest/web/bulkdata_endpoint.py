"""One binary value of an instance, by the BulkDataURI of its metadata (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dicomquest.dataset.bulk_values import BulkPath, BulkValue, find_bulk, value_parts
from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.frames_endpoint import CACHED, found_frames, send_frames
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_instances import VARY
from dicomquest.web.retrieve_media import OCTETS, fits, wanted_forms
from dicomquest.web.retrieve_parts import Multipart, range_of, send_pieces
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

_TAG = re.compile("[0-9A-Fa-f]{8}")
_ITEM = re.compile("[1-9][0-9]{0,8}")
_CONTENT = f"{OCTETS}; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}"


class BulkdataEndpoint:
    """Answers GET on one value; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        path = scope["path_params"]
        async with retrieving(self._service, exchange, path) as retrieval:
            place = bulk_path(path["value"])
            await retrieval.select()
            instance = await retrieval.only()
            with await retrieval.opened(instance) as stored:
                value = await self._service.run(_found, stored, place)
                if value is None:
                    raise RefusalError(404, "there is no such value")
                if value.length is None:
                    places = await self._service.run(self._service.frames.places, stored)
                    numbers = list(range(1, found_frames(places, []).count + 1))
                    await send_frames(retrieval, instance, stored, places, numbers)
                else:
                    await _send(retrieval, instance, stored, place, value)


def bulk_path(text: str) -> BulkPath:
    """Return the place of a value; RefusalError 400 if the segments are none."""
    parts = text.split("/")
    for number, each in enumerate(parts):
        if not (_ITEM if number % 2 else _TAG).fullmatch(each):
            raise RefusalError(400, "the place of a value is tags and numbers of items by turns")
    if len(parts) % 2 == 0:
        raise RefusalError(400, "the place of a value ends with its tag")
    return tuple(int(each, 10 if number % 2 else 16) for number, each in enumerate(parts))


def _found(stored: StoredInstance, place: BulkPath) -> BulkValue | None:
    try:
        return find_bulk(stored.read, *stored.extent, stored.transfer_syntax_uid, place)
    except DataSetError as error:
        raise StoredInstanceError(f"{stored.path}: {error}") from error


async def _send(
    retrieval: Retrieval,
    instance: IndexedInstance,
    stored: StoredInstance,
    place: BulkPath,
    value: BulkValue,
) -> None:
    """Send a value: as a part, or alone, and then some of its bytes if these are asked for."""
    exchange = retrieval.exchange
    is_multipart = _is_multipart(retrieval)
    assert value.length is not None  # noqa: S101  the caller has looked
    tag = entity_tag(stored.sop_instance_uid, stored.state, place, is_multipart)
    headers = {"Cache-Control": CACHED, "ETag": tag, "Vary": VARY}
    if retrieval.unchanged(tag):
        await exchange.answer(304, b"", headers)
        return
    first, count, code = 0, value.length, 200
    if not is_multipart:
        headers["Accept-Ranges"] = "bytes"
        first, count, code = _ranged(retrieval, headers, count, tag)
    syntax = stored.transfer_syntax_uid
    pieces = value_parts(stored.read, stored.extent, syntax, value, first=first, count=count)
    if is_multipart:
        message = Multipart(retrieval, OCTETS)
        await exchange.start(200, {**headers, "Content-Type": message.content_type})
        if exchange.scope["method"] == "HEAD":
            await exchange.write(b"", more=False)
            return
        size = await message.part(_CONTENT, _address(retrieval), pieces)
        await message.end()
    else:
        headers |= {"Content-Type": OCTETS, "Content-Length": str(count)}
        await exchange.start(code, headers)
        size = 0
        if exchange.scope["method"] != "HEAD":
            size = await send_pieces(retrieval, pieces)
        await exchange.write(b"", more=False)
    retrieval.sent(instance, size)


def _address(retrieval: Retrieval) -> str:
    return retrieval.address("bulkdata", retrieval.path["value"])


def _ranged(
    retrieval: Retrieval, headers: dict[str, str], length: int, tag: str
) -> tuple[int, int, int]:
    """Return first byte, number of bytes and status by the Range header; RefusalError 416."""
    text = retrieval.exchange.header(b"range")
    condition = retrieval.exchange.header(b"if-range")
    if not text or (condition and condition != tag):
        return 0, length, 200
    try:
        found = range_of(text, length)
    except DataSetError as error:
        raise RefusalError(416, str(error), {"Content-Range": f"bytes */{length}"}) from error
    if found is None:
        return 0, length, 200
    first, count = found
    headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{length}"
    return first, count, 206


def _is_multipart(retrieval: Retrieval) -> bool:
    """Tell whether the value is a part; RefusalError 406 if no form is acceptable."""
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        if form.syntax not in {"", "*", EXPLICIT_VR_LITTLE_ENDIAN}:
            continue
        if fits(OCTETS, form.kind):
            return form.is_multipart
    raise RefusalError(
        406,
        'no acceptable media type: accept multipart/related; type="application/octet-stream", '
        "or application/octet-stream",
    )

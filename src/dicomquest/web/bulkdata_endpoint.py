"""One binary value of an instance, by the BulkDataURI of its metadata (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from dicomquest.dataset.bulk_values import BulkPath, BulkValue, find_bulk, value_parts
from dicomquest.errors import DamagedInstanceError, DataSetError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.frames_endpoint import found_frames, send_frames
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_body import Body, send_body, stream_body
from dicomquest.web.retrieve_media import OCTETS, fits, wanted_forms
from dicomquest.web.retrieve_request import Retrieval, retrieving

if TYPE_CHECKING:
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
                    found = await self._service.run(self._service.frames.places, stored)
                    places = found_frames(found, [])
                    if places.is_stream:
                        body = await stream_body(retrieval, stored, places)
                        await send_body(retrieval, instance, stored, body)
                    else:
                        numbers = list(range(1, places.count + 1))
                        await send_frames(retrieval, instance, stored, places, numbers)
                else:
                    await send_body(retrieval, instance, stored, _value(retrieval, stored, value))


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
        raise DamagedInstanceError(f"{stored.path}: {error}") from error


def _value(retrieval: Retrieval, stored: StoredInstance, value: BulkValue) -> Body:
    """Return a value as it is asked for; RefusalError 406 if no form is acceptable."""
    is_multipart = _is_multipart(retrieval)
    assert value.length is not None  # noqa: S101  the caller has looked
    syntax = stored.transfer_syntax_uid
    parts = partial(value_parts, stored.read, stored.extent, syntax, value)
    return Body(is_multipart, OCTETS, _CONTENT, value.length, parts)


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

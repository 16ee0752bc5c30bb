"""One binary value of an instance, by the BulkDataURI of its metadata (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dicomquest.dataset.bulk_values import BulkPath, BulkValue, find_bulk, value_parts
from dicomquest.dataset.frame_places import FramePlaces, fragments, stream_parts
from dicomquest.errors import DamagedInstanceError, DataSetError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.frames_endpoint import CACHED, found_frames, send_frames
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_instances import VARY
from dicomquest.web.retrieve_media import OCTETS, fits, frame_form, wanted_forms
from dicomquest.web.retrieve_parts import Multipart, range_of, send_pieces
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

_TAG = re.compile("[0-9A-Fa-f]{8}")
_ITEM = re.compile("[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class _Body:
    """A value to send: its form, and its bytes by the first one and their number."""

    is_multipart: bool
    kind: str
    syntax: str
    length: int
    parts: Callable[..., Iterator[bytes]]


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
                        body = await _stream(retrieval, stored, places)
                        await _send(retrieval, instance, stored, body)
                    else:
                        numbers = list(range(1, places.count + 1))
                        await send_frames(retrieval, instance, stored, places, numbers)
                else:
                    await _send(retrieval, instance, stored, _value(retrieval, stored, value))


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


def _value(retrieval: Retrieval, stored: StoredInstance, value: BulkValue) -> _Body:
    """Return a value as it is asked for; RefusalError 406 if no form is acceptable."""
    is_multipart = _is_multipart(retrieval)
    assert value.length is not None  # noqa: S101  the caller has looked
    syntax = stored.transfer_syntax_uid
    parts = partial(value_parts, stored.read, stored.extent, syntax, value)
    return _Body(is_multipart, OCTETS, EXPLICIT_VR_LITTLE_ENDIAN, value.length, parts)


async def _stream(retrieval: Retrieval, stored: StoredInstance, places: FramePlaces) -> _Body:
    """Return a video as it is asked for; RefusalError 406 if no form is acceptable."""
    is_multipart, kind = _stream_form(retrieval, places.syntax)
    found = await retrieval.service.run(_fragments, stored, places)
    length = sum(each for _, each in found)
    parts = partial(stream_parts, stored.read, found)
    return _Body(is_multipart, kind, places.syntax, length, parts)


def _fragments(stored: StoredInstance, places: FramePlaces) -> list[tuple[int, int]]:
    try:
        return list(fragments(stored.read, places.starts[0], places.starts[-1]))
    except DataSetError as error:
        raise DamagedInstanceError(f"{stored.path}: {error}") from error


def _stream_form(retrieval: Retrieval, syntax: str) -> tuple[bool, str]:
    """Return whether a video is a part, and its media type; RefusalError 406 for none."""
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    # A player accepts anything, and asks for ranges, which only a single part has.
    is_player = bool(retrieval.exchange.header(b"range"))
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        if form.kind == "application/*" and not form.is_multipart:
            return True, OCTETS
        if found := frame_form(form, (syntax,)):
            return form.is_multipart and not (is_player and form.kind == "*/*"), found[0]
    raise RefusalError(
        406,
        f"the video is stored in {syntax}, and not to be had otherwise: "
        'accept multipart/related; type="application/octet-stream"; transfer-syntax=*, '
        "or a type of videos",
    )


async def _send(
    retrieval: Retrieval, instance: IndexedInstance, stored: StoredInstance, body: _Body
) -> None:
    """Send a value: as a part, or alone, and then some of its bytes if these are asked for."""
    exchange = retrieval.exchange
    is_multipart, content = body.is_multipart, f"{body.kind}; transfer-syntax={body.syntax}"
    place = retrieval.path["value"]
    tag = entity_tag(stored.sop_instance_uid, stored.state, place, is_multipart, content)
    headers = {"Cache-Control": CACHED, "ETag": tag, "Vary": VARY}
    if retrieval.unchanged(tag):
        await exchange.answer(304, b"", headers)
        return
    first, count, code = 0, body.length, 200
    if not is_multipart:
        headers["Accept-Ranges"] = "bytes"
        first, count, code = _ranged(retrieval, headers, count, tag)
    pieces = _checked(stored, body.parts(first=first, count=count))
    if is_multipart:
        message = Multipart(retrieval, body.kind)
        await exchange.start(200, {**headers, "Content-Type": message.content_type})
        if exchange.scope["method"] == "HEAD":
            await exchange.write(b"", more=False)
            return
        size = await message.part(content, retrieval.address("bulkdata", place), pieces)
        await message.end()
    else:
        kind = OCTETS if body.kind == OCTETS else content
        headers |= {"Content-Type": kind, "Content-Length": str(count)}
        await exchange.start(code, headers)
        size = 0
        if exchange.scope["method"] != "HEAD":
            size = await send_pieces(retrieval, pieces)
        await exchange.write(b"", more=False)
    retrieval.sent(instance, size)


def _checked(stored: StoredInstance, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces; DamagedInstanceError where a malformed file has no more of them."""
    try:
        yield from pieces
    except DataSetError as error:
        raise DamagedInstanceError(f"{stored.path}: {error}") from error


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

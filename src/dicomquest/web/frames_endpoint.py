"""Frames of one instance, each read alone (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.dataset.codec import PIXEL_DATA
from dicomquest.dataset.frame_places import FramePlaces
from dicomquest.errors import DamagedInstanceError, StoredInstanceError
from dicomquest.store.stored_frames import frame_syntaxes
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_instances import VARY, refusal_words
from dicomquest.web.retrieve_media import OCTETS, frame_form, wanted_forms
from dicomquest.web.retrieve_parts import Multipart
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

CACHED = "private, max-age=3600"
"""The time that a client keeps pixels without asking again: a stored instance does not change."""


class FramesEndpoint:
    """Answers GET on a list of frames; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        path = scope["path_params"]
        async with retrieving(self._service, exchange, path) as retrieval:
            numbers = frame_numbers(path["frames"])
            await retrieval.select()
            instance = await retrieval.only()
            with await retrieval.opened(instance) as stored:
                places = await self._service.run(self._service.frames.places, stored)
                await send_frames(retrieval, instance, stored, places, numbers)


def frame_numbers(text: str) -> list[int]:
    """Return the frames of a list; RefusalError 400 unless they are numbers from 1 on."""
    texts = text.split(",")
    if not all(each.isascii() and each.isdecimal() and int(each[:10]) > 0 for each in texts):
        raise RefusalError(400, "frames are a list of numbers from 1 on: write frames/1,2")
    return [int(each[:10]) for each in texts]


def found_frames(places: FramePlaces | None, numbers: list[int]) -> FramePlaces:
    """Return the frames of an image; RefusalError 404 if it has not all that are asked for."""
    if places is None:
        raise RefusalError(404, "the instance has no pixel data")
    if max(numbers, default=0) > places.count:
        raise RefusalError(404, f"there is no such frame: the instance has {places.count}")
    return places


async def send_frames(
    retrieval: Retrieval,
    instance: IndexedInstance,
    stored: StoredInstance,
    places: FramePlaces | None,
    numbers: list[int],
) -> None:
    """Send frames, as parts or one alone."""
    exchange = retrieval.exchange
    places = found_frames(places, numbers)
    if places.is_stream:
        raise RefusalError(
            406,
            "the frames of a video are one stream, from which none can be taken alone: "
            f"retrieve all of it by {retrieval.address('bulkdata', f'{PIXEL_DATA:08X}')}",
        )
    is_multipart, kind, syntax = _form(retrieval, places, is_one=len(numbers) == 1)
    listed = ",".join(map(str, numbers))
    tag = entity_tag(stored.sop_instance_uid, stored.state, listed, kind, syntax, is_multipart)
    headers = {"Cache-Control": CACHED, "ETag": tag, "Vary": VARY}
    if retrieval.unchanged(tag):
        await exchange.answer(304, b"", headers)
        return
    service = retrieval.service
    content = f"{kind}; transfer-syntax={syntax}"
    # A frame that cannot be read or decoded fails before the status is sent.
    try:
        frame = await service.run(service.frames.read, stored, places, numbers[0], syntax)
    except DamagedInstanceError:
        raise
    except StoredInstanceError as error:
        if not places.is_compressed or syntax == places.syntax:
            raise
        service.log_failure(retrieval.visit, stored.sop_instance_uid, error)
        raise RefusalError(406, refusal_words("", places.syntax)) from error
    if not is_multipart:
        headers["Content-Type"] = content
        await exchange.answer(200, frame, headers)
        retrieval.sent(instance, len(frame))
        return
    message = Multipart(retrieval, kind)
    headers["Content-Type"] = message.content_type
    await exchange.start(200, headers)
    if exchange.scope["method"] == "HEAD":
        await exchange.write(b"", more=False)
        return
    size = 0
    for place, number in enumerate(numbers):
        if place:
            frame = await service.run(service.frames.read, stored, places, number, syntax)
        size += await message.part(content, retrieval.address("frames", str(number)), [frame])
    await message.end()
    retrieval.sent(instance, size)


def _form(retrieval: Retrieval, places: FramePlaces, *, is_one: bool) -> tuple[bool, str, str]:
    """Return whether frames are parts, their media type and syntax; RefusalError 406 for none."""
    syntaxes = frame_syntaxes(places)
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    asked = ""
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        if form.kind == "application/*" and not form.is_multipart:
            return True, OCTETS, syntaxes[0]
        if not form.is_multipart and not is_one:
            continue
        if found := frame_form(form, syntaxes):
            return (form.is_multipart, *found)
        asked = form.syntax
    offered = (
        'no acceptable media type: accept multipart/related; type="application/octet-stream"; '
        "transfer-syntax=*"
    )
    raise RefusalError(406, refusal_words(asked, syntaxes[0]) if places.is_compressed else offered)

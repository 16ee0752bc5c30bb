"""All pixel data of a study, a series or an instance, frame by frame (PS3.18 10.4.1.1.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from dicomquest.dataset.frame_places import FramePlaces
from dicomquest.errors import StoredInstanceError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, STREAM_SYNTAXES
from dicomquest.store.decompression import is_decodable
from dicomquest.store.stored_frames import frame_syntaxes
from dicomquest.store.stored_instance import UNCOMPRESSED, StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_body import video_body
from dicomquest.web.retrieve_instances import VARY, refusal_words
from dicomquest.web.retrieve_media import Wanted, frame_form, wanted_forms
from dicomquest.web.retrieve_parts import Multipart
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService


SendOne: TypeAlias = "Callable[[SentParts, IndexedInstance, StoredInstance], Awaitable[int | None]]"


class PixelDataEndpoint:
    """Answers GET on pixel data with a part for each frame, or video; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        async with retrieving(self._service, exchange, scope["path_params"]) as retrieval:
            await retrieval.select()
            await send_all(retrieval, frames_form(retrieval), _pixels, "there is no pixel data")


async def send_all(retrieval: Retrieval, form: Wanted, send_one: SendOne, absent: str) -> None:
    """Send the parts of all instances; RefusalError 404 in the words of ``absent`` for none.

    ``send_one`` sends those of an instance, and returns their bytes; None if it has none.
    """
    exchange = retrieval.exchange
    tag = entity_tag((await retrieval.inventory()).digest, form)
    headers = {"Cache-Control": "private, no-cache", "ETag": tag, "Vary": VARY}
    if retrieval.unchanged(tag):
        await exchange.answer(304, b"", headers)
        return
    sent = SentParts(retrieval, form, headers)
    async for instance in retrieval.instances():
        with await retrieval.opened(instance) as stored:
            size = await send_one(sent, instance, stored)
            if size is not None:
                retrieval.sent(instance, size)
        if sent.message is not None and exchange.is_complete:
            return
    if sent.message is None:
        raise RefusalError(404, absent)
    await sent.message.end()


class SentParts:
    """The message with what is asked for; it begins with its first part."""

    def __init__(self, retrieval: Retrieval, form: Wanted, headers: dict[str, str]) -> None:
        self.retrieval = retrieval
        self.form = form
        self.message: Multipart | None = None
        self._headers = headers

    async def begun(self, kind: str) -> Multipart:
        """Return the message, and send its head if it has none yet."""
        if self.message is None:
            exchange = self.retrieval.exchange
            self.message = Multipart(self.retrieval, kind)
            self._headers["Content-Type"] = self.message.content_type
            await exchange.start(200, self._headers)
            if exchange.scope["method"] == "HEAD":
                await exchange.write(b"", more=False)
        return self.message


async def _pixels(sent: SentParts, instance: IndexedInstance, stored: StoredInstance) -> int | None:
    """Send the frames of an instance."""
    del instance
    service = sent.retrieval.service
    places = await service.run(service.frames.places, stored)
    return None if places is None else await send_pixels(sent, stored, places)


async def send_pixels(
    sent: SentParts, stored: StoredInstance, places: FramePlaces, location: str = ""
) -> int:
    """Send the frames of an image, or its video; ``location`` is the address of its frames."""
    retrieval, service = sent.retrieval, sent.retrieval.service
    syntaxes = (places.syntax,) if places.is_stream else frame_syntaxes(places)
    found = frame_form(sent.form, syntaxes)
    if found is None:
        # The file is not in the transfer syntax that the index has.
        raise StoredInstanceError(f"{stored.path}: not to be had as {sent.form}")
    kind, syntax = found
    size = 0
    if places.is_stream:
        body = await video_body(retrieval, stored, places, kind, is_multipart=True)
        message = await sent.begun(kind)
        if not retrieval.exchange.is_complete:
            parts = body.parts(first=0, count=body.length)
            size = await message.part(body.content_type, "", parts)
        return size
    content = f"{kind}; transfer-syntax={syntax}"
    for number in range(1, places.count + 1):
        frame = await service.run(service.frames.read, stored, places, number, syntax)
        message = await sent.begun(kind)
        if retrieval.exchange.is_complete:
            break
        place = f"{location}/{number}" if location else ""
        size += await message.part(content, place, [frame])
    return size


def frames_form(retrieval: Retrieval) -> Wanted:
    """Return the form in which all frames can be had; RefusalError 406 if there is none."""
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    words = 'several frames are parts: accept multipart/related; type="application/octet-stream"'
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        if not form.is_multipart:
            continue
        unreachable = [
            uid
            for uid in sorted(retrieval.stored_syntaxes())
            if frame_form(form, _syntaxes(uid)) is None
        ]
        if not unreachable:
            return form
        words = refusal_words(form.syntax, unreachable[0])
    raise RefusalError(406, words)


def _syntaxes(stored: str) -> tuple[str, ...]:
    """Return the transfer syntaxes in which frames stored in one can be had."""
    if stored in UNCOMPRESSED:
        return (EXPLICIT_VR_LITTLE_ENDIAN,)
    if stored in STREAM_SYNTAXES or not is_decodable(stored):
        return (stored,)
    return stored, EXPLICIT_VR_LITTLE_ENDIAN

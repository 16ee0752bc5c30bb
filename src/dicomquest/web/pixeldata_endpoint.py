"""All pixel data of a study, a series or an instance, frame by frame (PS3.18 10.4.1.1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


class PixelDataEndpoint:
    """Answers GET on pixel data with a part for each frame, or video; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        async with retrieving(self._service, exchange, scope["path_params"]) as retrieval:
            await retrieval.select()
            form = _form(retrieval)
            tag = entity_tag((await retrieval.inventory()).digest, form)
            headers = {"Cache-Control": "private, no-cache", "ETag": tag, "Vary": VARY}
            if retrieval.unchanged(tag):
                await exchange.answer(304, b"", headers)
                return
            message: Multipart | None = None
            async for instance in retrieval.instances():
                with await retrieval.opened(instance) as stored:
                    places = await self._service.run(self._service.frames.places, stored)
                    if places is not None:
                        message = await self._send(
                            _Sent(retrieval, form, headers, message), instance, stored, places
                        )
                if message is not None and exchange.is_complete:
                    return
            if message is None:
                raise RefusalError(404, "there is no pixel data")
            await message.end()

    async def _send(
        self, sent: _Sent, instance: IndexedInstance, stored: StoredInstance, places: FramePlaces
    ) -> Multipart:
        """Send the frames of an instance, and the head of the message before the first of all."""
        retrieval, run = sent.retrieval, self._service.run
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
        else:
            read = self._service.frames.read
            for number in range(1, places.count + 1):
                frame = await run(read, stored, places, number, syntax)
                message = await sent.begun(kind)
                if retrieval.exchange.is_complete:
                    break
                size += await message.part(f"{kind}; transfer-syntax={syntax}", "", [frame])
        retrieval.sent(instance, size)
        return message


class _Sent:
    """The message with what is asked for; it begins with its first part."""

    def __init__(
        self,
        retrieval: Retrieval,
        form: Wanted,
        headers: dict[str, str],
        message: Multipart | None,
    ) -> None:
        self.retrieval = retrieval
        self.form = form
        self._headers = headers
        self._message = message

    async def begun(self, kind: str) -> Multipart:
        """Return the message, and send its head if it has none yet."""
        if self._message is None:
            exchange = self.retrieval.exchange
            self._message = Multipart(self.retrieval, kind)
            self._headers["Content-Type"] = self._message.content_type
            await exchange.start(200, self._headers)
            if exchange.scope["method"] == "HEAD":
                await exchange.write(b"", more=False)
        return self._message


def _form(retrieval: Retrieval) -> Wanted:
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

"""Pictures of instances: rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from dicomquest.dataset.bulk_values import find_bulk, find_short, value_parts
from dicomquest.dataset.frame_places import FramePlaces
from dicomquest.errors import DamagedInstanceError, DataSetError, StoredInstanceError
from dicomquest.services.limit_names import LimitName
from dicomquest.standard.transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED
from dicomquest.store.decompression import is_decodable
from dicomquest.store.rendering_job import Region, RenderingFault, RenderingJob, can_render
from dicomquest.store.rendering_processes import RenderingError
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.frames_endpoint import CACHED, found_frames, frame_numbers
from dicomquest.web.refusals import RefusalError
from dicomquest.web.rendering_parameters import RenderingParameters, rendering_parameters
from dicomquest.web.retrieve_body import Body, send_body, video_body
from dicomquest.web.retrieve_instances import VARY
from dicomquest.web.retrieve_media import FRAME_TYPES, fits, wanted_forms
from dicomquest.web.retrieve_parts import Multipart
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

PICTURES: Final = ("image/jpeg", "image/png", "image/gif")
"""The media types of pictures, the default first."""

NO_IMAGE: Final = "it has no image that could be shown: retrieve it as application/dicom"
MISSING: Final = "the server makes pictures with its extra, pip install 'dicomquest[images]'"

_DOCUMENT: Final = 0x00420011
_MIME_TYPE: Final = 0x00420012
_PDF: Final = b"application/pdf"
_MOST_TRIED: Final = 16
"""Instances that are tried for a thumbnail: a study holds reports beside its images."""
_THUMBNAIL: Final = Region(256, 256)
_VERSION: Final = 1
"""The number of the way to render: a change of it makes clients ask anew."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The form of the answer, and what is to be seen."""

    is_multipart: bool
    media_type: str
    parameters: RenderingParameters
    quality: int


class _Shown(NamedTuple):
    """Frames of an open instance."""

    instance: IndexedInstance
    stored: StoredInstance
    places: FramePlaces
    numbers: list[int]


class RenderedEndpoint:
    """Answers GET on pictures of a study, a series, an instance or frames; an ASGI application."""

    is_thumbnail = False

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        path = scope["path_params"]
        async with retrieving(self._service, exchange, path) as retrieval:
            numbers = frame_numbers(path["frames"]) if "frames" in path else []
            if self.is_thumbnail and len(numbers) > 1:
                raise RefusalError(400, "a thumbnail is of one frame: write frames/1/thumbnail")
            limits = self._service.renderings.limits
            asked = rendering_parameters(retrieval.parameters, most_pixels=limits.pixels)
            await retrieval.select(all_of=not self.is_thumbnail or retrieval.is_one)
            if retrieval.is_one:
                await self._show(retrieval, await retrieval.only(), numbers, asked)
            else:
                await self._show_many(retrieval, asked)

    async def _show(
        self,
        retrieval: Retrieval,
        instance: IndexedInstance,
        numbers: list[int],
        asked: RenderingParameters,
    ) -> None:
        """Send pictures of an instance, its video or its document."""
        with await retrieval.opened(instance) as stored:
            places = await self._service.run(self._service.frames.places, stored)
            if places is None or places.is_stream:
                if numbers and places is None:
                    found_frames(places, numbers)
                await self._send_whole(retrieval, instance, stored, places, numbers)
                return
            found_frames(places, numbers)
            numbers = numbers or [middle_of(places)]
            wanted = _wanted(retrieval, asked, may_be_alone=len(numbers) == 1)
            shown = _Shown(instance, stored, places, numbers)
            await self._send_pictures(retrieval, shown, wanted, CACHED)

    async def _send_whole(
        self,
        retrieval: Retrieval,
        instance: IndexedInstance,
        stored: StoredInstance,
        places: FramePlaces | None,
        numbers: list[int],
    ) -> None:
        """Send a video or a document as it is; RefusalError 406 for any other instance."""
        body: Body | None = None
        if not (self.is_thumbnail or numbers):
            if places is None:
                body = await self._service.run(_document, stored)
            elif kind := FRAME_TYPES.get(places.syntax):
                body = await video_body(retrieval, stored, places, kind, is_multipart=False)
        if body is None:
            raise RefusalError(406, NO_IMAGE)
        ranges = retrieval.exchange.accepted(retrieval.parameters)
        forms = wanted_forms(ranges, is_missing=retrieval.accepted_missing())
        if not any(
            fits(body.kind, each.kind) and (not each.is_multipart or each.kind == "*/*")
            for each in forms
        ):
            raise RefusalError(406, f"it is shown as {body.kind} alone: accept that")
        await send_body(retrieval, instance, stored, body)

    async def _send_pictures(
        self, retrieval: Retrieval, shown: _Shown, wanted: _Wanted, caching: str
    ) -> None:
        """Send pictures of frames, as parts or one alone."""
        exchange = retrieval.exchange
        instance, stored, places, numbers = shown
        tag = entity_tag(stored.sop_instance_uid, stored.state, numbers, wanted, _VERSION)
        headers = _headers(retrieval, wanted, tag, caching)
        if retrieval.unchanged(tag):
            await exchange.answer(304, b"", headers)
            return
        picture = await self._picture(retrieval, stored, places, numbers[0], wanted)
        if not wanted.is_multipart:
            await exchange.answer(200, picture, {**headers, "Content-Type": wanted.media_type})
            retrieval.sent(instance, len(picture))
            return
        message = Multipart(retrieval, wanted.media_type)
        await exchange.start(200, {**headers, "Content-Type": message.content_type})
        size = 0
        for place, number in enumerate(numbers if exchange.scope["method"] != "HEAD" else []):
            if place:
                picture = await self._picture(retrieval, stored, places, number, wanted)
            location = retrieval.address("frames", str(number), self._name)
            size += await message.part(wanted.media_type, location, [picture])
        await message.end()
        retrieval.sent(instance, size)

    async def _show_many(self, retrieval: Retrieval, asked: RenderingParameters) -> None:
        """Send a picture of each image of a study or a series, as parts."""
        exchange = retrieval.exchange
        wanted = _wanted(retrieval, asked, may_be_alone=False)
        tag = entity_tag((await retrieval.inventory()).digest, wanted, _VERSION)
        headers = _headers(retrieval, wanted, tag, "private, no-cache")
        if retrieval.unchanged(tag):
            await exchange.answer(304, b"", headers)
            return
        message = Multipart(retrieval, wanted.media_type)
        async for instance in retrieval.instances():
            with await retrieval.opened(instance) as stored:
                places = await self._service.run(self._service.frames.places, stored)
                if places is None or places.is_stream:
                    continue
                number = middle_of(places)
                picture = await self._picture(retrieval, stored, places, number, wanted)
            if not exchange.is_started:
                await exchange.start(200, {**headers, "Content-Type": message.content_type})
                if exchange.scope["method"] == "HEAD":
                    await exchange.write(b"", more=False)
                    return
            retrieval.sent(instance, await message.part(wanted.media_type, "", [picture]))
        if not exchange.is_started:
            raise RefusalError(406, NO_IMAGE)
        await message.end()

    @property
    def _name(self) -> str:
        return "thumbnail" if self.is_thumbnail else "rendered"

    async def _picture(
        self,
        retrieval: Retrieval,
        stored: StoredInstance,
        places: FramePlaces,
        number: int,
        wanted: _Wanted,
    ) -> bytes:
        """Return the picture of a frame; RefusalError or StoredInstanceError if there is none."""
        _check_decoder(places)
        service, asked = self._service, wanted.parameters
        job = RenderingJob(
            stored.path,
            stored.sop_instance_uid,
            stored.state,
            number,
            wanted.media_type,
            service.renderings.limits.pixels,
            wanted.quality,
            asked.region or (_THUMBNAIL if self.is_thumbnail else None),
            asked.window,
            asked.has_profile,
        )
        try:
            return await service.renderings.render(job, service.run)
        except RenderingError as error:
            failure = StoredInstanceError(f"{stored.path}: no picture: {error}")
            if retrieval.exchange.is_started or error.fault is RenderingFault.NO_FILE:
                raise failure from error
            service.log_failure(retrieval.visit, stored.sop_instance_uid, failure)
            raise _refusal(retrieval, error) from error


class ThumbnailEndpoint(RenderedEndpoint):
    """Answers GET on small pictures; that of a study or series is of an image in its middle."""

    is_thumbnail = True

    async def _show_many(self, retrieval: Retrieval, asked: RenderingParameters) -> None:
        wanted = _wanted(retrieval, asked, may_be_alone=True)
        instances = await retrieval.from_middle()
        all_there = bool(instances)
        for instance in instances[:_MOST_TRIED]:
            try:
                stored = await retrieval.opened(instance)
            except StoredInstanceError as error:
                retrieval.service.log_failure(retrieval.visit, instance.sop_instance_uid, error)
                all_there = False
                continue
            with stored:
                try:
                    places = await self._service.run(self._service.frames.places, stored)
                except DamagedInstanceError:
                    continue
                if places is None or places.is_stream:
                    continue
                shown = _Shown(instance, stored, places, [middle_of(places)])
                await self._send_pictures(retrieval, shown, wanted, "private, no-cache")
                return
        if not all_there:
            retrieval.check_sent()
        raise RefusalError(406, NO_IMAGE)


def middle_of(places: FramePlaces) -> int:
    """Return the frame that stands for all of an image."""
    return (places.count + 1) // 2


def _wanted(retrieval: Retrieval, asked: RenderingParameters, *, may_be_alone: bool) -> _Wanted:
    """Return the acceptable form; RefusalError 406 if there is none."""
    ranges = retrieval.exchange.accepted(retrieval.parameters)
    for form in wanted_forms(ranges, is_missing=retrieval.accepted_missing()):
        # */* has no part in mind: one picture comes alone.
        is_multipart = form.is_multipart and not (may_be_alone and form.kind == "*/*")
        if not is_multipart and not may_be_alone:
            continue
        for kind in PICTURES:
            if fits(kind, form.kind):
                return _Wanted(is_multipart, kind, asked, asked.quality or 90)
    words = "no acceptable media type: accept " + ", ".join(PICTURES)
    if not may_be_alone:
        words = f'several pictures are parts: accept multipart/related; type="{PICTURES[0]}"'
    raise RefusalError(406, words)


def _headers(retrieval: Retrieval, wanted: _Wanted, tag: str, caching: str) -> dict[str, str]:
    headers = {
        "Cache-Control": caching,
        "ETag": tag,
        "Vary": VARY,
        "X-Content-Type-Options": "nosniff",
    }
    if wanted.parameters.warnings:
        agent = retrieval.service.base(retrieval.exchange)
        headers["Warning"] = ", ".join(
            f'299 {agent} "{each}"' for each in wanted.parameters.warnings
        )
    return headers


def _check_decoder(places: FramePlaces) -> None:
    """Raise RefusalError 406 if what makes the picture is not installed."""
    if not can_render():
        raise RefusalError(406, MISSING)
    syntax = places.syntax
    if places.is_compressed and syntax != ENCAPSULATED_UNCOMPRESSED and not is_decodable(syntax):
        raise RefusalError(406, f"the image is stored in {syntax}, of which there is no decoder")


def _refusal(retrieval: Retrieval, error: RenderingError) -> RefusalError:
    """Return the refusal of a picture; a limit that is reached is told to the observer."""
    limits = retrieval.service.renderings.limits
    teller = retrieval.service.teller(retrieval.visit)
    requestor = retrieval.visit.association.requestor
    if error.fault is RenderingFault.TOO_LARGE:
        teller.hit(requestor, LimitName.RENDERED_PIXELS)
        return RefusalError(413, f"an image of more than {limits.pixels:,} pixels is not rendered")
    if error.fault is RenderingFault.TOO_SLOW:
        teller.hit(requestor, LimitName.RENDERING_TIMEOUT)
        return RefusalError(503, f"the picture takes longer than {limits.seconds:g} s")
    if error.fault is RenderingFault.NO_REGION:
        return RefusalError(400, f"the viewport names a region that is not there: {error}")
    return RefusalError(
        406, "the pixels cannot be decoded, so there is no picture: retrieve application/dicom"
    )


def _document(stored: StoredInstance) -> Body | None:
    """Return an encapsulated PDF; None if the instance is no such document."""
    syntax = stored.transfer_syntax_uid
    try:
        kind = find_short(stored.read, *stored.extent, syntax, _MIME_TYPE)
        value = find_bulk(stored.read, *stored.extent, syntax, (_DOCUMENT,))
    except DataSetError as error:
        raise DamagedInstanceError(f"{stored.path}: {error}") from error
    # Other documents could run scripts in the page's own origin.
    if value is None or value.length is None or kind.strip(b" \0").lower() != _PDF:
        return None
    parts = partial(value_parts, stored.read, stored.extent, syntax, value)
    pdf = _PDF.decode("ascii")
    return Body(is_multipart=False, kind=pdf, content_type=pdf, length=value.length, parts=parts)

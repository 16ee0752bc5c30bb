"""One value of an instance on its way: alone, also some of its bytes, or as a part (PS3.18 8.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dicomquest.dataset.frame_places import FramePlaces, fragments, stream_parts
from dicomquest.errors import DamagedInstanceError, DataSetError
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.frames_endpoint import CACHED
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_instances import VARY
from dicomquest.web.retrieve_media import OCTETS, frame_form, wanted_forms
from dicomquest.web.retrieve_parts import Multipart, range_of, send_pieces
from dicomquest.web.retrieve_request import Retrieval, entity_tag

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance


@dataclass(frozen=True, slots=True)
class Body:
    """A value to send: its form, and its bytes by the first one and their number."""

    is_multipart: bool
    kind: str
    content_type: str
    length: int
    parts: Callable[..., Iterator[bytes]]


async def stream_body(retrieval: Retrieval, stored: StoredInstance, places: FramePlaces) -> Body:
    """Return a video as it is asked for; RefusalError 406 if no form is acceptable."""
    is_multipart, kind = _stream_form(retrieval, places.syntax)
    return await video_body(retrieval, stored, places, kind, is_multipart=is_multipart)


async def video_body(
    retrieval: Retrieval,
    stored: StoredInstance,
    places: FramePlaces,
    kind: str,
    *,
    is_multipart: bool,
) -> Body:
    """Return a video as a media type."""
    found = await retrieval.service.run(_fragments, stored, places)
    parts = partial(stream_parts, stored.read, found)
    length = sum(each for _, each in found)
    return Body(is_multipart, kind, f"{kind}; transfer-syntax={places.syntax}", length, parts)


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


async def send_body(
    retrieval: Retrieval, instance: IndexedInstance, stored: StoredInstance, body: Body
) -> None:
    """Send a value: as a part, or alone, and then some of its bytes if these are asked for."""
    exchange = retrieval.exchange
    is_multipart, content = body.is_multipart, body.content_type
    path = exchange.scope["path"]
    tag = entity_tag(stored.sop_instance_uid, stored.state, path, is_multipart, content)
    headers = {"Cache-Control": CACHED, "ETag": tag, "Vary": VARY}
    if retrieval.unchanged(tag):
        await exchange.answer(304, b"", headers)
        return
    first, count, code = 0, body.length, 200
    if not is_multipart:
        headers["Accept-Ranges"] = "bytes"
        first, count, code = _ranged(retrieval, headers, count, tag)
    pieces = checked(stored, body.parts(first=first, count=count))
    if is_multipart:
        message = Multipart(retrieval, body.kind)
        await exchange.start(200, {**headers, "Content-Type": message.content_type})
        if exchange.scope["method"] == "HEAD":
            await exchange.write(b"", more=False)
            return
        size = await message.part(
            content, retrieval.address("bulkdata", retrieval.path["value"]), pieces
        )
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


def checked(stored: StoredInstance, pieces: Iterator[bytes]) -> Iterator[bytes]:
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

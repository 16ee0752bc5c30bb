"""The metadata of instances, large binary values by BulkDataURI (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dicomquest.dataset.bulk_values import BulkPath, without_bulk
from dicomquest.dataset.elements import DataSet, Element, to_json
from dicomquest.dataset.json_encoder import numbered
from dicomquest.dataset.native_xml import to_native_xml
from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.store.stored_header import read_stored_header
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Compression, Exchange, Receive, Scope, Send
from dicomquest.web.media_types import JSON, XML
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_instances import VARY
from dicomquest.web.retrieve_media import metadata_type
from dicomquest.web.retrieve_parts import Multipart
from dicomquest.web.retrieve_request import Retrieval, entity_tag, retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

AVAILABLE_TRANSFER_SYNTAX = 0x00083002
_STUDY_UID, _SERIES_UID, _INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018
TOGETHER = 64 * 1024
"""Bytes of metadata that are sent together."""


class MetadataEndpoint:
    """Answers GET on the metadata of a study, a series or an instance; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        async with retrieving(self._service, exchange, scope["path_params"]) as retrieval:
            await self._answer(retrieval, exchange)

    async def _answer(self, retrieval: Retrieval, exchange: Exchange) -> None:
        kind = metadata_type(
            exchange.accepted(retrieval.parameters), is_missing=retrieval.accepted_missing()
        )
        if not kind:
            raise RefusalError(
                406,
                "no acceptable media type: accept application/dicom+json, or "
                'multipart/related; type="application/dicom+xml"',
            )
        await retrieval.select()
        found = await retrieval.inventory()
        base = self._service.base(exchange)
        tag = entity_tag(found.digest, kind, base, exchange.takes_gzip)
        headers = {"Cache-Control": "private, no-cache", "ETag": tag, "Vary": VARY}
        if found.warning:
            headers["Warning"] = f'299 {base} "{found.warning}"'
        elif retrieval.unchanged(tag):
            await exchange.answer(304, b"", headers)
            return
        code = 206 if found.warning else 200
        if kind == JSON:
            await _send_json(retrieval, headers, code, base)
        else:
            await _send_xml(retrieval, headers, code, base)


async def _send_json(retrieval: Retrieval, headers: dict[str, str], code: int, base: str) -> None:
    exchange, run = retrieval.exchange, retrieval.service.run
    headers["Content-Type"] = JSON
    compression = Compression() if exchange.takes_gzip else None
    if compression is not None:
        headers["Content-Encoding"] = "gzip"
    held = bytearray(b"[")
    is_first = True
    async for instance in retrieval.instances():
        made = await _made(retrieval, instance, base, code)
        if made is None:
            continue
        text = await run(_as_json, made)
        held += text if is_first else b"," + text
        is_first = False
        retrieval.sent(instance, len(text))
        if len(held) >= TOGETHER:
            if not exchange.is_started:
                await exchange.start(code, headers)
            await _write(retrieval, compression, bytes(held), more=True)
            held.clear()
    if not exchange.is_started:
        await exchange.start(code, headers)
    await _write(retrieval, compression, bytes(held) + b"]", more=False)


async def _write(
    retrieval: Retrieval, compression: Compression | None, body: bytes, *, more: bool
) -> None:
    if compression is not None:
        body = await retrieval.service.run(compression.compress, body, more=more)
    await retrieval.exchange.write(body, more=more)


async def _send_xml(retrieval: Retrieval, headers: dict[str, str], code: int, base: str) -> None:
    message = Multipart(retrieval, XML)
    headers["Content-Type"] = message.content_type
    async for instance in retrieval.instances():
        made = await _made(retrieval, instance, base, code)
        if made is None:
            continue
        text = await retrieval.service.run(_as_xml, made)
        if not retrieval.exchange.is_started:
            await retrieval.exchange.start(code, headers)
        retrieval.sent(instance, await message.part(XML, "", [text]))
    await message.end()


async def _made(
    retrieval: Retrieval, instance: IndexedInstance, base: str, code: int
) -> DataSet | None:
    """Return the metadata of an instance; None for one that was announced as missing."""
    try:
        return await retrieval.service.run(metadata_of, instance, base)
    except StoredInstanceError as error:
        if code != 206:
            raise
        retrieval.lost(instance, error)
        return None


def metadata_of(instance: IndexedInstance, base: str) -> DataSet:
    """Return the attributes of an instance, large values by the address that serves them."""
    stored = instance.open()
    assert isinstance(stored, StoredInstance)  # noqa: S101  the source is the index
    with stored:
        try:
            found = without_bulk(stored.read, *stored.extent, stored.transfer_syntax_uid)
            data_set, bulk = found.data_set, found.values
        except DataSetError:
            # What leaves a doubt about its bytes can still be read, up to its pixels.
            header = read_stored_header(stored.path)
            data_set, bulk = {tag: header[tag] for tag in header if tag >> 16 != 2}, {}
        syntax = stored.transfer_syntax_uid
    place = bulk_place(data_set, base)
    for path, value in bulk.items():
        put(data_set, path, Element(value.vr, (place + path_text(path),)))
    data_set[AVAILABLE_TRANSFER_SYNTAX] = Element("UI", (syntax,))
    if SPECIFIC_CHARACTER_SET in data_set:
        data_set[SPECIFIC_CHARACTER_SET] = Element("CS", ("ISO_IR 192",))
    return dict(sorted(data_set.items()))


def bulk_place(data_set: DataSet, base: str) -> str:
    """Return the address below which an instance has its large values."""
    uids = [_uid(data_set, tag) for tag in (_STUDY_UID, _SERIES_UID, _INSTANCE_UID)]
    return f"{base}/studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}/bulkdata/"


def path_text(path: BulkPath) -> str:
    """Return the place of a value as segments: tags, and numbers of items."""
    return "/".join(str(each) if number % 2 else f"{each:08X}" for number, each in enumerate(path))


def put(data_set: DataSet, path: BulkPath, element: Element) -> None:
    """Put an element at its place in a data set."""
    for at in range(0, len(path) - 1, 2):
        data_set = data_set[path[at]].values[path[at + 1] - 1]
    data_set[path[-1]] = element


def _uid(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return str(element.values[0]) if element is not None and element.values else ""


def _as_json(data_set: DataSet) -> bytes:
    made: dict[str, Any] = {tag: numbered(each) for tag, each in to_json(data_set).items()}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _as_xml(data_set: DataSet) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{to_native_xml(data_set)}'
    return text.encode("utf-8", "replace")

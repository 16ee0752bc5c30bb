"""All large values of a study, a series or an instance, a part each (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dicomquest.dataset.bulk_values import BulkValue, value_parts, without_bulk
from dicomquest.errors import DamagedInstanceError, DataSetError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.metadata_endpoint import bulk_place, path_text
from dicomquest.web.pixeldata_endpoint import SentParts, frames_form, send_all, send_pixels
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_body import checked
from dicomquest.web.retrieve_media import OCTETS, fits
from dicomquest.web.retrieve_request import retrieving

if TYPE_CHECKING:
    from dicomquest.services.stored_source import IndexedInstance
    from dicomquest.web.web_service import WebService

_CONTENT = f"{OCTETS}; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}"


class AllBulkdataEndpoint:
    """Answers GET on all large values, those with a BulkDataURI; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        async with retrieving(self._service, exchange, scope["path_params"]) as retrieval:
            await retrieval.select()
            form = frames_form(retrieval)
            if not fits(OCTETS, form.kind):
                words = (
                    'values are octets: accept multipart/related; type="application/octet-stream"'
                )
                raise RefusalError(406, words)
            base = self._service.base(exchange)
            await send_all(retrieval, form, partial(_values, base=base), "there is no bulk data")


async def _values(
    sent: SentParts, instance: IndexedInstance, stored: StoredInstance, *, base: str
) -> int | None:
    """Send the large values of an instance, compressed pixels frame by frame."""
    del instance
    retrieval, service = sent.retrieval, sent.retrieval.service
    place, values = await service.run(_places, stored, base)
    size = None
    for location, value in values:
        if value.length is None:
            places = await service.run(service.frames.places, stored)
            if places is not None:
                frames = f"{place.removesuffix('bulkdata/')}frames"
                size = (size or 0) + await send_pixels(sent, stored, places, frames)
        else:
            message = await sent.begun(OCTETS)
            if retrieval.exchange.is_complete:
                break
            syntax = stored.transfer_syntax_uid
            pieces = value_parts(
                stored.read, stored.extent, syntax, value, first=0, count=value.length
            )
            size = (size or 0) + await message.part(_CONTENT, location, checked(stored, pieces))
        if retrieval.exchange.is_complete:
            break
    return size


def _places(stored: StoredInstance, base: str) -> tuple[str, list[tuple[str, BulkValue]]]:
    """Return the address of an instance's values, and each with its own, as the metadata has."""
    try:
        found = without_bulk(stored.read, *stored.extent, stored.transfer_syntax_uid)
    except DataSetError as error:
        raise DamagedInstanceError(f"{stored.path}: {error}") from error
    place = bulk_place(found.data_set, base)
    return place, [(place + path_text(path), value) for path, value in found.values.items()]

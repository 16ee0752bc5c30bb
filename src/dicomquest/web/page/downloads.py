"""Downloads: a zip of studies, one file, the list for a folder, a header (PS3.10 7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from dicomquest.dataset.header_lines import header_lines
from dicomquest.errors import StoredInstanceError
from dicomquest.services.access import ServiceKind
from dicomquest.services.request import Run
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import SOP_CLASS_UID
from dicomquest.store.stored_header import read_stored_header
from dicomquest.web.exchange import Exchange
from dicomquest.web.page.chosen_instances import (
    MOST_INSTANCES,
    ChosenInstance,
    address_of,
    chosen_instances,
    opened,
    with_paths,
)
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.part10_pieces import file_pieces
from dicomquest.web.page.rendering import PRIVATE
from dicomquest.web.page.shown_values import inert
from dicomquest.web.page.study_pages import answer_unknown, uid_of
from dicomquest.web.page.told_requests import (
    FileDownload,
    Notes,
    SentInstances,
    WeasisDownload,
    ZipDownload,
    tell_shown,
    told_download,
)
from dicomquest.web.page.zip_stream import zip_pieces
from dicomquest.web.refusals import RefusalError, UnknownError

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.store.stored_instance import StoredInstance
    from dicomquest.web.page.bounded_search import BoundedSearch
    from dicomquest.web.web_service import Visit, WebService

NOT_FOUND = "there is no such study, series or instance"


class _Retrieving(PageEndpoint):
    """A download: the caller needs the right to retrieve."""

    needs = ServiceKind.RETRIEVE


class StudyZip(_Retrieving):
    """A study as a zip file."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        await send_zip(request, [uid_of(request, "study")])


class StudyFiles(_Retrieving):
    """The paths and addresses of a study's files, for a folder of the browser."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        study = uid_of(request, "study")
        found = await request.run(chosen_instances, request.search, request.asker, [study])
        if request.search.shortfalls:
            raise UnknownError(request.search.shortfalls)
        if not found:
            raise RefusalError(404, NOT_FOUND)
        first, _ = await request.run(first_with_paths, request.search, found)
        tell_shown(request.service, request.visit, "list of files", first.belongs_to)
        listed = [{"path": each.path, "href": f"{address_of(each)}/file"} for each in found]
        body = json.dumps(listed).encode()
        headers = {"Content-Type": "application/json", **PRIVATE}
        await request.exchange.answer(200, body, headers)


class InstanceFile(_Retrieving):
    """One instance as a file, as it is stored."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        found = await request.run(_instance, request)
        await send_file(request.service, request.exchange, request.visit, found, FileDownload)


class InstanceHeader(_Retrieving):
    """The header of one instance, element by element."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        instance, paths = await request.run(_instance, request)
        try:
            data_set = await request.run(read_stored_header, paths[0] if paths else "")
        except StoredInstanceError:
            raise _unreadable() from None
        tell_shown(
            request.service, request.visit, "header", instance.belongs_to, _class_of(data_set)
        )
        lines = [each._replace(value=inert(each.value)) for each in header_lines(data_set)]
        await request.answer(
            "Header",
            "header.html",
            study=instance.study,
            series=instance.series,
            uid=instance.uid,
            lines=lines,
        )


def _instance(request: PageRequest) -> tuple[ChosenInstance, tuple[str, ...]]:
    """Return the instance of the path; RefusalError 404, or 503, if the caller sees none."""
    study, series, uid = (uid_of(request, each) for each in ("study", "series", "instance"))
    found = chosen_instances(
        request.search, request.asker, [study], SeriesInstanceUID=series, SOPInstanceUID=uid
    )
    if not found and request.search.shortfalls:
        raise UnknownError(request.search.shortfalls)
    if not found:
        raise RefusalError(404, NOT_FOUND)
    return first_with_paths(request.search, found)


def first_with_paths(
    search: BoundedSearch, found: list[ChosenInstance]
) -> tuple[ChosenInstance, tuple[str, ...]]:
    """Return the first instance with its files; UnknownError if no archive sends it."""
    first, paths = next(with_paths(search, found[:1]))
    if not paths and search.shortfalls:
        raise UnknownError(search.shortfalls)
    return first, paths


def _class_of(data_set: DataSet) -> str:
    element = data_set.get(SOP_CLASS_UID)
    return str(element.values[0]) if element is not None and element.values else ""


async def send_file(
    service: WebService,
    exchange: Exchange,
    visit: Visit,
    found: tuple[ChosenInstance, tuple[str, ...]],
    made: type[FileDownload | WeasisDownload],
) -> None:
    """Stream an instance as a file; ``made`` is the download that log and audit trail know."""
    instance, paths = found
    async with told_download(service, visit, made, Level.IMAGE, 1) as sent:
        try:
            stored = await service.run(opened, instance, paths)
        except StoredInstanceError:
            sent.fail(instance)
            raise _unreadable() from None
        with stored:
            headers = {
                "Content-Type": "application/dicom",
                "Content-Disposition": f'attachment; filename="{instance.uid}.dcm"',
                **PRIVATE,
            }
            pieces = _noted_pieces(instance, stored, sent)
            await send_pieces(exchange, service.run, pieces, headers, sent)


def _noted_pieces(
    instance: ChosenInstance, stored: StoredInstance, sent: SentInstances
) -> Iterator[bytes]:
    sent.begin(instance)
    yield from file_pieces(stored)
    sent.end(instance, stored.sop_class_uid, stored.length)
    yield b""


async def send_zip(request: PageRequest, studies: list[str]) -> None:
    """Stream studies as a zip file; RefusalError 404 if the caller sees none of them."""
    search = request.search
    found = await request.run(chosen_instances, search, request.asker, studies)
    if not found and search.shortfalls:
        await answer_unknown(request)
        return
    if not found:
        raise RefusalError(404, NOT_FOUND)
    limit = request.visit.profile.choices.most_retrieved
    most = MOST_INSTANCES if limit is None else min(limit, MOST_INSTANCES)
    if len(found) > most:
        raise RefusalError(413, f"more than {most:,} instances: choose fewer studies")
    if search.is_cut:
        raise RefusalError(413, f"more than {search.most:,} instances: choose fewer studies")
    name = studies[0] if len(studies) == 1 else f"{len(studies)}-studies"
    if search.shortfalls:
        name = f"incomplete-{name}"
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        **PRIVATE,
    }
    service, visit = request.service, request.visit
    async with told_download(service, visit, ZipDownload, Level.STUDY, len(found)) as sent:
        pieces = zip_pieces(with_paths(request.search, found), sent)
        run = request.search.run or service.run
        await send_pieces(request.exchange, run, pieces, headers, sent)


async def send_pieces(
    exchange: Exchange,
    run: Run,
    pieces: Iterator[bytes],
    headers: dict[str, str],
    sent: SentInstances,
) -> None:
    """Stream bytes that threads make, one piece ahead of the client."""

    async def following() -> tuple[bytes | None, Notes]:
        piece: bytes | None = await run(next, pieces, None)
        return piece, sent.take()

    ahead = asyncio.ensure_future(following())
    try:
        await asyncio.wait((ahead,))
        ahead.result()
        await exchange.start(200, headers)
        piece, notes = await ahead
        while piece is not None:
            ahead = asyncio.ensure_future(following())
            if piece:
                await exchange.write(piece, more=True)
            sent.count(notes)
            piece, notes = await ahead
    finally:
        # The thread has to be out of the files before they are closed.
        with suppress(Exception):
            await ahead
    await exchange.write(b"", more=False)


def _unreadable() -> RefusalError:
    return RefusalError(404, "the file of this instance cannot be read: it was moved or damaged")

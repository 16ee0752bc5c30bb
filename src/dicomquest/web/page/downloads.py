"""Downloads: a zip of studies, one file, the list for a folder, a header (PS3.10 7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

from dicomquest.dataset.header_lines import header_lines
from dicomquest.errors import StoredInstanceError
from dicomquest.services.access import ServiceKind
from dicomquest.services.request import Run
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
from dicomquest.web.page.study_pages import uid_of
from dicomquest.web.page.zip_stream import zip_pieces
from dicomquest.web.refusals import RefusalError

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
        if not found:
            raise RefusalError(404, NOT_FOUND)
        listed = [{"path": each.path, "href": f"{address_of(each)}/file"} for each in found]
        body = json.dumps(listed).encode()
        headers = {"Content-Type": "application/json", **PRIVATE}
        await request.exchange.answer(200, body, headers)


class InstanceFile(_Retrieving):
    """One instance as a file, as it is stored."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        instance, paths = await request.run(_instance, request)
        await send_file(request.exchange, request.service.run, instance, paths)


class InstanceHeader(_Retrieving):
    """The header of one instance, element by element."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        instance, paths = await request.run(_instance, request)
        try:
            data_set = await request.run(read_stored_header, paths[0] if paths else "")
        except StoredInstanceError:
            raise _unreadable() from None
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
    """Return the instance of the path; RefusalError 404 if the caller sees none."""
    study, series, uid = (uid_of(request, each) for each in ("study", "series", "instance"))
    found = chosen_instances(
        request.search, request.asker, [study], SeriesInstanceUID=series, SOPInstanceUID=uid
    )
    if not found:
        raise RefusalError(404, NOT_FOUND)
    return next(with_paths(request.search, found[:1]))


async def send_file(
    exchange: Exchange, run: Run, instance: ChosenInstance, paths: tuple[str, ...]
) -> None:
    """Stream an instance as a file."""
    try:
        stored = await run(opened, instance, paths)
    except StoredInstanceError:
        raise _unreadable() from None
    with stored:
        headers = {
            "Content-Type": "application/dicom",
            "Content-Disposition": f'attachment; filename="{instance.uid}.dcm"',
            **PRIVATE,
        }
        await send_pieces(exchange, run, file_pieces(stored), headers)


async def send_zip(request: PageRequest, studies: list[str]) -> None:
    """Stream studies as a zip file; RefusalError 404 if the caller sees none of them."""
    found = await request.run(chosen_instances, request.search, request.asker, studies)
    if not found:
        raise RefusalError(404, NOT_FOUND)
    limit = request.visit.profile.choices.most_retrieved
    most = MOST_INSTANCES if limit is None else min(limit, MOST_INSTANCES)
    if len(found) > most:
        raise RefusalError(413, f"more than {most:,} instances: choose fewer studies")
    name = studies[0] if len(studies) == 1 else f"{len(studies)}-studies"
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        **PRIVATE,
    }
    pieces = zip_pieces(with_paths(request.search, found))
    await send_pieces(request.exchange, request.service.run, pieces, headers)


async def send_pieces(
    exchange: Exchange, run: Run, pieces: Iterator[bytes], headers: dict[str, str]
) -> None:
    """Stream bytes that threads make, one piece ahead of the client."""

    async def following() -> bytes | None:
        return await run(next, pieces, None)

    ahead: asyncio.Future[bytes | None] = asyncio.ensure_future(following())
    try:
        await asyncio.wait((ahead,))
        ahead.result()
        await exchange.start(200, headers)
        while (piece := await ahead) is not None:
            ahead = asyncio.ensure_future(following())
            await exchange.write(piece, more=True)
    finally:
        # The thread has to be out of the files before they are closed.
        with suppress(Exception):
            await ahead
    await exchange.write(b"", more=False)


def _unreadable() -> RefusalError:
    return RefusalError(404, "the file of this instance cannot be read: it was moved or damaged")

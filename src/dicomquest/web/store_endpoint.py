"""The endpoint of STOW-RS: a stream of instances to the archive of C-STORE (PS3.18 10.5)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from dicomquest.errors import AssociationAbortedError, DataSetError, StoreError
from dicomquest.services.access import ServiceKind
from dicomquest.services.storage import StorageService
from dicomquest.standard import statuses
from dicomquest.store.archive import out_of_resources
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.media_types import JSON, MULTIPART, XML, MediaRange, read_ranges
from dicomquest.web.refusals import RefusalError
from dicomquest.web.request_body import PORTION, body_pieces
from dicomquest.web.search_parameters import check_uids
from dicomquest.web.store_instance import ArrivingInstance, StoreChannel
from dicomquest.web.store_metadata import MadeFile, made_files, made_portion
from dicomquest.web.store_outcome import StoreForm, StoreOutcome, store_form
from dicomquest.web.store_parts import (
    MultipartError,
    MultipartReader,
    PartBegan,
    PartData,
    PartEnded,
    PartEvent,
)
from dicomquest.web.store_spool import PartSpool, SpoolLimitError
from dicomquest.web.store_start import ArrivedStart

if TYPE_CHECKING:
    from dicomquest.web.web_service import Visit, WebService

DICOM = "application/dicom"

METADATA_KINDS = {JSON: frozenset({JSON, "application/json"}), XML: frozenset({XML})}
"""The media types of metadata by the type of a request."""

_LATER = {"Retry-After": "60", "Connection": "close"}

STORE_PATHS = ("/studies", "/studies/{study}")
"""The resources that take instances: of any study, and of one."""

MOST_AT_ONCE = 32
"""Instances of a request that wait for the archive together; more would not make it faster."""

MOST_HELD = 4 << 20
"""Bytes of these that may be in memory; one more instance waits, however large it is."""


class StoreEndpoint:
    """Answers POST on studies, or on one study; an ASGI application."""

    def __init__(self, service: WebService, storage: StorageService) -> None:
        self._service = service
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        exchange = service.exchange(scope, receive, send)
        visit = await service.admit(exchange)
        visit.check(ServiceKind.STORE)
        uids = scope["path_params"]
        check_uids(uids)
        form = _form(exchange)
        kind, reader = _reader(exchange)
        base = service.base(exchange) if service.retrieves else None
        with StoreOutcome(form, base) as outcome:
            storing = _Storing(service, self._storage, visit, uids.get("study", ""), outcome)
            try:
                is_whole = await storing.take(exchange, reader, METADATA_KINDS.get(kind))
            except AssociationAbortedError:
                return
            finally:
                service.teller(visit).answered(visit.association)
            await _answer(exchange, outcome, is_whole=is_whole)


class _Storing:
    """The instances of one request, some of them on their way to the archive."""

    def __init__(
        self,
        service: WebService,
        storage: StorageService,
        visit: Visit,
        study_uid: str,
        outcome: StoreOutcome,
    ) -> None:
        self._service = service
        self._storage = storage
        self._visit = visit
        self._study_uid = study_uid
        self._outcome = outcome
        self._arriving: ArrivingInstance | None = None
        self._waiting: deque[ArrivingInstance] = deque()

    async def take(
        self,
        exchange: Exchange,
        reader: MultipartReader | None,
        metadata_kinds: frozenset[str] | None,
    ) -> bool:
        """Take all parts of a body, and wait until each is stored or refused.

        With ``metadata_kinds``, the media types of metadata, they are no files yet.

        False if the message has no end, or cannot be read any further.
        AssociationAbortedError if the client is gone.
        """
        is_whole = True
        try:
            async with aclosing(body_pieces(self._service, self._visit, exchange)) as pieces:
                if reader is None:
                    await self._take_one(pieces)
                elif metadata_kinds is None:
                    is_whole = await self._take_parts(pieces, reader, self._obey_all)
                else:
                    is_whole = await self._take_metadata(pieces, reader, metadata_kinds)
        finally:
            # Also for a client that is gone: its whole instances are stored all the same.
            if self._arriving is not None:
                self._arriving.lose()
                self._waiting.append(self._arriving)
            while self._waiting:
                await self._settle()
        return is_whole

    async def _take_one(self, pieces: AsyncGenerator[bytes, None]) -> None:
        async for piece in pieces:
            if self._arriving is None:
                await self._obey(PartBegan())
            await self._obey(PartData(piece))
        if self._arriving is not None:
            await self._obey(PartEnded())

    async def _take_parts(
        self,
        pieces: AsyncGenerator[bytes, None],
        reader: MultipartReader,
        obey: Callable[[Iterator[PartEvent]], Awaitable[None]],
    ) -> bool:
        try:
            async for piece in pieces:
                await obey(reader.feed(piece))
        except MultipartError as error:
            if not reader.has_begun:
                raise RefusalError(400, f"the body cannot be read: {error}") from error
            # Some clients read no response before all is sent.
            async for _ in pieces:
                pass
            return False
        return reader.is_closed

    async def _obey_all(self, events: Iterator[PartEvent]) -> None:
        for event in events:
            await self._obey(event)

    async def _take_metadata(
        self,
        pieces: AsyncGenerator[bytes, None],
        reader: MultipartReader,
        metadata_kinds: frozenset[str],
    ) -> bool:
        """Take all parts to a file, then make the instances from it, one after the other."""
        run = self._service.run
        try:
            with await run(self._storage.scratch) as file:
                spool = PartSpool(file, metadata_kinds, self._service.settings.storing)

                async def keep(events: Iterator[PartEvent]) -> None:
                    await run(spool.take, events)

                is_whole = await self._take_parts(pieces, reader, keep)
                async with self._service.making:
                    async for made in made_files(spool, run):
                        await self._take_made(made)
                for _ in range(spool.unused):
                    words = "no metadata names the part"
                    await self._take_made(
                        ArrivedStart(status=statuses.CANNOT_UNDERSTAND, words=words)
                    )
        except SpoolLimitError as error:
            association = self._visit.association
            self._service.teller(self._visit).hit(association.requestor, error.limit)
            raise
        except (StoreError, OSError) as error:
            if isinstance(error, OSError):
                out_of_resources(error)
            raise RefusalError(503, "there is no room for the request", _LATER) from error
        return is_whole

    async def _take_made(self, made: MadeFile | ArrivedStart) -> None:
        """Take an instance as if it had come as a file."""
        await self._obey(PartBegan())
        arriving = self._arriving
        assert arriving is not None  # noqa: S101  it has begun
        if isinstance(made, ArrivedStart):
            arriving.refuse(made)
        else:
            try:
                while portion := await self._service.run(made_portion, made):
                    await arriving.feed(portion)
            except DataSetError as error:
                if arriving.has_begun:
                    arriving.lose()
                else:
                    arriving.refuse(made.refusal(str(error)))
            else:
                await self._obey(PartEnded())
                return
        self._arriving = None
        self._waiting.append(arriving)

    async def _obey(self, event: PartEvent) -> None:
        match event:
            case PartBegan():
                while self._waiting and self._is_full:
                    await self._settle()
                channel = StoreChannel(
                    self._service.teller(self._visit), self._visit.association, self._service.run
                )
                self._arriving = ArrivingInstance(
                    self._storage, channel, self._visit.association, self._study_uid
                )
            case PartData(data):
                assert self._arriving is not None  # noqa: S101  a part has begun
                await self._arriving.feed(data)
            case PartEnded():
                assert self._arriving is not None  # noqa: S101  a part has begun
                whole, self._arriving = self._arriving, None
                whole.end()
                self._waiting.append(whole)

    @property
    def _is_full(self) -> bool:
        held = sum(each.held for each in self._waiting)
        return len(self._waiting) >= MOST_AT_ONCE or held > MOST_HELD

    async def _settle(self) -> None:
        """Wait for the part that came first, and list it."""
        self._outcome.add(await self._waiting.popleft().outcome())


def _form(exchange: Exchange) -> StoreForm:
    form = store_form(exchange.accepted(exchange.parameters))
    if form is None:
        raise RefusalError(
            406,
            "no acceptable media type: accept application/dicom+json or application/dicom+xml",
        )
    return form


def _reader(exchange: Exchange) -> tuple[str, MultipartReader | None]:
    """Return the type of the parts with the reader of a multipart body, None for one instance."""
    text = exchange.header(b"content-type")
    if not text:
        raise RefusalError(400, 'no Content-Type: send multipart/related; type="application/dicom"')
    coding = exchange.header(b"content-encoding").strip().lower()
    if coding not in {"", "identity"}:
        raise RefusalError(
            415, "the content coding is not supported: send the body as it is",
            {"Accept-Encoding": "identity"},
        )  # fmt: skip
    ranges = read_ranges([text])
    kind = ranges[0] if len(ranges) == 1 else MediaRange("")
    if kind.kind == DICOM:
        return DICOM, None
    if kind.kind != MULTIPART or kind.part not in {"", DICOM, *METADATA_KINDS}:
        words = f'the Content-Type is not supported: send {MULTIPART}; type="{DICOM}"'
        raise RefusalError(415, words)
    boundary = kind.parameters.get("boundary", "")
    if not boundary:
        raise RefusalError(400, "the Content-Type has no boundary")
    try:
        return kind.part, MultipartReader(boundary)
    except MultipartError as error:
        raise RefusalError(400, str(error)) from error


async def _answer(exchange: Exchange, outcome: StoreOutcome, *, is_whole: bool) -> None:
    if not outcome.count:
        raise RefusalError(400, "the body has no part with an instance")
    code = outcome.code
    if not is_whole and code != 202:
        # A message without an end is malformed, whatever its parts are.
        code = 202 if code == 200 else 400
    headers = {
        "Content-Type": outcome.form.content_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept, Authorization",
        **({"Retry-After": "60"} if code == 503 else {}),
    }
    held = b""
    for piece in outcome.pieces():
        held += piece
        if len(held) >= PORTION:
            if not exchange.is_started:
                await exchange.start(code, headers)
            await exchange.write(held, more=True)
            held = b""
    if exchange.is_started:
        await exchange.write(held, more=False)
    else:
        await exchange.answer(code, held, headers)

"""One part of a store request on its way to the service that answers C-STORE (PS3.18 10.5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dicomquest.aio.teller import Teller
from dicomquest.dimse.commands import CStoreRQ, SubOperations
from dicomquest.errors import AssociationAbortedError
from dicomquest.services.request import AssociationInfo, Run, ServiceRequest
from dicomquest.services.storage import CHUNK, StorageService, StudyStoreRequest
from dicomquest.services.stream import DataSetStream
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.web.http_channel import HttpChannel, none_of
from dicomquest.web.store_outcome import PartOutcome
from dicomquest.web.store_start import ArrivedStart, read_start

FIRST_LOOK = 1024
"""Bytes of a file that are waited for before it is read: most have their beginning in these."""


class StoreChannel(HttpChannel):
    """The channel of one instance: it notes the final status, for the one response to all."""

    def __init__(self, teller: Teller, association: AssociationInfo, run: Run) -> None:
        super().__init__(teller, association.requestor, run)
        self.status: int | None = None

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        """Note how the request has ended."""
        self.status = status
        self._teller.finished(request, status, comment, offending)

    def lose(self, request: ServiceRequest) -> None:
        """Tell that the rest of the instance has not come."""
        self._teller.finished(request, None, "", ())

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        """Refuse a match, which no store request has."""
        del status, identifiers, final_follows
        raise none_of("matches", request)

    async def send_explained(
        self,
        request: ServiceRequest,
        status: int,
        identifier: bytes,
        comment: str,
        offending: tuple[int, ...],
    ) -> None:
        """Refuse a match, which no store request has."""
        del status, identifier, comment, offending
        raise none_of("matches", request)

    async def send_counts(
        self,
        request: ServiceRequest,
        status: int,
        counts: SubOperations,
        comment: str,
        failed: bytes | None,
    ) -> None:
        """Refuse counts, which no store request has."""
        del status, counts, comment, failed
        raise none_of("counts", request)


class ArrivingInstance:
    """A file that comes in pieces; its data set goes to the service as it comes.

    ``feed`` its pieces, then call ``end``, or ``lose`` if no more will come; ``outcome`` waits for
    the service. ``held`` are the bytes of it that may be in memory until then.
    """

    def __init__(
        self,
        service: StorageService,
        channel: StoreChannel,
        association: AssociationInfo,
        study_uid: str,
    ) -> None:
        """Store for an association; ``study_uid`` is that of the path, or empty."""
        self._service = service
        self._channel = channel
        self._association = association
        self._study_uid = study_uid
        self._first = b""
        self._size = 0
        self._room = asyncio.Event()
        self._room.set()
        self._stream: DataSetStream | None = None
        self._request: StudyStoreRequest | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """The bytes that may be in memory; those of a large instance are in its file."""
        return min(self._size, 2 * CHUNK)

    @property
    def has_begun(self) -> bool:
        """Tell whether the beginning of the file has been read."""
        return self._request is not None

    async def feed(self, data: bytes) -> None:
        """Take the next bytes; return when there is room for more."""
        self._size += len(data)
        if self._stream is not None:
            self._stream.feed(data, is_last=False)
        elif self._request is None:
            self._first += data
            if len(self._first) >= FIRST_LOOK:
                self._begin(is_whole=False)
        await self._room.wait()

    def end(self) -> None:
        """Take note that the part is whole."""
        if self._request is None:
            self._begin(is_whole=True)
        if self._stream is not None:
            self._stream.feed(b"", is_last=True)

    def lose(self) -> None:
        """Take note that the rest of the part will not come: nothing of it is kept."""
        if self._request is None and self._first:
            self._begin(is_whole=False)
        if self._request is None:
            words = "the part has no end"
            self.refuse(ArrivedStart(status=statuses.CANNOT_UNDERSTAND, words=words))
        elif not (self._stream is None or self._stream.is_complete):
            self._request.cancel(is_abandoned=True)

    async def outcome(self) -> PartOutcome:
        """Wait until the instance is stored or refused."""
        assert self._task is not None  # noqa: S101  ``end`` or ``lose`` has begun it
        assert self._request is not None  # noqa: S101  as above
        await self._task
        status = self._channel.status
        command = self._request.command
        assert isinstance(command, CStoreRQ)  # noqa: S101  it was made so
        return PartOutcome(
            statuses.CANNOT_UNDERSTAND if status is None else status,
            command.affected_sop_class_uid,
            command.affected_sop_instance_uid,
            self._request.instance,
        )

    def _begin(self, *, is_whole: bool) -> None:
        """Read the beginning of the file if it is there, and hand its data set to the service."""
        start = read_start(self._first, is_whole=is_whole)
        if start is None:
            return
        if start.status:
            self.refuse(start)
            return
        stream = DataSetStream(self._room.clear, self._room.set)
        request = self._ask(start, stream)
        stream.feed(self._first[start.offset :], is_last=False)
        self._first = b""
        self._stream = stream
        self._task = asyncio.ensure_future(self._handle(request))

    def _ask(self, start: ArrivedStart, stream: DataSetStream | None) -> StudyStoreRequest:
        command = CStoreRQ(
            message_id=1,
            affected_sop_class_uid=start.sop_class_uid,
            affected_sop_instance_uid=start.sop_instance_uid,
        )
        context = AcceptedContext(1, start.sop_class_uid, start.transfer_syntax)
        request = self._request = StudyStoreRequest(
            self._channel, self._association, context, command, None, stream=stream
        )
        request.study_uid = self._study_uid
        return request

    def refuse(self, start: ArrivedStart) -> None:
        """End the request that has not begun; what comes of the part from now on is thrown away."""
        request = self._ask(start, None)
        self._first = b""
        self._task = asyncio.ensure_future(request.send_final(start.status, start.words))

    async def _handle(self, request: ServiceRequest) -> None:
        try:
            await self._service.handle(request)
        except AssociationAbortedError:
            self._channel.lose(request)

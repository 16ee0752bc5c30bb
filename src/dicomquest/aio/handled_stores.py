"""C-STORE requests answered by the handler of EVT_C_STORE (PS3.4 B.2)."""

from __future__ import annotations

import os
from typing import Any

from dicomquest import evt
from dicomquest.dimse.commands import CStoreRQ
from dicomquest.errors import DataSetError, StoreError
from dicomquest.handled_request import part10_start
from dicomquest.services.failures import failure_of
from dicomquest.services.handlers import parse_status
from dicomquest.services.received_instance import ReceivedInstance
from dicomquest.services.request import ServiceRequest
from dicomquest.services.stream import DataSetStream
from dicomquest.standard import statuses

CHUNK = 512 * 1024
"""Bytes of a write: the turn of a thread costs as much as writing some ten kilobytes."""


class HandledStore:
    """A C-STORE request on its way to a handler.

    With a ``folder`` the instance goes to a file there while it arrives, else it stays in memory.
    """

    def __init__(
        self, request: ServiceRequest, command: CStoreRQ, folder: str | os.PathLike[str] | None
    ) -> None:
        self._request = request
        self._command = command
        self._folder = folder
        self._instance: ReceivedInstance | None = None

    async def answer(self, bound: evt.BoundHandler | None, *, is_async: bool) -> None:
        """Receive the instance, call the handler, and answer; its exceptions pass."""
        request = self._request
        if bound is None:
            comment = "no handler is bound to EVT_C_STORE"
            await request.refuse(statuses.STORE_HANDLER_FAILED, comment)
            return
        if request.stream is None:
            await request.send_final(statuses.CANNOT_UNDERSTAND, "no data set")
            return
        try:
            await self._receive(request.stream)
            outcome = await self._call(bound, is_async=is_async)
        except StoreError as error:
            # Some peers read no response before all is sent.
            await request.stream.drain()
            await request.send_final(*failure_of(error))
        except DataSetError as error:
            await request.send_final(statuses.CANNOT_UNDERSTAND, str(error))
        else:
            await request.send_final(*parse_status(outcome, statuses.C_STORE_STATUSES).explained)
        finally:
            if self._instance is not None:
                self._instance.discard()

    async def _call(self, bound: evt.BoundHandler, *, is_async: bool) -> Any:
        request, instance = self._request, self._instance
        assert instance is not None  # noqa: S101
        event = evt.store_event(
            request.channel,
            self._command,
            request.context,
            data_set=instance.data_set,
            path=instance.path,
        )
        return await (bound(event) if is_async else request.run(bound, event))

    async def _receive(self, stream: DataSetStream) -> None:
        is_whole = False
        while not is_whole:
            parts = await stream.read(CHUNK)
            is_whole = stream.is_complete
            if self._folder is None:
                self._take(parts, is_whole=is_whole)
            else:
                await self._request.run(self._take, parts, is_whole=is_whole)

    def _take(self, parts: list[bytes], *, is_whole: bool) -> None:
        if self._instance is None:
            syntax = self._request.context.transfer_syntax
            start = b"" if self._folder is None else part10_start(self._command, syntax)
            self._instance = ReceivedInstance(start, self._folder)
        self._instance.write(parts)
        if is_whole:
            self._instance.complete()

"""C-STORE requests on a session that the event loop drives (PS3.7 9.1.1)."""

from __future__ import annotations

import asyncio
from time import monotonic

from dicomquest.aio.session_protocol import SessionProtocol
from dicomquest.dimse.commands import CStoreRSP, Response
from dicomquest.errors import LocalProtocolError, StoredInstanceError
from dicomquest.services.storage_link import Parts, StorageLostError, StoreAnswer, SubOperation
from dicomquest.ul.negotiation import AcceptedContext


class StorageSession:
    """This side as Storage SCU, one sub-operation at a time; used in the event loop alone.

    Whoever takes the session's events calls ``answered``, ``expect_no_answer`` and ``lose``.
    """

    def __init__(self, protocol: SessionProtocol, contexts: tuple[AcceptedContext, ...]) -> None:
        self.contexts = contexts
        self._protocol = protocol
        self._answer: asyncio.Future[CStoreRSP | None] | None = None
        self._lost = ""

    async def store(self, operation: SubOperation, parts: Parts) -> StoreAnswer:
        """Send an instance and await its response, which the session bounds in time.

        StorageLostError if there is none. A data set that fails midway, by StoredInstanceError,
        ends the association: a message without its last fragment has no other end.
        """
        session = self._protocol.session
        answer = self._answer = asyncio.get_running_loop().create_future()
        is_whole = False
        try:
            self._check()
            session.send_store(
                operation.context_id,
                operation.sop_instance_uid,
                monotonic(),
                priority=operation.priority,
                originator=operation.originator,
            )
            async for part, is_last in parts:
                self._check()
                session.send_data(part, monotonic(), is_last=is_last)
                self._protocol.pump()
                await self._protocol.drain()
            is_whole = True
        except LocalProtocolError as error:
            raise StorageLostError(str(error)) from error
        except StoredInstanceError as error:
            raise StoredInstanceError(f"its data set ended too early: {error}") from error
        finally:
            if not is_whole:
                self._protocol.abort()
        response = await answer
        self._check()
        if response is None:
            raise StorageLostError("the association ended before the response")
        return StoreAnswer(response.status, response.error_comment)

    def answered(self, response: Response) -> None:
        """Take the response to the sub-operation that runs."""
        if isinstance(response, CStoreRSP) and self._answer is not None and not self._answer.done():
            self._answer.set_result(response)

    def expect_no_answer(self) -> None:
        """Await no response any more: a peer that asked for release sends none."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def lose(self, reason: str) -> None:
        """Note that the association has ended."""
        self._lost = self._lost or reason
        self.expect_no_answer()

    def _check(self) -> None:
        if self._lost:
            raise StorageLostError(self._lost)

"""The sub-operations of a C-GET: C-STORE requests back over its association (PS3.7 9.1.3)."""

from __future__ import annotations

import asyncio
from time import monotonic

from dicomquest.aio.session_protocol import SessionProtocol
from dicomquest.dimse.commands import CStoreRSP, Response
from dicomquest.errors import AssociationAbortedError, LocalProtocolError, StoredInstanceError
from dicomquest.services.request import AssociationInfo
from dicomquest.services.storage_link import Parts, StorageLostError, StoreAnswer, SubOperation
from dicomquest.standard.sop_classes import QUERY_RETRIEVE_BY_UID


class OwnStorageLink:
    """This side as Storage SCU on an association that it accepted; used in the event loop alone.

    The association calls ``answered``, ``expect_no_answer`` and ``lose``.
    """

    def __init__(self, protocol: SessionProtocol, association: AssociationInfo) -> None:
        self.contexts = tuple(
            context
            for context in association.contexts.values()
            if context.abstract_syntax not in QUERY_RETRIEVE_BY_UID
            and (context.requestor_is_scp or association.profile.assumes_roles)
        )
        self._protocol = protocol
        self._session = protocol.session
        self._number = association.number
        self._answer: asyncio.Future[CStoreRSP | None] | None = None
        self._is_lost = False

    async def store(self, operation: SubOperation, parts: Parts) -> StoreAnswer:
        """Send an instance and await its response, which the session bounds in time."""
        answer = self._answer = asyncio.get_running_loop().create_future()
        try:
            self._session.send_store(
                operation.context_id,
                operation.sop_instance_uid,
                monotonic(),
                priority=operation.priority,
            )
            async for part, is_last in parts:
                self._check()
                self._session.send_data(part, monotonic(), is_last=is_last)
                self._protocol.pump()
                await self._protocol.drain()
        except LocalProtocolError as error:
            raise AssociationAbortedError(str(error)) from error
        except StoredInstanceError as error:
            # A message without its last fragment has no other end.
            self._protocol.abort()
            raise AssociationAbortedError(f"its data set ended too early: {error}") from error
        response = await answer
        self._check()
        if response is None:
            raise StorageLostError("the peer asked for release before it answered")
        return StoreAnswer(response.status, response.error_comment)

    async def release(self) -> None:
        """Leave the association to its requestor."""

    async def abort(self) -> None:
        """Leave the association to its requestor."""

    def answered(self, response: Response) -> None:
        """Take the response to the sub-operation that runs."""
        if isinstance(response, CStoreRSP) and self._answer is not None and not self._answer.done():
            self._answer.set_result(response)

    def expect_no_answer(self) -> None:
        """Await no response any more: a peer that asked for release sends none."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def lose(self) -> None:
        """Note that the association has ended."""
        self._is_lost = True
        self.expect_no_answer()

    def _check(self) -> None:
        if self._is_lost:
            raise AssociationAbortedError(f"association {self._number} has ended")

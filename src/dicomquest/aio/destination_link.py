"""An association with the destination of a C-MOVE, as its requestor (PS3.4 C.4.2, C.5.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from dicomquest.aio.session_protocol import SessionProtocol
from dicomquest.aio.storage_session import StorageSession
from dicomquest.dimse.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    Ended,
    Released,
    ResponseReceived,
    SessionEvent,
)
from dicomquest.dimse.session import Session
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.services.move_destinations import Destination, DestinationError


class DestinationLink(StorageSession):
    """This side as Storage SCU on an association that it asked for.

    ``on_end`` is called once, when the connection is closed.
    """

    def __init__(
        self, destination: Destination, rq: AAssociateRQ, on_end: Callable[[], object]
    ) -> None:
        """Ask for an association, on a connection that has just been made."""
        session = Session.requestor(rq, destination.timeouts, monotonic())
        super().__init__(SessionProtocol(session, self), ())
        self._words = f"{destination.ae_title} at {destination.host} port {destination.port}"
        self._on_end = on_end
        self._established: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()

    @property
    def protocol(self) -> SessionProtocol:
        """The protocol that drives the session."""
        return self._protocol

    async def established(self) -> None:
        """Wait for the peer's answer; DestinationError unless it accepts a context."""
        trouble = await self._established
        if trouble:
            # Nobody has anything more to say, and a silent peer may leave the connection open.
            self._protocol.drop()
            await self._ended.wait()
        elif not self.contexts:
            trouble = "it accepted none of the presentation contexts"
            await self.release()
        if trouble:
            raise DestinationError(f"no association with {self._words}: {trouble}")

    async def release(self) -> None:
        """End the association in good order; the session's timer bounds the wait for the peer."""
        with suppress(LocalProtocolError):
            self._protocol.session.release(monotonic())
            self._protocol.pump()
        if self._protocol.session.is_established:
            # An operation is outstanding, and nobody waits for it.
            await self.abort()
        await self._ended.wait()

    async def abort(self) -> None:
        """End the association now."""
        self._protocol.abort()
        await self._ended.wait()

    def connected(self) -> None:
        """Wait for the answer to the request, which the protocol sends."""

    def take(self, event: SessionEvent) -> None:
        """React to an event of the session."""
        match event:
            case AssociationAccepted():
                self.contexts = tuple(
                    each for each in event.contexts.values() if each.requestor_is_scu
                )
                self._settle("")
            case AssociationRejected():
                self._settle(f"it rejected the association: {event.rj}")
            case ResponseReceived():
                self.answered(event.command)
            case Aborted():
                self._lose(event.message)
            case Released():
                self._lose("the association was released")
            case Ended():
                self._lose(event.message or "the connection is closed")
            case _:
                # A storage association has no requests of its peer.
                pass

    def disconnected(self) -> None:
        """Note that the connection is closed."""
        self._lose("the connection is closed")
        if not self._ended.is_set():
            self._ended.set()
            self._on_end()

    def _lose(self, reason: str) -> None:
        self._settle(reason)
        self.lose(f"the association with {self._words} is lost: {reason}")

    def _settle(self, trouble: str) -> None:
        if not self._established.done():
            self._established.set_result(trouble)

"""The asyncio server: it listens, bounds its associations, and ends them in order (PS3.8 9.1)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any, ParamSpec, TypeAlias, TypeVar

from dicomquest import evt
from dicomquest.aio.acceptor import AcceptedAssociation, ScriptedAssociation
from dicomquest.aio.connections import Connections
from dicomquest.aio.containment import Escape, escape_of
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.aio.session_protocol import LAST_WORDS
from dicomquest.aio.tls_handshake import TlsHandshake
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import AlertKind, LimitHit, SecurityAlert
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.tls import check_tls

LOGGER = logging.getLogger("dicomquest.server")

BACKLOG = 1024
"""Connections that the kernel holds until the event loop accepts them."""

BoundSocket: TypeAlias = socket.socket

P = ParamSpec("P")
T = TypeVar("T")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make the fastest event loop that is installed: uvloop's, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415 (there is none for some platforms)
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class Server:
    """A server of DICOM services in the running event loop, to be used in its thread alone.

    ValueError for an SSLContext that allows TLS below 1.2.
    """

    def __init__(self, settings: ServerSettings, handlers: evt.Handlers | None = None) -> None:
        if settings.ssl_context is not None:
            check_tls(settings.ssl_context)
        self.settings = settings
        self.handlers = handlers or evt.Handlers()
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: Connections[AcceptedAssociation | TlsHandshake] = Connections(
            settings.connection_limits
        )
        self._lines = RepeatedLines()
        self._pool = ThreadPoolExecutor(
            settings.threads or settings.maximum_associations, "dicomquest"
        )
        self._listeners: list[asyncio.Server] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The (host, port) of each socket that listens."""
        return [
            listening.getsockname()[:2]
            for listener in self._listeners
            for listening in listener.sockets
        ]

    @property
    def socket(self) -> Any:
        """The first socket that listens, None if none does."""
        return next((each for listener in self._listeners for each in listener.sockets), None)

    @property
    def active_associations(self) -> list[AcceptedAssociation]:
        """The associations that are established."""
        return [
            connection
            for connection in self._connections
            if isinstance(connection, AcceptedAssociation) and connection.is_established
        ]

    @property
    def all_handlers(self) -> list[evt.Handlers]:
        """The handlers of the server, and of each open association that has its own."""
        own = [each.handlers for each in self._connections if isinstance(each, AcceptedAssociation)]
        return [self.handlers, *(each for each in own if each is not self.handlers)]

    async def start(self, host: str | None, port: int, sockets: Sequence[BoundSocket] = ()) -> None:
        """Listen on an address; OSError if that is taken. Port 0 takes a free one.

        With ``sockets``, which somebody else has bound, listen on these instead.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_exception)
        if sockets:
            self._listeners = [
                await loop.create_server(self._accept, sock=each, backlog=BACKLOG)
                for each in sockets
            ]
        else:
            listener = await loop.create_server(
                self._accept,
                host,
                port,
                reuse_port=self.settings.reuse_port or None,
                backlog=BACKLOG,
            )
            self._listeners = [listener]
        tls = "" if self.settings.ssl_context is None else " (TLS)"
        for address in self.addresses:
            LOGGER.info("listening on %s port %d%s", *address, tls)

    def reconfigure(self, settings: ServerSettings) -> None:
        """Take other settings for all connections from now on; those that are open stay open.

        The observer hears of them, too.
        ValueError for an SSLContext that allows TLS below 1.2. Address and threads stay.
        """
        if settings.ssl_context is not None:
            check_tls(settings.ssl_context)
        self.settings = settings
        self._connections.limit(settings.connection_limits)
        for each in self._connections:
            if isinstance(each, AcceptedAssociation):
                each.observed_by(settings.observer)

    async def close(self, patience: float = 0.0) -> None:
        """Listen no more, and end all associations.

        Running requests get ``patience`` seconds to end; then their associations are aborted.
        """
        for listener in self._listeners:
            listener.close()
        # An association has left the connections while its task still tells handlers of its end.
        tasks = self._tasks | {connection.task for connection in self._connections}
        for association in self._connections:
            association.end_when_idle()
        if tasks and patience:
            await asyncio.wait(tasks, timeout=patience)
        self.abort_all()
        if tasks:
            # Twice: for the last bytes of the connections, and for the handlers of their ends.
            await asyncio.wait(tasks, timeout=2 * LAST_WORDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.settings.ending is not None:
            await self.settings.ending()
        # Waiting for a handler that does not end would hang the server; the interpreter, at its
        # exit, waits for the thread.
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._lines.end()
        LOGGER.info("server closed")

    def abort_all(self) -> None:
        """Abort all associations now, also while ``close`` waits for their requests."""
        for association in self._connections:
            association.end()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's own threads.

        asyncio's default pool has only some more threads than the machine has cores, and belongs to
        the rest of the program.
        """
        result = await asyncio.get_running_loop().run_in_executor(
            self._pool, escape_of, partial(function, *args, **kwargs)
        )
        if isinstance(result, Escape):
            raise result.failure
        return result

    def associate(self, handshake: TlsHandshake | None = None) -> asyncio.Protocol:
        """Make the association of a new connection; it takes the place of its handshake."""
        kind = AcceptedAssociation if self.settings.ae is None else ScriptedAssociation
        return kind(self, next(self._numbers), handshake).protocol

    def connected(self, association: AcceptedAssociation) -> None:
        """Note a connection; if it is one too many, drop one that waits for an association."""
        self._tasks.add(association.task)
        association.task.add_done_callback(self._tasks.discard)
        self._open(association, association.handshake)

    def shaking_hands(self, handshake: TlsHandshake) -> None:
        """Note a connection whose TLS handshake begins; it waits for an association, too."""
        self._open(handshake)

    def shook_hands(self, handshake: TlsHandshake, failure: str | None) -> None:
        """Note the end of a TLS handshake, and log the reason if it failed."""
        self._connections.close(handshake)
        if failure is not None:
            self._lines.log(
                LOGGER,
                logging.WARNING,
                "handshake",
                f"connection from {handshake.host}: the TLS handshake failed: {failure}",
            )
            self._tell(SecurityAlert(AlertKind.HANDSHAKE, handshake.host, "", failure))

    def _accept(self) -> asyncio.Protocol:
        """Make the protocol of a new connection: an association, or a TLS handshake before it."""
        context = self.settings.ssl_context
        if context is None:
            return self.associate()
        return TlsHandshake(self, context, self.settings.timeouts.associate_request)

    def _open(
        self,
        connection: AcceptedAssociation | TlsHandshake,
        instead_of: TlsHandshake | None = None,
    ) -> None:
        one_too_many = self._connections.open(connection, instead_of)
        if one_too_many is not None:
            goes, limit = one_too_many
            words = "dropped: too many are open, and it had no association"
            self.tell_limit(goes.host, limit, words)
            goes.drop()

    def tell_limit(self, host: str, limit: LimitName, words: str) -> None:
        """Log a connection that a limit ends before it has an association, and tell observers."""
        line = f"connection from {host} {words} ({limit.value})"
        self._lines.log(LOGGER, logging.WARNING, "connection", line)
        self._tell(LimitHit(limit, host))

    def _tell(self, event: LimitHit | SecurityAlert) -> None:
        if self.settings.observer is not None:
            self.settings.observer.tell(event)

    def admit(self, association: AcceptedAssociation) -> LimitName | None:
        """Give an association its place; return the limit that is reached if there is none."""
        return self._connections.admit(association)

    def admit_title(self, association: AcceptedAssociation, most: int) -> LimitName | None:
        """Count an admitted association for its calling AE title, unless that has too many."""
        return self._connections.admit_title(association, association.requestor.ae_title, most)

    def dismiss(self, association: AcceptedAssociation) -> None:
        """Take back the place of an association that is rejected after all."""
        self._connections.dismiss(association)

    def disconnected(self, association: AcceptedAssociation) -> None:
        """Note the end of a connection, and free the place of its association."""
        self._connections.close(association)


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors that reach the event loop alone, in one line each."""
    del loop
    LOGGER.warning("%s: %s", context.get("message"), context.get("exception"))

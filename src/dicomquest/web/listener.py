"""The HTTP server of the web services: uvicorn, in the running event loop (PS3.18 8.2)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dicomquest.services.tls import certificate_of, check_tls
from dicomquest.web.routes import WebApplication

LOGGER = logging.getLogger("dicomquest.web")

LONGEST_HEAD = 65_536
"""Bytes of a request line and headers that h11 reads before it refuses."""

KEEP_ALIVE = 60
"""Seconds that a connection may be without a request: a viewer comes again."""

LOOK = 0.02
"""Seconds between two looks whether uvicorn has started, which tells nobody."""


class _Connection(H11Protocol):
    """A connection that knows its client's certificate, and closes if no request comes."""

    head_seconds: float | None = 30.0

    def connection_made(self, transport: Any) -> None:
        """Note the certificate, and wait for the first request."""
        super().connection_made(transport)
        certificate = certificate_of(transport.get_extra_info("ssl_object"))
        self.app_state = {**self.app_state, "certificate": certificate}
        self._head: asyncio.TimerHandle | None = None
        if self.head_seconds is not None:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def handle_events(self) -> None:
        """Read what has come; the head of a request must be whole in time."""
        super().handle_events()
        if not self._is_idle:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, from its first byte on."""
        super().on_response_complete()
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first of a request start its clock."""
        if self._is_idle and self._head is None and self.head_seconds is not None:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Tell whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self.transport is not None:
            self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: they are the program's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class WebListener:
    """Listens by HTTP or HTTPS, in the event loop that starts it."""

    def __init__(
        self,
        application: WebApplication,
        *,
        most_connections: int,
        ssl_context: ssl.SSLContext | None = None,
        head_seconds: float | None = 30.0,
        grace: float = 5.0,
    ) -> None:
        """Serve an application; ``head_seconds`` may pass until the head of a request is whole."""
        if ssl_context is not None:
            check_tls(ssl_context)
        protocol = type("_OurConnection", (_Connection,), {"head_seconds": head_seconds})
        self._config = uvicorn.Config(
            application,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=most_connections,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        self._ssl_context = ssl_context
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None
        self.address = ("", 0)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on bound sockets; OSError if that fails."""
        self._config.load()
        self._config.ssl = self._ssl_context
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._task = asyncio.ensure_future(self._server.serve(list(sockets)))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the HTTP server has ended")
            await asyncio.sleep(LOOK)
        self.address = sockets[0].getsockname()[:2]
        tls = "" if self._ssl_context is None else " (TLS)"
        LOGGER.info("listening by HTTP on %s port %d%s", *self.address, tls)

    async def close(self) -> None:
        """Listen no more, and wait for running responses as long as the grace lasts."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    def abort(self) -> None:
        """End running responses now, also while ``close`` waits for them."""
        self._server.force_exit = True


def bound_socket(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """Return a socket bound to an address, to listen on; OSError if it is taken."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound

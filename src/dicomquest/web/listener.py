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

from dicomquest.aio.connections import ConnectionLimits
from dicomquest.services.tls import ContextOfNow, check_tls
from dicomquest.web.http_connection import HttpConnection, HttpLimits
from dicomquest.web.routes import WebApplication

LOGGER = logging.getLogger("dicomquest.web")

KEEP_ALIVE = 60
"""Seconds that a connection may be without a request: a viewer comes again."""

LOOK = 0.02
"""Seconds between two looks whether uvicorn has started, which tells nobody."""


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
        limits: HttpLimits | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        grace: float = 5.0,
    ) -> None:
        """Serve an application, by HTTPS with an ``ssl_context``."""
        if ssl_context is not None:
            check_tls(ssl_context)
        self._limits = limits or HttpLimits()
        self._config = uvicorn.Config(
            application,
            http=type("_OurConnection", (HttpConnection,), {"limits": self._limits}),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=self._limits.longest_head,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        self._ssl_context = None if ssl_context is None else ContextOfNow(ssl_context)
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None
        self.address = ("", 0)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on bound sockets; OSError if that fails."""
        self._config.load()
        self._config.ssl = self._ssl_context
        _quieten()
        self._task = asyncio.ensure_future(self._server.serve(list(sockets)))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the HTTP server has ended")
            await asyncio.sleep(LOOK)
        self.address = sockets[0].getsockname()[:2]
        tls = "" if self._ssl_context is None else " (TLS)"
        LOGGER.info("listening by HTTP on %s port %d%s", *self.address, tls)

    def reconfigure(self, limits: ConnectionLimits, **others: Any) -> None:
        """Take other limits, those of ``HttpLimits`` by name, for all connections from now on."""
        self._limits.connections.limit(limits)
        for name, value in others.items():
            setattr(self._limits, name, value)
        self._config.h11_max_incomplete_event_size = self._limits.longest_head

    def take_certificate(self, ssl_context: ssl.SSLContext | None) -> None:
        """Show another certificate to who connects from now on; open connections stay as they are.

        HTTP stays HTTP, and HTTPS stays HTTPS, which the log says.
        """
        if ssl_context is not None and self._ssl_context is not None:
            check_tls(ssl_context)
            self._ssl_context.now = ssl_context
        elif ssl_context is not None:
            LOGGER.warning(
                "HTTP goes on in clear text: a reload cannot begin TLS on its port; start the "
                "server again to have --tls-cert there, too"
            )
        elif self._ssl_context is not None:
            LOGGER.warning(
                "HTTP goes on with TLS and its last certificate: a reload cannot end TLS on its "
                "port; start the server again to do so"
            )

    async def close(self) -> None:
        """Listen no more, and wait for running responses as long as the grace lasts."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    def abort(self) -> None:
        """End running responses now, also while ``close`` waits for them."""
        self._server.force_exit = True


def _quieten() -> None:
    """Let uvicorn log what is a fault of ours: what clients do is told by their connections."""

    def is_ours(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR and "without completing" not in record.getMessage()

    logger = logging.getLogger("uvicorn.error")
    logger.filters[:] = [is_ours]


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

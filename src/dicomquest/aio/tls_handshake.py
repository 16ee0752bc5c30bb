"""A connection of a TLS port until its handshake is over (PS3.15 B.12)."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from typing import Protocol, cast

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"})
"""OpenSSL's reasons for bytes that are no TLS."""


class HandshakeHost(Protocol):
    """The server as a handshake needs it."""

    def shaking_hands(self, handshake: TlsHandshake) -> None:
        """Note a connection whose handshake begins."""

    def associate(self, handshake: TlsHandshake) -> asyncio.Protocol:
        """Make the association that takes the place of a handshake when that is done."""

    def shook_hands(self, handshake: TlsHandshake, failure: str | None) -> None:
        """Note the end of a handshake, with the reason if it failed."""


class TlsHandshake(asyncio.Protocol):
    """A connection that counts while it is in its handshake, and whose failure is told.

    An event loop that does the handshake itself tells nobody of the connection before, and of no
    failure. So the server accepts without TLS, and has the handshake done here.
    """

    def __init__(
        self, server: HandshakeHost, context: ssl.SSLContext, timeout: float | None
    ) -> None:
        self.host = ""
        self.is_established = False
        self.task: asyncio.Task[None]
        self._server = server
        self._context = context
        self._timeout = timeout
        self._socket: socket.socket
        self._is_dropped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection from its transport, before that has read a byte of it."""
        self.host = (transport.get_extra_info("peername") or ("", 0))[0]
        try:
            # The transport closes its descriptor; the copy keeps the connection.
            self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        finally:
            cast("asyncio.Transport", transport).abort()
        self._socket.setblocking(False)
        self.task = asyncio.get_running_loop().create_task(self._shake_hands())
        self._server.shaking_hands(self)

    def drop(self) -> None:
        """Close the connection at once; the handshake fails by that."""
        self._is_dropped = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    end = drop
    end_when_idle = drop

    async def _shake_hands(self) -> None:
        failure = None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._server.associate(self),
                self._socket,
                ssl=self._context,
                ssl_handshake_timeout=self._timeout,
            )
        except OSError as error:  # ssl.SSLError and lost connections are some
            failure = _words(error)
        finally:
            # Whatever happened: a place that nobody frees is lost for good.
            self._server.shook_hands(self, None if self._is_dropped else failure)


def _words(error: OSError) -> str:
    match error:
        case ssl.SSLError(reason=reason) if reason in NO_TLS:
            return "the peer speaks no TLS"
        case ssl.SSLCertVerificationError():
            return f"the certificate of the peer: {error.verify_message}"
        case ssl.SSLError():
            return (error.reason or str(error)).replace("_", " ").lower()
        case ConnectionAbortedError():
            return "it took too long"
        case _:
            return "the peer closed the connection"

"""One HTTP request and its response, over ASGI (PS3.18 8.2)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias

from dicomquest.errors import AssociationAbortedError
from dicomquest.services.access import Certificate
from dicomquest.web.media_types import MediaRange, read_ranges
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_parameters import read_parameters

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

GZIP_LEVEL = 1
"""The level of zlib: JSON shrinks to a tenth with it already, and the next ones cost twice."""

NOTHING_SMALLER = 1024
"""Bytes of a whole response that is not worth compressing."""


class Exchange:
    """A request that is being answered; a response is one ``start``, then ``write`` to its end.

    AssociationAbortedError from either if the client is gone or reads nothing for too long.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, write_timeout: float | None
    ) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send
        self._write_timeout = write_timeout
        self._has_body = True
        self.is_started = False
        self.is_complete = False

    @property
    def address(self) -> tuple[str, int]:
        """The client's address and port."""
        client = self.scope.get("client")
        return (str(client[0]), int(client[1])) if client else ("", 0)

    @property
    def certificate(self) -> Certificate | None:
        """The certificate that the client showed, as the listener has left it."""
        found: Certificate | None = self.scope.get("state", {}).get("certificate")
        return found

    def header(self, name: bytes) -> str:
        """Return a header, several joined by commas; "" without it."""
        return ",".join(self._headers(name))

    def _headers(self, name: bytes) -> list[str]:
        headers: Iterable[tuple[bytes, bytes]] = self.scope["headers"]
        return [value.decode("latin-1") for key, value in headers if key == name]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query parameters, decoded."""
        return read_parameters(self.scope["query_string"])

    def accepted(self, parameters: Iterable[tuple[str, str]]) -> list[MediaRange]:
        """Return the acceptable media types: the ``accept`` parameter, else the headers."""
        given = [value for name, value in parameters if name == "accept"]
        return read_ranges(given or self._headers(b"accept"))

    @property
    def takes_gzip(self) -> bool:
        """Tell whether the client takes a compressed response."""
        codings = read_codings(self.header(b"accept-encoding"))
        return codings.get("gzip", codings.get("*", 0.0)) > 0

    async def watch(self, gone: Callable[[], None]) -> None:
        """Call ``gone`` when the client goes away; the request has no body to read."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                gone()
                return

    async def read(self, size: int) -> bytes:
        """Return the next bytes of the body: at least ``size``, unless it ends before.

        AssociationAbortedError if the client is gone.
        """
        parts: list[bytes] = []
        found = 0
        while found < size and self._has_body:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise AssociationAbortedError("the client is gone")
            parts.append(message.get("body", b""))
            found += len(parts[-1])
            self._has_body = bool(message.get("more_body", False))
        return b"".join(parts)

    async def start(self, code: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        self.is_started = True
        raw = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in headers.items()
        ]
        await self._bounded({"type": "http.response.start", "status": code, "headers": raw})

    async def write(self, body: bytes, *, more: bool) -> None:
        """Send some of the body; return when the client has taken nearly all before."""
        self.is_complete = not more
        await self._bounded({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole response."""
        length = {} if code in {204, 304} else {"Content-Length": str(len(body))}
        await self.start(code, {**headers, **length})
        await self.write(body, more=False)

    async def refuse(self, refusal: RefusalError) -> None:
        """Send the response that a refusal is."""
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **refusal.headers,
        }
        await self.answer(refusal.code, f"{refusal.words}\n".encode(), headers)

    def abort(self) -> None:
        """Break the connection, so that nobody takes the response for a whole one."""
        if abort := self.scope.get("state", {}).get("abort"):
            abort()

    async def _bounded(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await self._send(message)
        except TimeoutError:
            # Closing alone would wait until the client has read what is on its way.
            self.abort()
            raise AssociationAbortedError("the client reads nothing") from None
        except OSError as error:
            raise AssociationAbortedError("the client is gone") from error


def read_codings(text: str) -> dict[str, float]:
    """Return the content codings of Accept-Encoding with their qualities (RFC 9110 12.5.3)."""
    codings: dict[str, float] = {}
    for part in text.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        quality = 1.0
        for each in parameters:
            if each.startswith("q="):
                try:
                    quality = float(each[2:])
                except ValueError:
                    quality = 1.0
        if name:
            codings[name] = quality
    return codings


class Compression:
    """A gzip stream of a response's body."""

    def __init__(self, level: int = GZIP_LEVEL) -> None:
        self._stream = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def compress(self, body: bytes, *, more: bool) -> bytes:
        """Return the bytes to send for some of the body; blocking for large ones."""
        flush = zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH
        return self._stream.compress(body) + self._stream.flush(flush)

"""One connection of the HTTP server, within the limits of the server (PS3.18 8.2, RFC 9112).

uvicorn reads and writes it. This module bounds what a client may hold: a connection *waits* while
no request of it is answered, as one of DIMSE does before its association. It gives way to others,
must bring the whole head of a request in time, and is gone once its client reads nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from dicomquest.aio.connections import ConnectionLimits, Connections
from dicomquest.services.limit_names import LimitName, reached
from dicomquest.services.observer import LimitHit, Observer
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.tls import certificate_of
from dicomquest.web.exchange import Receive, Scope, Send

LOGGER = logging.getLogger("dicomquest.web")

SLICE = 16_384
"""Bytes that are parsed in one turn of the event loop: a chunk of one byte takes 20 us of it."""

LINGER = 1.0
"""Seconds that a client gets to read a refusal before its connection is gone."""


@dataclass(slots=True)
class HttpLimits:
    """The limits of the connections of a process, which hold from the next moment on.

    - ``connections`` are shared by all: one counts as an association while it answers a request.
    - ``head_seconds`` may pass until the head of a request is whole, which has at most
      ``longest_head`` bytes.
    - ``write_seconds`` may pass while a client reads nothing.
    """

    connections: Connections[HttpConnection] = field(
        default_factory=lambda: Connections(ConnectionLimits(100, 80))
    )
    head_seconds: float | None = 30.0
    longest_head: int = 65_536
    write_seconds: float | None = 60.0
    observer: Observer | None = None
    lines: RepeatedLines = field(default_factory=RepeatedLines)

    def tell(self, host: str, limit: LimitName, words: str) -> None:
        """Log that a client has reached a limit, and tell the observer."""
        line = f"HTTP connection from {host} {words} ({limit.value})"
        self.lines.log(LOGGER, logging.WARNING, "connection", line)
        if self.observer is not None:
            self.observer.tell(LimitHit(limit, host))


class HttpConnection(H11Protocol):
    """A connection that knows its client's certificate, and its limits."""

    limits: HttpLimits
    host = ""

    def connection_made(self, transport: Any) -> None:
        """Note the certificate, take a place, and wait for the first request."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else ""
        certificate = certificate_of(transport.get_extra_info("ssl_object"))
        self.app_state = {**self.app_state, "certificate": certificate, "abort": transport.abort}
        self._served = self.app
        self.app = self._admitted
        self._unread: deque[bytes] = deque()
        self._clock: asyncio.TimerHandle | None = None
        self._start_clock(self.limits.head_seconds, self._give_up)
        one_too_many = self.limits.connections.open(self)
        if one_too_many is not None:
            goes, limit = one_too_many
            self.limits.tell(goes.host, limit, "dropped: too many are open, and it was idle")
            goes.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back the place."""
        self._stop_clock()
        self._unread.clear()
        self.limits.connections.close(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first of a request start its clock, and many of them take turns."""
        if self._is_idle and self._clock is None:
            self._start_clock(self.limits.head_seconds, self._give_up)
        if self._unread or len(data) > SLICE:
            if not self._unread:
                self.loop.call_soon(self._take_slice)
            self._unread.extend(data[at : at + SLICE] for at in range(0, len(data), SLICE))
            self.transport.pause_reading()
            return
        super().data_received(data)

    @property
    def has_more_to_read(self) -> bool:
        """Tell whether slices of what has come wait for their turn."""
        return bool(self._unread)

    def _take_slice(self) -> None:
        if not self._unread or self.transport.is_closing():
            return
        super().data_received(self._unread.popleft())
        if self._unread:
            self.loop.call_soon(self._take_slice)
        elif not self.flow.read_paused:
            self.transport.resume_reading()

    def handle_events(self) -> None:
        """Read what has come; the head of a request must be whole in time."""
        super().handle_events()
        if not self._is_idle:
            self._stop_clock()

    def on_response_complete(self) -> None:
        """Wait for the next request, from its first byte on."""
        self._stop_clock()
        super().on_response_complete()
        if self.transport.is_closing():
            # The transport would wait for ever until its client has read all.
            self._start_clock(self.limits.write_seconds, self.transport.abort)
        elif self._is_idle and self.conn.trailing_data[0]:
            # The next request has begun to come behind the one before.
            self._start_clock(self.limits.head_seconds, self._give_up)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, with the code that h11 has for it."""
        error = sys.exc_info()[1]
        code = getattr(error, "error_status_hint", 400)
        if code == 431:
            limit = LimitName.HTTP_HEAD
            self.limits.tell(self.host, limit, "refused: the head of its request is too long")
            msg = f"{reached(limit)}: {self.limits.longest_head} bytes"
        self._stop_clock()
        body = f"{msg}\n".encode()
        head = (
            f"HTTP/1.1 {code} {'Bad Request' if code == 400 else 'Refused'}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        if self._is_idle:
            self.transport.write(head.encode() + body)
        self.transport.close()
        self._start_clock(LINGER, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; a client that has not read all will not do so now."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request if there is a place for it."""
        limit = self.limits.connections.admit(self)
        if limit is not None:
            self.limits.tell(self.host, limit, "got 503: too many requests are answered")
            await _busy(send, limit)
            return
        try:
            await self._served(scope, receive, send)
        finally:
            self.limits.connections.dismiss(self)
            if not self._is_idle:
                # uvicorn closes a response without an end, and waits for its client as above.
                self._start_clock(self.limits.write_seconds, self.transport.abort)

    @property
    def _is_idle(self) -> bool:
        """Tell whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _start_clock(self, seconds: float | None, then: Callable[[], object]) -> None:
        self._stop_clock()
        if seconds is not None:
            self._clock = self.loop.call_later(seconds, then)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        self._clock = None
        limit = LimitName.REQUEST_TIMEOUT
        self.limits.tell(self.host, limit, "dropped: no whole request came in time")
        self.transport.abort()


async def _busy(send: Send, limit: LimitName) -> None:
    body = f"{reached(limit)}: try again\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})

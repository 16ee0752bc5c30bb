"""Connections by HTTP within their limits: what a client may hold, and for how long."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
import trustme

from dicomquest.aio.connections import ConnectionLimits, Connections
from dicomquest.errors import AssociationAbortedError
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.http_connection import SLICE, HttpLimits
from dicomquest.web.listener import WebListener, bound_socket
from fixtures.observing import Heard
from fixtures.timing import LONG

SHORT = 0.2
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def until(condition: Callable[[], bool]) -> None:
    """Give others their turns until a condition holds."""
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110  any condition of a test
            await asyncio.sleep(0.01)


class Server:
    """A listener in the running loop, with its limits and what its observer heard."""

    def __init__(self, listener: WebListener, limits: HttpLimits, heard: Heard) -> None:
        self.listener = listener
        self.limits = limits
        self._heard = heard
        self._clients: list[asyncio.StreamWriter] = []

    @property
    def hits(self) -> list[LimitName]:
        return [each.limit for each in self._heard.events if isinstance(each, LimitHit)]

    async def connect(
        self, sent: bytes = b"", tls: ssl.SSLContext | None = None, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.listener.address, ssl=tls, **options)
        self._clients.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def is_empty(self) -> None:
        """Wait until no connection is open."""
        await until(lambda: len(self.limits.connections) == 0)

    def leave(self) -> None:
        for each in self._clients:
            each.transport.abort()


@asynccontextmanager
async def listening(
    app: Application,
    connections: ConnectionLimits | None = None,
    tls: ssl.SSLContext | None = None,
    **limits: Any,
) -> AsyncIterator[Server]:
    heard = Heard()
    own = HttpLimits(Connections(connections or ConnectionLimits(9, 9)), observer=heard, **limits)
    listener = WebListener(cast("Any", app), own, ssl_context=tls, grace=SHORT)
    with bound_socket("127.0.0.1", 0, reuse_port=False) as bound:
        await listener.start([bound])
        server = Server(listener, own, heard)
        try:
            yield server
        finally:
            server.leave()
            await listener.close()


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, whatever the body is."""
    exchange = Exchange(scope, receive, send, None)
    await exchange.answer(200, b"hello", {})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body."""
    exchange = Exchange(scope, receive, send, None)
    await exchange.answer(200, await exchange.read(1 << 30), {})


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without an end, to a client that may read nothing for a moment only."""
    exchange = Exchange(scope, receive, send, SHORT)
    await exchange.start(200, {})
    with suppress(AssociationAbortedError):
        while True:
            await exchange.write(bytes(1 << 20), more=True)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer more than any buffer on the way holds."""
    exchange = Exchange(scope, receive, send, None)
    await exchange.answer(200, bytes(64 << 20), {})


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """The status line, and the rest of the head."""
    async with asyncio.timeout(LONG):
        return await reader.readuntil(b"\r\n\r\n")


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    async with asyncio.timeout(LONG):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


def test_an_address_has_its_share_of_requests() -> None:
    """One request more than allowed gets 503, and the next one is answered again."""

    async def scene() -> None:
        go_on = asyncio.Event()

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            await hello(scope, receive, send)

        async with listening(wait, ConnectionLimits(9, 1)) as server:
            first, _ = await server.connect(GET)
            second, writer = await server.connect(GET)
            refused = await answer_of(second)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"retry-after" in refused
            go_on.set()
            assert (await answer_of(first)).startswith(b"HTTP/1.1 200")
            await second.readexactly(len("limit max-associations-per-peer reached: try again\n"))
            writer.write(GET)
            assert (await answer_of(second)).startswith(b"HTTP/1.1 200")
            assert server.hits == [LimitName.ASSOCIATIONS_OF_ADDRESS]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (ConnectionLimits(1, 9, 1, 9), LimitName.CONNECTIONS),
        (ConnectionLimits(9, 1, 9, 1), LimitName.CONNECTIONS_OF_ADDRESS),
    ],
)
def test_idle_connections_give_way(limits: ConnectionLimits, limit: LimitName) -> None:
    """Silent connections never keep a client out: the oldest one goes."""

    async def scene() -> None:
        async with listening(hello, limits) as server:
            silent = [(await server.connect())[0] for _ in range(2)]
            asking, _ = await server.connect(GET)
            assert (await answer_of(asking)).startswith(b"HTTP/1.1 200")
            assert await end_of(silent[0]) == b""
            assert server.hits == [limit]

    asyncio.run(scene())


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: ", GET + b"GET /"])
def test_a_head_must_come_in_time(sent: bytes) -> None:
    async def scene() -> None:
        async with listening(hello, head_seconds=SHORT) as server:
            reader, _ = await server.connect(sent)
            assert (await end_of(reader)).count(b"200 OK") == sent.count(b"\r\n\r\n")
            assert server.hits == [LimitName.REQUEST_TIMEOUT]
            await server.is_empty()

    asyncio.run(scene())


def test_a_body_nobody_waits_for_must_end_in_time() -> None:
    async def scene() -> None:
        async with listening(hello, head_seconds=SHORT) as server:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
            reader, writer = await server.connect(head)
            assert (await answer_of(reader)).startswith(b"HTTP/1.1 200")
            writer.write(b"x")
            await end_of(reader)
            await server.is_empty()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 5000, b"431"),
        (b"GET /" + b"x" * 5000, b"431"),
        (b"no HTTP at all\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes, code: bytes) -> None:
    async def scene() -> None:
        async with listening(hello, longest_head=4096) as server:
            reader, _ = await server.connect(sent)
            assert (await answer_of(reader)).split()[1] == code
            assert server.hits == ([LimitName.HTTP_HEAD] if code == b"431" else [])

    asyncio.run(scene())


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("app", [flood, large])
def test_a_client_that_reads_nothing_is_gone(app: Application, close: bytes) -> None:
    async def scene() -> None:
        async with listening(app, write_seconds=SHORT) as server:
            reader, _ = await server.connect(GET[:-2] + close + b"\r\n", limit=1024)
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            if app is large and not close:
                # Its keep-alive time has run out.
                (connection,) = server.limits.connections
                await until(lambda: connection._is_idle)
                connection.timeout_keep_alive_handler()
            await server.is_empty()

    asyncio.run(scene())


def test_many_small_chunks_take_turns() -> None:
    """Others are served between the slices of what came at once, and no byte is lost."""

    async def scene() -> None:
        async with listening(echo) as server:
            turns = 0
            is_done = False

            async def count() -> None:
                nonlocal turns
                while not is_done:
                    turns += 1
                    await asyncio.sleep(0)

            body = bytes(range(256)) * 200
            chunks = b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            reader, writer = await server.connect()
            counting = asyncio.ensure_future(count())
            writer.write(head + chunks)
            await answer_of(reader)
            assert await reader.readexactly(len(body)) == body
            is_done = True
            await counting
            assert turns > len(chunks) / SLICE

    asyncio.run(scene())


def test_requests_in_one_piece_are_answered_in_order() -> None:
    async def scene() -> None:
        async with listening(echo) as server:
            bodies = [bytes([each]) * 40_000 for each in b"abc"]
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n"
            reader, _ = await server.connect(b"".join(head + each for each in bodies))
            for each in bodies:
                await answer_of(reader)
                assert await reader.readexactly(40_000) == each

    asyncio.run(scene())


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_another_certificate_loses_no_request() -> None:
    """Open connections go on, and whoever connects at any moment is answered."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    contexts = deque(server_context(authority) for _ in range(6))

    async def scene() -> None:
        async with listening(hello, tls=contexts.popleft()) as server:
            seen: set[bytes] = set()
            is_done = False

            async def ask_anew() -> None:
                while not is_done:
                    reader, writer = await server.connect(
                        GET, trusting, server_hostname="127.0.0.1"
                    )
                    assert (await answer_of(reader)).startswith(b"HTTP/1.1 200")
                    seen.add(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
                    writer.close()

            kept, writer = await server.connect(GET, trusting, server_hostname="127.0.0.1")
            asking = [asyncio.ensure_future(ask_anew()) for _ in range(3)]
            while contexts:
                known = len(seen)
                server.listener.take_certificate(contexts.popleft())
                await until(lambda: len(seen) > known)  # noqa: B023  it is awaited here
            is_done = True
            await asyncio.gather(*asking)
            assert len(seen) >= 5
            for _ in range(2):
                assert (await answer_of(kept)).startswith(b"HTTP/1.1 200")
                await kept.readexactly(5)
                writer.write(GET)

    asyncio.run(scene())

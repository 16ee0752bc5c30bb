"""The socket of a blocking association, plain or TLS (PS3.8 9.1.2)."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from dicomquest.scu.requestor import Peer

P = ParamSpec("P")
T = TypeVar("T")

RECEIVE_SIZE = 64 * 1024
"""Bytes asked of the socket at a time: some hundred responses.

Of more, most would outlive a garbage collection, which slows all later ones.
"""


class PeerSocket:
    """A connected socket that waits in ``send`` and ``wait`` alone.

    Reading and waiting are apart, so that one thread may wait for the peer without a lock while
    another one sends: OpenSSL allows no two calls at a time.
    """

    def __init__(self, peer: Peer, timeout: float | None) -> None:
        """Connect to a peer; OSError, or ValueError for a host name that is none."""
        connected = _connected(peer, timeout)
        self._would_block: tuple[type[OSError], ...] = (BlockingIOError,)
        try:
            # Without it a peer's delayed acknowledgement costs a small query 40 ms.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if peer.ssl_context is not None:
                from ssl import SSLWantReadError, SSLWantWriteError

                self._would_block = (SSLWantReadError, SSLWantWriteError)
                connected = peer.ssl_context.wrap_socket(
                    connected, server_hostname=peer.server_hostname
                )
            connected.setblocking(False)
        except BaseException:
            connected.close()
            raise
        self._socket = connected
        self.own_address: tuple[str, int] = connected.getsockname()[:2]

    def send(self, data: bytes, timeout: float | None) -> None:
        """Send all of it; OSError, a TimeoutError if the peer does not read on in time."""
        rest = memoryview(data)
        while rest:
            sent = self._now(self._socket.send, rest)
            if sent is not None:
                rest = rest[sent:]
            elif not self._is_ready(timeout, to_write=True):
                raise TimeoutError("the peer reads no more")

    def receive(self) -> bytes | None:
        """Return what has arrived: None for nothing yet, b"" for the end. OSError if it is lost."""
        return self._now(self._socket.recv, RECEIVE_SIZE)

    def wait(self, timeout: float | None) -> bool:
        """Wait until ``receive`` has something; False after so many seconds."""
        # Bytes that OpenSSL has decrypted already do not show on the socket.
        pending = getattr(self._socket, "pending", None)
        return bool(pending is not None and pending()) or self._is_ready(timeout)

    def close(self) -> None:
        """Close the connection; a thread in ``wait`` goes on."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _now(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a function of the socket; None if it would have to wait."""
        try:
            return function(*args, **kwargs)
        except self._would_block:
            return None

    def _is_ready(self, timeout: float | None, *, to_write: bool = False) -> bool:
        if not hasattr(select, "poll"):  # Windows
            to_wait_for: tuple[list[socket.socket], list[socket.socket]] = ([], [])
            to_wait_for[to_write].append(self._socket)
            return any(select.select(*to_wait_for, [], timeout))
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT if to_write else select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))


def _connected(peer: Peer, timeout: float | None) -> socket.socket:
    """Return a socket that is connected to a peer, from the address that it asks for."""
    return socket.create_connection((peer.host, peer.port), timeout, peer.bind_address)

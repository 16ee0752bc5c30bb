"""The socket of a blocking association, plain or TLS (PS3.8 9.1.2)."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import ParamSpec, TypeVar

from dicomquest.scu.peer_address import Peer

P = ParamSpec("P")
T = TypeVar("T")

RECEIVE_SIZE = 64 * 1024
"""Bytes asked of the socket at a time: some hundred responses.

Of more, most would outlive a garbage collection, which slows all later ones.
"""

OWN_PORT_PATIENCE = 1.0
"""Seconds that a peer gets to close its end of a connection from a port that is asked for."""


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
        self._has_own_port = peer.has_own_port
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
            self._socket.shutdown(socket.SHUT_WR if self._has_own_port else socket.SHUT_RDWR)
            if self._has_own_port:
                self._await_end()
        self._socket.close()

    def _await_end(self) -> None:
        """Read to the peer's end of the connection: its address is not free before that."""
        deadline = monotonic() + OWN_PORT_PATIENCE
        while (left := deadline - monotonic()) > 0 and self._is_ready(left):
            if not self._socket.recv(RECEIVE_SIZE):
                break

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
    address = (peer.host, peer.port)
    if peer.bind_address is None:
        return socket.create_connection(address, timeout)
    failure: OSError | None = None
    for family, kind, protocol, _, resolved in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
        try:
            connected = bound_socket(family, kind, protocol, peer.bind_address)
        except OSError as error:
            failure = error
            continue
        try:
            connected.settimeout(timeout)
            connected.connect(resolved)
        except OSError as error:
            connected.close()
            failure = error
        else:
            return connected
    raise failure or OSError(f"{peer.host} has no address")


def bound_socket(family: int, kind: int, protocol: int, address: tuple[str, int]) -> socket.socket:
    """Return a socket that is bound to an address, even right after a connection from it ended."""
    made = socket.socket(family, kind, protocol)
    try:
        # The address of a closed connection stays taken for minutes otherwise (TIME_WAIT).
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made

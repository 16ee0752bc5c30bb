from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from dicomquest.scu.peer_address import Peer
from dicomquest.scu.peer_socket import PeerSocket
from fixtures.authority import Authority
from fixtures.faces import HOST, scu, serving
from fixtures.timing import LONG, SHORT


def test_nothing_end_and_data_are_told_apart() -> None:
    with socket.create_server((HOST, 0)) as listener:
        connection = PeerSocket(Peer(*listener.getsockname()), LONG)
        there, _ = listener.accept()
        with there:
            assert connection.receive() is None
            assert not connection.wait(SHORT)
            there.sendall(b"data")
            assert connection.wait(LONG)
            assert connection.receive() == b"data"
        assert connection.wait(LONG)
        assert connection.receive() == b""
        connection.close()


def test_send_waits_for_a_slow_reader() -> None:
    data = b"0123456789" * 1_000_000
    received = bytearray()

    def read() -> None:
        while part := there.recv(65536):
            received.extend(part)

    with socket.create_server((HOST, 0)) as listener:
        connection = PeerSocket(Peer(*listener.getsockname()), LONG)
        there, _ = listener.accept()
        with there:
            thread = threading.Thread(target=read)
            thread.start()
            connection.send(data, LONG)
            connection.close()
            thread.join(LONG)
    assert bytes(received) == data


def test_send_gives_up_on_a_peer_that_does_not_read() -> None:
    with socket.create_server((HOST, 0)) as listener:
        connection = PeerSocket(Peer(*listener.getsockname()), LONG)
        there, _ = listener.accept()
        with there, pytest.raises(TimeoutError):
            connection.send(bytes(32 << 20), SHORT)
        connection.close()


def test_closing_ends_the_wait_of_another_thread() -> None:
    with socket.create_server((HOST, 0)) as listener:
        connection = PeerSocket(Peer(*listener.getsockname()), LONG)
        there, _ = listener.accept()
        with there:
            thread = threading.Thread(target=connection.wait, args=(None,))
            thread.start()
            connection.close()
            thread.join(LONG)
            assert not thread.is_alive()


def test_tls_data_that_is_decrypted_already_counts(authority: Authority) -> None:
    """Bytes that OpenSSL holds count as arrived, although the socket has no more."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            raw, _ = listener.accept()
            with authority.server_context().wrap_socket(raw, server_side=True) as there:
                there.sendall(bytes(100_000))
                there.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        peer = Peer(HOST, port, authority.client_context(), HOST)
        connection = PeerSocket(peer, LONG)
        count = 0
        while count < 100_000:
            assert connection.wait(LONG)
            count += len(connection.receive() or b"")
        assert connection.receive() is None
        connection.send(b"x", LONG)
        connection.close()
        thread.join(LONG)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
        return port


def test_bound_port_is_free_again_at_once() -> None:
    """An association from a port of its own can be made again as soon as it has ended."""
    own = free_port()
    with serving() as port:
        for _ in range(3):
            association = scu().associate(HOST, port, bind_address=(HOST, own))
            assert association.is_established, association.failure
            assert association.requestor.port == own
            association.release()
            association = scu().associate(HOST, port, bind_address=(HOST, own))
            assert association.is_established, association.failure
            association.abort()


def test_bound_port_is_free_again_in_an_event_loop() -> None:
    own = free_port()

    async def test(port: int) -> None:
        for _ in range(3):
            association = await scu().associate_async(HOST, port, bind_address=(HOST, own))
            assert association.is_established, association.failure
            assert association.requestor.port == own
            await association.release()

    with serving() as port:
        asyncio.run(test(port))


def test_host_with_two_addresses_is_tried_at_each() -> None:
    """An address that cannot be reached from the bound one leads on to the next."""
    with serving() as port:
        association = scu().associate("localhost", port, bind_address=(HOST, 0))
        assert association.is_established, association.failure
        association.release()

"""A TLS port bounds its handshakes, and says why one failed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from dicomquest.ae import AE
from dicomquest.aio.connections import SPARE_CONNECTIONS
from dicomquest.aio.server import new_event_loop
from dicomquest.pdu.pdus import encode
from fixtures.authority import Authority
from fixtures.faces import HOST, RQ, RawPeer, associated, scp, scu, serving
from fixtures.timing import LONG, SHORT


@pytest.fixture(
    params=[asyncio.new_event_loop, new_event_loop], autouse=True, ids=["asyncio", "own"]
)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomquest.ae.background.new_event_loop", request.param)


@contextlib.contextmanager
def serving_tls(authority: Authority, ae: AE | None = None) -> Iterator[int]:
    with serving(ae=ae, ssl_context=authority.server_context()) as port:
        yield port


def end_of(port: int, said: bytes = b"") -> bool:
    """Connect, say something, and wait for the end that the server makes."""
    with socket.create_connection((HOST, port), timeout=LONG) as connection:
        connection.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    return True


def until_logged(caplog: pytest.LogCaptureFixture, words: str) -> None:
    deadline = time.monotonic() + LONG
    while words not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(SHORT / 10)  # the log announces no new line


def test_plain_text_is_logged(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with serving_tls(authority) as port:
        assert end_of(port, encode(RQ))
        assert end_of(port, b"GET / HTTP/1.1\r\n\r\n")
        until_logged(
            caplog, f"connection from {HOST}: the TLS handshake failed: the peer speaks no TLS"
        )
        with associated(port, tls_args=(authority.client_context(), None)) as association:
            assert association.send_c_echo().Status == 0x0000


def test_silent_handshake_runs_out(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    ae = scp()
    ae.acse_timeout = 2 * SHORT
    with serving_tls(authority, ae) as port:
        assert end_of(port)
        until_logged(caplog, f"connection from {HOST}: the TLS handshake failed: it took too long")


def test_lost_handshake_is_logged(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with serving_tls(authority) as port:
        socket.create_connection((HOST, port), timeout=LONG).close()
        until_logged(caplog, "the TLS handshake failed: the peer closed the connection")


def test_refused_certificate_is_logged(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """The client does not know the authority of the server's certificate, and says so."""
    with serving_tls(authority) as port:
        other = Authority()
        assert scu().associate(HOST, port, tls_args=(other.client_context(), None)).is_aborted
        until_logged(caplog, "the TLS handshake failed: tlsv1 alert unknown ca")


def test_handshakes_have_places(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """Silent connections in handshake give way, as others do."""
    ae = scp()
    ae.maximum_associations = 1
    with serving_tls(authority, ae) as port, contextlib.ExitStack() as stack:
        peers = [
            stack.enter_context(socket.create_connection((HOST, port), timeout=LONG))
            for _ in range(SPARE_CONNECTIONS + 10)
        ]
        with associated(
            port, bind_address=("127.0.0.2", 0), tls_args=(authority.client_context(), None)
        ) as association:
            assert association.send_c_echo().Status == 0x0000
            assert RawPeer(peers[0]).receive() is None
            assert "the TLS handshake failed" not in caplog.text
    assert "dropped: too many are open" in caplog.text


def test_server_ends_while_hands_shake(authority: Authority) -> None:
    with contextlib.ExitStack() as stack:
        with serving_tls(authority) as port:
            peers = [
                stack.enter_context(socket.create_connection((HOST, port), timeout=LONG))
                for _ in range(3)
            ]
            with associated(port, tls_args=(authority.client_context(), None)) as association:
                assert association.send_c_echo().Status == 0x0000
        for peer in peers:
            assert RawPeer(peer).receive() is None


def test_good_handshake_is_not_logged(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serving_tls(authority) as port,
        associated(port, tls_args=(authority.client_context(), None)) as association,
    ):
        assert association.send_c_echo().Status == 0x0000
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

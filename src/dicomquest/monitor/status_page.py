"""The HTTP page of a server's state: /metrics, /health and /ready (RFC 9110).

It runs in threads of its own, so a scrape costs the event loop nothing but its share of the
processor, and ``/health`` can say that the loop hangs.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

LOGGER = logging.getLogger("dicomquest.monitor")

MOST_REQUESTS = 8
"""Requests at a time; more wait, for a peer must not start threads at will."""

PATIENCE = 5.0
"""Seconds that a client gets for each read and write."""

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of Prometheus's text format."""


class StatusPage:
    """Serves the page from ``start`` to ``close``.

    Each of the three functions is called in a thread. ``fault`` and ``unready`` return the reason
    why the process does not work or the index does not answer; empty if all is well.
    """

    def __init__(
        self,
        metrics: Callable[[], bytes],
        fault: Callable[[], str],
        unready: Callable[[], str],
    ) -> None:
        self._answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, METRICS, metrics()),
            "/health": lambda: _state(fault()),
            "/ready": lambda: _state(unready()),
        }
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_address[1] if self._server is not None else 0

    def start(self, host: str, port: int) -> Self:
        """Listen; other processes may share the port. OSError if it is taken."""
        self._server = _Server((host, port), self._answers)
        threading.Thread(target=self._server.serve_forever, name="status-page", daemon=True).start()
        LOGGER.info("metrics on http://%s:%d/metrics", host, self.port)
        return self

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _state(trouble: str) -> tuple[int, str, bytes]:
    return (503, TEXT, f"{trouble}\n".encode()) if trouble else (200, TEXT, b"ok\n")


class _Server(ThreadingHTTPServer):
    """An HTTP server with a bound on its threads, whose port other processes share."""

    daemon_threads = True
    allow_reuse_port = True

    def __init__(
        self,
        address: tuple[str, int],
        answers: dict[str, Callable[[], tuple[int, str, bytes]]],
    ) -> None:
        self.answers = answers
        self._room = threading.BoundedSemaphore(MOST_REQUESTS)
        self.address_family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        super().__init__(address, _Request)

    def server_bind(self) -> None:
        """Bind without the look-up of a host name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer in a thread, once one is free."""
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer in this thread, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that has left or is too slow."""


class _Request(BaseHTTPRequestHandler):
    """One request, one response."""

    timeout = PATIENCE
    server: _Server
    server_version = "dicomquest"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the state that the path names."""
        status, kind, body = self._answer()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer(self) -> tuple[int, str, bytes]:
        answer = self.server.answers.get(self.path.partition("?")[0])
        if answer is None:
            return 404, TEXT, b"there are /metrics, /health and /ready\n"
        try:
            return answer()
        except Exception:
            LOGGER.exception("%s cannot be answered", self.path.partition("?")[0])
            return 500, TEXT, b"failed; the log says why\n"

    do_HEAD = do_GET  # noqa: N815 (the base class's way to name methods)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a scrape every few seconds is no news."""

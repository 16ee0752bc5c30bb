"""The HTTP page of a server's state."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from dicomquest.monitor.status_page import MOST_REQUESTS, StatusPage
from fixtures.timing import LONG


class State:
    fault = ""
    unready = ""


@pytest.fixture(scope="module")
def state() -> State:
    return State()


@pytest.fixture(scope="module")
def page(state: State) -> Iterator[StatusPage]:
    page = StatusPage(lambda: b"metric 1\n", lambda: state.fault, lambda: state.unready)
    page.start("127.0.0.1", 0)
    yield page
    page.close()


def get(page: StatusPage, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=LONG)
    connection.request(method, path)
    answer = connection.getresponse()
    kind, body = answer.headers["Content-Type"], answer.read()
    connection.close()
    return answer.status, kind, body


def test_metrics_have_prometheus_media_type(page: StatusPage) -> None:
    kind = "text/plain; version=0.0.4; charset=utf-8"
    assert get(page, "/metrics?name=x") == (200, kind, b"metric 1\n")
    assert get(page, "/metrics", "HEAD") == (200, kind, b"")


def test_health_and_readiness_say_what_is_wrong(page: StatusPage, state: State) -> None:
    assert get(page, "/health")[::2] == (200, b"ok\n")
    assert get(page, "/ready")[::2] == (200, b"ok\n")
    state.unready = "the index does not answer"
    assert get(page, "/health")[::2] == (200, b"ok\n")
    assert get(page, "/ready")[::2] == (503, b"the index does not answer\n")
    state.unready = ""


def test_other_paths_and_methods_are_refused(page: StatusPage) -> None:
    assert get(page, "/")[0] == 404
    assert get(page, "/metrics", "POST")[0] == 501


def test_silent_clients_take_no_further_thread(page: StatusPage) -> None:
    address = ("127.0.0.1", page.port)
    silent = [socket.create_connection(address) for _ in range(2 * MOST_REQUESTS)]
    threads = [each for each in threading.enumerate() if "process_request" in each.name]
    assert len(threads) <= MOST_REQUESTS
    for each in silent:
        each.close()
    assert get(page, "/health")[0] == 200


def test_failure_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> bytes:
        raise OSError("disk full")

    page = StatusPage(fail, str, str).start("127.0.0.1", 0)
    assert get(page, "/metrics")[::2] == (500, b"failed; the log says why\n")
    assert "/metrics cannot be answered" in caplog.messages
    page.close()


def test_two_processes_may_share_the_port(page: StatusPage) -> None:
    other = StatusPage(lambda: b"metric 1\n", str, str).start("127.0.0.1", page.port)
    assert get(page, "/metrics")[0] == 200
    other.close()

"""Any request to any resource: no answer is a fault of ours, and none hangs.

`python -m fuzz http_request` changes recorded requests byte by byte for as long as one likes.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from fixtures.serving import Running, serving
from fixtures.timing import LONG
from peers.processes import free_port, wait_until_listening
from strategies.http_requests import http_requests

FUZZER = Path(__file__).parents[2] / "fuzz" / "http_request.py"
EXAMPLES = int(os.environ.get("DICOMQUEST_HTTP_EXAMPLES", "400"))
SERVED_EXAMPLES = int(os.environ.get("DICOMQUEST_HTTP_SERVED_EXAMPLES", "150"))
LOOKED_AT = 100
"""Requests after which the server must answer a search right."""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_http_request", FUZZER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[ModuleType]:
    before = logging.root.manager.disable
    module = loaded()
    module.server()
    yield module
    module.server().close()
    logging.disable(before)


def templates(fuzzer: ModuleType) -> list[str]:
    """The paths of all resources that the application has."""
    routes: list[Any] = fuzzer.server().app._app._app.routes
    return [each.path for each in routes if hasattr(each, "path")]


@settings(deadline=None, max_examples=EXAMPLES)
@given(data=st.data())
def test_no_request_is_a_fault_of_ours(fuzzer: ModuleType, data: st.DataObject) -> None:
    known = fuzzer.server().known
    fuzzer.check(data.draw(http_requests(templates(fuzzer), known)))


@pytest.mark.parametrize(
    "accept",
    [
        "a/b;q=0.1," * 6000,
        'multipart/related;type="' + "a" * 30_000 + '";' + "x=y;" * 7000,
        "," * 60_000,
        "a/b;" + 'q=\\"' * 15_000,
        '"' * 60_000,
    ],
    ids=["ranges", "parameters", "commas", "escapes", "quotes"],
)
def test_a_huge_accept_costs_little(fuzzer: ModuleType, accept: str) -> None:
    """The longest that a head can have; the answer takes some milliseconds of the processor."""
    study = fuzzer.server().known["study"][0]
    for path in ("/", "/dicom-web/studies", f"/dicom-web/studies/{study}/bulkdata"):
        head = f"GET {path} HTTP/1.1\r\nHost: pacs.example\r\nAccept: {accept[:60_000]}\r\n\r\n"
        began = time.process_time()
        fuzzer.check(head.encode())
        assert time.process_time() - began < 1
        assert fuzzer.server().statuses in ([200], [406])


def test_every_resource_is_asked(fuzzer: ModuleType) -> None:
    found = templates(fuzzer)
    assert "/" in found
    assert "/dicom-web/studies/{study}/series" in found


class Attacked:
    """A server that stores, serves the page and renders, with the instances of the fuzzer."""

    def __init__(self, running: Running, port: int, known: dict[str, list[str]]) -> None:
        self.running = running
        self.port = port
        self.known = known
        self.requests = 0

    def ask(self, request: bytes) -> bytes:
        """Send a request on a connection of its own; return all that comes before its end."""
        ours = f"\r\nConnection: close\r\nHost: 127.0.0.1:{self.port}\r\n".encode()
        request = request.replace(b"\r\nHost: pacs.example\r\n", ours, 1)
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), LONG) as client:
            try:
                client.sendall(request)
                while part := client.recv(65_536):
                    answer += part
            except (BrokenPipeError, ConnectionResetError):
                pass  # a refusal of the head leaves the body unread
        self.requests += 1
        return answer

    def check(self) -> None:
        """See that it lives, and finds its studies as ever."""
        assert self.running.process.poll() is None
        url = f"http://127.0.0.1:{self.port}/dicom-web/studies?StudyInstanceUID="
        with urllib.request.urlopen(url + "%5C".join(self.known["study"]), timeout=LONG) as answer:
            found = {each["0020000D"]["Value"][0] for each in json.load(answer)}
        assert found == set(self.known["study"])
        assert "Traceback" not in self.running.log


@pytest.fixture(scope="module")
def attacked(fuzzer: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked")
    with open_index(folder / "index.sqlite", create=True) as index:
        index.ingest([str(get_testdata_file(name, download=False)) for name in fuzzer.FILES])
    port = free_port()
    options = ("--http", str(port), "--store", str(folder / "store"))
    with serving(folder / "index.sqlite", folder, *options) as running:
        wait_until_listening(running.process, port, running.log_file)
        yield Attacked(running, port, fuzzer.server().known)


@settings(deadline=None, max_examples=SERVED_EXAMPLES)
@given(data=st.data())
def test_a_server_outlives_all_requests(
    fuzzer: ModuleType, attacked: Attacked, data: st.DataObject
) -> None:
    request = data.draw(http_requests(templates(fuzzer), attacked.known))
    answer = attacked.ask(request)
    status = re.match(rb"HTTP/1.1 (\d{3}) ", answer)
    assert status is not None, (request, answer)
    assert int(status[1]) < 500 or status[1] == b"503", (request, answer)
    if attacked.requests % LOOKED_AT == 0:
        attacked.check()


def test_it_answers_right_at_the_end(attacked: Attacked) -> None:
    attacked.check()

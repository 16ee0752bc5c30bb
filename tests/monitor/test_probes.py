"""The probes behind /health and /ready."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.index import Index
from dicomquest.monitor.probes import Probes
from fixtures.timing import LONG, SHORT


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LONG)
    assert not thread.is_alive()
    loop.close()


def test_index_that_answers_is_ready(index: Index, loop: asyncio.AbstractEventLoop) -> None:
    probes = Probes(index, loop, LONG)
    assert (probes.fault(), probes.unready()) == ("", "")
    probes.close()


def test_server_that_ends_is_not_ready(index: Index, loop: asyncio.AbstractEventLoop) -> None:
    probes = Probes(index, loop, LONG)
    probes.end()
    assert (probes.fault(), probes.unready()) == ("", "the server ends")
    probes.close()


def test_lost_index_is_not_ready(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    index = Index(tmp_path / "index.sqlite")
    with index._database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE study RENAME TO lost")
    probes = Probes(index, loop, LONG)
    assert probes.unready() == "the index does not answer"
    assert probes.fault() == ""
    probes.close()
    index.close()


def test_loop_that_hangs_is_a_fault(index: Index, loop: asyncio.AbstractEventLoop) -> None:
    probes = Probes(index, loop, SHORT)
    goes_on = threading.Event()
    loop.call_soon_threadsafe(goes_on.wait)
    assert probes.fault() == f"the event loop has not run for {SHORT:g} s"
    assert probes.unready() == probes.fault()
    goes_on.set()
    probes.close()


def test_index_that_hangs_takes_one_thread(
    index: Index, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(index, "search", lambda _: goes_on.wait(6 * LONG))
    probes = Probes(index, loop, SHORT)
    for _ in range(3):
        assert probes.unready() == f"the index has not answered for {SHORT:g} s"
    assert sum(each.name.startswith("probe") for each in threading.enumerate()) == 1
    goes_on.set()
    probes.close()

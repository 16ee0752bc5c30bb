"""A server stopped in the middle of a store has stored and answered the instance, or neither."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest

from dicomquest.ae import background
from dicomquest.aio import server as aio_server
from dicomquest.aio.server import Server
from dicomquest.store import incoming
from dicomquest.store.archive import Archive
from dicomquest.store.worker_thread import WorkerThread
from fixtures.faces import raw_requestor
from fixtures.storage_scp import (
    RQ,
    ask,
    bytes_of,
    send,
    status_of,
    stored_at_the_next_start,
    storing,
    uid_of,
)
from fixtures.storing import instance
from fixtures.system_calls import Held
from fixtures.timing import LONG, SHORT

NOTE = "_changed"
"""The look at the time of a commit; ``os.stat`` is called at other steps, too."""

CALLS = ("open", "writev", "pwrite", "fsync", "replace", NOTE)
"""The system calls of a store, in their order."""

IN_TURN = ("fsync", "replace", NOTE)
"""The calls that an archive waits for before it closes."""


def wait_for_threads() -> None:
    """Wait for the threads that the server has abandoned."""
    for thread in threading.enumerate():
        if thread.name.startswith("dicomquest_"):
            thread.join(LONG)
            assert not thread.is_alive()
    for worker in [each for each in gc.get_objects() if isinstance(each, WorkerThread)]:
        is_idle = threading.Event()
        worker.do(is_idle.set)
        assert is_idle.wait(LONG)


def hold(monkeypatch: pytest.MonkeyPatch, call: str) -> Held:
    return Held(monkeypatch, call, of=incoming if call == NOTE else os)


FIRST, SECOND = instance(1, 1), instance(1, 2)


@pytest.mark.parametrize("call", CALLS)
def test_store_that_ends_in_time_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    close = Server.close

    async def close_and_let_go(server: Server, patience: float) -> None:
        held.let_go.set()
        await close(server, patience)

    monkeypatch.setattr(background, "PATIENCE", LONG)
    monkeypatch.setattr(Server, "close", close_and_let_go)
    with storing(tmp_path) as served, raw_requestor(served.port, RQ) as peer:
        assert send(peer, uid_of(FIRST), bytes_of(FIRST)).status == 0
        held = hold(monkeypatch, call)
        ask(peer, uid_of(SECOND), bytes_of(SECOND), message_id=2)
        assert held.is_reached.wait(LONG)
        served.server.shutdown()
        assert status_of(peer) == 0
    assert stored_at_the_next_start(tmp_path) == {
        uid_of(made): bytes_of(made) for made in (FIRST, SECOND)
    }


@pytest.mark.parametrize("call", CALLS)
def test_overlong_store_is_unanswered_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A store that takes too long is not answered, and is whole or not there."""
    close = Archive.close

    def let_go_and_close(archive: Archive) -> None:
        if call in IN_TURN:
            held.let_go.set()
        close(archive)
        held.let_go.set()

    monkeypatch.setattr(background, "PATIENCE", 0)
    monkeypatch.setattr(aio_server, "LAST_WORDS", SHORT)
    with storing(tmp_path) as served, raw_requestor(served.port, RQ) as peer:
        assert send(peer, uid_of(FIRST), bytes_of(FIRST)).status == 0
        held = hold(monkeypatch, call)
        ask(peer, uid_of(SECOND), bytes_of(SECOND), message_id=2)
        assert held.is_reached.wait(LONG)
        served.server.shutdown()
        assert status_of(peer) is None
        monkeypatch.setattr(Archive, "close", let_go_and_close)
    wait_for_threads()
    monkeypatch.undo()
    found = stored_at_the_next_start(tmp_path)
    second = found.pop(uid_of(SECOND), None)
    assert found == {uid_of(FIRST): bytes_of(FIRST)}
    # The archive waits for the store whose turn it is. A store whose file is not on disk yet may or
    # may not have its turn.
    whole = bytes_of(SECOND)
    allowed: dict[str, set[bytes | None]] = {
        "replace": {whole},
        NOTE: {whole},
        "fsync": {whole, None},
    }
    assert second in allowed.get(call, {None})

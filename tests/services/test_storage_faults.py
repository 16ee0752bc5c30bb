"""A file system that fails in the middle of a store: the peer is told, older instances stay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from dicomquest.store import incoming
from fixtures.faces import RawPeer, raw_requestor
from fixtures.storage_scp import (
    RQ,
    Served,
    bytes_of,
    send,
    stored_at_the_next_start,
    storing,
    uid_of,
)
from fixtures.storing import instance, stored_data_sets
from fixtures.system_calls import Fault


def other_version() -> Dataset:
    """The first instance again, with a place of its own."""
    made = instance(1, 1)
    made.PatientID = "OTHER"
    return made


FIRST, NEXT, LAST, OTHER = instance(1, 1), instance(1, 2), instance(1, 3), other_version()
SAME = instance(1, 1, pixels=256)
"""The first instance again, with other pixels, in the same place."""
ALWAYS = 1000


@contextlib.contextmanager
def after_one_is_stored(folder: Path) -> Iterator[tuple[Served, RawPeer]]:
    """A server that has stored the first instance, and the association that it came on."""
    with storing(folder) as served, raw_requestor(served.port, RQ) as peer:
        assert send(peer, uid_of(FIRST), bytes_of(FIRST)).status == 0
        yield served, peer


@pytest.mark.parametrize("times", [1, ALWAYS], ids=["once", "always"])
@pytest.mark.parametrize("sent", [NEXT, OTHER, SAME], ids=["new", "moved", "replaced"])
@pytest.mark.parametrize("call", ["open", "writev", "pwrite", "fsync", "replace"])
def test_store_that_fails_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, sent: Dataset, times: int
) -> None:
    with after_one_is_stored(tmp_path) as (served, peer):
        with monkeypatch.context() as patch:
            fault = Fault(patch, call, times)
            response = send(peer, uid_of(sent), bytes_of(sent), message_id=2)
        assert fault.count
        assert (response.status, response.error_comment) == (
            0xA700,
            "not written: Input/output error",
        )
        assert stored_data_sets(served.index, served.folder) == {uid_of(FIRST): bytes_of(FIRST)}
        assert not any(path.suffix for path in (served.folder / ".dicomquest").rglob("*"))
        # The association goes on, and so does the archive.
        assert send(peer, uid_of(sent), bytes_of(sent), message_id=3).status == 0
    assert stored_at_the_next_start(tmp_path) == {
        uid_of(FIRST): bytes_of(FIRST),
        uid_of(sent): bytes_of(sent),
    }


@pytest.mark.parametrize("times", [1, ALWAYS], ids=["once", "always"])
@pytest.mark.parametrize("sent", [NEXT, OTHER, SAME], ids=["new", "moved", "replaced"])
def test_failed_time_note_does_not_fail_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: Dataset, times: int
) -> None:
    """A failed time note, which only saves the next start work, fails no store."""
    with after_one_is_stored(tmp_path) as (_, peer):
        with monkeypatch.context() as patch:
            fault = Fault(patch, "_changed", times, of=incoming)
            assert send(peer, uid_of(sent), bytes_of(sent), message_id=2).status == 0
        assert fault.count == 1
        assert send(peer, uid_of(LAST), bytes_of(LAST), message_id=3).status == 0
    assert stored_at_the_next_start(tmp_path) == {
        uid_of(FIRST): bytes_of(FIRST),
        uid_of(sent): bytes_of(sent),
        uid_of(LAST): bytes_of(LAST),
    }

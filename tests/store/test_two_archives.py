"""Two archives, as two processes have them, store into one folder and index at a time."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dicomquest.errors import ArchiveInUseError
from dicomquest.index import Index
from dicomquest.scu.outgoing import encoded
from dicomquest.store import incoming
from dicomquest.store.archive import SLOW_DISK, Archive
from fixtures.archives import LAYOUT, arrived, die, store
from fixtures.building import query
from fixtures.faces import EXPLICIT
from fixtures.storing import instance, stored_data_sets
from fixtures.system_calls import Held
from fixtures.timing import LONG, SHORT

THREADS = 4
ROUNDS = 8
SHARED = (1, 2, 3)
"""Numbers of the instances that all threads send."""


@contextlib.contextmanager
def two_archives(
    location: str, folder: Path, *, keeps_first: bool = False
) -> Iterator[tuple[Archive, Archive]]:
    with (
        Index(location) as index,
        Index(location) as other_index,
        Archive(index, folder, LAYOUT, keeps_first=keeps_first) as archive,
        Archive(other_index, folder, LAYOUT, keeps_first=keeps_first) as other,
    ):
        yield archive, other


def bytes_of(number: int, patient: str) -> bytes:
    return encoded(instance(1, number, patient=patient), EXPLICIT)


def uid_of(number: int) -> str:
    return str(instance(1, number).SOPInstanceUID)


def sending(archive: Archive, thread: int, start: threading.Barrier) -> Callable[[], list[str]]:
    """Store batches of instances that others send, too, and one of this thread's own in each."""

    def run() -> list[str]:
        random = Random(thread)
        told: list[str] = []
        start.wait(LONG)
        for number in range(1, ROUNDS + 1):
            shared = [
                arrived(archive, random.choice(SHARED), random.choice("PQ"))
                for _ in range(random.randint(1, 3))
            ]
            told += store(archive, [*shared, arrived(archive, 100 * (thread + 1) + number)])
        return told

    return run


@pytest.mark.parametrize("keeps_first", [False, True])
def test_each_instance_has_one_file_whoever_stores_it(
    location: str, tmp_path: Path, keeps_first: bool
) -> None:
    folder = tmp_path / "store"
    start = threading.Barrier(THREADS, timeout=LONG)
    with (
        two_archives(location, folder, keeps_first=keeps_first) as archives,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        senders = [pool.submit(sending(archives[each % 2], each, start)) for each in range(THREADS)]
        assert {text for sender in senders for text in sender.result(6 * LONG)} == {""}
    with Index(location) as index:
        found = stored_data_sets(index, folder)
        assert index.check().examples == []
    own = [
        100 * (thread + 1) + number for thread in range(THREADS) for number in range(1, ROUNDS + 1)
    ]
    assert found.keys() == {uid_of(number) for number in (*SHARED, *own)}
    for number in SHARED:
        assert found[uid_of(number)] in {bytes_of(number, "P"), bytes_of(number, "Q")}
    assert all(found[uid_of(number)] == bytes_of(number, "P") for number in own)
    assert [path.name for path in (folder / ".dicomquest").iterdir()] == ["lock"]


def test_file_put_back_by_another_is_not_removed(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late removal spares the file that another archive has moved back meanwhile."""
    folder = tmp_path / "store"
    with two_archives(location, folder) as (slow, quick), ThreadPoolExecutor(1) as pool:
        assert store(quick, [arrived(quick, 1, "P")]) == [""]
        held = Held(monkeypatch, "_changed", of=incoming)
        moving = pool.submit(store, slow, [arrived(slow, 1, "Q")])
        assert held.is_reached.wait(LONG)
        assert store(quick, [arrived(quick, 1, "P")]) == [""]
        held.let_go.set()
        assert moving.result(LONG) == [""]
        assert stored_data_sets(quick.index, folder) == {uid_of(1): bytes_of(1, "P")}


def test_slow_disk_of_one_delays_no_other(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that waits for a slow disk keeps no other from storing."""
    with two_archives(location, tmp_path / "store") as (slow, quick), ThreadPoolExecutor(1) as pool:
        slow._disk_seconds = 2 * SLOW_DISK
        held = Held(monkeypatch, "fsync")
        waiting = pool.submit(store, slow, [arrived(slow, 1)])
        assert held.is_reached.wait(LONG)
        assert store(quick, [arrived(quick, 2)]) == [""]
        assert not waiting.done()
        held.let_go.set()
        assert waiting.result(LONG) == [""]
        assert stored_data_sets(quick.index, tmp_path / "store").keys() == {uid_of(1), uid_of(2)}


@pytest.mark.parametrize("keeps_first", [False, True])
def test_last_or_first_stays_across_archives(
    location: str, tmp_path: Path, keeps_first: bool
) -> None:
    """The last or the first instance stays, whichever archive it came to."""
    with two_archives(location, tmp_path / "store", keeps_first=keeps_first) as (one, other):
        for archive, patient in ((one, "P"), (other, "Q"), (one, "R"), (other, "S")):
            assert store(archive, [arrived(archive, 1, patient)]) == [""]
        expected = {uid_of(1): bytes_of(1, "P" if keeps_first else "S")}
        assert stored_data_sets(one.index, tmp_path / "store") == expected


@pytest.mark.parametrize("ends", [Archive.close, die])
def test_folder_is_that_of_one_index_at_time(
    location: str, tmp_path: Path, ends: Callable[[Archive], None]
) -> None:
    """Two servers with indexes of their own would take each other's files away."""
    folder = tmp_path / "store"
    with (
        Index(location) as index,
        Index(location) as again,
        Index(tmp_path / "other.sqlite") as other,
    ):
        first = Archive(index, folder, LAYOUT)
        with pytest.raises(
            ArchiveInUseError, match="another server stores there, with another index"
        ):
            Archive(other, folder, LAYOUT)
        Archive(again, folder, LAYOUT).close()
        ends(first)
        with Archive(other, folder, LAYOUT) as second:
            second.recover()
            assert store(second, [arrived(second, 1)]) == [""]
    assert [path.name for path in (folder / ".dicomquest").iterdir()] == ["lock"]


def test_instance_stored_while_removed_is_there(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance stored during its removal is there, with its files."""
    folder = tmp_path / "store"
    with (
        Index(location) as index,
        Index(location) as other_index,
        Archive(index, folder, LAYOUT) as archive,
        ThreadPoolExecutor(1) as pool,
    ):
        assert store(archive, [arrived(archive, 1), arrived(archive, 2)]) == ["", ""]
        stored: list[Future[list[str]]] = []
        unlink = os.unlink

        def unlink_late(path: str, **more: Any) -> None:
            if not stored and str(path).startswith(f"{folder}/P1"):
                stored.append(
                    pool.submit(store, archive, [arrived(archive, 1, "Q"), arrived(archive, 2)])
                )
                # It has to wait for the removal; where it has not, it has come in between now.
                wait(stored, SHORT)
            unlink(path, **more)

        monkeypatch.setattr(os, "unlink", unlink_late)
        with other_index.removal(
            query("STUDY", StudyInstanceUID=str(instance(1, 1).StudyInstanceUID))
        ) as removal:
            removal.run(delete_below=str(folder))
        assert stored[0].result(LONG) == ["", ""]
        assert stored_data_sets(index, folder) == {
            uid_of(1): bytes_of(1, "Q"),
            uid_of(2): bytes_of(2, "P"),
        }


def test_process_has_its_disk_work_while_it_waits(tmp_path: Path) -> None:
    """It waits for its own files before its turn, and the other process's turn is over first."""
    waited = threading.Event()
    order: list[str] = []
    with (
        incoming.IncomingFolder(tmp_path, "one index") as first,
        incoming.IncomingFolder(tmp_path, "one index") as second,
        ThreadPoolExecutor(1) as pool,
    ):

        def take_turn() -> None:
            with second.placing(alone=True, meanwhile=waited.set):
                order.append("second")

        with first.placing(alone=True, meanwhile=lambda: order.append("waits")):
            taken = pool.submit(take_turn)
            assert waited.wait(LONG)
            order.append("first")
        taken.result(LONG)
    assert order == ["first", "second"]

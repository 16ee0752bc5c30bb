"""An instance whose place another one of its UID takes: it is lost only to one that is stored."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydicom import Dataset

from dicomquest.index import Index
from dicomquest.scu.outgoing import encoded
from dicomquest.store.archive import Archive, Arrival
from dicomquest.store.incoming import KEPT
from fixtures.archives import LAYOUT, UID, arrival_of, die, fail, store
from fixtures.building import query
from fixtures.faces import EXPLICIT
from fixtures.storing import instance, stored_data_sets
from fixtures.timing import LONG

FAILED = "the index failed"


@pytest.fixture
def index(location: str) -> Iterator[Index]:
    with Index(location) as opened:
        yield opened


def version_of(version: int) -> Dataset:
    """A version of the instance, of its own size; all versions have one place."""
    return instance(1, 1, pixels=64 * version)


def bytes_of(version: int) -> bytes:
    return encoded(version_of(version), EXPLICIT)


def arrived(archive: Archive, version: int) -> Arrival:
    return arrival_of(archive, version_of(version))


def stored(index: Index, folder: Path) -> dict[str, bytes]:
    """The stored data sets by UID; nothing else is left in the folder."""
    assert [path.name for path in (folder / ".dicomquest").rglob("*") if path.suffix] == []
    return stored_data_sets(index, folder)


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a file system on which a file has one name."""

    def link(_path: str, _to: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no links":
        refuse_links(monkeypatch)


@pytest.mark.usefixtures("file_system")
def test_commit_that_fails_leaves_earlier_file(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store"
    with Archive(index, folder, LAYOUT) as archive:
        assert store(archive, [arrived(archive, 1)]) == [""]
        with monkeypatch.context() as patch:
            fail(index, patch, lambda number: True)
            assert store(archive, [arrived(archive, 2)]) == [FAILED]
            assert stored(index, folder) == {UID: bytes_of(1)}
            assert store(archive, [arrived(archive, 3), arrived(archive, 4)]) == [FAILED, FAILED]
            assert stored(index, folder) == {UID: bytes_of(1)}
        assert store(archive, [arrived(archive, 5)]) == [""]
        assert stored(index, folder) == {UID: bytes_of(5)}


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "forgotten"])
@pytest.mark.parametrize(
    "failing", [set(each) for size in range(4) for each in combinations((2, 3, 4), size)], ids=str
)
def test_last_stored_of_a_batch_stays(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: set[int], is_known: bool
) -> None:
    """The batch is the first transaction, unless it fails: then each instance has one of its own.

    Also where the index has forgotten the file that is there, as one does that was made anew.
    """
    folder = tmp_path / "store"
    with Archive(index, folder, LAYOUT) as archive:
        first = arrived(archive, 1)
        assert store(archive, [first]) == [""]
        if not is_known:
            index.remove(query("IMAGE", SOPInstanceUID=UID))
        fail(index, monkeypatch, lambda number: number == 1 or number in failing)
        told = store(archive, [arrived(archive, version) for version in (2, 3, 4)])
    assert told == [FAILED if number in failing else "" for number in (2, 3, 4)]
    last = max({2, 3, 4} - failing, default=1)
    if is_known or last > 1:
        assert stored(index, folder) == {UID: bytes_of(last)}
    else:
        assert Path(first.path).read_bytes().endswith(bytes_of(1))


class _KilledError(BaseException):
    """The end of a process in the middle of a store."""


class Kill:
    """Ends a process before one of the system calls of a store; later calls do nothing."""

    CALLS = ("link", "replace", "unlink", "stat")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self._left = at
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._dying(getattr(os, name)))

    def _dying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left <= 0:
                raise _KilledError
            return call(*args, **more)

        return run

    @property
    def has_killed(self) -> bool:
        return self._left <= 0


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("commits", [True, False], ids=["commits", "fails"])
@pytest.mark.parametrize("at", range(1, 8))
def test_killed_process_leaves_one_version_whole(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, commits: bool
) -> None:
    """Before each system call in turn; the last ones of these are not reached."""
    folder = tmp_path / "store"
    archive = Archive(index, folder, LAYOUT)
    assert store(archive, [arrived(archive, 1)]) == [""]
    arrivals = [arrived(archive, 2)]
    told = None
    with monkeypatch.context() as patch:
        if not commits:
            fail(index, patch, lambda number: True)
        kill = Kill(patch, at)
        synced = archive.sync([each.incoming for each in arrivals])
        try:
            archive.store(arrivals, synced)
        except _KilledError:
            assert kill.has_killed
        else:
            told = arrivals[0].failure
    die(archive)
    with Archive(index, folder, LAYOUT) as second:
        second.recover()
    # Even what has failed is here still: who is killed discards nothing.
    assert stored(index, folder) == {UID: bytes_of(2)}
    if not kill.has_killed:
        assert commits == (told is None)


def fail_and_not_put_back(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store one version, then fail with a second, on a disk that refuses to put the first back."""
    replace = os.replace

    def failing(path: str, to: str) -> None:
        if path.endswith(KEPT):
            raise OSError(5, "Input/output error")
        replace(path, to)

    assert store(archive, [arrived(archive, 1)]) == [""]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        fail(archive.index, patch, lambda number: True)
        assert store(archive, [arrived(archive, 2)]) == [FAILED]


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("ends", [Archive.close, die])
def test_file_not_put_back_is_there_at_next_start(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: Callable[[Archive], None]
) -> None:
    """A file that the disk kept from being put back is there at the next start."""
    folder = tmp_path / "store"
    archive = Archive(index, folder, LAYOUT)
    fail_and_not_put_back(archive, monkeypatch)
    ends(archive)
    with Archive(index, folder, LAYOUT) as second:
        assert second.recover() == 1
        assert stored(index, folder) == {UID: bytes_of(1)}


def test_file_not_put_back_yields_to_later_one(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not put back in time yields to a later one."""
    folder = tmp_path / "store"
    with Archive(index, folder, LAYOUT) as archive:
        fail_and_not_put_back(archive, monkeypatch)
        assert store(archive, [arrived(archive, 3)]) == [""]
    with Archive(index, folder, LAYOUT) as second:
        assert second.recover() == 0
        assert stored(index, folder) == {UID: bytes_of(3)}


def test_instance_removed_meanwhile_is_not_put_back(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store"
    with Archive(index, folder, LAYOUT) as archive:
        first, second = arrived(archive, 1), arrived(archive, 2)
        assert store(archive, [first]) == [""]

        def remove_and_fail(number: int) -> bool:
            Path(first.path).unlink()
            return True

        fail(index, monkeypatch, remove_and_fail)
        assert store(archive, [second]) == [FAILED]
    assert not Path(first.path).exists()
    assert [path.name for path in (folder / ".dicomquest").iterdir()] == ["lock"]


def test_nobody_stores_while_file_is_put_back(
    index: Index, location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One archive is held while the place is empty; the other stores then, and loses nothing."""
    folder = tmp_path / "store"
    replace, flock = os.replace, fcntl.flock
    is_held, goes_on = threading.Event(), threading.Event()

    def replace_held(path: str, to: str) -> None:
        if path.endswith(KEPT):
            is_held.set()
            assert goes_on.wait(LONG)
        replace(path, to)

    def flock_told(descriptor: int, operation: int) -> None:
        if is_held.is_set():
            goes_on.set()
        flock(descriptor, operation)

    with Index(location) as other_index, ThreadPoolExecutor(2) as pool:
        with Archive(index, folder, LAYOUT) as one, Archive(other_index, folder, LAYOUT) as other:
            assert store(one, [arrived(one, 1)]) == [""]
            fail(index, monkeypatch, lambda number: True)
            monkeypatch.setattr(os, "replace", replace_held)
            failing = pool.submit(store, one, [arrived(one, 2)])
            assert is_held.wait(LONG)
            monkeypatch.setattr(fcntl, "flock", flock_told)
            storing = pool.submit(store, other, [arrived(other, 3)])
            storing.add_done_callback(lambda _: goes_on.set())
            assert failing.result(LONG) == [FAILED]
            assert storing.result(LONG) == [""]
        assert stored(other_index, folder) == {UID: bytes_of(3)}


def test_last_stored_is_there_after_random_failures(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After random failures of two archives the last stored instance is there."""
    folder = tmp_path / "store"
    rounds, last = 25, 4
    random, start = Random(1), threading.Barrier(last, timeout=LONG)
    fail(index, monkeypatch, lambda number: number > 1 and random.random() < 0.5)
    with Archive(index, folder, LAYOUT) as one, Archive(index, folder, LAYOUT) as other:
        assert store(one, [arrived(one, 1)]) == [""]

        def send(thread: int) -> set[int]:
            """Send versions of this thread's own, some two at a time; those that were stored."""
            archive = (one, other)[thread % 2]
            told: dict[int, str] = {}
            start.wait(LONG)
            for number in range(rounds):
                sent = [2 + last * (2 * number + each) + thread for each in range(1 + number % 2)]
                told |= dict(
                    zip(
                        sent, store(archive, [arrived(archive, each) for each in sent]), strict=True
                    )
                )
            assert set(told.values()) == {"", FAILED}
            return {version for version, failure in told.items() if not failure}

        with ThreadPoolExecutor(last) as pool:
            versions = {1}.union(*pool.map(send, range(last)))
        assert stored(index, folder)[UID] in map(bytes_of, versions)

"""The database is locked, damaged, full, away, or the clock is set: no wrong answer, and back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.index import Index
from dicomquest.standard.levels import Level
from fixtures.fault_load import IS_LONG, FaultLoad, check, fill
from fixtures.postgresql_cluster import DURABLE, PROGRAMS, Cluster
from fixtures.senders import indexed
from fixtures.serving import serving
from fixtures.storing import instance, storing, write
from fixtures.timing import LONG
from nodes.served import node
from peers import ours
from peers.ours import COMMAND

SHIFTED = """
import runpy, sys, time
from pathlib import Path
shift, now = Path(sys.argv.pop(1)), time.time
time.time = lambda: now() + float(shift.read_text())
runpy.run_module("dicomquest", run_name="__main__", alter_sys=True)
"""
"""The program with a clock that a file sets."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder],
        check=False,
        capture_output=True,
        timeout=6 * LONG,
    )
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=6 * LONG)


@contextlib.contextmanager
def full(disk: Path, leaving: int = 0) -> Iterator[None]:
    """Fill a disk up to so many bytes, until the end of the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
        file.truncate(file.tell() - leaving)
    try:
        yield
    finally:
        filler.unlink()


def test_locked_index_delays_stores_alone(tmp_path: Path) -> None:
    fill(tmp_path / "index.sqlite")
    with storing(tmp_path) as store:
        with FaultLoad(store.peer.port, askers=1, senders=2) as tally:
            tally.wait_for_more("stored")
            with contextlib.closing(sqlite3.connect(store.index, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                tally.wait_for_more("found", 20)
            tally.wait_for_more("stored", 20)
        assert tally.outcomes.keys() == {"found", "stored"}
        check(store, tally)


def test_full_disk_refuses_stores_alone(disk: Path) -> None:
    """A700 while the disk is full; finds go on; stores go on when there is room."""
    fill(disk / "index.sqlite")
    with storing(disk) as store:
        with FaultLoad(store.peer.port, askers=1, senders=2) as tally:
            for _ in range(2):
                tally.wait_for_more("stored")
                with full(disk):
                    tally.wait_for_more("store A700", 5)
                    tally.wait_for_more("found", 20)
            tally.wait_for_more("stored", 20)
        assert tally.outcomes.keys() == {"found", "stored", "store A700"}
        check(store, tally)


def test_index_on_a_full_disk_goes_on_later(tmp_path: Path, disk: Path) -> None:
    write(tmp_path / "files", [instance(1, number) for number in range(60)])
    path = disk / "index.sqlite"
    fill(path)
    for leaving in (0, 70_000):
        with full(disk, leaving):
            done = ours.run("index", "-q", "--index", str(path), str(tmp_path / "files"))
        assert done.status == 1
        assert "disk is full" in done.err
        assert "Traceback" not in done.err
    ours.index(path, tmp_path / "files")
    with Index(path) as index:
        assert index.counts()[Level.IMAGE] == 100
        assert index.check().examples == []


def test_damaged_index_gives_no_wrong_answer(tmp_path: Path) -> None:
    """Refused or right; a good copy that is moved to its place is answered from."""
    path = tmp_path / "index.sqlite"
    fill(path)
    good = Path(shutil.copy(path, tmp_path / "good.sqlite"))
    with serving(path, tmp_path) as server:
        with FaultLoad(server.port) as tally:
            tally.wait_for_more("found")
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(bytes(path.stat().st_size - 4096))
            # Connections that are new read the damaged pages; those that are open have theirs.
            with FaultLoad(server.port, askers=6) as more:
                more.wait_for_more("find C002")
            assert ours.run("check", "--index", str(path)).status == 1
            good.rename(path)
            tally.wait_for_more("found", 20)
        assert tally.outcomes.keys() <= {"found", "find C002", "find A700"}
        assert more.outcomes.keys() <= {"found", "find C002", "find A700"}


def test_clock_that_is_set_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "index.sqlite")
    (tmp_path / "shifted.py").write_text(SHIFTED)
    shift = tmp_path / "shift"
    shift.write_text("0")
    program = [sys.executable, "-W", "error", str(tmp_path / "shifted.py"), str(shift)]
    options = ("--store", str(tmp_path / "store"))
    with (
        node(str(tmp_path / "index.sqlite"), tmp_path, *options, program=program) as peer,
        FaultLoad(peer.port, askers=1, senders=1) as tally,
    ):
        for seconds in (86_400, -86_400, 3600, -3600, 0):
            (tmp_path / "next").write_text(str(seconds))
            os.replace(tmp_path / "next", shift)  # noqa: PTH105
            tally.wait_for_more("found", 10)
            tally.wait_for_more("stored", 10)
    assert tally.outcomes.keys() == {"found", "stored"}
    assert tally.stored <= indexed(tmp_path / "index.sqlite")


@pytest.mark.skipif(not IS_LONG, reason="nodes/test_lost_database.py has a shorter form")
@pytest.mark.peer(*PROGRAMS)
def test_postgresql_may_go_and_come(tmp_path: Path) -> None:
    """Refused while it is away; nothing that was answered is lost; service again by itself."""
    cluster = Cluster(DURABLE)
    try:
        cluster.start()
        url = cluster.create_database("dicomquest")
        fill(url)
        with (
            node(url, tmp_path, "--store", str(tmp_path / "store"), program=COMMAND) as peer,
            FaultLoad(peer.port, askers=1, senders=1) as tally,
        ):
            for _ in range(2):
                tally.wait_for_more("found")
                tally.wait_for_more("stored")
                cluster.kill()
                tally.wait_for_more("find C002")
                tally.wait_for_more("store A700")
                cluster.start()
            tally.wait_for_more("found", 10)
            tally.wait_for_more("stored", 10)
        assert tally.outcomes.keys() <= {"found", "stored", "find C002", "store A700"}
        with Index(url, create=False) as index:
            known = {str(each.SOPInstanceUID) for each in index.find(level="IMAGE")}
        assert tally.stored <= known
    finally:
        cluster.stop()

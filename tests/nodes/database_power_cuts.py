"""After a power cut of two nodes and their PostgreSQL, each instance that was answered is found.

Not part of the suite because it mounts file systems: as root,
``pytest tests/nodes/database_power_cuts.py``.

One disk holds the instances and the database. At a cut the test stops all processes, copies the
disk, and lets them go on. Then it starts a database and a node on each copy.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomquest.index import Index
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Received
from fixtures.cut_disk import copy_disk, make_disk, mounted, stopped
from fixtures.postgresql_cluster import Cluster, children
from fixtures.senders import ASSOCIATIONS, Load, indexed
from fixtures.storing import data_set_bytes, instance, stored_files, storing, write
from fixtures.timing import LONG

pytestmark = pytest.mark.peer("postgres")

CUTS = 6
APART = 60
"""Instances that are answered by each node between two cuts."""
SENT = 600
"""Instances that each association would send without an end of the nodes."""
SIZE = 1 << 30
DURABLE = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on")


def sent_by(study: int, patients: str) -> list[Dataset]:
    return [
        instance(study, each, patient=patients[study % len(patients)], pixels=512 + 2 * each)
        for each in range(SENT)
    ]


def cluster_on(disk: Path) -> Cluster:
    """The server whose data are on a disk, made by the first call for it."""
    cluster = Cluster(DURABLE)
    cluster.data = disk / "database" / "data"
    if not cluster.data.parent.exists():
        cluster.data.parent.mkdir()
        owner = cluster.folder.stat()
        shutil.chown(cluster.data.parent, owner.st_uid, owner.st_gid)
    return cluster.start()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    make_disk(tmp_path / "disk", SIZE)
    # The database's user may not enter the folders of pytest.
    at = Path(tempfile.mkdtemp(prefix="dq-disk-"))
    at.chmod(0o755)
    try:
        yield at
    finally:
        at.rmdir()


@pytest.mark.parametrize("patients", ["abcdefgh", "P"], ids=["own patients", "one patient"])
def test_answered_store_survives_power_cut(tmp_path: Path, disk: Path, patients: str) -> None:
    files = [
        write(tmp_path / f"sent{number}", sent_by(number, patients))
        for number in range(2 * ASSOCIATIONS)
    ]
    cuts: dict[Path, set[Path]] = {}
    with mounted(tmp_path / "disk", disk):
        store_and_cut(tmp_path, disk, files, cuts)
    for copy, answered in cuts.items():
        with mounted(copy, disk):
            start_after_a_cut(disk, answered)


def store_and_cut(
    tmp_path: Path, disk: Path, files: list[list[Path]], cuts: dict[Path, set[Path]]
) -> None:
    """Store by two nodes; each copy of the disk gets the files that were answered by then."""
    cluster = cluster_on(disk)
    try:
        url = cluster.create_database("cut")
        with (
            storing(disk, "--index", url) as one,
            storing(disk, "--index", url) as other,
        ):
            # A new cluster is not on disk yet.
            cluster.query("CHECKPOINT")
            subprocess.run(["sync", "--file-system", disk], check=True, timeout=6 * LONG)
            loads = Load(one, files[:ASSOCIATIONS]), Load(other, files[ASSOCIATIONS:])

            def processes() -> list[int]:
                found = [one.process.pid, other.process.pid, cluster.pid]
                return found + children(cluster.pid)

            for cut in range(CUTS):
                for load in loads:
                    load.wait_for((cut + 1) * APART)
                with stopped(processes):
                    copy = tmp_path / f"cut{cut}"
                    cuts[copy] = {path for load in loads for path in load.stored}
                    copy_disk(tmp_path / "disk", copy)
            one.kill()
            other.kill()
            for load in loads:
                load.join()
    finally:
        cluster.stop()


def start_after_a_cut(disk: Path, answered: set[Path]) -> None:
    """Start database and node on a copy of the disk, and look for all that was answered."""
    assert answered
    cluster = cluster_on(disk)
    try:
        url = cluster.url("cut")
        # The commits are on disk, so no entry depends on the recovery of its file.
        assert {str(dcmread(path).SOPInstanceUID) for path in answered} <= indexed(url)
        with storing(disk, "--index", url) as node:
            on_disk = stored_files(node.folder)
            for path in answered:
                stored = on_disk[str(dcmread(path).SOPInstanceUID)]
                assert data_set_bytes(stored) == data_set_bytes(path)
            for stored in on_disk.values():
                assert isinstance(read_file(str(stored), 0), Received)
        with Index(url) as index:
            assert index.check_files().examples == []
            assert index.check().examples == []
    finally:
        cluster.stop()

"""After a power cut, the next start finds each instance that the server had answered.

Not part of the suite because it mounts file systems: as root, ``pytest tests/aio/power_cuts.py``.

At a cut the test stops the server, copies its disk, and lets the server go on. Then it starts a
server on each copy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomquest.index import Index
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Received
from fixtures.cut_disk import copy_disk, make_disk, mounted, stopped
from fixtures.senders import ASSOCIATIONS, Load, indexed
from fixtures.storing import data_set_bytes, instance, stored_files, storing, write

CUTS = 8
APART = 50
"""Instances that are answered between two cuts."""
SENT = 600
"""Instances that each association would send without an end of the server."""
SIZE = 128 << 20


def sent_by(number: int, duplicates: int, patients: str) -> list[Dataset]:
    """The instances of one association, each of its own size, over and over."""
    return [
        instance(
            number,
            each % duplicates,
            patient=patients[each // duplicates % len(patients)],
            pixels=512 + 2 * each,
        )
        for each in range(SENT)
    ]


def allowed_versions(
    files: Sequence[Sequence[Path]], answered: Collection[Path]
) -> dict[str, list[Path]]:
    """For each instance the version that was answered last, and those sent later."""
    allowed: dict[str, list[Path]] = {}
    for path in [path for paths in files for path in paths]:
        uid = str(dcmread(path).SOPInstanceUID)
        if path in answered:
            allowed[uid] = [path]
        elif uid in allowed:
            allowed[uid].append(path)
    return allowed


def start_after_a_cut(disk: Path, allowed: dict[str, list[Path]]) -> int:
    """Start a server on a disk; return the number of instances that it recovered."""
    before = indexed(disk / "index.sqlite")
    with storing(disk) as store:
        known, on_disk = indexed(store.index), stored_files(store.folder)
    assert allowed.keys() <= known == on_disk.keys()
    for path in on_disk.values():
        assert isinstance(read_file(str(path), 0), Received)
    for uid, versions in allowed.items():
        assert data_set_bytes(on_disk[uid]) in map(data_set_bytes, versions)
    with Index(store.index) as index:
        assert index.check_files().examples == []
        assert index.check().examples == []
    assert [path.name for path in (store.folder / ".dicomquest").iterdir()] == ["lock"]
    return len(known - before)


@pytest.mark.parametrize(
    ("duplicates", "patients"),
    [(SENT, "P"), (10, "P"), (10, "PQ")],
    ids=["new", "replaced", "moved"],
)
def test_answered_store_survives_power_cut(tmp_path: Path, duplicates: int, patients: str) -> None:
    image = tmp_path / "disk"
    make_disk(image, SIZE)
    files = [
        write(tmp_path / f"sent{number}", sent_by(number, duplicates, patients))
        for number in range(ASSOCIATIONS)
    ]
    cuts: dict[Path, set[Path]] = {}
    with mounted(image, tmp_path / "mounted") as disk, storing(disk) as store:
        load = Load(store, files)
        for cut in range(CUTS):
            load.wait_for((cut + 1) * APART)
            with stopped(lambda: [store.process.pid]):
                cuts[tmp_path / f"cut{cut}"] = set(load.stored)
                copy_disk(image, tmp_path / f"cut{cut}")
        store.kill()
        load.join()
    taken_up = 0
    for copy, answered in cuts.items():
        with mounted(copy, tmp_path / "mounted") as disk:
            taken_up += start_after_a_cut(disk, allowed_versions(files, answered))
    # With nothing to recover, no cut came in the middle of a store.
    assert taken_up

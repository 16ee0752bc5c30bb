"""A killed server keeps what it answered with 0000, and its index has only whole files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomquest.index import Index
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Received
from fixtures.senders import ASSOCIATIONS, Load, indexed
from fixtures.storing import data_set_bytes, instance, stored_files, storing, write

KILLS = int(os.environ.get("DICOMQUEST_KILLS", "3"))
ENOUGH = 12
"""Instances that are answered before the kill, which comes in the middle of the next ones."""


def made_for(kill: int, number: int) -> list[Dataset]:
    """The instances of one association; the first one sends the same ones again in each round."""
    if number == 0:
        return [instance(0, each, pixels=512 + 2 * kill) for each in range(1, 201)]
    return [instance(kill * ASSOCIATIONS + number, each) for each in range(1, 201)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_answered_stores_are_kept(tmp_path: Path, workers: str) -> None:
    # For each instance the version that was answered last, and those sent later without an answer.
    sent: dict[str, list[Path]] = {}
    answered: set[str] = set()
    for kill in range(KILLS):
        files = [
            write(tmp_path / f"sent{kill}-{number}", made_for(kill, number))
            for number in range(ASSOCIATIONS)
        ]
        with storing(tmp_path, "--workers", workers) as store:
            load = Load(store, files)
            load.wait_for(ENOUGH + 7 * kill % 30)
            store.kill()
            load.join()
        for path in [path for paths in files for path in paths]:
            uid = str(dcmread(path).SOPInstanceUID)
            before = [] if path in load.stored else sent.get(uid, [])
            sent[uid] = [*before, path]
            answered |= {uid} if path in load.stored else set()
        on_disk, known = stored_files(store.folder), indexed(store.index)
        assert answered <= on_disk.keys()
        assert answered <= known
        # The index has only files that are there and whole, answered or not.
        assert known <= on_disk.keys()
        for uid, path in on_disk.items():
            assert isinstance(read_file(str(path), 0), Received)
            assert data_set_bytes(path) in map(data_set_bytes, sent[uid])
    # The next start adds the whole leftovers, and leaves nothing unfinished.
    with storing(tmp_path) as store:
        assert indexed(store.index) == stored_files(store.folder).keys() >= answered
    with Index(store.index) as index:
        assert index.check_files().examples == []
    assert [path.name for path in (store.folder / ".dicomquest").iterdir()] == ["lock"]

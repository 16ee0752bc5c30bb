"""A server that is killed while it receives: what it answered with 0000 is kept, and only what is whole is found."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomquest import AE
from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Received
from fixtures.building import query
from fixtures.storing import Store, data_set_bytes, instance, stored_files, storing, write

KILLS = int(os.environ.get("DICOMQUEST_KILLS", "3"))
ASSOCIATIONS = 4
ENOUGH = 12
"""Instances that are answered before the server is killed, in the middle of the next ones."""


class Load:
    """Associations that send until the server is gone; what was answered with 0000."""

    def __init__(self, store: Store, files: Sequence[list[Path]]) -> None:
        self.stored: list[Path] = []
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._send, args=(store, paths)) for paths in files
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, store: Store, paths: list[Path]) -> None:
        ae = AE()
        ae.add_requested_context(str(dcmread(paths[0]).SOPClassUID), "1.2.840.10008.1.2.1")
        association = ae.associate(store.peer.host, store.peer.port)
        for path in paths:
            if not association.is_established:
                break
            status = association.send_c_store(path)
            if "Status" in status:
                assert status.Status == 0, store.log
                with self._changed:
                    self.stored.append(path)
                    self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.stored) >= count, 60)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def indexed(location: Path) -> set[str]:
    with Index(location, create=False) as index:
        found: list[DataSet] = index.find_data_sets(query("IMAGE", SOPInstanceUID=""))
    return {str(each[0x00080018].values[0]) for each in found}


def made_for(kill: int, number: int) -> list[Dataset]:
    """What an association sends: the first one's instances come again each time, with other pixels."""
    if number == 0:
        return [instance(0, each, pixels=512 + 2 * kill) for each in range(1, 201)]
    return [instance(kill * ASSOCIATIONS + number, each) for each in range(1, 201)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_answered_stores_are_kept(tmp_path: Path, workers: str) -> None:
    # Of each instance the version that was answered last, and those that were sent after it without an answer.
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
        # What is found is there, whole, whether it was answered or not.
        assert known <= on_disk.keys()
        for uid, path in on_disk.items():
            assert isinstance(read_file(str(path), 0), Received)
            assert data_set_bytes(path) in map(data_set_bytes, sent[uid])
    # The next start takes over what was whole, and leaves nothing unfinished.
    with storing(tmp_path) as store:
        assert indexed(store.index) == stored_files(store.folder).keys() >= answered
    with Index(store.index) as index:
        assert index.check_files().examples == []
    assert [path.name for path in (store.folder / ".dicomquest").iterdir()] == ["lock"]

"""A server that is killed while it receives: what it answered with 0000 is kept, and only what is whole is found."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import dcmread

from building import query
from dicomquest import AE
from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.index.reader import read_file
from dicomquest.index.received import Received
from storing import Store, data_set_bytes, instance, stored_files, storing, write

KILLS = int(os.environ.get("DICOMQUEST_KILLS", "3"))
ASSOCIATIONS = 4
ENOUGH = 12
"""Instances that are answered before the server is killed, in the middle of the next ones."""


class Load:
    """Associations that send until the server is gone; what was answered with 0000."""

    def __init__(self, store: Store, files: Sequence[list[Path]]) -> None:
        self.stored: list[Path] = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._send, args=(store, paths)) for paths in files]
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


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_answered_is_kept(tmp_path: Path, workers: str) -> None:
    answered: dict[str, Path] = {}
    for kill in range(KILLS):
        files = [
            write(
                tmp_path / f"sent{kill}-{number}",
                [instance(kill * ASSOCIATIONS + number, each) for each in range(1, 201)],
            )
            for number in range(ASSOCIATIONS)
        ]
        with storing(tmp_path, "--workers", workers) as store:
            load = Load(store, files)
            load.wait_for(ENOUGH + 7 * kill % 30)
            store.kill()
            load.join()
        answered |= {str(dcmread(path).SOPInstanceUID): path for path in load.stored}
        on_disk, known = stored_files(store.folder), indexed(store.index)
        assert answered.keys() <= on_disk.keys()
        assert answered.keys() <= known
        # What is found is there, whole, whether it was answered or not.
        assert known <= on_disk.keys()
        for path in on_disk.values():
            assert isinstance(read_file(str(path), 0), Received)
        for uid, path in answered.items():
            assert data_set_bytes(on_disk[uid]) == data_set_bytes(path)
    # The next start takes over what was whole, and leaves nothing unfinished.
    with storing(tmp_path) as store:
        assert indexed(store.index) == stored_files(store.folder).keys() >= answered.keys()
    assert [path.name for path in (store.folder / ".dicomquest").iterdir()] == ["lock"]

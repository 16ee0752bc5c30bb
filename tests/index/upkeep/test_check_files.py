"""The files of folders, compared with the index."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dicomquest.index.upkeep.check_files import FileTrouble
from fixtures.indexed_folder import INSTANCES

if TYPE_CHECKING:
    from dicomquest.index import Index


def test_files_are_compared_with_what_was_read(index: Index, folder: Path) -> None:
    index.ingest([folder])
    assert (index.check_files().checked, index.check_files().differences) == (INSTANCES, 0)
    (folder / "deep" / "instance000").unlink()
    os.utime(folder / "deep" / "instance001", ns=(0, 0))
    report = index.check_files()
    assert [(Path(path).name, trouble) for path, trouble, _ in report.examples] == [
        ("instance000", FileTrouble.GONE),
        ("instance001", FileTrouble.CHANGED),
    ]
    assert report.differences == 2


def test_pending_commit_is_no_difference(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a server is about to commit is no difference."""
    index.ingest([folder])
    path = folder / "deep" / "instance000"
    path.write_bytes(path.read_bytes() + bytes(2))

    def commit(_seconds: float) -> None:
        index.ingest([folder])

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", commit)
        assert index.check_files().differences == 0
    path.unlink()
    assert index.check_files().differences == 1

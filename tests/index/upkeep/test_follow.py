"""Notices of changed files, taken into the index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.indexed_folder import INSTANCES, NOW, instances
from peers import corpus

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.index import Index


def test_notices_are_followed(index: Index, folder: Path) -> None:
    follower = index.follow([folder])
    assert follower.look(NOW).indexed == INSTANCES
    deep = folder / "deep"
    # A renamed folder has one notice for each of its names.
    deep.rename(folder / "new")
    step = follower.take({str(folder / "new")}, {str(deep)}, NOW)
    assert (step.replaced, step.gone, step.removed) == (INSTANCES, INSTANCES, 0)
    (folder / "new" / "instance000").unlink()
    assert follower.take(set(), {str(folder / "new" / "instance000")}, NOW).removed == 1
    # Deleted, and there again.
    assert follower.take(set(), {str(folder / "new" / "instance001")}, NOW).removed == 0
    # The follower does not enter a link to a folder.
    outside = folder.parent / "outside"
    outside.mkdir()
    corpus.write(outside)
    (folder / "link").symlink_to(outside)
    assert not follower.take({str(folder / "link")}, set(), NOW)
    assert instances(index) == INSTANCES - 1
    assert follower.total.indexed == INSTANCES


def test_unfinished_store_is_not_read(index: Index, folder: Path) -> None:
    """A file that a Storage SCP has not stored yet is not read: it may still be refused."""
    follower = index.follow([folder])
    follower.begin()
    part = folder / ".dicomquest" / "0a1b" / "1.part"
    part.parent.mkdir(parents=True)
    (folder / "deep" / "instance000").rename(part)
    follower.look(NOW)
    follower.take({str(part), str(part.parent), str(folder / ".dicomquest")}, set(), NOW)
    assert index.ingest([part, part.parent]).files == 0
    assert instances(index) == INSTANCES - 1


def test_notices_of_vanished_root_are_not_believed(index: Index, folder: Path) -> None:
    """No notice about a folder that is gone as a whole is believed."""
    follower = index.follow([folder])
    assert follower.begin() == [str(folder)]
    follower.look(NOW)
    folder.rename(folder.parent / "away")
    assert follower.is_in_doubt()
    step = follower.take(set(), {str(folder), str(folder / "deep" / "instance000")}, NOW)
    assert step.refused == {str(folder): "it is not there"}
    assert follower.begin() == []
    assert follower.look(NOW).refused == {str(folder): "it is not there"}
    assert not follower.is_in_doubt()
    assert instances(index) == INSTANCES
    (folder.parent / "away").rename(folder)
    assert follower.is_in_doubt()
    assert follower.begin() == [str(folder)]
    assert not follower.look(NOW)
    assert not follower.is_in_doubt()


@pytest.mark.parametrize("before", ["missing", "another one"])
def test_folder_that_comes_before_look_is_in_doubt(index: Index, folder: Path, before: str) -> None:
    """A folder that comes between begin and look is in doubt: it has given no notices."""
    follower = index.follow([folder])
    folder.rename(folder.parent / "away")
    if before == "another one":
        folder.mkdir()
    follower.begin()
    if before == "another one":
        folder.rmdir()
    (folder.parent / "away").rename(folder)
    follower.look(NOW)
    assert follower.is_in_doubt()


def test_folder_opened_later_is_read_and_in_doubt(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that can be entered later is read, and in doubt until watched anew."""
    scandir = os.scandir

    def closed(path: str) -> object:
        if path == str(folder / "deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    follower = index.follow([folder])
    follower.begin()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", closed)
        assert follower.look(NOW).skipped == 1
        for late in range(1, 20):
            follower.retry(NOW + 1000 * late)
        assert not follower.is_in_doubt()
    assert follower.retry(NOW + 1e5).indexed == INSTANCES
    assert follower.is_in_doubt()
    follower.begin()
    assert not follower.is_in_doubt()


def test_file_that_cannot_be_looked_at_is_retried(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be looked at is tried again."""
    path = str(folder / "deep" / "instance000")
    follower = index.follow([folder])
    follower.begin()
    with monkeypatch.context() as patch:
        for name in ("stat", "lstat"):
            patch.setattr(os, name, _closed(getattr(os, name), path))
        assert follower.take({path}, set(), NOW).skipped == 1
    assert follower.retry(NOW + 2).indexed == 1


def _closed(call: Callable[..., os.stat_result], closed: str) -> Callable[..., os.stat_result]:
    def run(path: str, **more: bool) -> os.stat_result:
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return call(path, **more)

    return run


def test_file_that_is_being_written_is_tried_again(index: Index, folder: Path) -> None:
    follower = index.follow([folder])
    path = folder / "growing"
    whole = (folder / "deep" / "instance000").read_bytes()
    (folder / "deep" / "instance000").unlink()
    path.write_bytes(whole[:-9])
    now = path.stat().st_mtime + 1
    assert follower.look(now).skipped == 1
    assert follower.waiting == 1
    assert not follower.retry(now)
    path.write_bytes(whole)
    assert follower.retry(now + 2).indexed == 1
    assert follower.waiting == 0
    # The follower gives up a file that does not change.
    path.write_bytes(whole[:-9])
    now = path.stat().st_mtime
    follower.take({str(path)}, set(), now)
    tries = 0
    while follower.waiting:
        now += 1000
        follower.retry(now)
        tries += 1
    assert 1 <= tries <= 12
    assert instances(index) == INSTANCES

"""Files that are gone leave the index; files that may only be unmounted do not."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dicomquest.index.upkeep.check_files import FileTrouble
from dicomquest.standard.levels import Level
from fixtures.building import query
from fixtures.storing import instance, write
from peers import corpus

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.index import Index

INSTANCES = len(corpus.instances())
NOW = 4e9
"""A time long after all files were written: no file is young."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "files"
    (found / "deep").mkdir(parents=True)
    corpus.write(found / "deep")
    return found


def instances(index: Index) -> int:
    assert index.check().examples == []
    return index.counts()[Level.IMAGE]


def test_gone_files_leave_moved_files_stay(index: Index, folder: Path) -> None:
    """Vanished files leave the index, and moved files stay."""
    index.ingest([folder])
    (folder / "deep" / "instance000").rename(folder / "moved")
    (folder / "deep" / "instance001").unlink()
    shutil.copy(folder / "deep" / "instance002", folder / "copy")
    index.ingest([folder])
    (folder / "deep" / "instance002").unlink()
    pruned = index.prune([folder])
    assert (pruned.gone, pruned.entities[Level.IMAGE], pruned.refused) == (3, 1, {})
    assert instances(index) == INSTANCES - 1
    assert index.prune([folder]).gone == 0


def names(index: Index) -> set[str]:
    return {
        str(found[0x00100010].values[0])
        for found in index.find_data_sets(query("IMAGE", PatientName=""))
    }


@pytest.mark.parametrize("stays", ["first", "second"])
def test_instance_is_what_file_that_stays_says(index: Index, tmp_path: Path, stays: str) -> None:
    folder = tmp_path / "files"
    for patient in ("first", "second"):
        made = instance(1, 1)
        made.PatientName = patient
        write(folder / patient, [made])
    index.ingest([folder])
    assert names(index) == {"second"}
    shutil.rmtree(folder / ("second" if stays == "first" else "first"))
    index.prune([folder])
    assert names(index) == {stays}
    assert index.check_files().examples == []
    assert index.ingest([folder]).unchanged == 1


def test_only_what_is_below_path_is_pruned(index: Index, folder: Path) -> None:
    other = folder.parent / "files0"
    other.mkdir()
    shutil.copy(folder / "deep" / "instance000", other / "a")
    index.ingest([folder, other])
    for path in (other / "a", folder / "deep" / "instance000", folder / "deep" / "instance001"):
        path.unlink()
    assert index.prune([folder]).gone == 2
    assert instances(index) == INSTANCES - 1


def test_folder_that_may_be_unmounted_is_not_pruned(index: Index, folder: Path) -> None:
    index.ingest([folder])
    folder.rename(folder.parent / "away")
    assert list(index.prune([folder]).refused.values()) == ["it is not there"]
    (folder / "deep").mkdir(parents=True)
    assert list(index.prune([folder]).refused.values()) == ["there is no file in it"]
    # Of two paths, one within the other, the inner one decides for itself.
    (folder / "another").write_text("not empty")
    assert list(index.prune([folder.parent, folder / "deep"]).refused) == [str(folder / "deep")]
    assert instances(index) == INSTANCES
    assert index.prune([folder / "deep"], even_empty=True).gone == INSTANCES
    assert list(index.counts().values()) == [0, 0, 0, 0]


def test_file_with_new_instance_replaces_old(index: Index, folder: Path) -> None:
    """A file that has another instance now replaces the former one."""
    index.ingest([folder])
    shutil.copy(folder / "deep" / "instance000", folder / "deep" / "instance001")
    summary = index.ingest([folder])
    assert (summary.replaced, summary.removed) == (1, 1)
    assert instances(index) == INSTANCES - 1


def test_file_no_longer_readable_changes_nothing(index: Index, folder: Path) -> None:
    """A file that cannot be read any more changes nothing."""
    index.ingest([folder])
    (folder / "deep" / "instance000").write_bytes(b"")
    index.ingest([folder])
    assert index.prune([folder]).gone == 0
    assert instances(index) == INSTANCES


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

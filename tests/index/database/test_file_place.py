"""An index file that is removed or replaced while it is open is noticed, and nothing is mixed."""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

import pytest

from dicomquest.errors import MissingIndexError
from dicomquest.index import Index
from dicomquest.standard.levels import Level
from fixtures.building import instance, query


def make(path: Path, count: int, study: int) -> Path:
    """Make an index with so many instances of one study."""
    with Index(path) as index:
        index.ingest_data_sets(instance(number, study=study) for number in range(count))
    return path


def uids(index: Index) -> set[str]:
    found = index.find(level="IMAGE", SOPInstanceUID="")
    return {str(answer.SOPInstanceUID) for answer in found}


def of_study(study: int, count: int) -> set[str]:
    return {f"1.2.{study}.1.{number}" for number in range(count)}


def test_removed_file_is_missed(tmp_path: Path) -> None:
    """No empty index appears in its place; one that is made there is opened."""
    path = make(tmp_path / "index.sqlite", 3, study=1)
    with Index(path) as index:
        assert uids(index) == of_study(1, 3)
        path.unlink()
        for _ in range(2):
            with pytest.raises(MissingIndexError, match="is gone"):
                index.counts()
            with pytest.raises(MissingIndexError):
                index.ingest_data_sets([instance(9)])
            with pytest.raises(MissingIndexError), index.search(query("STUDY", StudyDate="")):
                pass
            assert not index.renew()
            assert list(tmp_path.iterdir()) == []
        make(path, 2, study=2)
        assert index.renew()
        assert uids(index) == of_study(2, 2)
        assert index.check().examples == []
        assert not index.renew()


@pytest.mark.parametrize("is_read", [False, True])
def test_replaced_file_is_read_without_old_log(tmp_path: Path, is_read: bool) -> None:
    """Commits of the old index stay its own, also while a query reads it to its end."""
    path, old = tmp_path / "index.sqlite", tmp_path / "old.sqlite"
    make(path, 1, study=1)
    other = make(tmp_path / "other.sqlite", 500, study=2)
    with Index(path) as index:
        index.ingest_data_sets(instance(number, study=1) for number in range(300))
        assert (tmp_path / "index.sqlite-wal").stat().st_size > 0
        running = index.find(level="IMAGE", SOPInstanceUID="") if is_read else iter(())
        first = list(islice(running, 1))
        path.rename(old)
        other.rename(path)
        with pytest.raises(MissingIndexError, match="was replaced"):
            index.counts()
        assert index.renew()
        assert uids(index) == of_study(2, 500)
        assert index.check().examples == []
        index.ingest_data_sets([instance(0, study=3)])
        found = {str(answer.SOPInstanceUID) for answer in [*first, *running]}
        assert found == (of_study(1, 300) if is_read else set())
    aside = tmp_path / "index.sqlite-wal-of-replaced"
    assert aside.exists() is is_read
    if is_read:
        aside.rename(tmp_path / "old.sqlite-wal")
    with Index(old) as index:
        assert uids(index) == of_study(1, 300)
    with Index(path) as index:
        assert uids(index) == of_study(2, 500) | of_study(3, 1)


def test_commit_to_a_replaced_file_is_no_success(tmp_path: Path) -> None:
    path = make(tmp_path / "index.sqlite", 1, study=1)
    with Index(path) as index:
        with pytest.raises(MissingIndexError, match="is gone"), index.receiving(()):
            path.unlink()
        assert not path.exists()


def test_half_a_copy_is_refused_until_it_is_whole(tmp_path: Path) -> None:
    path = make(tmp_path / "index.sqlite", 1, study=1)
    whole = make(tmp_path / "other.sqlite", 500, study=2).read_bytes()
    with Index(path) as index:
        path.unlink()
        for part in (b"", whole[:5000], whole[: len(whole) // 2]):
            with path.open("wb") as copy:
                copy.write(part)
            assert not index.renew()
            with pytest.raises(MissingIndexError):
                index.counts()
        path.write_bytes(whole)
        assert index.renew()
        assert index.counts()[Level.IMAGE] == 500


def test_two_that_follow_keep_the_new_log(tmp_path: Path) -> None:
    """The second one does not take away what the first one has written since."""
    path = make(tmp_path / "index.sqlite", 5, study=1)
    copy = shutil.copy(path, tmp_path / "copy.sqlite")
    with Index(path) as first, Index(path) as second:
        first.ingest_data_sets([instance(8, study=1)])
        assert len(uids(second)) == 6
        os.replace(copy, path)  # noqa: PTH105
        assert first.renew()
        first.ingest_data_sets([instance(7, study=2)])
        assert second.renew()
        assert uids(first) == uids(second) == of_study(1, 5) | {"1.2.2.1.7"}
    with Index(path) as index:
        assert len(uids(index)) == 6

"""Files that are gone leave the index; files that may only be unmounted do not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dicomquest.standard.levels import Level
from fixtures.building import query
from fixtures.indexed_folder import INSTANCES, instances
from fixtures.storing import instance, write

if TYPE_CHECKING:
    from dicomquest.index import Index


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

"""The folder and its index when commits fail, disks fail, and a power cut takes renames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.errors import StoreError
from dicomquest.index import Index
from dicomquest.scu.outgoing import encoded
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.archive import Archive
from fixtures.archives import LAYOUT, UID, arrived, die, fail, store
from fixtures.building import query
from fixtures.faces import EXPLICIT
from fixtures.storing import instance, stored_data_sets


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("keeps_first", [False, True])
def test_rename_that_power_cut_took_is_made_up_for(
    index: Index, tmp_path: Path, keeps_first: bool
) -> None:
    """Also where the first instance of a UID is kept: its only file is the leftover."""
    first = Archive(index, tmp_path / "store", LAYOUT, keeps_first=keeps_first)
    arrival = arrived(first, 1)
    temporary = arrival.incoming.path
    assert store(first, [arrival]) == [""]
    Path(arrival.path).rename(temporary)
    die(first)
    with Archive(index, tmp_path / "store", LAYOUT, keeps_first=keeps_first) as second:
        assert second.recover() == 1
    assert Path(arrival.path).is_file()
    assert index.counts()[Level.IMAGE] == 1


def test_unindexable_leftover_waits_for_next_start(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leftover that cannot be indexed is kept for the next start."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    arrived(first, 1).incoming.close()
    die(first)
    with monkeypatch.context() as patch, Archive(index, tmp_path / "store", LAYOUT) as second:
        fail(index, patch, lambda number: True)
        assert second.recover() == 0
    with Archive(index, tmp_path / "store", LAYOUT) as third:
        assert third.recover() == 1
    assert index.counts()[Level.IMAGE] == 1
    assert len(list((tmp_path / "store").rglob("*.dcm"))) == 1


def test_refusable_leftover_is_not_stored(index: Index, tmp_path: Path) -> None:
    """A leftover that would have been refused is not stored."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    left = arrived(first, 1)
    with Path(left.incoming.path).open("r+b") as file:
        file.truncate(Path(left.incoming.path).stat().st_size - 1)
    left.incoming.close()
    die(first)
    with Archive(index, tmp_path / "store", LAYOUT) as second:
        assert second.recover() == 0
    assert index.counts()[Level.IMAGE] == 0
    assert [path.name for path in (tmp_path / "store" / ".dicomquest").iterdir()] == ["lock"]


def test_leftover_in_other_vr_form_is_not_stored(index: Index, tmp_path: Path) -> None:
    """A leftover in the other form of VR is not stored."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    left = arrived(first, 1)
    path = Path(left.incoming.path)
    explicit, implicit = (
        encoded(instance(1, 1), each) for each in (EXPLICIT, IMPLICIT_VR_LITTLE_ENDIAN)
    )
    path.write_bytes(path.read_bytes().replace(explicit, implicit))
    left.incoming.close()
    die(first)
    with Archive(index, tmp_path / "store", LAYOUT) as second:
        assert second.recover() == 0
    assert index.counts()[Level.IMAGE] == 0


def test_leftover_yields_to_a_newer_instance(index: Index, tmp_path: Path) -> None:
    """A leftover yields to an instance that another process has stored since."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    left = arrived(first, 1, "LEFT")
    os.utime(left.incoming.path, (1, 1))
    left.incoming.close()
    with Archive(index, tmp_path / "store", LAYOUT) as second:
        assert store(second, [arrived(second, 1, "NEW")]) == [""]
    die(first)
    with Archive(index, tmp_path / "store", LAYOUT) as third:
        assert third.recover() == 0
    assert stored_data_sets(index, tmp_path / "store") == {
        UID: encoded(instance(1, 1, patient="NEW"), EXPLICIT)
    }


def keep_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no file removed, as if the process died before."""

    def unlink(_path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "unlink", unlink)


@pytest.mark.parametrize("patients", ["PQR", "RQP", "QRP"])
def test_last_written_file_of_instance_counts(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patients: str
) -> None:
    """After a power cut in a move, the file of an instance that was written last counts."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    with monkeypatch.context() as patch:
        keep_files(patch)
        for time, patient in enumerate(patients):
            arrival = arrived(first, 1, patient)
            os.utime(arrival.incoming.path, (time, time))
            assert store(first, [arrival]) == [""]
    die(first)
    with Index(tmp_path / "behind.sqlite") as behind:
        with Archive(behind, tmp_path / "store", LAYOUT) as second:
            second.recover()
        (found,) = behind.find_data_sets(query("IMAGE", PatientID=""))
    assert str(found[0x00100020].values[0]) == f"{patients[-1]}1"


def test_vanished_file_of_before_is_forgotten(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that vanished before the index could forget it is forgotten."""
    first = Archive(index, tmp_path / "store", LAYOUT)
    moved = arrived(first, 1)
    assert store(first, [moved]) == [""]
    with monkeypatch.context() as patch:
        keep_files(patch)
        assert store(first, [arrived(first, 1, "Q")]) == [""]
    Path(moved.path).unlink()
    die(first)
    with Archive(index, tmp_path / "store", LAYOUT) as second:
        second.recover()
    assert stored_data_sets(index, tmp_path / "store") == {
        UID: encoded(instance(1, 1, patient="Q"), EXPLICIT)
    }


def test_instances_of_failed_batch_are_stored_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(index, tmp_path / "store", LAYOUT) as archive:
        numbers = fail(index, monkeypatch, lambda number: number == 1)
        arrivals = [arrived(archive, number) for number in (1, 2, 3)]
        assert store(archive, arrivals) == ["", "", ""]
    assert len(numbers) == 4
    assert all(Path(each.path).is_file() for each in arrivals)
    assert index.counts()[Level.IMAGE] == 3


def test_failure_keeps_other_file_of_its_uid(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two of one UID and place, the first fails alone and the second is there."""
    with Archive(index, tmp_path / "store", LAYOUT) as archive:
        fail(index, monkeypatch, lambda number: number <= 2)
        one, other = arrived(archive, 1), arrived(archive, 1)
        assert store(archive, [one, other]) == ["the index failed", ""]
    assert Path(other.path).is_file()
    assert index.counts()[Level.IMAGE] == 1


def test_file_that_is_not_on_disk_is_not_stored(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are those that arrived with it: nothing is asked twice of a disk that fails."""
    with Archive(index, tmp_path / "store", LAYOUT) as archive:
        numbers = fail(index, monkeypatch, lambda number: False)
        arrivals = [arrived(archive, number) for number in (1, 2, 3)]
        bad, sync = arrivals[1].incoming.descriptor, os.fsync

        def fsync(descriptor: int) -> None:
            if descriptor == bad:
                raise OSError(5, "Input/output error")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        assert store(archive, arrivals) == ["not written: Input/output error"] * 3
    assert len(numbers) == 1
    assert list((tmp_path / "store").rglob("*.dcm")) == []
    assert index.counts()[Level.IMAGE] == 0


def test_duplicate_not_kept_leaves_the_first(index: Index, tmp_path: Path) -> None:
    """A duplicate that is not kept leaves the first as it is."""
    with Archive(index, tmp_path / "store", LAYOUT, keeps_first=True) as archive:
        one, other = arrived(archive, 1), arrived(archive, 1)
        assert store(archive, [one]) == [""]
        before = Path(one.path).stat()
        assert store(archive, [other]) == [""]
        assert os.path.samestat(Path(one.path).stat(), before)
        assert not other.path
    assert index.counts()[Level.IMAGE] == 1


def test_file_moved_away_and_back_is_there(index: Index, tmp_path: Path) -> None:
    """The file of a UID that one batch moves away and back is there."""
    with Archive(index, tmp_path / "store", LAYOUT) as archive:
        assert store(archive, [arrived(archive, 1)]) == [""]
        away, back = arrived(archive, 1, "Q"), arrived(archive, 1)
        assert store(archive, [away, back]) == ["", ""]
    assert stored_data_sets(index, tmp_path / "store") == {UID: encoded(instance(1, 1), EXPLICIT)}


def test_file_that_cannot_be_removed_stays_known(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no later start takes it for a new instance; the next one of its UID removes it."""
    with Archive(index, tmp_path / "store", LAYOUT) as archive:
        assert store(archive, [arrived(archive, 1)]) == [""]
        with monkeypatch.context() as patch:
            keep_files(patch)
            assert store(archive, [arrived(archive, 1, "Q")]) == [""]
        assert len(list((tmp_path / "store").rglob("*.dcm"))) == 2
        assert index.ingest([tmp_path / "store"]).unchanged == 2
        assert store(archive, [arrived(archive, 1, "R")]) == [""]
    assert stored_data_sets(index, tmp_path / "store") == {
        UID: encoded(instance(1, 1, patient="R"), EXPLICIT)
    }


def test_files_are_known_by_their_resolved_path(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is known by the path by which others know it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with Archive(index, Path("../store"), LAYOUT) as archive:
        assert store(archive, [arrived(archive, 1)]) == [""]
    assert index.ingest([tmp_path / "store"]).unchanged == 1
    assert stored_data_sets(index, tmp_path / "store").keys() == {UID}


def test_closed_archive_stores_nothing(index: Index, tmp_path: Path) -> None:
    archive = Archive(index, tmp_path / "store", LAYOUT)
    arrival = arrived(archive, 1)
    archive.close()
    assert store(archive, [arrival]) == ["the server is ending"]
    with pytest.raises(StoreError, match="not written"):
        archive.begin(b"")
    assert index.counts()[Level.IMAGE] == 0
    assert [path.name for path in (tmp_path / "store").rglob("*")] == [".dicomquest", "lock"]

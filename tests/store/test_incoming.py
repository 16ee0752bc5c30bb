"""Incoming files: written, placed, withdrawn, and taken over after a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dicomquest.errors import ArchiveInUseError
from dicomquest.store.incoming import (
    KEPT,
    LOCK,
    PART,
    Incoming,
    IncomingFolder,
    files_since,
    sync,
    take_leftovers,
)

META = b"meta information"


def written(folder: Path, name: str, data: bytes = b"data set") -> Incoming:
    file = Incoming(str(folder / f"{name}{PART}"), META)
    file.write([data])
    file.complete()
    return file


def content(data: bytes = b"data set") -> bytes:
    return bytes(128) + b"DICM" + META + data


def test_file_is_no_dicom_file_before_it_is_complete(tmp_path: Path) -> None:
    file = Incoming(str(tmp_path / f"1{PART}"), META)
    file.write([b"da", b"ta"])
    file.write([b" set"])
    path = Path(file.path)
    assert path.read_bytes()[128:132] == bytes(4)
    file.complete()
    assert path.read_bytes() == content()
    file.close()


def test_many_fragments_are_written_in_order(tmp_path: Path) -> None:
    parts = [b"%06d" % number for number in range(5000)]
    file = Incoming(str(tmp_path / f"1{PART}"), META)
    file.write(parts)
    file.complete()
    assert Path(file.path).read_bytes() == content(b"".join(parts))
    file.close()


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of the system may write less than it was given."""
    writev = os.writev
    monkeypatch.setattr(
        os, "writev", lambda descriptor, parts: writev(descriptor, [b"".join(parts)[:10]])
    )
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    file = written(tmp_path, "1")
    assert Path(file.path).read_bytes() == content()
    file.close()


def test_placed_file_makes_its_folders(tmp_path: Path) -> None:
    at = tmp_path / "P1" / "1.2" / "1.dcm"
    file = written(tmp_path, "1")
    sync([file])
    file.place(str(at))
    file.settle()
    file.discard()
    assert at.read_bytes() == content()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "P1"]


@pytest.mark.parametrize("ending", ["settle", "withdraw"])
def test_earlier_file_is_kept_until_the_end(tmp_path: Path, ending: str) -> None:
    at = tmp_path / "1.dcm"
    at.write_bytes(b"earlier")
    file = written(tmp_path, "1")
    file.place(str(at))
    assert at.read_bytes() == content()
    assert [path.suffix for path in tmp_path.iterdir() if path != at] == [KEPT]
    if ending == "settle":
        file.settle()
    else:
        file.withdraw(str(at))
    file.discard()
    assert at.read_bytes() == (content() if ending == "settle" else b"earlier")
    assert list(tmp_path.iterdir()) == [at]


def test_withdrawn_file_spares_a_later_one(tmp_path: Path) -> None:
    at = tmp_path / "1.dcm"
    at.write_bytes(b"earlier")
    file = written(tmp_path, "1")
    file.place(str(at))
    at.unlink()
    at.write_bytes(b"later")
    file.withdraw(str(at))
    file.discard()
    assert at.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [at]


def die(folder: IncomingFolder) -> None:
    """Let go of the folder as a killed process does."""
    os.close(folder._lock)


def test_folder_is_of_one_index(tmp_path: Path) -> None:
    with IncomingFolder(tmp_path, "one"):
        with pytest.raises(ArchiveInUseError, match="another index"):
            IncomingFolder(tmp_path, "two")
        IncomingFolder(tmp_path, "one").close()
    IncomingFolder(tmp_path, "two").close()


def test_leftovers_of_the_dead_are_taken_over(tmp_path: Path) -> None:
    dead = IncomingFolder(tmp_path, "one")
    whole, cut = dead.begin(META), dead.begin(META)
    whole.write([b"data set"])
    whole.complete()
    cut.write([b"data"])
    die(dead)
    with IncomingFolder(tmp_path, "one") as alive:
        found = take_leftovers(tmp_path, alive)
        assert found is not None
        (path,) = found[1]
        assert Path(path).parent == alive.path
        assert Path(path).read_bytes() == content()
        assert not dead.path.exists()
        assert take_leftovers(tmp_path, alive) is None


@pytest.mark.parametrize("jump", [3600, -3600])
def test_set_clock_hides_no_late_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """A power cut may take commits from before the clock was set, too."""
    clock = [1e9]

    monkeypatch.setattr("dicomquest.store.incoming._changed", lambda folder: clock[0])
    dead = IncomingFolder(tmp_path, "index")
    placed = []
    for seconds in (0, jump, jump / 2):
        clock[0] = 1e9 + seconds
        placed.append(clock[0])
        dead.committed(f"{tmp_path}/file.dcm")
    os.close(dead._lock)
    with IncomingFolder(tmp_path, "index") as folder:
        left = take_leftovers(tmp_path, folder)
    assert left is not None
    assert left[0] <= min(placed)


def test_files_of_the_living_are_left_alone(tmp_path: Path) -> None:
    with IncomingFolder(tmp_path, "one") as other, IncomingFolder(tmp_path, "one") as alive:
        file = other.begin(META)
        file.write([b"data set"])
        file.complete()
        assert take_leftovers(tmp_path, alive) is None
        assert Path(file.path).exists()
        file.close()


def test_closed_folder_leaves_only_the_lock(tmp_path: Path) -> None:
    folder = IncomingFolder(tmp_path, "one")
    folder.begin(META).close()
    folder.close()
    assert [path.name for path in (tmp_path / ".dicomquest").iterdir()] == [LOCK]


def test_files_since_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    for number, name in enumerate(("c", "a", "b")):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    IncomingFolder(tmp_path, "one").close()
    os.utime(tmp_path, (2000, 2000))
    assert [Path(path).name for path in files_since(tmp_path, 1500)] == ["c", "a", "b"]
    os.utime(tmp_path, (1000, 1000))
    assert files_since(tmp_path, 1500) == []

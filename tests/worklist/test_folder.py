"""A folder of wlmscpfs, followed: files come, change and go; locks and missing shares wait."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomquest.dataset.encoder import encode
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.folder import LOCK_FILE, FolderFollower, Look
from fixtures.worklists import entry


@pytest.fixture
def worklist(tmp_path: Path) -> Iterator[Worklist]:
    with Worklist(tmp_path / "index.sqlite") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the list of one AE title."""
    made = tmp_path / "lists"
    (made / "RIS").mkdir(parents=True)
    (made / "RIS" / LOCK_FILE).touch()
    return made


def write(path: Path, number: int, root: dict[str, Any] | None = None) -> Path:
    path.write_bytes(encode(entry(number, root=root), EXPLICIT_VR_LITTLE_ENDIAN))
    return path


def counts(look: Look) -> tuple[int, int]:
    return look.added, look.removed


def test_files_come_change_and_go(worklist: Worklist, folder: Path) -> None:
    follower = FolderFollower(worklist, folder, may_lack=False)
    first = write(folder / "RIS" / "1.wl", 1)
    write(folder / "2.wl", 2)
    (folder / "RIS" / "notes.txt").write_text("no entry")
    assert counts(follower.look(0)) == (2, 0)
    assert follower.look(1).is_quiet
    # Another step in the place of the first one.
    write(first, 30, root={"PatientName": "Roe^Richard"})
    assert counts(follower.look(2)) == (1, 0)
    assert worklist.count() == 2
    first.unlink()
    assert counts(follower.look(3)) == (0, 1)
    assert worklist.count() == 1


def test_files_gone_meanwhile_are_noticed(worklist: Worklist, folder: Path) -> None:
    """A new follower removes the entries of files that went while nobody looked."""
    first = write(folder / "RIS" / "1.wl", 1)
    FolderFollower(worklist, folder, may_lack=False).look(0)
    first.unlink()
    assert counts(FolderFollower(worklist, folder, may_lack=False).look(1)) == (0, 1)


def test_locked_list_waits(worklist: Worklist, folder: Path) -> None:
    follower = FolderFollower(worklist, folder, may_lack=False)
    write(folder / "RIS" / "1.wl", 1)
    with (folder / "RIS" / LOCK_FILE).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        look = follower.look(0)
        assert look.waiting == [f"{folder / 'RIS'}: somebody writes there"]
        assert worklist.count() == 0
    assert counts(follower.look(1)) == (1, 0)


def test_list_without_lock_file_stays(worklist: Worklist, folder: Path) -> None:
    """A sub-folder whose lock file and files are gone, as on an unmounted share, stays."""
    follower = FolderFollower(worklist, folder, may_lack=False)
    write(folder / "RIS" / "1.wl", 1)
    follower.look(0)
    for each in (folder / "RIS").iterdir():
        each.unlink()
    assert follower.look(1).waiting
    assert follower.look(2).is_quiet
    assert worklist.count() == 1


def test_unfit_file_is_told_once(worklist: Worklist, folder: Path) -> None:
    follower = FolderFollower(worklist, folder, may_lack=False)
    lacking = write(folder / "RIS" / "1.wl", 1, root={"PatientName": None})
    ((path, reason),) = follower.look(0).refused
    assert path == str(lacking)
    assert "Patient's Name has no value" in reason
    assert follower.look(1).is_quiet
    write(lacking, 1)
    assert counts(follower.look(2)) == (1, 0)


def test_missing_folder_keeps_entries(worklist: Worklist, folder: Path) -> None:
    follower = FolderFollower(worklist, folder, may_lack=False)
    write(folder / "1.wl", 1)
    follower.look(0)
    folder.rename(folder.with_name("away"))
    with pytest.raises(FileNotFoundError):
        follower.look(1)
    assert worklist.count() == 1

"""Fetched instances reach their places whole, or stay out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomquest.cli.retrieving.instances_there import InstancesThere
from dicomquest.cli.retrieving.landing import Landing
from dicomquest.errors import ArchiveInUseError, StoreError
from dicomquest.store.incoming import IncomingFolder
from dicomquest.store.places import DEFAULT_LAYOUT, parse_layout
from fixtures.storing import ROOT, instance, write

LAYOUT = parse_layout(DEFAULT_LAYOUT)
UID = f"{ROOT}.1.1.1"


def arrived(landing: Landing, number: int = 1) -> str:
    """A file that has just arrived."""
    (path,) = write(landing.temporary / str(number), [instance(1, number)])
    return str(path)


def place(landing: Landing, path: str, uid: str) -> int:
    return landing.place(landing.keep(path, uid))


def files(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(
        str(path.relative_to(folder)) for path in paths if ".dicomquest" not in path.parts
    )


def test_instance_takes_the_place_of_the_layout(tmp_path: Path) -> None:
    with Landing(tmp_path, LAYOUT) as landing:
        path = arrived(landing)
        size = Path(path).stat().st_size
        assert place(landing, path, UID) == size
    assert files(tmp_path) == [f"P1/20240105_{ROOT}.1/CT_{ROOT}.1.1/{UID}.dcm"]
    assert list((tmp_path / ".dicomquest").glob("*/*")) == []


@pytest.mark.parametrize(("umask", "mode"), [("077", 0o600), ("027", 0o640)])
def test_file_has_the_rights_of_the_mask(tmp_path: Path, umask: str, mode: int) -> None:
    with Landing(tmp_path, LAYOUT, umask) as landing:
        place(landing, arrived(landing), UID)
    (name,) = files(tmp_path)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


def test_file_is_on_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def noting(name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def call(*arguments: object) -> None:
            steps.append(name)
            real(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noting(name))
    with Landing(tmp_path, LAYOUT) as landing:
        kept = landing.keep(arrived(landing), UID)
        steps.clear()
        landing.place(kept)
    assert steps == ["fsync", "replace"]


def test_other_instance_than_announced_stays_out(tmp_path: Path) -> None:
    with Landing(tmp_path, LAYOUT) as landing:
        path = arrived(landing)
        with pytest.raises(StoreError, match="not that of the command"):
            landing.keep(path, "1.2.3")
    assert files(tmp_path) == []


@pytest.mark.parametrize("kept", [10, 400])
def test_cut_instance_stays_out(tmp_path: Path, kept: int) -> None:
    with Landing(tmp_path, LAYOUT) as landing:
        path = arrived(landing)
        os.truncate(path, kept)
        with pytest.raises(StoreError):
            landing.keep(path, UID)
    assert files(tmp_path) == []


def test_full_disk_has_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Landing(tmp_path, LAYOUT) as landing:
        path = arrived(landing)
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="not written: No space left on device") as raised:
            place(landing, path, UID)
    assert raised.value.status == 0xA700


def test_leftovers_of_a_killed_process_go(tmp_path: Path) -> None:
    """They were never whole: whole ones are in their places."""
    dead = tmp_path / ".dicomquest" / "dead"
    dead.mkdir(parents=True)
    (dead / "lock").touch()
    (dead / "tmp1.dcm").write_bytes(bytes(128) + b"DICM")
    with Landing(tmp_path, LAYOUT) as landing:
        landing.recover()
        assert not dead.exists()
    assert files(tmp_path) == []


def test_folder_of_a_running_server_is_refused(tmp_path: Path) -> None:
    with IncomingFolder(tmp_path, "an index"), pytest.raises(ArchiveInUseError):
        Landing(tmp_path, LAYOUT)


def test_two_runs_share_a_folder(tmp_path: Path) -> None:
    with Landing(tmp_path, LAYOUT), Landing(tmp_path, LAYOUT) as second:
        second.recover()
        place(second, arrived(second), UID)
    assert len(files(tmp_path)) == 1


def test_whole_instances_are_there(tmp_path: Path) -> None:
    """A file counts if it has the UID of its name, and is not cut."""
    with Landing(tmp_path, LAYOUT) as landing:
        for number in (1, 2, 3):
            place(landing, arrived(landing, number), f"{ROOT}.1.1.{number}")
    cut, renamed = (tmp_path / name for name in files(tmp_path)[1:])
    os.truncate(cut, 400)
    renamed.rename(renamed.with_name(f"{ROOT}.9.dcm"))
    there = InstancesThere(tmp_path)
    found = {uid for uid in (UID, f"{ROOT}.1.1.2", f"{ROOT}.1.1.3", f"{ROOT}.9") if uid in there}
    assert found == {UID}
    assert bool(there)
    assert not InstancesThere(tmp_path / "empty")

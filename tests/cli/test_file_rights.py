"""Index and store are private by default."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.cli.file_rights import octal_mask
from fixtures.storing import instance, storing, write
from fixtures.timing import LONG


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """A caller whose new files everybody may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, set[str]]:
    """The rights of all files and folders below one, by kind."""
    found: dict[str, set[str]] = {"file": set(), "folder": set()}
    for path in (folder, *folder.rglob("*")):
        kind = "folder" if path.is_dir() else "file"
        found[kind].add(f"{path.stat().st_mode & 0o777:o}")
    return found


@pytest.mark.usefixtures("open_to_all")
@pytest.mark.parametrize(
    ("options", "file", "folder"), [((), "600", "700"), (("--umask", "027"), "640", "750")]
)
def test_index_and_store_are_private(
    tmp_path: Path, options: tuple[str, ...], file: str, folder: str
) -> None:
    files = write(tmp_path / "sent", [instance(1, number) for number in range(1, 3)])
    own = tmp_path / "own"
    own.mkdir()
    with storing(own, *options) as store:
        sent = CliRunner().invoke(
            main, ["send", *map(str, files), "127.0.0.1", str(store.peer.port)]
        )
        assert sent.exit_code == 0, sent.output
        assert rights(store.folder) == {"file": {file}, "folder": {folder}}
        beside = {each.name: each.stat().st_mode & 0o777 for each in own.glob("index.sqlite*")}
        assert beside.keys() >= {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"}
        assert {f"{mode:o}" for mode in beside.values()} == {file}


TRAPS = ("-rf", "$HOME", "`touch trap`", "$(touch trap)", "a b", "con", "ct", "CT", "..", "~")


def test_stored_names_are_no_traps(tmp_path: Path) -> None:
    """A careless script removes exactly what is stored, whatever identifiers peers send."""
    made = [instance(1, number) for number in range(len(TRAPS))]
    for each, trap in zip(made, TRAPS, strict=True):
        each.PatientID = trap
    files = write(tmp_path / "sent", made)
    own = tmp_path / "own"
    own.mkdir()
    with storing(own) as store:
        sent = CliRunner().invoke(
            main, ["send", *map(str, files), "127.0.0.1", str(store.peer.port)]
        )
        assert sent.exit_code == 0, sent.output
        names = [path.name for path in store.folder.iterdir() if path.name != ".dicomquest"]
        assert len({name.casefold() for name in names}) == len(TRAPS)
        script = "for f in $(ls); do cp -r $f copy-$f && rm -r $f; done; ls | xargs rm -r"
        subprocess.run(["sh", "-e", "-c", script], cwd=store.folder, check=True, timeout=6 * LONG)
        assert [path.name for path in store.folder.iterdir()] == [".dicomquest"]
    assert len(files) == len(list((tmp_path / "sent").iterdir()))


@pytest.mark.usefixtures("open_to_all")
def test_command_makes_a_private_index(tmp_path: Path) -> None:
    write(tmp_path / "sent", [instance(1, 1)])
    path = tmp_path / "index.sqlite"
    done = CliRunner().invoke(main, ["index", "-q", "--index", str(path), str(tmp_path / "sent")])
    assert done.exit_code == 0, done.output
    assert f"{path.stat().st_mode & 0o777:o}" == "600"
    (tmp_path / "other").touch()
    assert f"{(tmp_path / 'other').stat().st_mode & 0o777:o}" == "644"


@pytest.mark.usefixtures("open_to_all")
def test_worklist_makes_a_private_index(tmp_path: Path) -> None:
    path, empty = tmp_path / "index.sqlite", tmp_path / "orders"
    empty.mkdir()
    done = CliRunner().invoke(main, ["worklist", "add", "--index", str(path), str(empty)])
    assert done.exit_code == 0, done.output
    assert f"{path.stat().st_mode & 0o777:o}" == "600"


@pytest.mark.parametrize("given", ["77", "0o77", "088", "-22", "727", 27])
def test_mask_that_is_none_is_refused(given: str | int) -> None:
    with pytest.raises(click.BadParameter):
        octal_mask(given)

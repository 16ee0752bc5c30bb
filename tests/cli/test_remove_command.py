"""`dicomquest remove` and `dicomquest check`: their output, refusals and questions."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from dicomquest.index import Index
from dicomquest.standard.levels import Level
from dicomquest.standard.models import COLOR_PALETTE
from fixtures.objects import made, write_object
from fixtures.timing import LONG
from peers import corpus
from peers.ours import COMMAND, ENVIRONMENT

INSTANCES = len(corpus.instances())


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """An index of the files in ``files`` beside it."""
    (tmp_path / "files").mkdir()
    corpus.write(tmp_path / "files")
    with Index(tmp_path / "i.sqlite") as index:
        index.ingest([tmp_path / "files"])
    return tmp_path / "i.sqlite"


def run(command: str, location: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [command, "--index", str(location), *map(str, arguments)])


def left(location: Path) -> int:
    with Index(location, create=False) as index:
        assert index.check().examples == []
        return index.counts()[Level.IMAGE]


def test_one_study_goes_without_a_question(location: Path) -> None:
    result = run("remove", location, "--study", corpus.uid(1))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "removed 0 patients, 1 study, 2 series, 9 instances\n"
    result = run("remove", location, "--study", corpus.uid(1))
    assert (result.exit_code, result.stderr) == (
        0,
        "No study matches; nothing was removed.\n",
    )


def test_more_than_one_needs_a_yes(location: Path) -> None:
    keys = ("-L", "STUDY", "PatientName=citizen*")
    assert (
        "would remove 3 studies with 16 instances"
        in run("remove", location, *keys, "--dry-run").stderr
    )
    refused = run("remove", location, *keys)
    assert refused.exit_code == 1
    assert (
        "Error: this would remove 3 studies with 16 instances, and nobody can answer here: --yes"
        in refused.stderr
    )
    assert left(location) == INSTANCES
    assert run("remove", location, *keys, "--yes").exit_code == 0
    assert left(location) == INSTANCES - 16


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"y\n", 0)])
def test_on_a_terminal_it_asks(location: Path, answer: bytes, status: int) -> None:
    parent, child = pty.openpty()
    command = [*COMMAND, "remove", "--index", str(location), "--patient", "D-1", "--patient", "D-2"]
    process = subprocess.Popen(
        command, stdin=child, stdout=child, stderr=child, env={**ENVIRONMENT, "TERM": "xterm"}
    )
    os.close(child)
    with os.fdopen(parent, "r+b", buffering=0) as terminal:
        shown = b""
        while b"[y/N]" not in shown:
            shown += terminal.read(4096) or b""
        assert b"Remove 2 patients with 3 instances" in shown
        terminal.write(answer)
        assert process.wait(LONG) == status
    assert left(location) == (INSTANCES if status else INSTANCES - 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected one of --patient"),
        (("--study", "1.2", "--series", "1.3"), "expected one of --patient"),
        (("--study", "1.2", "PatientID=1"), "expected one of --patient"),
        (("--study", "1.2", "-L", "STUDY"), "--level belongs to KEY=VALUE"),
        (("--study", ""), "StudyInstanceUID is empty"),
        (("PatientID=1",), "needs --level"),
        (("-L", "STUDY", "PatientID"), "restricts nothing"),
        (("-L", "STUDY", "PatientName=*"), "restricts nothing"),
        (
            ("-L", "STUDY", "PatientID=1", "RetrieveAETitle=X"),
            "RetrieveAETitle=X restricts nothing",
        ),
        (("-L", "PATIENT", "PatientID=*"), "restricts nothing"),
        (("-L", "STUDY", "StudyDate=soon"), "is no date"),
        (("-L", "STUDY", "PatientNam=X"), "did you mean PatientName"),
        (("--study", "1.2", "--delete-files", "."), "needs --yes"),
    ],
)
def test_wrong_command_line_removes_nothing(
    location: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run("remove", location, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert left(location) == INSTANCES


def test_patient_id_is_taken_as_it_is(location: Path) -> None:
    assert "No patient matches" in run("remove", location, "--patient", "D-*", "--yes").stderr
    assert left(location) == INSTANCES


def test_files_are_deleted_where_that_was_said(location: Path) -> None:
    files = location.parent / "files"
    result = run("remove", location, "--patient", "D-1", "--delete-files", files, "--yes")
    assert (result.exit_code, result.stderr) == (
        0,
        "removed 1 patient, 1 study, 1 series, 2 instances; 2 files deleted\n",
    )
    assert len(list(files.iterdir())) == INSTANCES - 2
    for path in files.iterdir():
        os.utime(path, ns=(0, 0))
    result = run("remove", location, "--patient", "D-2", "--delete-files", files, "--yes")
    assert result.exit_code == 1
    assert "changed since it was indexed" in result.stderr
    assert left(location) == INSTANCES - 2


def test_there_has_to_be_an_index(tmp_path: Path) -> None:
    for arguments in (("remove", "--study", "1.2"), ("check",)):
        result = CliRunner().invoke(main, [*arguments, "--index", str(tmp_path / "none")])
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: there is no index")


def test_check_finds_and_repairs(location: Path) -> None:
    result = run("check", location, "--files")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "21 instances: nothing wrong" in result.stderr
    assert f"checked {INSTANCES} files: nothing wrong" in result.stderr
    with Index(location) as index, index._database.begin() as connection:
        connection.exec_driver_sql("UPDATE study SET modalities_in_study = 'XX' WHERE id = 1")
    result = run("check", location)
    assert (result.exit_code, result.stdout) == (1, "wrong: study 1: modalities_in_study\n")
    assert "--repair" in result.stderr
    result = run("check", location, "--repair")
    assert result.exit_code == 0
    assert "1 wrong, all repaired" in result.stderr
    assert run("check", location).exit_code == 0


def test_check_names_files_that_differ(location: Path) -> None:
    (location.parent / "files" / "instance000").unlink()
    result = run("check", location, "--files")
    assert result.exit_code == 1
    assert result.stdout.endswith("/files/instance000: gone\n")
    assert "index --prune" in result.stderr


def test_index_prunes(location: Path) -> None:
    files = location.parent / "files"
    (files / "instance000").unlink()
    result = run("index", location, "--prune", files)
    assert result.exit_code == 0
    assert "1 file gone: removed 0 patients, 0 studies, 0 series, 1 instance\n" in result.stderr
    files.rename(location.parent / "away")
    assert "--prune-empty" in run("index", location, "--prune", files).stderr
    files.mkdir()
    result = run("index", location, "--prune", files)
    assert result.exit_code == 1
    assert "there is no file in it" in result.stderr
    assert left(location) == INSTANCES - 1
    files.rmdir()
    assert run("index", location, "--prune-empty", files).exit_code == 0
    assert left(location) == 0


@pytest.fixture
def with_objects(location: Path) -> Path:
    """The index with three color palettes besides, of files in ``files``."""
    for number in (1, 2, 3):
        palette = made(COLOR_PALETTE, number, ContentLabel=f"L{number}")
        write_object(location.parent / "files" / f"palette{number}.dcm", palette)
    with Index(location) as index:
        index.ingest([location.parent / "files"])
    return location


def _palettes(location: Path) -> list[str]:
    with Index(location, create=False) as index:
        return sorted(each.ContentLabel for each in index.find(model="color-palette"))


def test_object_goes_and_its_file_stays(with_objects: Path) -> None:
    result = run("remove", with_objects, "--object", "1.2.9.2")
    assert (result.exit_code, result.stderr) == (0, "removed 1 object\n")
    assert _palettes(with_objects) == ["L1", "L3"]
    assert left(with_objects) == INSTANCES
    again = run("remove", with_objects, "--object", "1.2.9.2")
    assert again.stderr == "No object matches; nothing was removed.\n"
    assert (with_objects.parent / "files" / "palette2.dcm").exists()


def test_objects_go_with_their_files(with_objects: Path) -> None:
    """Several need a yes; a file that has changed keeps its object."""
    files = with_objects.parent / "files"
    named = ("--object", "1.2.9.1", "--object", "1.2.9.3")
    assert "would remove 2 objects" in run("remove", with_objects, *named, "--dry-run").stderr
    assert run("remove", with_objects, *named).exit_code == 1
    with (files / "palette3.dcm").open("ab") as file:
        file.write(b"\0")
    result = run("remove", with_objects, *named, "--delete-files", files, "--yes")
    assert result.exit_code == 1
    assert "removed 1 object; 1 file deleted" in result.stderr
    assert "changed since it was indexed" in result.stderr
    assert _palettes(with_objects) == ["L2", "L3"]
    assert not (files / "palette1.dcm").exists()
    refused = run("remove", with_objects, "--object", "1.2.9.2", "--study", "1.2")
    assert (refused.exit_code, "--object goes alone" in refused.stderr) == (2, True)

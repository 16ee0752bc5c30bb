"""`dicomquest index`: its summary of the files."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from dicomquest.cli.index_command import offset_text
from dicomquest.index import Index
from dicomquest.standard.levels import Level
from fixtures import storing
from fixtures.timing import LONG
from peers import corpus
from peers.ours import COMMAND, ENVIRONMENT

INSTANCES = len(corpus.instances())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "deep" / "deeper").mkdir(parents=True)
    corpus.write(folder / "deep" / "deeper")
    return folder


def index(*arguments: str | Path, environment: dict[str, str] | None = None) -> Result:
    return CliRunner(env=environment).invoke(main, ["index", *map(str, arguments)])


def test_it_ends_with_summary_on_standard_error(files: Path, tmp_path: Path) -> None:
    result = index("--index", tmp_path / "i.sqlite", files)
    assert (result.exit_code, result.stdout) == (0, "")
    first, second = result.stderr.splitlines()
    assert re.fullmatch(
        rf"{INSTANCES} files in \d+\.\d s: {INSTANCES} indexed, 0 replaced, 0 unchanged, 0 skipped",
        first,
    )
    assert second == f"The index has 5 patients, 6 studies, 9 series, {INSTANCES} instances."


def test_second_run_changes_nothing(files: Path, tmp_path: Path) -> None:
    index("--index", tmp_path / "i.sqlite", files)
    result = index("--index", tmp_path / "i.sqlite", files)
    assert f"0 indexed, 0 replaced, {INSTANCES} unchanged, 0 skipped" in result.stderr
    assert f"{INSTANCES} instances" in result.stderr


def test_skipped_file_is_named_with_reason(files: Path, tmp_path: Path) -> None:
    whole = (files / "deep" / "deeper" / "instance000").read_bytes()
    (files / "notes.txt").write_text("no DICOM at all")
    (files / "cut").write_bytes(whole[:-3])
    (files / "empty").touch()
    result = index("--index", tmp_path / "i.sqlite", "--verbose", files)
    assert result.exit_code == 0
    assert re.search(r"^skipped: .*/files/notes\.txt: not DICOM$", result.stderr, re.MULTILINE)
    assert re.search(r"^skipped: .*/files/cut: truncated \(", result.stderr, re.MULTILINE)
    assert re.search(r"^skipped: .*/files/empty: not DICOM$", result.stderr, re.MULTILINE)
    assert result.stderr.splitlines()[-2] == "  skipped: 2 not DICOM, 1 truncated"


def test_skipped_files_are_counted_by_reason(files: Path, tmp_path: Path) -> None:
    for number in range(1200):
        (files / f"note{number}").write_text("no DICOM at all")
    result = index("--index", tmp_path / "i.sqlite", files)
    _, reasons, _ = result.stderr.splitlines()
    assert reasons == "  skipped: 1,200 not DICOM (--verbose names them)"
    verbose = index("--index", tmp_path / "i.sqlite", "--verbose", files)
    assert len(re.findall(r"^skipped: .*/files/note\d+: ", verbose.stderr, re.MULTILINE)) == 1200


def test_several_processes_read_the_same(files: Path, tmp_path: Path) -> None:
    for number in range(200):
        (files / f"copy{number}").write_bytes(
            (files / "deep" / "deeper" / "instance000").read_bytes()
        )
    command = [*COMMAND, "index", "--index", str(tmp_path / "i.sqlite"), "--jobs", "2", str(files)]
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, check=False, timeout=6 * LONG
    )
    assert done.returncode == 0, done.stderr
    with Index(tmp_path / "i.sqlite", create=False) as found:
        assert found.counts()[Level.IMAGE] == INSTANCES


def test_environment_names_the_index(files: Path, tmp_path: Path) -> None:
    result = index(files, environment={"DICOMQUEST_INDEX": str(tmp_path / "named.sqlite")})
    assert result.exit_code == 0
    assert (tmp_path / "named.sqlite").exists()


def test_index_keeps_its_zone(files: Path, tmp_path: Path) -> None:
    location = tmp_path / "i.sqlite"
    assert index("--index", location, "--timezone", "-0130", files).exit_code == 0
    with Index(location, create=False) as made:
        assert made.timezone_offset_minutes == -90
    assert index("--index", location, files).exit_code == 0
    assert index("--index", location, "--timezone", "-0130", files).exit_code == 0
    result = index("--index", location, "--timezone", "+0100", files)
    assert result.exit_code == 2
    assert "the index was made with -0130 and keeps that" in result.stderr


@pytest.mark.parametrize(("minutes", "text"), [(0, "+0000"), (-90, "-0130"), (345, "+0545")])
def test_offset_is_written_as_in_standard(minutes: int, text: str) -> None:
    assert offset_text(minutes) == text


def test_missing_path_is_wrong_command_line(tmp_path: Path) -> None:
    assert index("--index", tmp_path / "i.sqlite", tmp_path / "nowhere").exit_code == 2
    assert index("--index", tmp_path / "i.sqlite").exit_code == 2


def test_index_that_cannot_be_made_is_said_so(files: Path, tmp_path: Path) -> None:
    result = index("--index", tmp_path / "no" / "folder.sqlite", files)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no folder ")
    (tmp_path / "other").write_text("no database")
    result = index("--index", tmp_path / "other", files)
    assert result.exit_code == 1
    assert "cannot be opened as an index" in result.stderr


def test_on_terminal_there_is_progress_bar(files: Path, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb", buffering=0) as terminal:
        command = [*COMMAND, "index", "--index", str(tmp_path / "i.sqlite"), str(files)]
        process = subprocess.Popen(
            command, stderr=child, env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"}
        )
        os.close(child)
        shown = b""
        try:
            while part := terminal.read(4096):
                shown += part
        except OSError:  # Linux reports the closed other end of a terminal so
            pass
        assert process.wait(LONG) == 0
    assert "━".encode() in shown
    assert b"indexed, 0 replaced" in shown


def test_ctrl_c_ends_it_and_next_run_goes_on(files: Path, tmp_path: Path) -> None:
    fifo = files / "deep" / "a-fifo"  # no regular file, so it is skipped
    os.mkfifo(fifo)
    whole = (files / "deep" / "deeper" / "instance000").read_bytes()
    for number in range(3000):
        (files / f"copy{number:04}").write_bytes(whole)
    command = [*COMMAND, "index", "--index", str(tmp_path / "i.sqlite"), str(files)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)
    # The test interrupts as soon as the index exists; a quicker program ends with 0.
    while not (tmp_path / "i.sqlite").exists() and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LONG)
    assert b"Traceback" not in err, err.decode()
    assert process.returncode in {0, 130}
    if process.returncode:
        assert b"Error: interrupted" in err
    result = index("--index", tmp_path / "i.sqlite", "--quiet", files)
    assert result.exit_code == 0
    assert f"{INSTANCES} instances" in result.stderr


def test_studies_that_disagree_are_counted(tmp_path: Path) -> None:
    """Patients whose studies disagree are counted, and named with --verbose only."""
    files = tmp_path / "files"
    files.mkdir()
    made = [storing.instance(number, 1) for number in (1, 2, 3)]
    for each, name in zip(made, ("HELLO", "FOO", "HELLO"), strict=True):
        each.PatientID, each.PatientName = "P1", name
    storing.write(files, made)
    quiet = index("--index", tmp_path / "i.sqlite", files)
    *_, last = quiet.stderr.splitlines()
    assert last == (
        "Studies of 1 patient disagree on name, birth date or sex: each study shows its own "
        "(--verbose names them)"
    )
    assert "HELLO" not in quiet.stderr
    # Nothing is read again, but what the index has is said again.
    verbose = index("--index", tmp_path / "i.sqlite", "--verbose", files)
    assert "3 unchanged" in verbose.stderr
    assert (
        "disagree: patient 'P1': 'HELLO' born ? sex ? (2 studies), 'FOO' born ? sex ? (1 study)"
        in verbose.stderr
    )


def test_reread_reads_unchanged_files(files: Path, tmp_path: Path) -> None:
    location = tmp_path / "i.sqlite"
    index("--index", location, files)
    with Index(location) as opened, opened._database.begin() as connection:
        connection.exec_driver_sql("UPDATE series SET modality = NULL")
    assert f"{INSTANCES} unchanged" in index("--index", location, files).stderr
    result = index("--index", location, "--reread", files)
    assert f"0 indexed, {INSTANCES} replaced, 0 unchanged" in result.stderr
    with Index(location) as opened, opened._database.connect() as connection:
        query = "SELECT count(*) FROM series WHERE modality IS NULL"
        assert connection.exec_driver_sql(query).scalar_one() == 0

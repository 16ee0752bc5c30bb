"""Output in an encoding that lacks characters: each command escapes them, and no row is lost."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from dicomquest.cli.output_encoding import escaped
from fixtures.faces import HOST, data_set, serving
from fixtures.storing import instance, write
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom import Dataset

    from dicomquest import evt

NAMES = ("Müller^Jürgen", "山田^太郎", "𠮟^る")
ESCAPED = (
    "M\\u00fcller^J\\u00fcrgen",
    "\\u5c71\\u7530^\\u592a\\u90ce",
    "\\ud842\\udf9f^\\u308b",
)

ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
"""Environments in which a standard stream takes nothing but ASCII."""


def run(encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {
        key: value for key, value in ENVIRONMENT.items() if key not in {"PYTHONUTF8", "LC_ALL"}
    }
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        capture_output=True,
        env=environment | ENCODINGS[encoding],
        timeout=6 * LONG,
    )


def answer(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
    for name in NAMES:
        yield (
            0xFF00,
            data_set(
                SpecificCharacterSet="ISO_IR 192", QueryRetrieveLevel="STUDY", PatientName=name
            ),
        )


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["table", "record", "csv", "json", "jsonl", "dicom-json"])
def test_each_format_escapes(name: str, encoding: str) -> None:
    with serving(answer) as port:
        done = run(encoding, "find", HOST, str(port), "--format", name, "PatientName")
    assert done.returncode == 0
    assert (b"3 studies in " in done.stderr) == (name in {"table", "record"})
    text = done.stdout.decode("ascii")
    assert [each for each in ESCAPED if each in text] == list(ESCAPED)
    match name:
        case "json":
            assert [each["PatientName"] for each in json.loads(text)] == list(NAMES)
        case "jsonl":
            assert [json.loads(each)["PatientName"] for each in text.splitlines()] == list(NAMES)
        case "csv":
            assert [row[-1] for row in csv.reader(io.StringIO(text))][1:] == list(ESCAPED)
        case "table":
            assert [line.split()[0] for line in text.splitlines()[-3:]] == list(ESCAPED)


def test_columns_of_a_table_stay_in_line() -> None:
    """An escape is as wide as it is written."""
    with serving(answer) as port:
        done = run("ascii", "find", HOST, str(port), "PatientName", "StudyDate")
    lines = done.stdout.decode().splitlines()
    assert lines[0].index("Date") >= max(map(len, ESCAPED))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_of_files_are_escaped(tmp_path: Path, encoding: str) -> None:
    """Standard output of `check`, and standard error of `index`, `send`, `find` and `serve`."""
    folder = tmp_path / "Größe"
    (path,) = write(folder, [instance(1, 1)])
    (folder / "ärger.txt").write_text("text")
    index = str(folder / "index.sqlite")
    done = run(encoding, "index", "-v", "--index", index, str(folder))
    assert b"Gr\\u00f6\\u00dfe/\\u00e4rger.txt: not DICOM" in done.stderr
    path.unlink()
    done = run(encoding, "check", "--files", "--index", index)
    assert b"Gr\\u00f6\\u00dfe/" in done.stdout
    done = run(encoding, "send", str(folder), HOST, str(free_port()))
    assert b"skipped: " in done.stderr
    assert b"\\u00e4rger.txt" in done.stderr
    for command in ("serve", "check"):
        done = run(encoding, command, "--index", str(folder / "ölfrei.sqlite"))
        assert done.returncode == 1
        assert b"there is no index at " in done.stderr
        assert "lfrei.sqlite" in done.stderr.decode("ascii")


def test_usage_error_is_escaped() -> None:
    done = run("strict", "find", HOST, "11112", "PatientNäme=1")
    assert done.returncode == 2
    assert b"PatientN\\u00e4me" in done.stderr


def test_lone_surrogate_is_escaped_in_any_encoding() -> None:
    """A byte of a file name that is no text is one to Python."""
    assert escaped("a\udce4b\U00020b9f", "utf-8") == "a\\udce4b\U00020b9f"

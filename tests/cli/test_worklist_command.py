"""`dicomquest worklist`: entries are added, listed and removed; output and exit statuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.dataset.elements import to_json
from dicomquest.dataset.encoder import encode
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fixtures.workitems import workitem
from fixtures.worklists import entry


@pytest.fixture
def location(tmp_path: Path) -> str:
    return str(tmp_path / "index.sqlite")


def run(location: str, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["worklist", *arguments, "--index", location])
    return result.exit_code, result.stdout, result.stderr


def write(folder: Path, number: int, root: dict[str, Any] | None = None, **values: Any) -> str:
    """A .wl file with an entry."""
    path = folder / f"{number}.wl"
    path.write_bytes(encode(entry(number, root=root, **values), EXPLICIT_VR_LITTLE_ENDIAN))
    return str(path)


def test_entries_are_added_listed_and_removed(tmp_path: Path, location: str) -> None:
    first, second = write(tmp_path, 1), write(tmp_path, 2, ScheduledStationAETitle="CT2")
    assert run(location, "add", first, second) == (0, "", "added 2 entries\n")
    added = run(location, "add", first)
    assert added == (0, "", "added 1 entry, 1 in the place of older ones\n")
    code, table, words = run(location, "list", "ScheduledStationAETitle=CT1")
    assert (code, words) == (0, "1 entry\n")
    assert [line.split("  ") for line in table.splitlines()][1][:3] == [
        "2026-01-05",
        "10:30",
        "CT1",
    ]
    assert run(location, "remove", "AccessionNumber=A1")[2] == "removed 1 entry\n"
    assert run(location, "list", "AccessionNumber=A1") == (0, "", "No entries.\n")


def test_status_has_a_column_once_a_step_has_one(tmp_path: Path, location: str) -> None:
    run(location, "add", write(tmp_path, 1))
    assert "Status" not in run(location, "list")[1]
    run(location, "add", write(tmp_path, 2, ScheduledProcedureStepStatus="IN PROGRESS"))
    heading, first, second = run(location, "list")[1].splitlines()
    at = heading.index("Status")
    assert (first[at : at + 11].strip(), second[at : at + 11]) == ("", "IN PROGRESS")


@pytest.mark.parametrize("arguments", [["list"], ["remove", "--keep", "7d"]])
def test_missing_index_names_what_makes_one(location: str, arguments: list[str]) -> None:
    code, _, words = run(location, *arguments)
    assert code == 1
    assert "; `dicomquest worklist add FILE...` and `dicomquest serve --worklist` make one" in words


def test_folder_is_read_and_json_comes_back(tmp_path: Path, location: str) -> None:
    write(tmp_path, 1)
    (tmp_path / "two.json").write_text(json.dumps([to_json(entry(2))]))
    (tmp_path / "notes.txt").write_text("no entry")
    assert run(location, "add", str(tmp_path)) == (0, "", "added 2 entries\n")
    _, printed, _ = run(location, "list", "--json")
    assert sorted(json.loads(printed), key=str) == [to_json(entry(1)), to_json(entry(2))]


def test_unfit_file_is_refused_with_its_reason(tmp_path: Path, location: str) -> None:
    lacking = write(tmp_path, 1, root={"PatientName": None})
    code, _, error = run(location, "add", lacking, write(tmp_path, 2))
    assert code == 1
    assert error.startswith(f"refused: {lacking}: Patient's Name has no value")
    assert "added 1 entry\nError: 1 file refused" in error
    assert run(location, "add", "--incomplete", lacking)[0] == 0


def test_old_entries_leave_by_keep(tmp_path: Path, location: str) -> None:
    now = datetime.now().astimezone()
    for number, days in enumerate((0, 7, 8), 1):
        day = f"{now - timedelta(days=days):%Y%m%d}"
        run(location, "add", write(tmp_path, number, ScheduledProcedureStepStartDate=day))
    code, table, words = run(location, "remove", "--keep", "7d", "--dry-run")
    assert (code, words, len(table.splitlines())) == (0, "would remove 1 entry\n", 2)
    assert run(location, "remove", "--keep", "7d") == (0, "", "removed 1 entry\n")
    assert run(location, "list")[2] == "2 entries\n"


def test_unified_steps_are_kept_beside_entries(tmp_path: Path, location: str) -> None:
    """A file with a Unified Procedure Step gives one; --ups lists and removes them."""
    steps = tmp_path / "steps.json"
    made = [workitem(1), workitem(2, ProcedureStepState="COMPLETED")]
    steps.write_text(json.dumps(list(map(to_json, made))))
    assert run(location, "add", str(steps), write(tmp_path, 1))[::2] == (0, "added 3 entries\n")
    code, out, error = run(location, "list", "--ups", "ProcedureStepState=SCHEDULED")
    assert (code, error) == (0, "1 entry\n")
    assert out.splitlines()[1].split() == [
        "2026-01-05", "10:30", "SCHEDULED", "MEDIUM", "CAD", "Contour", "lungs", "Doe^John1", "P1",
    ]  # fmt: skip
    assert run(location, "remove", "--ups", "AccessionNumber=A2")[2] == "removed 1 entry\n"
    assert run(location, "remove", "--ups", "--keep", "0d")[2] == "removed 1 entry\n"
    assert run(location, "list", "--ups")[2] == "No entries.\n"
    assert run(location, "list")[2] == "1 entry\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["remove"], "expected KEY=VALUE, or --keep DAYS"),
        (["remove", "--keep", "7d", "Modality=CT"], "expected KEY=VALUE, or --keep DAYS"),
        (["remove", "--keep", "week"], "'week' is no number of days: write 7d"),
        (["remove", "PatientID=*"], "restricts nothing"),
        (["list", "Modalty=CT"], "did you mean Modality"),
        (["list", "ScheduledProcedureStepStartDate=05.01.2024"], "could be"),
    ],
)
def test_wrong_command_line_exits_with_2(
    tmp_path: Path, location: str, arguments: list[str], words: str
) -> None:
    run(location, "add", write(tmp_path, 1))
    code, _, error = run(location, *arguments)
    assert code == 2
    assert words in error

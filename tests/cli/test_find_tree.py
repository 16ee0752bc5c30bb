"""`dicomquest find --tree`: all levels by a pool of associations, and files that go on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset

from dicomquest import evt
from dicomquest.cli import main
from fixtures.faces import HOST, data_set, serving

STUDIES, SERIES, INSTANCES = 7, 2, 3
PATIENTS = {"": range(1, STUDIES + 1), "P1": range(1, 4), "P2": range(4, STUDIES + 1)}
ROWS = STUDIES * SERIES * INSTANCES


class Archive:
    """A peer with some studies; it notes the levels and the studies that it is asked for."""

    def __init__(self, *, is_relational: bool) -> None:
        self.is_relational = is_relational
        self.asked: list[tuple[str, str]] = []

    def negotiate(self, event: evt.Event) -> dict[str, bytes]:
        return dict.fromkeys(event.app_info, b"\1" if self.is_relational else b"\0")

    def __call__(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        identifier = event.identifier
        study = str(identifier.get("StudyInstanceUID") or "")
        series = str(identifier.get("SeriesInstanceUID") or "")
        level = identifier.QueryRetrieveLevel
        self.asked.append((level, study))
        patient = str(identifier.get("PatientID") or "")
        if level == "PATIENT":
            for number in (1, 2):
                yield 0xFF00, data_set(PatientID=f"P{number}", PatientName=f"Muller^{number}")
        elif level == "STUDY":
            for number in PATIENTS[patient]:
                yield 0xFF00, data_set(
                    SpecificCharacterSet="ISO_IR 192", PatientName=f"Müller^{number}",
                    StudyInstanceUID=f"1.2.{number}",
                )  # fmt: skip
        elif level == "SERIES":
            for number in range(1, SERIES + 1):
                yield 0xFF00, data_set(Modality="CT", SeriesInstanceUID=f"{study}.{number}",
                                       StudyInstanceUID=study)  # fmt: skip
        else:
            assert self.is_relational or series
            for uid in [series] if series else [f"{study}.{n}" for n in range(1, SERIES + 1)]:
                for number in range(1, INSTANCES + 1):
                    yield 0xFF00, data_set(
                        SOPInstanceUID=f"{uid}.{number}", SeriesInstanceUID=uid,
                        InstanceNumber=str(number),
                    )  # fmt: skip


def find(archive: Archive, *arguments: str) -> Result:
    with serving(archive, (evt.EVT_SOP_EXTENDED, archive.negotiate)) as port:
        command = ["find", HOST, str(port), "--tree", "--jobs", "3"]
        return CliRunner().invoke(main, [*command, *arguments])


def uids(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [row["SOPInstanceUID"] for row in csv.DictReader(stream)]


ALL = [
    f"1.2.{study}.{series}.{number}"
    for study in range(1, STUDIES + 1)
    for series in range(1, SERIES + 1)
    for number in range(1, INSTANCES + 1)
]


@pytest.mark.parametrize("is_relational", [False, True])
def test_tree_has_all_instances_with_keys_above(is_relational: bool) -> None:
    """Each row has the attributes of its series and study; rows come in the order of studies."""
    archive = Archive(is_relational=is_relational)
    result = find(archive, "-f", "jsonl")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["SOPInstanceUID"] for row in rows] == ALL
    assert {row["PatientName"] for row in rows} == {f"Müller^{n}" for n in range(1, STUDIES + 1)}
    assert {row["Modality"] for row in rows} == {"CT"}
    images = sum(level == "IMAGE" for level, _ in archive.asked)
    assert images == (STUDIES if is_relational else STUDIES * SERIES)


def test_level_series_ends_the_tree_there() -> None:
    result = find(Archive(is_relational=False), "-L", "SERIES", "--count")
    assert result.stdout == f"{STUDIES * SERIES}\n"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("cut", [1, 40, 0])
def test_file_goes_on_where_it_ended(ending: str, cut: int, tmp_path: Path) -> None:
    """A file that was cut off, within a row too, becomes the whole one, studies once."""
    path = tmp_path / f"tree.{ending}"
    assert find(Archive(is_relational=True), "-o", str(path)).exit_code == 0
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 - cut])
    archive = Archive(is_relational=True)
    result = find(archive, "-o", str(path))
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == whole
    assert 0 < sum(level == "SERIES" for level, _ in archive.asked) < STUDIES
    assert "studies already: going on behind them" in " ".join(result.stderr.split())
    if ending == "csv":
        assert uids(path) == ALL


def test_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    path.write_text("PatientName\nA\n")
    result = find(Archive(is_relational=True), "-o", str(path))
    assert result.exit_code == 1
    assert "no file that --tree has begun" in " ".join(result.stderr.split())
    assert path.read_text() == "PatientName\nA\n"


def test_tree_names_each_entity_once() -> None:
    result = find(Archive(is_relational=True), "-f", "tree", "InstanceNumber", "Modality=CT")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["Patient", "Mod", "No."]
    assert len(lines) == 3 + STUDIES * (1 + SERIES * (1 + INSTANCES))
    assert [len(line) - len(line.lstrip()) for line in lines[3:9]] == [0, 2, 4, 4, 4, 2]


def test_tree_needs_its_question() -> None:
    result = CliRunner().invoke(main, ["find", HOST, "104", "-f", "tree"])
    assert result.exit_code == 2
    assert "add --tree" in result.stderr


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        ("PatientName=Nobody", "ignored Patient's Name = Nobody: 7 of 7 studies have another"),
        ("Modality=MR", "ignored Modality = MR: 14 of 14 series have another value"),
        ("InstanceNumber=2", "ignored Instance Number = 2: 28 of 42 instances have another value"),
        ("StudyDescription=X", "ignored Study Description = X: no answer has that attribute"),
    ],
)
def test_ignored_key_is_told_at_each_level(keys: str, warning: str) -> None:
    result = find(Archive(is_relational=True), keys, "-f", "jsonl")
    assert result.exit_code == 0, result.output
    assert warning in result.stderr
    assert len(result.stdout.splitlines()) == ROWS


@pytest.mark.parametrize(
    ("keys", "rows"), [("PatientName=Müller^3", 6), ("Modality=MR", 0), ("InstanceNumber=2", 14)]
)
def test_filter_here_drops_at_each_level(keys: str, rows: int) -> None:
    result = find(Archive(is_relational=True), keys, "-f", "jsonl", "--filter-here")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == rows
    assert "--filter-here dropped " in result.stderr


def test_nothing_below_the_studies_is_said() -> None:
    result = find(Archive(is_relational=True), "Modality=MR", "--filter-here")
    assert "7 studies found, without such instances." in result.stderr


def test_limit_ends_the_walk() -> None:
    result = find(Archive(is_relational=False), "-f", "jsonl", "--limit", "4")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 4
    assert "--limit 4 cut the list" in result.stderr


@pytest.mark.parametrize("is_relational", [False, True])
def test_patient_root_begins_at_patients(is_relational: bool) -> None:
    archive = Archive(is_relational=is_relational)
    result = find(archive, "-m", "patient", "PatientName=M*", "-f", "jsonl")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["SOPInstanceUID"] for row in rows] == ALL
    assert {row["PatientID"] for row in rows} == {"P1", "P2"}
    asked = [level for level, _ in archive.asked]
    assert asked[0] == "PATIENT"
    assert asked.count("STUDY") == 2


def test_model_without_series_is_refused() -> None:
    result = find(Archive(is_relational=True), "-m", "psonly")
    assert result.exit_code == 2
    assert "Patient/Study Only has none: -m study" in result.stderr

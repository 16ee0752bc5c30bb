"""Sorted, distinct, counted and cut lists of matches, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset, dcmread

from dicomquest import evt
from dicomquest.cli import main
from fixtures.faces import HOST, data_set, serving

SERIES = (
    ("Zebra^A", "9", "CT"),
    ("Apfel^B", "10", "MR"),
    ("Müller^C", "", "CT"),
    ("apfel^A", "2", "CT"),
)


def answer(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
    for number, (name, series, modality) in enumerate(SERIES):
        yield (
            0xFF00,
            data_set(
                SpecificCharacterSet="ISO_IR 192",
                QueryRetrieveLevel="SERIES",
                OperatorsName=name,
                SeriesNumber=series,
                Modality=modality,
                SeriesInstanceUID=f"1.2.{number}",
            ),
        )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(answer) as port:
        yield port


def find(port: int, *arguments: str) -> Result:
    command = ["find", HOST, str(port), "-L", "SERIES", "StudyInstanceUID=1.2"]
    result = CliRunner().invoke(main, [*command, *arguments])
    assert result.exit_code == 0, result.output
    return result


def column(result: Result) -> list[str]:
    return result.stdout.splitlines()[1:]


def test_sort_by_number_then_downwards(port: int) -> None:
    """Numbers sort by size, text without regard to case, and matches without a value come last."""
    options = ("--format", "csv", "--columns", "SeriesNumber", "--sort")
    assert column(find(port, *options, "SeriesNumber")) == ["2", "9", "10", '""']
    assert column(find(port, *options, "-SeriesNumber")) == ["10", "9", "2", '""']
    options = ("--format", "csv", "--columns", "OperatorsName", "--sort")
    assert column(find(port, *options, "-Modality,OperatorsName")) == [
        "Apfel^B", "apfel^A", "Müller^C", "Zebra^A",
    ]  # fmt: skip


def test_unique_shows_alike_rows_once(port: int) -> None:
    result = find(port, "--columns", "Modality", "--unique", "--format", "csv")
    assert column(result) == ["CT", "MR"]
    assert find(port, "--columns", "Modality", "--unique", "--count").stdout == "2\n"


def test_csv_is_safe_if_asked() -> None:
    def formula(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
        yield 0xFF00, data_set(QueryRetrieveLevel="SERIES", Modality="CT", OperatorsName="=1+1")

    with serving(formula) as port:
        options = ("--columns", "OperatorsName", "-f", "csv")
        assert column(find(port, *options)) == ["=1+1"]
        assert column(find(port, *options, "--csv-safe")) == ["'=1+1"]


def test_count_prints_only_the_number(port: int) -> None:
    result = find(port, "--count")
    assert (result.stdout, result.stderr) == ("4\n", "")


def test_limit_says_whether_it_cut(port: int) -> None:
    result = find(port, "--limit", "3")
    assert "3 series in" in result.stderr
    assert "--limit 3 cut the list" in result.stderr
    assert "cut" not in find(port, "--limit", "4").stderr


def test_columns_are_those_named_in_their_order(port: int) -> None:
    result = find(port, "--columns", "Modality,OperatorsName", "--limit", "1")
    assert result.stdout.splitlines()[0].split() == ["Mod", "Operators'", "Name"]
    result = find(port, "--columns", "Modality,OperatorsName", "--format", "jsonl")
    assert set(json.loads(result.stdout.splitlines()[0])) == {
        "Modality",
        "OperatorsName",
    }


def test_output_file_by_its_ending(port: int, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    result = find(port, "-o", str(path), "--columns", "OperatorsName")
    assert result.stdout == ""
    said = " ".join(result.stderr.split())
    assert re.search(rf" 4 series in \d+ ms, written to {re.escape(str(path))}$", said)
    assert path.read_bytes().decode() == "OperatorsName\n" + "".join(
        f"{row[0]}\n" for row in SERIES
    )


def test_folder_gets_a_file_per_match(port: int, tmp_path: Path) -> None:
    find(port, "-o", f"{tmp_path}/matches/")
    files = sorted((tmp_path / "matches").iterdir())
    assert [path.name for path in files] == [f"1.2.{number}.dcm" for number in range(4)]
    assert [str(dcmread(path).OperatorsName) for path in files] == [row[0] for row in SERIES]


def test_output_that_cannot_be_written_is_said_so(port: int, tmp_path: Path) -> None:
    command = ["find", HOST, str(port), "-o", f"{tmp_path}/no/series.csv"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "series.csv cannot be written: No such file" in " ".join(result.stderr.split())

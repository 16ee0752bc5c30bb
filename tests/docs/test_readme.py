"""README.md claims only what the pages behind it hold, its blocks run, and it stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPLANATION = ROOT / "docs" / "explanation"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in README.partition("## Compare it")[2].splitlines()
    if line.startswith("|") and not line.startswith("| ---")
][1:]


def section(benchmark: str) -> str:
    page = (EXPLANATION / "benchmarks.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {benchmark}: (.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("row", [row for row in ROWS if "(P" in row[0]], ids=lambda row: row[0])
def test_each_figure_is_that_of_the_benchmark(row: list[str]) -> None:
    title, *figures = row
    (benchmark,) = re.findall(r"\((P\d+)\)$", title)
    known = set(re.findall(r"(?<![\d.,])[\d,]+(?:\.\d+)?", section(benchmark)))
    assert {figure for figure in figures if figure} <= known


def test_the_table_names_the_measured_versions() -> None:
    (header,) = re.findall(r"^\| \| dicomquest \|(.+)\|$", README, re.MULTILINE)
    page = (EXPLANATION / "benchmarks.md").read_text(encoding="utf-8")
    (versions,) = re.findall(r"^Versions: .+$", page, re.MULTILINE)
    for program, version in (cell.split() for cell in header.split("|")):
        assert re.search(rf"{program} v?{re.escape(version)}\b", versions), program


def test_the_differences_are_counted_as_on_their_page() -> None:
    (row,) = [row for row in ROWS if "(P" not in row[0]]
    page = (EXPLANATION / "differences.md").read_text(encoding="utf-8")
    assert f"dcmqrscp differs from dicomquest in {row[2]} of 123 queries." in page
    assert f"Orthanc differs from dicomquest in {row[3]} of 123 queries." in page


def test_the_readme_has_the_two_commands() -> None:
    assert re.findall(r"^make (\w+)  ", README, re.MULTILINE) == ["run", "test"]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120

"""Many values of one key: in lists that the peer takes, over several associations, merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from fixtures.faces import HOST, serving
from fixtures.scripted_archive import ScriptedArchive, entity, studies

COUNT = 250


def find(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", HOST, str(port), *arguments])


@pytest.fixture
def uids(tmp_path: Path) -> str:
    """A file of all UIDs, and of one that nobody has."""
    path = tmp_path / "uids.txt"
    path.write_text("\n".join(f"1.2.{number}" for number in range(COUNT + 1)), encoding="utf-8")
    return f"StudyInstanceUID=@{path}"


def rows(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return sorted(result.stdout.splitlines()[1:])


def test_uids_go_in_lists(uids: str) -> None:
    archive = ScriptedArchive(studies(COUNT))
    with serving(archive) as port:
        result = find(port, uids, "PatientID", "--format", "csv")
    assert len(set(rows(result))) == COUNT
    lists = [len(asked[0x0020000D].values) for asked in archive.asked]
    assert sorted(lists) == [51, 100, 100]
    assert "for each of 251 values of Study Instance UID, from " not in result.stderr  # csv
    assert "1 of 251 values found nothing: 1.2.250" in result.stderr


@pytest.mark.parametrize("refuses", [False, True])
def test_peer_without_lists_is_asked_singly(uids: str, refuses: bool) -> None:
    """A list that finds nothing, or is refused: each UID is asked for alone."""
    archive = ScriptedArchive(studies(COUNT), takes_lists=False, refuses_lists=refuses)
    with serving(archive) as port:
        result = find(port, uids, "PatientID", "--format", "csv")
    assert len(set(rows(result))) == COUNT
    assert "takes no list of UIDs, so each was asked for alone" in result.stderr


def test_series_of_many_studies_have_their_study(uids: str) -> None:
    """Below the level of the key each study is asked for alone, and each row names it."""
    series = [
        entity("SERIES", StudyInstanceUID=f"1.2.{number}", SeriesInstanceUID=f"1.2.{number}.1")
        for number in range(COUNT)
    ]
    archive = ScriptedArchive(series)
    with serving(archive) as port:
        columns = ("--columns", "StudyInstanceUID,SeriesInstanceUID", "--format", "csv")
        result = find(port, "-L", "SERIES", uids, "--associations", "3", *columns)
    assert rows(result) == sorted(f"1.2.{number},1.2.{number}.1" for number in range(COUNT))
    assert len(archive.asked) == COUNT + 1


def test_accession_numbers_go_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text("A1\nA3\nA9\n", encoding="utf-8")
    archive = ScriptedArchive(studies(5, lambda number: {"AccessionNumber": f"A{number}"}))
    with serving(archive) as port:
        result = find(port, f"AccessionNumber=@{path}", "StudyInstanceUID", "--format", "csv")
    assert [row.split(",")[0] for row in rows(result)] == ["1.2.1", "1.2.3"]
    assert "1 of 3 values found nothing: A9" in result.stderr


def test_value_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "uids.txt"
    path.write_text("1.2.3\n1.2.x\n", encoding="utf-8")
    result = find(1, f"StudyInstanceUID=@{path}")
    assert result.exit_code == 2
    assert "Study Instance UID '1.2.x' is no UID" in result.stderr

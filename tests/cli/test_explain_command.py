"""`dicomquest explain`: a query of an index in words and SQL, and the key that excludes all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from dicomquest.index import open_index
from fixtures.nothing_found import CASES, Case
from peers import corpus, ours


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("explain")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    with open_index(folder / "scans.sqlite", create=True) as index:
        index.ingest([folder / "files"])
    return str(folder / "scans.sqlite")


def explain(location: str, *arguments: str) -> Result:
    command = ["explain", "--index", location, *arguments]
    return CliRunner().invoke(main, command, env={"COLUMNS": "100"})


def test_each_key_has_words_sql_and_counts(location: str) -> None:
    result = explain(location, "PatientName=Doe^J*", "AccessionNumber=A77")
    assert result.exit_code == 0, result.output
    assert (result.stderr, result.stdout.splitlines()[:13]) == (
        "",
        [
            (
                "studies whose Accession Number is 'A77' and whose Patient's Name starts with "
                "'Doe^J' (Study Root):"
            ),
            "no study",
            "",
            "Accession Number (0008,0050): required key, Single Value matching (PS3.4 C.2.2.2.1)",
            "  asks      Accession Number is 'A77'",
            "  SQL       study.accession_number = 'A77'",
            "  alone     no study",
            "  without   2 studies",
            (
                "Patient's Name (0010,0010): required key, Single Value, Person Name matching "
                "(PS3.4 C.2.2.2.1.1)"
            ),
            "  asks      Patient's Name starts with 'Doe^J'",
            (
                "  SQL       patient.patient_name_alphabetic >= 'doe^j' AND "
                "patient.patient_name_alphabetic < 'doe^k'"
            ),
            "  alone     2 studies",
            "  without   no study",
        ],
    )
    assert "\nPlan        SEARCH study USING INDEX ix_study_accession_number" in result.stdout
    assert result.stdout.endswith(
        "\nOne key excludes everything: no such study has Accession Number 'A77'.\n"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cause_is_found(location: str, case: Case) -> None:
    result = explain(location, "-L", case.level, "-m", case.root, *ours.texts(case.keys))
    assert result.exit_code == 0, result.output
    found = " ".join(result.stdout.split())
    assert case.words in found
    assert ": no " in found


def test_query_that_finds_something_has_no_cause(location: str) -> None:
    result = explain(location, "-L", "IMAGE", "Modality=CT", "InstanceNumber")
    assert result.exit_code == 0, result.output
    assert "exclude" not in result.stdout
    assert "\nReturned    SOP Instance UID, Instance Number\n" in result.stdout


def test_filter_is_part_of_the_question(location: str) -> None:
    result = explain(location, "--visible", "Modality=XX", "PatientName=DOE*")
    assert "; visible are only instances whose Modality is 'XX' (Study Root): no study" in " ".join(
        result.stdout.split()
    )
    assert result.stdout.endswith("\nNothing matches: there are no studies at all.\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("StudyDate=20241301",), 2, "such month: 13. Perhaps 2024-01-13. (--as-is takes it"),
        (("PatientNam=X",), 2, "PatientName"),
        (("--as-is", "StudyDate=20241301"), 1, "Error: the query has no meaning: "),
        (("--visible", "Modality="), 2, "Error: "),
        (("-m", "psonly", "-L", "IMAGE"), 2, "no level IMAGE"),
    ],
)  # fmt: skip
def test_wrong_question_is_told(
    location: str, arguments: tuple[str, ...], status: int, message: str
) -> None:
    result = explain(location, *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert message in result.stderr


def test_missing_index_is_said(tmp_path: Path) -> None:
    result = explain(str(tmp_path / "none.sqlite"), "PatientName=X")
    assert result.exit_code == 1
    assert "`dicomquest index PATH...` makes one" in result.stderr

"""`dicomquest find`: keys by the habits of findscu, and an index in the place of a peer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset

from dicomquest import evt
from dicomquest.cli import main
from dicomquest.cli.find_target import keys_by_habit
from dicomquest.dataset.elements import from_pydicom
from dicomquest.index import open_index
from fixtures.faces import HOST, serving
from fixtures.storing import instance


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", *arguments])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("PatientName=C*", "PatientName=C*"),
        ("(0010,0010)=C*", "0010,0010=C*"),
        ("0010,0010", "0010,0010"),
        ("RequestAttributesSequence[0].CodeValue=A", "RequestAttributesSequence.CodeValue=A"),
        ("(0040,0275)[0].(0040,0009)=a[0].b", "0040,0275.0040,0009=a[0].b"),
    ],
)  # fmt: skip
def test_key_of_findscu(text: str, key: str) -> None:
    assert keys_by_habit([text], "STUDY") == ([key], "STUDY")


@pytest.mark.parametrize(
    "text", ["QueryRetrieveLevel=SERIES", "0008,0052=series", "(0008,0052)=SERIES"]
)
def test_key_names_the_level(text: str) -> None:
    assert keys_by_habit([text, "Modality"], "STUDY") == (["Modality"], "SERIES")


def test_command_line_of_findscu() -> None:
    asked: list[tuple[str, str, Dataset]] = []

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        asked.append(
            (
                event.assoc.requestor.ae_title,
                str(event.request.AffectedSOPClassUID),
                event.identifier,
            )
        )
        yield from ()

    with serving(answer) as port:
        result = run(
            "-P", "-aet", "LAB", "-aec", "PACS", "-k", "QueryRetrieveLevel=PATIENT",
            "-k", "(0010,0010)=C*", "-k", "PatientID", HOST, str(port),
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    ((title, model, identifier),) = asked
    assert (title, model) == ("LAB", "1.2.840.10008.5.1.4.1.2.1.1")
    assert identifier.QueryRetrieveLevel == "PATIENT"
    assert identifier.PatientName == "C*"
    assert "PatientID" in identifier


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-W", "-P"], "-P and -W exclude each other"),
        (["-P", "-S"], "-P and -S exclude each other"),
        (["-k", "QueryRetrieveLevel=WORK"], "there is no level WORK"),
    ],
)
def test_habit_that_cannot_be_kept(arguments: list[str], message: str) -> None:
    result = run(HOST, "1", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("index") / "scans.sqlite"
    with open_index(path, create=True) as index:
        index.ingest_data_sets(
            from_pydicom(instance(study, number)) for study in (1, 2) for number in (1, 2)
        )
    return str(path)


def test_index_is_asked_without_a_peer(location: str) -> None:
    """Keys need no upper unique key, and words that look like a peer are keys."""
    result = run("--index", location, "StudyInstanceUID", "-f", "csv")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 3
    result = run("-L", "IMAGE", "InstanceNumber", "--index", location, "--count")
    assert (result.exit_code, result.stdout) == (0, "4\n")
    result = run("--index", location)
    assert result.exit_code == 0
    assert "2 studies in" in result.stderr


def test_index_says_why_it_found_nothing(location: str) -> None:
    keys = ("PatientName=NOBODY", "StudyInstanceUID")
    hints = run("--index", location, *keys)
    assert "'NOBODY' has no wild card: " in hints.stderr
    asked = run("--index", location, *keys, "--explain")
    assert "  without Patient's Name                       2 studies" in asked.stderr
    assert "One key excludes everything: no study has Patient's Name 'NOBODY'." in asked.stderr


def test_values_of_a_file_are_one_question_to_an_index(location: str, tmp_path: Path) -> None:
    with open_index(location) as index:
        uids = [str(study.StudyInstanceUID) for study in index.find(StudyInstanceUID=None)]
    path = tmp_path / "uids.txt"
    path.write_text("\n".join([*uids, "1.9"]), encoding="utf-8")
    result = run("--index", location, f"StudyInstanceUID=@{path}", "-f", "csv")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 3


def test_index_is_asked_under_a_filter(location: str) -> None:
    """``--explain`` says what is visible, and counts are those of what is."""
    filtered = ("--index", location, "--visible", "InstanceNumber=2")
    asked = ("NumberOfStudyRelatedInstances", "-f", "csv", "--explain")
    result = run(*filtered, *asked)
    assert result.exit_code == 0, result.output
    assert "; visible are only instances whose Instance Number is 2" in result.stderr
    assert [line.split(",")[-1] for line in result.stdout.splitlines()[1:]] == ["1", "1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--index", "missing.sqlite", "--visible", "Modality"], "there is no index"),
        (["pacs.example", "104", "--visible", "Modality=CT"], "--visible is for --index"),
    ],
)
def test_filter_without_its_index_is_refused(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code in {1, 2}
    assert message in " ".join(result.stderr.split())


def test_index_is_asked_without_case(location: str) -> None:
    asked = ("--index", location, "PatientID=p1", "StudyInstanceUID", "--count")
    assert run(*asked).stdout == "0\n"
    assert run(*asked, "--ignore-case").stdout == "1\n"
    refused = run("pacs.example", "104", "--ignore-case")
    assert "--ignore-case is for --index" in " ".join(refused.stderr.split())


def test_index_is_asked_by_words_of_a_name(tmp_path: Path) -> None:
    location = str(tmp_path / "names.sqlite")
    made = instance(1, 1)
    made.PatientName = "Mueller^Joerg"
    with open_index(location, create=True) as index:
        index.ingest_data_sets([from_pydicom(made)])
    asked = ("--index", location, "PatientName=jorg miler", "--count")
    assert run(*asked).stdout == "0\n"
    assert run(*asked, "--fuzzy").stdout == "1\n"
    assert run(*asked, "--offer", "fuzzy").stdout == "1\n"
    assert "sound" in CliRunner().invoke(main, ["explain", *asked[:3], "--fuzzy"]).output


def test_peer_is_asked_for_words_of_a_name() -> None:
    with serving(lambda _: iter(())) as port:
        result = run(HOST, str(port), "PatientName=miler", "--fuzzy")
    assert result.exit_code == 0
    assert re.search(r"Offered: Fuzzy .*: not accepted", result.stderr)
    refused = run(HOST, str(port), "PatientName=miler", "--fuzzy", "--tree")
    assert refused.exit_code == 2
    assert "--fuzzy does not go with --tree" in " ".join(refused.stderr.split())


def test_wrong_filter_is_refused(location: str) -> None:
    result = run("--index", location, "--visible", "Modality")
    assert result.exit_code == 2
    assert "Modality=VALUE" in result.stderr


def test_index_that_is_missing_is_said_so(tmp_path: Path) -> None:
    result = run("--index", str(tmp_path / "none.sqlite"), "PatientName")
    assert result.exit_code == 1
    assert "there is no index at" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "auto"), "--split is for a peer"),
        (("--filter-here",), "--filter-here is for a peer"),
        (("--charset-of-peer", "ISO_IR 100"), "--charset-of-peer is for a peer"),
        (("--show-bytes",), "--show-bytes is for a peer"),
        (("--tree",), "--tree is for a peer"),
        (("--charset-of-peer", "LATIN"), "'LATIN' is not a character set"),
    ],
)
def test_option_that_does_nothing_is_refused(
    location: str, arguments: tuple[str, ...], message: str
) -> None:
    result = run("--index", location, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr

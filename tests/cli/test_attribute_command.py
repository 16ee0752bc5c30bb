"""`dicomquest attribute`: its output and its exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest import cli
from dicomquest.cli import main
from dicomquest.dataset.elements import Element
from dicomquest.index import Index


@pytest.fixture
def location(tmp_path: Path) -> str:
    path = str(tmp_path / "index.sqlite")
    texts = {
        0x00080016: "1.2.840.10008.5.1.4.1.1.2",
        0x00080018: "1.2.3",
        0x0020000D: "1.2.4",
        0x0020000E: "1.2.5",
    }
    with Index(path) as index:
        index.ingest_data_sets(
            [
                {tag: Element("UI", (uid,)) for tag, uid in texts.items()}
                | {0x00181160: Element("SH", ("WEDGE",))}
            ]
        )
    return path


def run(location: str, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["attribute", *arguments, "--index", location])
    return result.exit_code, result.stdout, result.stderr


def test_attribute_is_added_listed_and_dropped(location: str) -> None:
    assert run(location, "add", "FilterType") == (0, "", "FilterType has an index of 1 row\n")
    code, listed, _ = run(location, "list")
    assert code == 0
    assert listed.splitlines()[1].split() == [
        "FilterType",
        "(0018,1160)",
        "IMAGE",
        "SH",
        "ready",
        "100",
        "%",
        "1",
    ]
    assert run(location, "drop", "0018,1160")[0] == 0
    assert run(location, "list") == (0, "", "No attribute was added.\n")
    code, _, error = run(location, "drop", "FilterType")
    assert code == 2
    assert "Error: FilterType has no index that was added" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["PatientName"],
        ["Nonsense"],
        ["FilterType", "--level", "STUDY"],
        ["PixelData"],
        ["0029,1008"],
        ["SpecificCharacterSet"],
        ["QueryRetrieveLevel"],
    ],
)
def test_unaddable_attribute_is_wrong_command_line(location: str, arguments: list[str]) -> None:
    code, out, error = run(location, "add", *arguments)
    assert (code, out) == (2, "")
    assert "Error: " in error


def test_private_attribute_has_its_creator_and_vr(location: str) -> None:
    private = ["0029,1008", "--creator", "NOBODY'S \"?%"]
    assert run(location, "add", *private)[0] == 2
    assert run(location, "add", *private, "--vr", "LO")[0] == 0
    listed = run(location, "list")[1]
    assert "NOBODY'S" in listed
    tag = listed.splitlines()[1].split()[0]
    assert run(location, "drop", tag, *private[1:])[0] == 0


@pytest.mark.parametrize("verb", ["add", "drop"])
def test_misspelt_keyword_gets_a_suggestion(location: str, verb: str) -> None:
    code, _, error = run(location, verb, "SliceThicknes")
    assert code == 2
    assert "did you mean SliceThickness" in error


@pytest.mark.parametrize("verb", ["add", "drop"])
def test_ctrl_c_says_how_to_go_on(
    location: str, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Index, "promote", interrupt)
    monkeypatch.setattr(Index, "demote", interrupt)
    code, _, error = run(location, verb, "FilterType")
    assert code == 130
    assert error.startswith("Error: interrupted; the same command ")


def test_ctrl_c_before_command_begins_is_line(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupt)
    assert run(location, "list") == (130, "", "Error: interrupted\n")


def test_there_must_be_an_index(tmp_path: Path) -> None:
    assert run(str(tmp_path / "none.sqlite"), "list")[0] == 1

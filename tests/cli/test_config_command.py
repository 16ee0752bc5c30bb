"""`dicomquest config`: the settings that hold, and all that is wrong in a file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.cli.serve_settings import TABLE_OF, ServeSettings

TEXT = """\
index = "postgresql://me:secret@db/x?password=secret"
[limits]
result-limit = 5
[peers."PACS 1"]
host = "pacs"
strict = true
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, ["config", *arguments])
    assert result.exit_code == status, result.output
    assert "secret" not in result.output
    return result.output


def rows(*arguments: str) -> dict[tuple[str, str], tuple[Any, str]]:
    return {
        (row["table"], row["key"]): (row["value"], row["source"])
        for row in json.loads(run("show", "--format", "json", *arguments))
    }


def test_show_has_each_setting(folder: Path) -> None:
    shown = rows()
    settings = ServeSettings()
    assert shown == {
        (table, name.replace("_", "-")): (
            json.loads(json.dumps(getattr(settings, name))),
            "default",
        )
        for name, table in TABLE_OF.items()
    }


def test_show_names_the_source_of_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dicomquest.toml").write_text(TEXT, "utf-8")
    monkeypatch.setenv("DICOMQUEST_PORT", "104")
    shown = rows()
    assert shown["serve", "port"] == (104, "DICOMQUEST_PORT")
    assert shown["serve", "host"] == ("127.0.0.1", "default")
    assert shown["limits", "result-limit"] == (5, "dicomquest.toml line 3")
    assert shown["peers.PACS 1", "host"] == ("pacs", "dicomquest.toml line 5")
    assert shown["peers.PACS 1", "strict"] == (True, "dicomquest.toml line 6")


def test_passwords_are_not_shown(folder: Path) -> None:
    (folder / "dicomquest.toml").write_text(TEXT, "utf-8")
    assert rows()["serve", "index"][0] == "postgresql://me:***@db/x?password=***"
    assert 'index = "postgresql://me:***@db/x?password=***"' in run("show")


def test_shown_file_can_be_read(folder: Path) -> None:
    (folder / "named.toml").write_text(TEXT.replace("secret", "x"), "utf-8")
    text = run("show", "--config", "named.toml")
    (folder / "again.toml").write_text(text, "utf-8")
    assert tomllib.loads(text)["peers"] == {"PACS 1": {"host": "pacs", "strict": True}}
    assert run("check", "--config", "again.toml").startswith("again.toml is in order")


def test_check_tells_all_that_is_wrong(folder: Path) -> None:
    (folder / "dicomquest.toml").write_text("port = 'x'\n[peers.X]\nstrikt = true\n", "utf-8")
    assert run("check", status=2).splitlines() == [
        "dicomquest.toml line 1: port = 'x': 'x' is not a valid integer range.",
        "dicomquest.toml line 3: [peers.X] 'strikt' is not a setting here; did you mean 'strict'?",
    ]
    assert "strikt" in run("show", status=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls-key = 'dicomquest.toml'", "need the server's own certificate"),
        ("store-layout = '{PatientID}'", "SOPInstanceUID"),
    ],
)
def test_check_finds_settings_that_do_not_fit(folder: Path, text: str, message: str) -> None:
    (folder / "dicomquest.toml").write_text(text, "utf-8")
    assert message in run("check", status=2)


def test_check_looks_at_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMQUEST_PROT", "1")
    assert run("check").splitlines() == [
        "Warning: the environment has DICOMQUEST_PROT, which is no setting.",
        "There is no configuration file; the environment is in order.",
    ]
    monkeypatch.setenv("DICOMQUEST_PORT", "x")
    assert "the variable DICOMQUEST_PORT: 'x'" in run("check", status=2)


def test_missing_file_is_told(folder: Path) -> None:
    assert "none.toml" in run("check", "--config", "none.toml", status=2)
    assert "none.toml" in run("show", "--config", "none.toml", status=2)

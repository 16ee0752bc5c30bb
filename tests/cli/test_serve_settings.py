"""The settings of `dicomquest serve`, from options and from a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main, serve_command
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.settings.access_settings import SERVICES
from dicomquest.services.access import ServiceKind


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """The settings that the server was started with."""
    settings: list[ServeSettings] = []
    monkeypatch.setattr(serve_command, "run", lambda found, _read_again: settings.append(found))
    monkeypatch.delenv("DICOMQUEST_INDEX", raising=False)
    return settings


def serve(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert result.exit_code == status, result.output
    return re.sub(r"\s+", " ", result.output)


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "serve.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_defaults_are_those_of_the_design(told: list[ServeSettings]) -> None:
    serve()
    (settings,) = told
    assert settings.index == "dicomquest.sqlite"
    assert (settings.host, settings.port, settings.aet) == ("127.0.0.1", 11112, "DICOMQUEST")
    assert settings.workers == 1
    assert not settings.strict
    assert not settings.unknown_matches


def test_environment_names_the_index(
    told: list[ServeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMQUEST_INDEX", "/srv/other.sqlite")
    serve()
    serve("--index", "here.sqlite")
    assert [settings.index for settings in told] == ["/srv/other.sqlite", "here.sqlite"]


def test_file_sets_what_the_options_set(told: list[ServeSettings], tmp_path: Path) -> None:
    path = config(tmp_path, 'port = 104\naet = "PACS"\nstrict = true\nretrieve-aet = "OTHER"\n')
    serve("--config", path)
    serve("--port", "105", "--config", path)
    assert [settings.port for settings in told] == [104, 105]
    assert told[0].aet == "PACS"
    assert told[0].retrieve_aet == "OTHER"
    assert told[0].strict


def test_file_sets_what_differs_by_calling_ae_title(
    told: list[ServeSettings], tmp_path: Path
) -> None:
    serve(
        "--config",
        config(tmp_path, '[peers.OLD_PACS]\nresult-limit = 50\ndefault_charset = "ISO_IR 100"\n'),
    )
    assert told[0].peers == {"OLD_PACS": {"result_limit": 50, "default_charset": "ISO_IR 100"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = ", "is not TOML"),
        ("prot = 104", "'prot' is not a setting here; did you mean 'port'?"),
        ("port = 70000", "port = 70000: 70000 is not in the range"),
        ("port = [104]", "port = [104]: write one value"),
        ("strict = 1", "strict = 1: write true or false"),
        ("port = true", "port = True: write one value"),
        ('several_values = "all"', "'all' is not one of"),
        ("peers = 1", "'peers' has to be tables, one for each AE title"),
        ("[peers.X]\nworkers = 1", "'workers' is not a setting here"),
        ("[peers.X]\nresult_limit = 0", "0 is not in the range"),
        ("[peers.AVERYLONGAETITLEINDEED]\nstrict = true", "is no AE title"),
    ],
)
def test_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    assert message in serve("--config", config(tmp_path, text), status=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "-1"],
        ["--aet", ""],
        ["--aet", "A\\B"],
        ["--aet", "Ä"],
        ["--aet", "12345678901234567"],
        ["--workers", "0"],
        ["--idle-timeout", "nan"],
        ["--query-timeout", "inf"],
        ["--config", "/nowhere.toml"],
        ["unexpected"],
    ],
)
def test_wrong_option_is_refused(arguments: list[str]) -> None:
    assert "Error" in serve(*arguments, status=2)


def test_each_service_has_its_word() -> None:
    assert set(SERVICES) == {kind.value for kind in ServiceKind}

"""The option --config, and which of command line, environment, file and default wins."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dicomquest.cli import COMMANDS, main, serve_command
from dicomquest.cli.serve_command import read_again
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.errors import ConfigurationError

FILE = "dicomquest.toml"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ServeSettings]:
    """The settings that the server was started with, in a folder of its own."""
    settings: list[ServeSettings] = []
    monkeypatch.setattr(serve_command, "run", lambda found, _reread: settings.append(found))
    monkeypatch.chdir(tmp_path)
    return settings


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    return result.output


def test_command_line_wins_then_environment_then_file(
    told: list[ServeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(FILE).write_text("[serve]\nport = 3\naet = 'OF_FILE'\nstrict = true\n", "utf-8")
    monkeypatch.setenv("DICOMQUEST_PORT", "2")
    monkeypatch.setenv("DICOMQUEST_STRICT", "0")
    run("serve", "--port", "1")
    run("serve")
    monkeypatch.delenv("DICOMQUEST_PORT")
    run("serve")
    assert [each.port for each in told] == [1, 2, 3]
    assert told[0].aet == "OF_FILE"
    assert not told[0].strict
    assert told[0].workers == 1


def test_file_is_named_by_option_variable_or_folder(
    told: list[ServeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate([FILE, "by_variable.toml", "by_option.toml"], 1):
        Path(name).write_text(f"port = {number}", "utf-8")
    run("serve")
    monkeypatch.setenv("DICOMQUEST_CONFIG", "by_variable.toml")
    run("serve")
    run("serve", "--config", "by_option.toml")
    assert [each.port for each in told] == [1, 2, 3]


def test_no_file_is_no_configuration(told: list[ServeSettings]) -> None:
    run("serve")
    assert told == [ServeSettings()]


def test_each_command_takes_a_file() -> None:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in commands:
            assert each is not None
            assert [option.name for option in each.params].count("config") == 1, name


def test_other_commands_share_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text('[serve]\nindex = "there.sqlite"', "utf-8")
    run("index", ".")
    assert Path("there.sqlite").exists()
    assert not Path("dicomquest.sqlite").exists()


def test_wrong_file_fails_each_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text("prot = 1", "utf-8")
    for arguments in (["serve"], ["echo", "127.0.0.1", "1"], ["check"]):
        assert "did you mean 'port'?" in run(*arguments, status=2)
    assert "Usage" in run("check", "--help")


def test_settings_are_read_again(told: list[ServeSettings]) -> None:
    """The command line still wins, and a wrong file raises instead of ending the server."""
    Path(FILE).write_text("port = 1\nresult-limit = 1", "utf-8")
    arguments = ["--port", "9"]
    run("serve", *arguments)
    Path(FILE).write_text("port = 2\nresult-limit = 2\n[peers.X]\nstrict = true", "utf-8")
    again = read_again(arguments)
    assert (told[0].result_limit, again.result_limit) == (1, 2)
    assert (told[0].port, again.port) == (9, 9)
    assert again.peers == {"X": {"strict": True}}
    Path(FILE).write_text("prot = 1\nresult-limit = 0", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_again(arguments)
    assert len(caught.value.faults) == 2


def test_variables_of_kubernetes_are_no_settings(
    told: list[ServeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service named dicomquest makes DICOMQUEST_PORT in each container."""
    monkeypatch.setenv("DICOMQUEST_PORT", "tcp://10.0.0.1:11112")
    run("serve")
    assert told == [ServeSettings()]

"""Options that mean nothing without another one, over all commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dicomquest.cli import COMMANDS, main
from dicomquest.cli.option_needs import shown_name
from dicomquest.cli.serve_command import serve
from dicomquest.cli.shared_options import SettingOption

GIVEN = {
    "serve": (),
    "web": ("--http", "127.0.0.1:0"),
    "find": ("127.0.0.1", "1", "PatientID=1"),
    "move": ("127.0.0.1", "1", "PatientID=1", "--to", "X"),
    "get": ("127.0.0.1", "1", "PatientID=1"),
}
"""The command lines of commands that have such options, right without these."""


def needy() -> Iterator[tuple[str, SettingOption]]:
    """Yield the options that need others, with their commands."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, SettingOption) and option.needs:
                yield name, option


def value_of(option: SettingOption) -> list[str]:
    """Return a value that the option takes."""
    if option.is_flag:
        return []
    if isinstance(option.type, click.Choice):
        return [option.type.choices[-1]]
    if isinstance(option.type, click.Path):
        return [str(Path(__file__).parent if option.type.dir_okay else Path(__file__))]
    if option.name in {"timezone", "public_url", "http_root", "hl7_from"}:
        return [{"timezone": "UTC", "public_url": "http://a", "http_root": "/a"}.get(
            option.name, "10.0.0.1"
        )]  # fmt: skip
    least = getattr(option.type, "min", None)
    return [str(int(least or 1))]


@pytest.mark.parametrize(
    ("command", "option"), [pytest.param(*row, id=f"{row[0]}-{row[1].name}") for row in needy()]
)
def test_an_idle_option_is_refused(command: str, option: SettingOption) -> None:
    parsed = main.get_command(click.Context(main), command)
    assert parsed is not None
    others = [each for each in parsed.params if each.name in option.needs]
    if any(each.default for each in others):
        return  # `web` always answers by HTTP
    name = max(option.opts, key=len)
    result = CliRunner().invoke(main, [command, *GIVEN[command], name, *value_of(option)])
    assert result.exit_code == 2, result.output
    words = " ".join(result.stderr.split())
    assert f"{shown_name(option)} does nothing without " in words
    assert all(shown_name(each) in words for each in others)


def test_needs_are_options_of_the_command() -> None:
    for name, option in needy():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert set(option.needs) & {each.name for each in command.params}, option.name


def test_a_file_may_hold_more_than_is_used(tmp_path: Path) -> None:
    """One file serves several commands, so only the command line is held to it."""
    file = tmp_path / "dicomquest.toml"
    file.write_text('[serve]\nhide-steps = ["completed"]\n')
    with serve.make_context("serve", ["--config", str(file)]) as context:
        assert context.params["hide_steps"] == ("completed",)


def test_a_table_stands_for_an_option(tmp_path: Path) -> None:
    file = tmp_path / "dicomquest.toml"
    file.write_text('[upstreams.main]\nhost = "127.0.0.1"\nport = 1\n')
    with serve.make_context("serve", ["--config", str(file), "--merge-wait", "1"]) as context:
        assert context.params["merge_wait"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["find", "-W", "-m", "ups"], "-W is the same as -m worklist, and -m ups another model"),
        (["find", "-P", "-m", "study"], "-P is the same as -m patient, and -m study another"),
        (["get", "-o", "x", "-P", "-m", "psonly"], "-P is the same as -m patient, and -m psonly"),
        (["find", "-L", "SERIES", "-k", "QueryRetrieveLevel=STUDY"], "are two levels"),
        (["get", "-o", "x", "-L", "SERIES", "-k", "0008,0052=STUDY"], "are two levels"),
        (["move", "--to", "X", "--umask", "027"], "--umask is for files that come here"),
    ],
)
def test_two_options_contradict(arguments: list[str], words: str) -> None:
    command, *rest = arguments
    result = CliRunner().invoke(main, [command, "127.0.0.1", "1", "PatientID=1", *rest])
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())

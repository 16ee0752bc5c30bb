"""The page of `--help` of every command: one screen, examples first, all options somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from dicomquest.cli import COMMANDS, main
from dicomquest.cli.help_page import LINES, WIDTH


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, and the commands of groups."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            for inner, each in command.commands.items():
                yield (name, inner), each


ALL = [pytest.param(words, command, id=" ".join(words)) for words, command in commands()]


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, terminal_width=WIDTH)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("words", "command"), ALL)
def test_help_fits_a_screen(words: tuple[str, ...], command: click.Command) -> None:
    lines = shown(*words, "--help").splitlines()
    assert len(lines) <= LINES
    assert [line for line in lines if cell_len(line) > WIDTH or line != line.rstrip()] == []
    assert command.help


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_come_before_the_options(name: str) -> None:
    page = shown(name, "--help")
    assert re.search(rf"\n +dicomquest {name}\b[\s\S]*?\n(.*:\n)?  -", page), page


@pytest.mark.parametrize(
    ("words", "command"), [each for each in ALL if not isinstance(each.values[1], click.Group)]
)
def test_each_option_is_named(words: tuple[str, ...], command: click.Command) -> None:
    """The page names each option, if only to say that --help-all has more about it."""
    page, everything = shown(*words, "--help"), shown(*words, "--help-all")
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            name = max(option.opts, key=len)
            assert re.search(rf"{name}\b", page)
            assert re.search(rf"^  (.*, )?{name}\b", everything, re.MULTILINE)
            assert (option.help or "").split()[-1].rstrip(".") in everything

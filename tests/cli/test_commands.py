"""The list of the commands: what it shows, and what a name outside it gets."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dicomquest.cli import COMMANDS, main


@pytest.mark.parametrize(
    ("name", "hint"), [("fnd", "did you mean 'find'?"), ("xyz", "there are index, watch, check")]
)
def test_wrong_command_names_the_right_ones(name: str, hint: str) -> None:
    result = CliRunner().invoke(main, [name])
    assert result.exit_code == 2
    assert f"Error: '{name}' is not a command; {hint}" in result.stderr


def test_help_lists_each_command() -> None:
    words = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    assert all(f"{name} {row.words}" in words for name, row in COMMANDS.items())

"""`dicomquest users`: names and hashes in a file, passcodes from standard input."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from dicomquest.cli import main, users_command
from dicomquest.services import passcodes
from dicomquest.services.passcodes import read_users

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passcodes, "hasher", lambda: CHEAP)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


def users(path: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["users", *arguments, "--users-file", str(path)], input=stdin)


def test_added_user_has_the_passcode(path: Path) -> None:
    result = users(path, "add", "ann", stdin="open sesame\nmore\n")
    assert result.exit_code == 0, result.output
    assert result.stderr == f"{path}: ann is added.\n"
    assert CHEAP.verify(read_users(path)["ann"], "open sesame")
    assert "sesame" not in path.read_text(encoding="utf-8")


def test_passcode_is_changed_and_others_stay(path: Path) -> None:
    users(path, "add", "ann", stdin="one\n")
    users(path, "add", "bob", stdin="two\n")
    result = users(path, "add", "ann", stdin="three\n")
    assert result.stderr == f"{path}: the passcode of ann is changed.\n"
    known = read_users(path)
    assert CHEAP.verify(known["ann"], "three")
    assert CHEAP.verify(known["bob"], "two")


def test_users_are_listed_and_removed(path: Path) -> None:
    for name in ("bob", "ann", "cyd"):
        users(path, "add", name, stdin="secret\n")
    assert users(path, "list").stdout == "ann\nbob\ncyd\n"
    assert users(path, "remove", "ann", "cyd").exit_code == 0
    assert users(path, "list").stdout == "bob\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["add", "ann"], "\n", "its first line is empty"),
        (["add", "a:b"], "secret\n", "is no user name here"),
        (["remove", "ann"], "", "has no user 'ann'"),
        (["list"], "", "No such file or directory"),
    ],
)
def test_failure_has_its_reason(path: Path, arguments: list[str], stdin: str, words: str) -> None:
    result = users(path, *arguments, stdin=stdin)
    assert result.exit_code == 1
    assert words in result.stderr
    assert not path.exists()


def test_file_is_that_of_the_configuration(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text(f'[access]\nusers-file = "{path}"\n', encoding="utf-8")
    CliRunner().invoke(main, ["users", "add", "ann", "--config", str(config)], input="secret\n")
    assert list(read_users(path)) == ["ann"]


def test_default_file_is_in_the_current_folder() -> None:
    assert users_command.DEFAULT_FILE == "dicomquest.users"

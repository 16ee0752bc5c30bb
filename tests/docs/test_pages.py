"""The pages keep up with the code: what is not documented does not pass."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

import dicomquest
from dicomquest.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

MADE_BY_MAKE_DOCS = {"import-graph.svg"}

COMMAND_LINE = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def section(name: str) -> str:
    """The part of command-line.md under the heading of one command."""
    match = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", COMMAND_LINE, re.MULTILINE | re.DOTALL)
    assert match is not None, f"docs/reference/command-line.md has no section '## {name}'"
    return match[1]


def parameters(found: click.Command) -> list[click.Parameter]:
    """Those of a command, and of the commands of a group."""
    inner = found.commands.values() if isinstance(found, click.Group) else ()
    return [*found.params, *(parameter for each in inner for parameter in each.params)]


OPTIONS = [
    (name, option)
    for name in COMMANDS
    for parameter in parameters(command(name))
    if isinstance(parameter, click.Option)
    for option in parameter.opts
]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_each_option_is_documented(name: str, option: str) -> None:
    assert re.search(rf"`{re.escape(option)}[ `]", section(name)), (
        f"docs/reference/command-line.md: ## {name} does not say `{option}`"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_is_gone(name: str) -> None:
    known = {option for other, option in OPTIONS if other == name} | {"--help"}
    documented = re.findall(r"^\| `(--[a-zA-Z0-9-]+|-[a-zA-Z]+)", section(name), re.MULTILINE)
    assert documented
    assert set(documented) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_has_each(name: str) -> None:
    (listed,) = re.findall(r"^`dicomquest` has these commands: .*$", COMMAND_LINE, re.MULTILINE)
    assert f"`{name}`" in listed


def test_help_of_serve_begins_with_all_it_does() -> None:
    beginning = (command("serve").help or "").partition("\b")[0]
    assert all(word in beginning for word in ("C-FIND", "C-ECHO", "C-STORE", "--store"))
    assert "C-STORE" in COMMANDS["serve"].words


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_teaches_by_examples(name: str) -> None:
    text = command(name).help or ""
    assert len(re.findall(rf"^ +dicomquest {name}", text, re.MULTILINE)) >= 2, text


def test_each_dependency_says_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in required}
    rows = re.findall(
        r"^\| ([\w-]+) \| .+ \| .+ \|$",
        (DOCS / "reference" / "dependencies.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert set(rows) - {"Dependency", "---"} == names


def test_each_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = {
        line.partition("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    required = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
    ]
    assert {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in required} <= pinned


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert target in MADE_BY_MAKE_DOCS or (page.parent / target).exists(), (
                f"{page.name}: {target}"
            )


def test_the_python_page_has_each_public_name() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^::: (\S+)", page, re.MULTILINE))
    for name in dicomquest.__all__:
        value = getattr(dicomquest, name)
        home = getattr(value, "__module__", getattr(value, "__name__", ""))
        places = {home, f"{home}.{name}"}
        assert places & described or f"`{name}`" in page, f"reference/python.md: {name}"


def test_the_files_that_a_page_names_exist() -> None:
    for page in DOCS.rglob("*.md"):
        for name in re.findall(r"`(\w+(?:/\w+)+\.py)`", page.read_text(encoding="utf-8")):
            folders = [ROOT, ROOT / "src" / "dicomquest"]
            assert any((folder / name).exists() for folder in folders), f"{page.name}: {name}"


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make run" in readme
    assert "make test" in readme

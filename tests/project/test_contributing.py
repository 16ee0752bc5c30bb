"""CONTRIBUTING.md and the pages beside it say what the tree does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.tool_modules import load_tool

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = ["CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"]

style = load_tool("style")


@pytest.mark.parametrize(
    "rule",
    [
        f"Lines have at most {style.LINE_LIMIT} characters ✓",
        f"at most {style.FILE_LIMIT} ✓, files of tests at most {style.TEST_FILE_LIMIT} ✓",
        f"A name has at most {style.TEST_NAME_LIMIT} characters ✓",
        f"begins with none of {', '.join(style.OPENINGS)} ✓",
        f"has at most {style.SUBJECT_LIMIT} characters; the body says why",
    ],
)
def test_the_page_has_the_numbers_of_the_check(rule: str) -> None:
    assert rule in CONTRIBUTING


def test_the_page_names_the_forbidden_names() -> None:
    (line,) = [line for line in CONTRIBUTING.splitlines() if "is called" in line]
    assert set(re.findall(r"`(\w+)`", line)) == set(style.VAGUE_NAMES)


def test_the_page_names_each_room() -> None:
    package = ROOT / "src" / "dicomquest"
    rooms = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in package.glob("*.py") if not path.stem.startswith("__")}
    section = CONTRIBUTING.partition("## Where things live")[2].partition("\n## ")[0]
    table = "".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE))
    assert set(re.findall(r"`([\w./]+)`", table)) == rooms | modules


@pytest.mark.parametrize("name", PAGES)
def test_each_link_leads_to_a_file(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page):
        assert (ROOT / target).exists(), target


def test_the_changelog_has_the_version() -> None:
    from dicomquest import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert versions[0] in (__version__, "Unreleased")

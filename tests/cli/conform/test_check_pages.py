"""The page of each check: in the documentation, and on a terminal."""

from __future__ import annotations

from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.cli.conform.check_pages import PAGE, PAGES, place_of
from dicomquest.cli.conform.check_table import ALL_CHECKS
from fixtures.tool_modules import load_tool


def test_each_check_has_a_page() -> None:
    assert list(PAGES) == [check.identifier for check in ALL_CHECKS]


def test_documentation_is_up_to_date() -> None:
    tool = load_tool("check_pages")
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page()


def test_place_of_a_check_is_a_heading() -> None:
    tool = load_tool("check_pages")
    headings = [line for line in tool.page().splitlines() if line.startswith("## ")]
    places = [place_of(check.identifier) for check in ALL_CHECKS]
    assert [f"{PAGE}#{heading.removeprefix('## ')}" for heading in headings] == places
    assert tool.PAGE.as_posix().endswith(PAGE)


def test_check_is_described_without_a_peer() -> None:
    done = CliRunner().invoke(main, ["conform", "--describe", "wild-uid"])
    assert done.exit_code == 0
    assert done.stdout.startswith("wild-uid: A UID has no wild cards. (PS3.4 C.2.2.2.4)\n")
    assert "\n  Tell the vendor\n    UIDs have no wild card matching" in done.stdout
    wrong = CliRunner().invoke(main, ["conform", "--describe", "wild"])
    assert wrong.exit_code == 2

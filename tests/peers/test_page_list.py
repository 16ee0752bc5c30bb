"""A long list in a browser: a small document, both ends, and the place one comes back to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from dicomquest.index import open_index
from fixtures.page_studies import fill
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium")

STUDIES = 1_500
ROWS = "document.querySelectorAll('tr.study').length"
SHOWN = """
[...document.querySelectorAll('tr.study')].map((row) => Number(row.getAttribute('aria-rowindex')))
"""
TO_BOTTOM = "scrollTo(0, document.documentElement.scrollHeight)"


@pytest.fixture(scope="module")
def page_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over more studies than come by themselves."""
    folder = tmp_path_factory.mktemp("list")
    with open_index(folder / "index.sqlite", create=True) as index:
        fill(index, STUDIES)
    port = free_port()
    with ours.serve(folder / "index.sqlite", "--http", str(port)):
        yield f"http://127.0.0.1:{port}"


def until(page: Page, condition: str) -> None:
    """Wait for a condition; the page's policy lets nobody evaluate text within it."""
    frame = "await new Promise(requestAnimationFrame)"
    page.evaluate(f"(async () => {{ while (!({condition})) {frame}; }})()")


def scroll_until(page: Page, row: int) -> None:
    """Scroll down until a row is there."""
    row_there = f"document.querySelector(\"tr.study[aria-rowindex='{row}']\")"
    until(page, f"({TO_BOTTOM}, {row_there})")


def test_a_long_list_stays_a_small_document(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    scroll_until(page, 1051)
    page.wait_for_selector("#go-on")
    assert page.evaluate(ROWS) <= 500
    page.click("#go-on")
    scroll_until(page, STUDIES + 1)
    rows = page.evaluate(SHOWN)
    assert rows == sorted(set(rows))
    assert len(rows) <= 500
    page.evaluate("scrollTo(0, 15000)")
    page.wait_for_selector("tr.study[aria-rowindex='450']", state="attached")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_selector("tr.study[aria-rowindex='2']")


def test_keys_go_to_both_ends(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    page.wait_for_selector("tr.study")
    page.keyboard.press("End")
    page.wait_for_selector("#more", state="hidden")
    assert page.inner_text("tr.study:last-child .date") == "2024-01-01"
    assert page.evaluate(ROWS) == 100
    page.evaluate("scrollTo(0, 0)")
    until(page, f"{ROWS} >= 200")
    page.keyboard.press("Home")
    page.wait_for_selector("tr.study[aria-rowindex='2']")
    assert page.inner_text("tr.study >> nth=0 >> .date") == "2024-12-27"


def test_back_leads_to_the_row_one_left(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    scroll_until(page, 700)
    row = page.locator("tr.study[aria-rowindex='690']")
    row.scroll_into_view_if_needed()
    uid = row.get_attribute("id")
    row.locator(".who").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")
    page.go_back()
    until(page, f"document.activeElement.closest('tr')?.id === '{uid}'")
    assert row.locator(".who").is_visible()

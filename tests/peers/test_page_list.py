"""A long list in a browser: a small document, both ends, and the place one comes back to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from dicomquest.index import Index, open_index
from fixtures.building import instance
from fixtures.page_studies import fill
from fixtures.timing import LONG
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium")

STUDIES = 1_500
ROWS = "document.querySelectorAll('tr.study').length"
SHOWN = """
[...document.querySelectorAll('tr.study')].map((row) => Number(row.getAttribute('aria-rowindex')))
"""
SEEN = """
[...document.querySelectorAll('tr.study')].map((row) => [
    Number(row.getAttribute('aria-rowindex')), row.dataset.uid, row.querySelector('.date').innerText
])
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


UNTIL = """async (milliseconds) => {{
    const end = Date.now() + milliseconds;
    while (!({condition})) {{
        if (Date.now() > end) return false;
        await new Promise((go) => {{ requestAnimationFrame(go); setTimeout(go, 100); }});
    }}
    return true;
}}"""
"""A page that nobody sees may get no frame."""


def until(page: Page, condition: str) -> None:
    """Wait for a condition; the page's policy lets nobody evaluate text within it."""
    is_met = page.evaluate(UNTIL.format(condition=condition), 3000 * LONG)
    assert is_met, f"never: {condition}"


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


def arrive(index: Index, first: int) -> None:
    """Store three studies: newer than all, among the others, and older."""
    index.ingest_data_sets(
        instance(number, series=number, study=number, PatientName="New^One", StudyDate=date)
        for number, date in zip(
            range(first, first + 3), ("20250101", "20240615", "20230101"), strict=True
        )
    )


def test_a_list_stands_while_studies_arrive(tmp_path: Path, page: Page) -> None:
    """None of its rows is missing, none comes twice or moves; the page says what arrived."""
    port, seen = free_port(), dict[int, tuple[str, str]]()
    with open_index(tmp_path / "index.sqlite", create=True) as index:
        fill(index, 400)
        with ours.serve(tmp_path / "index.sqlite", "--http", str(port)):
            page.goto(f"http://127.0.0.1:{port}/?all")
            for round_, row in enumerate((51, 151, 251, 351, 401)):
                scroll_until(page, row)
                for number, uid, date in page.evaluate(SEEN):
                    assert seen.setdefault(number, (uid, date)) == (uid, date)
                arrive(index, 1001 + 3 * round_)
            assert sorted(seen) == list(range(2, 402))
            rows = [seen[number] for number in sorted(seen)]
            assert {uid for uid, _ in rows} == {f"1.2.{number}" for number in range(1, 401)}
            assert [date for _, date in rows] == sorted((date for _, date in rows), reverse=True)
            # The last rows may come before the last studies do.
            arrived = page.inner_text("#arrived")
            assert arrived in [f"{count} new studies arrived. Show" for count in (3, 6, 9, 12)]
            page.click("#arrived a")
            page.wait_for_selector("#arrived", state="detached")
            page.wait_for_selector("tr.study >> nth=0 >> .date:has-text('2025-01-01')")
            assert page.inner_text("#count").startswith("415 studies")


ALL_ARE_WIDE = "![...document.querySelectorAll('tr.study')].some((row) => row.cells.length < 14)"


def test_a_wide_window_shows_more_columns(page_address: str, page: Page) -> None:
    """Rows that came while the window was narrow come again with all columns."""
    heads = (
        "[...document.querySelectorAll('.studies > thead th')].filter((each) => each.offsetWidth)"
    )
    page.goto(f"{page_address}/?all")
    scroll_until(page, 250)
    narrow = page.evaluate(f"{heads}.map((each) => each.className)")
    assert "acc" in narrow
    assert not {"ref", "sta", "rec", "uid"} & set(narrow)
    page.set_viewport_size({"width": 1600, "height": 900})
    assert {"ref", "sta", "rec", "uid"} < set(page.evaluate(f"{heads}.map((e) => e.className)"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1600
    page.wait_for_selector("tr.study[aria-rowindex='250'] .uid", state="attached")
    until(page, ALL_ARE_WIDE)
    shown = page.locator("tr.study[aria-rowindex='250']")
    assert shown.locator(".uid").inner_text() == shown.get_attribute("data-uid")


def test_rows_asked_for_while_narrow_come_wide(page_address: str, page: Page) -> None:
    """A window that widens between question and answer shows no row without its columns."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.goto(f"{page_address}/?all")
    page.wait_for_selector("tr.study")
    page.route("**&part=rows", hold)
    with page.expect_request("**&part=rows"):
        page.evaluate(TO_BOTTOM)
    page.set_viewport_size({"width": 1600, "height": 900})
    until(page, "matchMedia('(min-width: 1600px)').matches")
    for each in held:
        each.continue_()
    scroll_until(page, 150)
    until(page, ALL_ARE_WIDE)

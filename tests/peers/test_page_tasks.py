"""The five tasks of the page by keyboard alone; Back, a reload and a link keep their place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from fixtures.page_studies import STUDY_OF_FILES

pytestmark = pytest.mark.peer("chromium")

PLACE = """
[scrollY, document.activeElement.closest('tr')?.id, document.querySelector('#count').innerText,
 document.querySelector('h1').innerText,
 [...document.querySelectorAll('.tick input:checked')].map((each) => each.value),
 [...document.querySelectorAll('tr.study')].map((row) => row.dataset.uid)]
"""
"""The scroll, the row in focus, the count, the sentence, the ticks and the rows."""

LISTEN = """
window.heard = [];
new MutationObserver(() => heard.push(document.getElementById('live').textContent)).observe(
    document.getElementById('live'), {childList: true, characterData: true, subtree: true})
"""
"""Keep each message that a screen reader would speak."""

REMEMBERED = """
async (top) => {
    while (history.state?.top !== top || !history.state.ticks.length || !history.state.row)
        await new Promise(requestAnimationFrame);
}
"""
"""Wait until a reload would find the scroll, the ticks and the row."""

MOST_STEPS = 150


def ask(page: Page, words: str) -> None:
    """Type a question into the box, wherever the focus is, and wait for its answer."""
    if page.evaluate("document.activeElement.id") != "q":
        page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type(words)
    page.evaluate("document.querySelector('main').classList.add('before')")
    page.keyboard.press("Enter")
    page.wait_for_selector("main:not(.before)")


def tab_to(page: Page, selector: str) -> None:
    """Press the Tab key until the focus is there."""
    here = f"document.activeElement.matches({selector!r})"
    for _ in range(MOST_STEPS):
        if page.evaluate(here):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way by Tab to {selector}")


def test_one_patients_studies_are_found(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    ask(page, "citizen MR 2024-03")
    assert page.inner_text("#count").startswith("3 studies")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.className") == "who"


def test_a_scanned_number_opens_its_study(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    ask(page, "A77-1203")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("tr.opened table.series")
    assert page.inner_text("tr.study .num") == "3/6"
    counts = page.locator("tr.opened .images").all_inner_texts()
    assert [each.split()[0] for each in counts] == ["3", "2", "1"]


def test_todays_study_opens_beside_the_prior(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?q=A77-1203")
    page.locator(".who").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("tr.opened .actions")
    tab_to(page, ".actions a[href^='/?']")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study >> nth=3")
    tab_to(page, ".who")
    uids = page.eval_on_selector_all("tr.study", "rows => rows.map(row => row.dataset.uid)")
    for key in ("x", "j", "x"):
        page.keyboard.press(key)
    with page.expect_request("**/ohif/viewer*") as asked:
        page.keyboard.press("o")
    assert asked.value.url.partition("StudyInstanceUIDs=")[2].split(",") == uids[:2]
    assert STUDY_OF_FILES in uids


def test_an_absent_study_has_its_reason(page_address: str, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{page_address}/")
    ask(page, "citizen US 2024-03")
    assert page.inner_text(".nothing .big") == "No studies. One key excludes all: modality US."
    tab_to(page, ".why a")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    tab_to(page, ".learn summary")
    page.keyboard.press("Enter")
    tab_to(page, ".learn[open] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("button:has-text('Copied: it holds names')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("dicomquest find")
    assert "StudyDate=20240301-20240331" in copied


def test_a_result_becomes_a_table(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    ask(page, "knee MR 2024 sex:F")
    number = page.inner_text("#count").split()[0]
    tab_to(page, "aside a[href*='facets=all']")
    page.keyboard.press("Enter")
    page.wait_for_selector("aside h3:has-text('Station')")
    station = page.locator("aside section", has_text="Station")
    assert station.locator("li").all_inner_texts() == [f"MR2\n{number}"]
    page.locator("h1").focus()
    tab_to(page, "a[href^='/studies.csv']")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == int(number) + 1


def test_back_finds_all_as_it_was(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?q=2024-02..2024-03")
    page.check("tr.study >> nth=25 >> .tick input")
    page.locator(".who >> nth=24").focus()
    before = page.evaluate(PLACE)
    page.click("aside a:has-text('MR')")
    page.wait_for_selector("aside a[aria-current]:has-text('MR')")
    narrowed = page.evaluate(PLACE)
    page.click(".chips li:has-text('MR') a")
    page.wait_for_selector(f"h1:text-is('{before[3]}')")
    assert page.evaluate(PLACE)[2:] == before[2:]
    page.go_back()
    page.wait_for_selector("aside a[aria-current]:has-text('MR')")
    assert page.evaluate(PLACE)[2:] == narrowed[2:]
    page.go_back()
    page.wait_for_selector(f"h1:text-is('{before[3]}')")
    assert before[0] > 0
    assert page.evaluate(PLACE) == before


def test_a_reload_and_a_link_show_the_same(
    page_address: str, page: Page, chromium: Browser
) -> None:
    page.goto(f"{page_address}/?q=citizen+2024")
    page.check("tr.study >> nth=20 >> .tick input")
    page.locator(".who >> nth=20").focus()
    before = page.evaluate(PLACE)
    page.evaluate(REMEMBERED, before[0])
    page.reload()
    assert page.evaluate(PLACE) == before
    with chromium.new_context(viewport={"width": 700, "height": 500}) as context:
        other = context.new_page()
        other.goto(page.url)
        assert other.evaluate(PLACE)[5] == before[5]


def test_a_screen_reader_finds_the_table(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?q=MR+2024")
    tree: dict[str, Any] = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    nodes = [each for each in tree["nodes"] if not each["ignored"]]
    roles = Counter(each["role"]["value"] for each in nodes)
    assert (roles["table"], roles["rowheader"], roles["columnheader"]) == (1, 50, 10)
    assert roles["row"] == 51
    (table,) = (each for each in nodes if each["role"]["value"] == "table")
    assert table["name"]["value"] == "MR studies with study date in 2024"
    headers = [each["name"]["value"] for each in nodes if each["role"]["value"] == "rowheader"]
    assert all(headers)
    assert page.get_attribute("table.studies", "aria-rowcount") == "92"
    rows = page.eval_on_selector_all("tr.study", "rows => rows.map(row => row.ariaRowIndex)")
    assert rows == [str(number) for number in range(2, 52)]
    assert page.get_attribute("th.date", "aria-sort") == "descending"


def test_a_screen_reader_hears_one_message(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    page.evaluate(LISTEN)
    page.focus("#q")
    page.keyboard.type("citizen 2024")
    page.wait_for_selector("#preview p")
    assert page.evaluate("heard") == []
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    page.wait_for_selector("#live:text-is('30 studies.')", state="attached")
    assert page.evaluate("heard") == ["30 studies."]


def test_arrow_keys_find_the_list(page_address: str, page: Page) -> None:
    """Neither a row nor the box has the focus after a look at the page."""
    page.goto(f"{page_address}/?all")
    page.wait_for_selector("tr.study")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    row = "document.activeElement.closest('tr')?.getAttribute('aria-rowindex')"
    assert page.evaluate(row) == "2"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(row) == "3"

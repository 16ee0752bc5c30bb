"""The page's states in a browser: accessible, whole at each width, quiet, usable by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from fixtures.page_studies import STUDY_OF_FILES
from fixtures.programs import ROOT, program

pytestmark = pytest.mark.peer("chromium")

PICTURES = ROOT / "build" / "pictures"

SMALL = """
[...document.querySelectorAll(
    "button, summary, .button, .chips a, .opener, .tick label, .who, .links a, .quick a, .actions a"
)].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width > 1 && box.height < 43.5;
}).map((each) => each.outerHTML.slice(0, 120))
"""
"""The targets of a page that are too small for a finger."""

SERIES = f"/studies/{STUDY_OF_FILES}/series/{STUDY_OF_FILES}.1"

OPENED_IN_VIEW = "document.querySelector('tr:has(+ tr.opened)')?.scrollIntoView()"

IMAGES_THERE = """
Promise.all([...document.images].filter(
    (each) => each.getBoundingClientRect().top < innerHeight
).map((each) => each.decode().catch(() => 0)))
"""
"""Wait for the images in view."""

VIOLATIONS = "axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
"""To describe all that passes, too, takes axe-core ten times as long."""

STATES = {
    "blank": "/",
    "results": "/?all",
    "narrowed": "/?q=2024&mod=MR",
    "opened": f"/?q=2024-03&open={STUDY_OF_FILES}",
    "study": f"/studies/{STUDY_OF_FILES}",
    "series": SERIES,
    "header": f"{SERIES}/instances/{STUDY_OF_FILES}.1.1/header",
    "nothing": "/?q=citizen+US+2019",
    "unclear": "/?q=05/03/2024+foo:bar",
    "not-found": "/studies/1.2.999",
    "keys": "/keys",
}
"""The states of the page by their addresses."""


def serve_canned(page: Page, canned: dict[str, str]) -> dict[str, str]:
    """Answer requests for pages that a server shows seldom; return their addresses."""

    def answer(route: Route) -> None:
        body = canned[route.request.url.rpartition("/")[2]]
        route.fulfill(body=body, content_type="text/html; charset=utf-8")

    page.route("**/canned/*", answer)
    return {name: f"/canned/{name}" for name in canned}


@pytest.mark.parametrize(("width", "text_size"), [(320, "100%"), (390, "200%"), (1280, "200%")])
def test_large_text_needs_no_scrolling_sideways(
    chromium: Browser, page_address: str, canned: dict[str, str], width: int, text_size: str
) -> None:
    """320 pixels are a window of 1280 at 400 %."""
    with chromium.new_context(viewport={"width": width, "height": 640}, bypass_csp=True) as context:
        page = context.new_page()
        for name, path in (STATES | serve_canned(page, canned)).items():
            page.goto(page_address + path)
            page.add_style_tag(content=f":root {{ font-size: {text_size} !important }}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_fingers_find_their_targets(
    chromium: Browser, page_address: str, canned: dict[str, str]
) -> None:
    """On touch each button and link that stands alone is 44 pixels high."""
    with chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        for name, path in (STATES | serve_canned(page, canned)).items():
            page.goto(page_address + path)
            assert page.evaluate(SMALL) == [], name


@pytest.mark.peer("axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_each_state_is_accessible(
    chromium: Browser, page_address: str, canned: dict[str, str], width: int, scheme: Any
) -> None:
    """axe-core finds nothing serious, nothing scrolls sideways; a picture of each is kept."""
    axe = Path(program("axe-core")).read_text(encoding="utf-8")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        has_touch=width < 720,
        bypass_csp=True,
    ) as context:
        page = context.new_page()
        states = STATES | serve_canned(page, canned)
        for name, path in states.items():
            page.goto(page_address + path)
            page.evaluate(OPENED_IN_VIEW)
            page.evaluate(IMAGES_THERE)
            page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.evaluate(axe)
            found = page.evaluate(VIOLATIONS)
            bad = [
                (each["id"], each["nodes"][0]["html"][:200])
                for each in found
                if each["impact"] in {"serious", "critical"}
            ]
            assert bad == [], name


def test_the_state_of_an_opened_study_has_one(page_address: str, page: Page) -> None:
    page.goto(page_address + STATES["opened"])
    assert page.locator("tr.opened table.series tbody tr").count() == 3
    facts = page.inner_text("tr.opened .facts")
    assert facts.startswith("Patient name\nYamada^Taro=山田^太郎")
    assert facts.endswith(f"Study UID\n{STUDY_OF_FILES}")


def test_no_page_asks_elsewhere_or_complains(page_address: str, page: Page) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for name, path in STATES.items():
        if name != "not-found":
            page.goto(page_address + path)
    assert said == []
    assert {url for url in asked if not url.startswith(f"{page_address}/")} == set()


def test_a_question_is_asked_by_keyboard_alone(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    page.keyboard.type("citizen MR")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    assert page.inner_text("h1") == "MR studies of patients named citizen…"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("tr.opened table.series")
    page.keyboard.press("x")
    assert page.inner_text("#picked-words") == "1 selected"
    assert page.inner_text("#live") == "1 selected."
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("tr.opened", state="detached")
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")


def test_ticks_stay_through_narrowing(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    page.check("tr.study >> nth=0 >> .tick input")
    page.click("aside a:has-text('MR')")
    page.wait_for_url("**mod=MR*")
    page.wait_for_selector("aside a[aria-current]")
    assert page.inner_text("#picked-words").startswith("1 selected")
    page.go_back()
    page.wait_for_selector("aside a:not([aria-current]):has-text('MR')")
    assert page.is_checked("tr.study >> nth=0 >> .tick input")


def test_all_rows_come_while_one_scrolls(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    for count in (150, 181):
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector(f"tr.study >> nth={count - 1}", state="attached")
    rows = page.eval_on_selector_all("tr.study", "rows => rows.map(row => row.dataset.uid)")
    assert len(rows) == len(set(rows)) == 181


def test_it_works_without_script(chromium: Browser, page_address: str) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{page_address}/")
        page.fill("#q", "citizen 2024")
        page.click("button.main")
        assert page.inner_text("h1") == "Studies of patients named citizen…, study date in 2024"
        page.click(".opener >> nth=0")
        page.wait_for_selector("table.series")
        assert page.locator("table.series").count() == 1
        page.goto(f"{page_address}/?all")
        page.click("#next")
        page.wait_for_url("**after=*")
        page.wait_for_selector("#picked", state="attached")
        assert page.locator("tr.study").count() == 100
        page.click("aside a:has-text('MR')")
        assert page.inner_text("h1") == "MR studies"


def test_n_and_p_turn_the_pages_of_studies(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/?all")
    uids = page.eval_on_selector_all("tr.study", "rows => rows.map(row => row.dataset.uid)")
    page.locator(".who >> nth=1").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[id='study-{uids[1]}']")
    for key, uid in (("n", uids[2]), ("p", uids[1]), ("p", uids[0])):
        page.keyboard.press(key)
        page.wait_for_url(f"**/studies/{uid}")
        page.wait_for_selector(f"[id='study-{uid}']")
    page.keyboard.press("p")
    assert page.inner_text("#live") == "This is the first study."
    page.go_back()
    page.wait_for_selector("tr.study")


def test_letters_that_are_off_do_nothing(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/keys")
    page.uncheck("#letters")
    page.goto(f"{page_address}/?all")
    page.locator(".who >> nth=0").focus()
    page.keyboard.press("x")
    assert page.locator(".tick input:checked").count() == 0

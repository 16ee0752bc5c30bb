"""The page while one types: read after a rest, one request at a time, no rows (PS3.4 C.4.1.3)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, Route

pytestmark = pytest.mark.peer("chromium")

READ = "**/read"


def test_what_is_typed_is_read_after_a_rest(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    page.wait_for_function("() => document.activeElement.matches('input[name=q]')")
    page.keyboard.type("citizen MR 2024")
    page.wait_for_selector("#preview p")
    assert page.inner_text("#preview p >> nth=0") == (
        "MR studies of patients named citizen…, study date in 2024"
    )
    # A busy machine leaves a number out.
    for _ in range(20):
        if page.locator("#preview p").count() > 1:
            break
        with page.expect_response(READ):
            page.keyboard.type(" ")
        page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.inner_text("#preview p >> nth=1") == "About to find 30 studies."
    assert page.inner_text("#live") == ""
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    assert page.is_hidden("#preview")


def test_twenty_letters_are_few_requests(page_address: str, page: Page) -> None:
    running: set[Request] = set()
    most, asked = 0, []

    def begun(request: Request) -> None:
        nonlocal most
        if request.url.endswith("/read"):
            asked.append(request)
            running.add(request)
            most = max(most, len(running))

    def ended(request: Request) -> None:
        running.discard(request)

    page.on("request", begun)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    page.goto(f"{page_address}/")
    page.keyboard.type("citizen jan MR 2024-", delay=20)
    page.keyboard.type("05")
    page.wait_for_selector("#preview p:has-text('May 2024')")
    assert 1 <= len(asked) <= 3
    assert most == 1


def test_a_late_answer_is_dropped(page_address: str, page: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.goto(f"{page_address}/")
    # The first request is never aborted here, so that its answer comes after the second one's.
    page.evaluate("AbortController.prototype.abort = () => {}")
    page.route(READ, hold_the_first)
    with page.expect_request(READ):
        page.keyboard.type("citizen")
    page.keyboard.type(" MR")
    page.wait_for_selector("#preview p:has-text('MR studies')")
    with page.expect_response(READ):
        held[0].continue_()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.inner_text("#preview p >> nth=0").startswith("MR studies")


def test_escape_stops_reading_and_keeps_the_text(page_address: str, page: Page) -> None:
    page.goto(f"{page_address}/")
    page.route(READ, lambda route: None)
    with page.expect_request(READ):
        page.keyboard.type("citizen")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/read")):
        page.keyboard.press("Escape")
    assert page.input_value("#q") == "citizen"
    assert page.is_hidden("#preview")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == ""
    assert page.input_value("#q") == "citizen"


def test_without_a_reading_the_search_goes_on(page_address: str, page: Page) -> None:
    page.route(READ, lambda route: route.fulfill(status=429, body="too many"))
    page.goto(f"{page_address}/")
    with page.expect_response(READ):
        page.keyboard.type("citizen MR")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    assert page.inner_text("h1") == "MR studies of patients named citizen…"

"""People sign in at the page in a browser, and an idle sign-in leaves nothing on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from dicomquest.index import open_index
from dicomquest.services.passcodes import hasher, write_users
from fixtures.programs import program
from fixtures.timing import LONG
from fixtures.web import three_studies
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium")

IDLE = 10
"""Seconds of the sign-in, with the warning at half of them."""

WAIT = 1000 * (IDLE + 2 * LONG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with open_index(folder / "index.sqlite", create=True) as index:
        three_studies(index)
    users, port = folder / "users", free_port()
    write_users(users, {"ann": hasher().hash("sesame-sesame")})
    options = ("--users-file", str(users), "--sign-in-idle", str(IDLE))
    with ours.serve(folder / "index.sqlite", "--http", str(port), *options):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium")) as browser,
    ):
        yield browser.new_context()


def sign_in(page: Page) -> None:
    page.fill("#user", "ann")
    page.fill("#passcode", "sesame-sesame")
    page.click("button.main")


def expect_form_alone(page: Page) -> None:
    page.wait_for_url("**/sign-in**", timeout=WAIT)
    page.wait_for_selector("#user", timeout=WAIT)
    assert "Müller" not in page.content()


def test_an_idle_sign_in_empties_every_tab(address: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{address}/?all&mod=CT")
    sign_in(page)
    page.wait_for_selector("text=2024-01-01", timeout=WAIT)
    other = context.new_page()
    other.goto(f"{address}/keys")
    page.wait_for_selector("dialog.idle", timeout=WAIT)
    for each in (page, other):
        expect_form_alone(each)
    page.go_back()
    expect_form_alone(page)
    page.goto(f"{address}/?all&mod=CT")
    sign_in(page)
    page.wait_for_selector("text=2024-01-01", timeout=WAIT)
    assert page.url == f"{address}/?all&mod=CT"


def test_sign_out_leads_to_the_form(address: str, context: BrowserContext, folder: Path) -> None:
    """The server's log of all that has no error, no passcode and no cookie."""
    page = context.new_page()
    page.goto(f"{address}/keys")
    sign_in(page)
    page.wait_for_selector("text=Sign out", timeout=WAIT)
    (cookie,) = context.cookies()
    assert cookie["name"] == "__Host-dicomquest"
    assert cookie["httpOnly"]
    assert cookie["secure"]
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in", timeout=WAIT)
    page.goto(f"{address}/keys")
    page.wait_for_url("**/sign-in?to=%2Fkeys", timeout=WAIT)
    assert context.cookies() == []
    (log,) = folder.glob("serve-*.log")
    text = log.read_text(encoding="utf-8")
    secrets = ("sesame", cookie["value"], "argon2", "Müller")
    assert not [each for each in (*secrets, "ERROR", "WARNING", "Traceback") if each in text], text

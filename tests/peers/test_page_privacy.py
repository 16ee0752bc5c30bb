"""No patient's name, ID or number leaves the page: addresses, titles, storage, Referer, log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page

from dicomquest.index import open_index
from fixtures.page_studies import fill
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium")

PERSONAL = ("citizen", "yamada", "山田", "P14", "A77-2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def page_address(folder: Path) -> Iterator[str]:
    with open_index(folder / "index.sqlite", create=True) as index:
        fill(index)
    port = free_port()
    with ours.serve(folder / "index.sqlite", "--http", str(port), "--links", "sealed"):
        yield f"http://127.0.0.1:{port}"


def logged(folder: Path) -> str:
    """Return what the server has written to its log."""
    (log,) = folder.glob("serve-*.log")
    return log.read_text(encoding="utf-8")


def test_a_sealed_link_shows_the_same_elsewhere(
    page_address: str, page: Page, chromium: Browser
) -> None:
    page.goto(f"{page_address}/")
    page.fill("#q", "citizen 2024")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    rows = page.locator("tr.study").all_inner_texts()
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        other = context.new_page()
        other.goto(page.url)
        assert other.locator("tr.study").all_inner_texts() == rows
        assert other.input_value("#q") == "citizen 2024"


def test_sealed_pages_name_nobody_outside(page_address: str, page: Page, folder: Path) -> None:
    """Nor does the log of the server, which has no error of the session either."""
    told: list[str] = []
    page.on("request", lambda request: told.append(unquote(request.url)))
    page.on("request", lambda request: told.append(request.headers.get("referer", "")))
    page.on("console", lambda message: told.append(message.text))
    page.on("framenavigated", lambda _: told.append(page.title()))
    page.goto(f"{page_address}/")
    for asked in ("citizen 2024", "acc:A77-2", "id:P14", "山田 MR"):
        page.fill("#q", asked)
        page.keyboard.press("Enter")
        page.wait_for_selector("tr.study, .nothing")
        told += [page.title(), unquote(page.url)]
    page.goto(f"{page_address}/?PatientName=yamada")
    page.wait_for_selector("tr.study")
    page.click(".opener >> nth=0")
    page.wait_for_selector("table.series")
    page.click(".who >> nth=0")
    page.wait_for_url("**/studies/*")
    told += [
        page.title(),
        page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])"),
    ]
    # The address that somebody typed, and its request, are theirs.
    told = [each for each in told if "PatientName=" not in each]
    log = logged(folder)
    assert "page search" in log
    assert not [each for each in ("ERROR", "WARNING", "Traceback", "k=") if each in log], log
    told.append(log)
    for text in told:
        assert not [each for each in PERSONAL if each.casefold() in text.casefold()], text

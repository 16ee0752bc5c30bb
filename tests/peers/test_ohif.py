"""OHIF in a browser without a screen, served by us: it lists, narrows, opens and draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from pydicom.data import get_testdata_file

from fixtures.programs import program
from fixtures.timing import LONG
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium", "OHIF")

IMAGES = {
    "CT": "CT_small.dcm",
    "MR": "MR_small.dcm",
    "multi-frame US": "examples_ybr_color.dcm",
}

WAIT = 1000 * 6 * LONG
"""Milliseconds for a page whose script has 17 MB."""


@dataclass(slots=True)
class Viewer:
    """A page of OHIF, and all that went wrong or astray on it."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda each: self._complain(each.text, each.type == "error"))
        self.page.on("pageerror", lambda each: self._complain(str(each)))
        self.page.on("requestfailed", lambda each: self._complain(f"failed: {each.url}"))
        self.page.context.on("request", lambda each: self.requests.append(each.url))
        self.page.context.on(
            "response", lambda each: self._complain(f"{each.status} {each.url}", each.status >= 400)
        )

    def _complain(self, words: str, is_wrong: bool = True) -> None:
        if is_wrong:
            self.wrong.append(words)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/ohif{path}", timeout=WAIT)

    def expect_nothing_wrong(self) -> None:
        """Nothing red in the console, no failed request, and none to another host."""
        assert self.wrong == []
        own = (self.address, "data:", f"blob:{self.address}")
        assert [each for each in self.requests if not each.startswith(own)] == []


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("ohif")
    index, port = folder / "index.sqlite", free_port()
    paths = [Path(str(get_testdata_file(name))) for name in IMAGES.values()]
    ours.index(index, *paths)
    build = Path(program("OHIF")).parent
    with (
        ours.serve(index, "--http", str(port), "--ohif", str(build)),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium"), headless=True) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        yield Viewer(page, f"http://127.0.0.1:{port}")


def test_list_fills_and_narrows(viewer: Viewer) -> None:
    viewer.open("/")
    rows = viewer.page.locator("tbody tr", has_text="2004")
    rows.nth(1).wait_for(timeout=WAIT)
    with viewer.page.expect_response(lambda each: "CT1" in each.url, timeout=WAIT) as answered:
        viewer.page.locator("input").first.fill("CT1")
    assert [each["00100020"]["Value"] for each in answered.value.json()] == [["1CT1"]]
    viewer.page.locator("tbody tr", has_text="MR1").wait_for(state="detached", timeout=WAIT)
    rows.first.wait_for(timeout=WAIT)
    assert rows.count() == 1
    viewer.expect_nothing_wrong()


def test_unknown_study_is_said_to_be_unknown(viewer: Viewer) -> None:
    viewer.open("/viewer?StudyInstanceUIDs=1.2.3")
    viewer.page.get_by_text("are not available").first.wait_for(timeout=WAIT)
    assert viewer.page.url.endswith("/ohif/notfoundstudy")
    viewer.expect_nothing_wrong()

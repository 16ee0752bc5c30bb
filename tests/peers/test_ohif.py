"""OHIF in a browser without a screen, served by us: it lists, narrows, opens and draws."""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright
from pydicom import dcmread
from pydicom.data import get_testdata_file

from fixtures.programs import program
from fixtures.timing import LONG, MS
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

GREY_LEVELS = """() => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  if (!canvas || !canvas.width) return null;
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Uint8Array(canvas.width * canvas.height);
  for (let at = 0; at < data.length; at += 4)
    grey[at / 4] = (data[at] + data[at + 1] + data[at + 2]) / 3;
  if (new Set(grey).size <= 16) return null;
  let text = "";
  for (let at = 0; at < grey.length; at += 32768)
    text += String.fromCharCode(...grey.subarray(at, at + 32768));
  return [canvas.width, canvas.height, btoa(text)];
}"""
"""The grey levels of the first image on the page; null as long as nothing is drawn."""


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


def until(found: Callable[[], Any]) -> Any:
    """Ask again until there is an answer."""
    deadline = time.monotonic() + 6 * LONG
    while not (answer := found()):
        assert time.monotonic() < deadline, "nothing is drawn"
        time.sleep(100 * MS)  # a canvas tells nobody that it has changed
    return answer


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


@pytest.mark.requirement("WS-037")
@pytest.mark.parametrize("name", IMAGES.values(), ids=IMAGES.keys())
def test_study_opens_and_is_drawn(viewer: Viewer, name: str) -> None:
    """The canvas shows the pixels that pydicom decodes, fitted and centred; the wheel goes on."""
    image = dcmread(str(get_testdata_file(name)))
    viewer.open(f"/viewer?StudyInstanceUIDs={image.StudyInstanceUID}")
    frame = image.pixel_array[0] if image.get("NumberOfFrames", 1) > 1 else image.pixel_array
    grey = frame.sum(axis=2) if frame.ndim == 3 else frame
    until(lambda: is_drawn(viewer.page, np.asarray(grey, dtype=float)))
    if frame is not image.pixel_array:
        until(lambda: is_scrolled(viewer.page))
    viewer.expect_nothing_wrong()


def is_scrolled(page: Page) -> bool:
    """Turn the wheel over the image, and tell whether a later frame is shown."""
    tour = page.get_by_text("Skip all")
    if tour.is_visible():
        tour.click()
    page.mouse.move(700, 400)
    page.mouse.wheel(0, 120)
    return page.get_by_text(re.compile(r"\(([2-9]|\d\d)/30\)")).is_visible()


def is_drawn(page: Page, image: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """Tell whether the canvas correlates with an image."""
    found = page.evaluate(GREY_LEVELS)
    if found is None:
        return False
    width, height, levels = found
    canvas = np.frombuffer(b64decode(levels), np.uint8).reshape(height, width)
    rows, columns = image.shape
    scale = min(width / columns, height / rows)
    down = height / 2 + (np.arange(rows) + 0.5 - rows / 2) * scale
    across = width / 2 + (np.arange(columns) + 0.5 - columns / 2) * scale
    sampled = canvas[np.ix_(down.astype(int), across.astype(int))]
    return bool(np.corrcoef(sampled.ravel(), image.ravel())[0, 1] > 0.98)

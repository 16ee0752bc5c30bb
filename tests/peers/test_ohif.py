"""OHIF in a browser without a screen, served by us: it lists, narrows, opens and draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright
from pydicom import dcmread
from pydicom.data import get_testdata_file

from fixtures.programs import program
from peers import ours
from peers.ohif import WAIT, Viewer, is_drawn, until
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium", "OHIF")

PICTURES_THERE = "[...document.images].every((each) => each.complete)"

FOCUSED = "(id) => document.activeElement.closest('tr')?.id === id"

IMAGES = {
    "CT": "CT_small.dcm",
    "MR": "MR_small.dcm",
    "multi-frame US": "examples_ybr_color.dcm",
}


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


def is_left(page: Page) -> bool:
    """Go back, and tell whether that left the viewer."""
    page.go_back()
    return "/ohif/" not in page.url


def test_the_page_leads_to_the_viewer_and_back(viewer: Viewer) -> None:
    """Study, series, instance, pixels; Back returns to the row one left."""
    page, image = viewer.page, dcmread(str(get_testdata_file("CT_small.dcm")))
    page.goto(f"{viewer.address}/?all")
    row = page.locator(f"[id='s-{image.StudyInstanceUID}']")
    row.locator(".opener").click()
    page.locator("tr.opened table.series a").click()
    page.wait_for_url("**/series/*")
    page.locator(".instance-list").get_by_text("Header").click()
    page.wait_for_url("**/header")
    assert page.locator("td.value", has_text=str(image.SOPInstanceUID)).count() >= 1
    page.goto(f"{viewer.address}/?all")
    row.locator(".who").focus()
    page.keyboard.press("ArrowRight")
    link = page.locator("tr.opened a[href^='/ohif/viewer']")
    link.wait_for()
    # Whoever leaves a page ends its requests.
    until(lambda: page.evaluate(PICTURES_THERE))
    viewer.wrong.clear()
    link.click()
    until(lambda: is_drawn(page, image.pixel_array.astype(float)))
    viewer.expect_nothing_wrong()
    until(lambda: is_left(page))
    until(lambda: page.evaluate(FOCUSED, f"s-{image.StudyInstanceUID}"))
    viewer.wrong.clear()


def test_two_patients_are_opened_after_a_question(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(f"{viewer.address}/?all")
    uids = [
        str(dcmread(str(get_testdata_file(IMAGES[each]))).StudyInstanceUID) for each in ("CT", "MR")
    ]
    for uid in uids:
        page.locator(f"[id='s-{uid}'] .tick input").check()
    page.click("#picked [value='ohif']")
    page.wait_for_selector("h1:text-is('Open the studies of 2 patients together?')")
    assert page.locator(".people tbody tr").count() == 2
    page.click("a[data-back]")
    page.wait_for_selector("#picked-words:text-is('2 selected')")
    page.click("#picked [value='ohif']")
    with page.expect_request("**/ohif/viewer*") as asked:
        page.click("button.main:text-is('Open together')")
    assert sorted(asked.value.url.partition("=")[2].split(",")) == sorted(uids)
    viewer.expect_nothing_wrong()

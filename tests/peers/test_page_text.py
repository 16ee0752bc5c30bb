"""Stored text in a browser: hostile values stay in their rows, and each script has its glyphs."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route

from dicomquest.index import open_index
from dicomquest.web import WebSettings
from dicomquest.web.page.assets import address_of
from dicomquest.web.page_settings import PageSettings
from fixtures import web
from fixtures.building import instance
from fixtures.programs import ROOT
from peers import ours
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium")

PICTURES = ROOT / "build" / "pictures"

HOSTILE = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>^X",
    "order": "Doe^\u202eEvil\u2066",
    "NUL": "Nul\x00Byte^\x00",
    "ANSI": "\x1b[31mRed\x1b[0m\x07^X",
    "64 KB": "A" * 65_536,
    "64 KB of words": "Very Long " * 6_553,
}

ID = "P2-77 (3)"

WATCH = """
window.broken = [];
addEventListener("securitypolicyviolation", (event) => broken.push(event.violatedDirective));
"""

PLACES = """
[...document.querySelectorAll('tr.study')].map((row) => {
    const box = row.getBoundingClientRect();
    const cells = [...row.cells].map((each) => each.getBoundingClientRect())
        .filter((each) => each.width);
    return {
        top: box.top, bottom: box.bottom,
        left: ['id', 'date', 'desc', 'num'].map(
            (name) => row.querySelector(`.${name}`).getBoundingClientRect().left),
        inside: cells.every((each) => each.top >= box.top - 1 && each.bottom <= box.bottom + 1),
    };
})
"""
"""The place of each row, the left edges of its cells, and whether they are inside of it."""


@pytest.fixture(scope="module")
def page_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over studies with hostile text among plain ones."""
    folder: Path = tmp_path_factory.mktemp("text")
    with open_index(folder / "index.sqlite", create=True) as index:
        for number, text in enumerate(HOSTILE.values()):
            index.ingest_data_sets(
                instance(
                    2 * number + plain,
                    series=2 * number + plain,
                    study=2 * number + plain,
                    PatientName="Citizen^Jan" if plain else text,
                    PatientID="P1",
                    StudyDate="20240305",
                    StudyDescription="Thorax" if plain else text,
                    Modality="CT",
                )
                for plain in (0, 1)
            )
    port = free_port()
    with ours.serve(folder / "index.sqlite", "--http", str(port)):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_stays_in_its_row(page_address: str, page: Page, width: int) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(WATCH)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{page_address}/?all")
    places = page.evaluate(PLACES)
    assert len(places) == 2 * len(HOSTILE)
    assert [each for each in places if not each["inside"]] == []
    for above, below in pairwise(places):
        assert above["bottom"] <= below["top"] + 1
    if width == 1280:
        assert len({tuple(each["left"]) for each in places}) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    names = " ".join(page.locator(".who").all_inner_texts())
    assert "<script>alert(1)</script>" in names
    assert not set("\x00\x07\x1b\u202e\u2066") & set(names)
    page.click(".opener >> nth=0")
    page.wait_for_selector("table.series")
    page.goto(f"{page_address}/studies/1.2.8")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("broken") == []
    assert said == []


def picture(of: Locator) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(BytesIO(of.screenshot())).convert("RGB"))


@pytest.fixture(scope="module")
def canned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Pages over names of several scripts, Han as in Japan and as in China, and their style."""
    names = ("Naoki^Naoko=直樹^直子", "محمد^علي", "Citizen^Jan")
    with open_index(tmp_path_factory.mktemp("scripts") / "i.sqlite", create=True) as index:
        index.ingest_data_sets(
            instance(number, series=number, study=number, PatientName=name, PatientID=ID)
            for number, name in enumerate(names, 1)
        )
        pages = {
            han: web.Browser(index, WebSettings(page=PageSettings(han=han)))
            .request("GET", "/?all", {"Accept": "text/html"})
            .text
            for han in ("ja", "zh-Hans")
        }
        pages["css"] = web.Browser(index).request("GET", address_of("page.css"), {}).text
    return pages


@pytest.fixture
def scripts(chromium: Browser, canned: dict[str, str]) -> Iterator[dict[str, Page]]:
    """The pages in a browser, by their language of Han."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name.startswith("page.") and name.endswith(".css"):
            route.fulfill(body=canned["css"], content_type="text/css")
        else:
            route.fulfill(body=canned.get(name, ""), content_type="text/html; charset=utf-8")

    with chromium.new_context(viewport={"width": 1280, "height": 400}) as context:
        context.route("**/*", answer)
        pages = {han: context.new_page() for han in ("ja", "zh-Hans")}
        for han, page in pages.items():
            page.goto(f"http://127.0.0.1/{han}")
        yield pages


def test_han_has_the_glyphs_of_its_language(scripts: dict[str, Page]) -> None:
    """The same characters differ, and each is drawn by the font of its language."""
    drawn = {}
    for han, font in (("ja", "Noto Sans CJK JP"), ("zh-Hans", "Noto Sans CJK SC")):
        name = scripts[han].locator("tr.study bdi.name[lang]")
        assert name.get_attribute("lang") == han
        drawn[han] = picture(name)
        name.evaluate("(name, font) => { name.style.fontFamily = font; }", font)
        assert (picture(name) == drawn[han]).all()
    assert drawn["ja"].shape != drawn["zh-Hans"].shape or (drawn["ja"] != drawn["zh-Hans"]).any()


def test_kanji_stands_over_romaji(scripts: dict[str, Page]) -> None:
    row = scripts["ja"].locator("tr.study", has_text="直樹")
    main, below = (row.locator(each).bounding_box() for each in ("bdi.name", "bdi.below"))
    assert main is not None
    assert below is not None
    assert main["y"] + main["height"] <= below["y"] + 2
    assert main["x"] == below["x"]
    assert main["height"] > below["height"]
    assert row.locator("bdi.below").inner_text() == "Naoki, Naoko"


def test_arabic_stands_beside_an_id_from_the_left(scripts: dict[str, Page]) -> None:
    """An Arabic name runs from the right within itself, and its ID looks as any other."""
    page = scripts["ja"]
    arabic, latin = (page.locator("tr.study", has_text=each) for each in ("محمد", "Citizen"))
    assert (picture(arabic.locator(".id")) == picture(latin.locator(".id"))).all()
    firsts = {
        name: row.locator("bdi.name").evaluate(
            """(name) => [0, name.firstChild.length - 1].map((at) => {
                const range = document.createRange();
                range.setStart(name.firstChild, at);
                range.setEnd(name.firstChild, at + 1);
                return range.getBoundingClientRect().left;
            })"""
        )
        for name, row in (("arabic", arabic), ("latin", latin))
    }
    assert firsts["arabic"][0] > firsts["arabic"][1]
    assert firsts["latin"][0] < firsts["latin"][1]
    left = [row.locator("bdi.name").bounding_box() for row in (arabic, latin)]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0]["x"] == left[1]["x"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "scripts-1280-light.png")

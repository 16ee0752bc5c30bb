"""The page over two archives behind the server, in a browser: one list, its holders, its gaps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from dicomquest.index import open_index
from fixtures.page_studies import STUDY_OF_FILES, fill, write_files
from fixtures.programs import ROOT
from peers import ours
from peers.processes import Peer, free_port

pytestmark = pytest.mark.peer("chromium")

PICTURES = ROOT / "build" / "pictures"
GONE = "Archive GONE cannot be reached: what is shown is not complete."


def upstream(name: str, peer: Peer) -> tuple[str, str]:
    return ("--upstream", f"{name}={peer.aet}@{peer.host}:{peer.port}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without an index before two archives, and one that is gone."""
    folder = tmp_path_factory.mktemp("federated")
    for name, studies in (("main", 90), ("old", 30)):
        (folder / name).mkdir()
        with open_index(folder / name / "index.sqlite", create=True) as index:
            fill(index, studies)
            if name == "old":
                index.ingest(write_files(folder / "files"))
    port = free_port()
    gone = Peer("127.0.0.1", free_port(), "GONE")
    with (
        ours.serve(folder / "main" / "index.sqlite", aet="MAIN") as main,
        ours.serve(folder / "old" / "index.sqlite", aet="OLD") as old,
        ours.serve(
            folder / "front.sqlite", "--upstreams-only", "--http", str(port),
            *upstream("MAIN", main), *upstream("OLD", old), *upstream("GONE", gone),
        ),
    ):  # fmt: skip
        yield f"http://127.0.0.1:{port}"


def test_one_list_of_two_archives(address: str, page: Page) -> None:
    page.goto(f"{address}/")
    page.fill("#q", "citizen 2024")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.study")
    dates = page.locator("tr.study .date").all_inner_texts()
    assert dates == sorted(dates, reverse=True)
    held = page.locator("tr.study .held").all_inner_texts()
    assert set(held) == {"in MAIN", "in MAIN, OLD"}
    assert page.inner_text("[role=alert]") == GONE
    page.click("#narrow a:has-text('MR')")
    page.wait_for_url("**mod=MR**")
    page.wait_for_selector("tr.study")
    assert set(page.locator("tr.study .mod").all_inner_texts()) == {"MR"}


def test_an_opened_study_names_its_archive(address: str, page: Page) -> None:
    page.goto(f"{address}/?q=A77-1203&open={STUDY_OF_FILES}")
    page.wait_for_selector("tr.opened")
    words = page.inner_text("tr.opened")
    assert "Archive\nOLD" in words
    assert page.locator("table.series > tbody > tr").count() == 3


def test_an_archive_that_is_gone_is_named(address: str, page: Page) -> None:
    """It stands above the list at each width; a picture of each is kept."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    states = {
        "gap": "/?q=2024",
        "gap-opened": f"/?q=2024-03&open={STUDY_OF_FILES}",
        "gap-nothing": "/?q=nobody",
        "gap-unknown": "/studies/1.2.999",
    }
    for name, path in states.items():
        page.goto(address + path)
        assert GONE.rpartition(":")[0] in page.inner_text("[role=alert] >> nth=0"), name
        for width, scheme in ((1280, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=PICTURES / f"federated-{name}-{width}-{scheme}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name

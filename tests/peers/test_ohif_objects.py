"""OHIF over TLS, with people who sign in, and studies with segmentations, reports, documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.services.passcodes import hasher, write_users
from fixtures.ohif_objects import CT, write_objects
from fixtures.programs import program
from peers import certificates, ours
from peers.ohif import WAIT, Viewer, is_drawn, until
from peers.processes import free_port

pytestmark = pytest.mark.peer("chromium", "OHIF")


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("ohif")
    pem = certificates.make(folder)
    users, index, port = folder / "users", folder / "index.sqlite", free_port()
    write_users(users, {"ann": hasher().hash("sesame-sesame")})
    alone = [Path(str(get_testdata_file(each))) for each in ("liver_1frame.dcm", "test-SR.dcm")]
    ours.index(index, *write_objects(folder / "files"), *alone)
    build = Path(program("OHIF")).parent
    options = ("--ohif", str(build), "--users-file", str(users))
    tls = ("--tls-cert", pem.server.cert, "--tls-key", pem.server.key)
    with (
        ours.serve(index, "--http", str(port), *options, *tls),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium"), headless=True) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
        yield Viewer(page, f"https://127.0.0.1:{port}")


STUDY = str(CT.StudyInstanceUID)
IN_STUDY = ("CT", "DOC", "SEG", "SR")


def test_a_person_signs_in_and_sees_the_list(viewer: Viewer) -> None:
    """Over TLS; the form leads back to the list, whose rows have all modalities."""
    viewer.page.goto(f"{viewer.address}/ohif")
    viewer.page.fill("#user", "ann")
    viewer.page.fill("#passcode", "sesame-sesame")
    viewer.page.click("button.main")
    rows = viewer.page.locator("tbody tr")
    rows.get_by_text("CompressedSamples").first.wait_for(timeout=WAIT)
    texts = rows.all_inner_texts()
    for patient, modalities in (("CompressedSamples", "CT\\DOC\\SEG\\SR"), ("Test, S R", "SR")):
        (row,) = (each for each in texts if patient in each)
        assert modalities in row.split()
    viewer.expect_nothing_wrong()


def test_an_image_is_drawn_beside_other_objects(viewer: Viewer) -> None:
    """OHIF lists segmentation, report and document of the study, and fetches their metadata."""
    viewer.open(f"/viewer?StudyInstanceUIDs={STUDY}")
    until(lambda: is_drawn(viewer.page, CT.pixel_array.astype(float)))
    for modality in IN_STUDY:
        viewer.page.get_by_text(modality, exact=True).first.wait_for(timeout=WAIT)
    viewer.expect_nothing_wrong()


def show(viewer: Viewer, modality: str) -> None:
    """Open a series of the study that is shown."""
    tour = viewer.page.get_by_text("Skip all")
    if tour.is_visible():
        tour.click()
    viewer.page.get_by_text(modality, exact=True).first.dblclick()


def test_a_report_is_read(viewer: Viewer) -> None:
    show(viewer, "SR")
    viewer.page.get_by_text("Nothing found.").wait_for(timeout=WAIT)
    viewer.expect_nothing_wrong()


def test_a_segmentation_lies_over_its_image(viewer: Viewer) -> None:
    show(viewer, "SEG")
    viewer.page.get_by_text("Do you want to open this Segmentation?").wait_for(timeout=WAIT)
    viewer.expect_nothing_wrong()


def test_a_segmentation_alone_has_its_study(viewer: Viewer) -> None:
    """Without the images that it refers to nothing is drawn, and nothing fails."""
    study = dcmread(str(get_testdata_file("liver_1frame.dcm"))).StudyInstanceUID
    viewer.open(f"/viewer?StudyInstanceUIDs={study}")
    viewer.page.get_by_text("Liver Segmentation").first.wait_for(timeout=WAIT)
    viewer.expect_nothing_wrong()


def test_a_document_is_let_in(viewer: Viewer) -> None:
    """The policy of the viewer does not block the browser's own program for PDF."""
    viewer.open(f"/viewer?StudyInstanceUIDs={STUDY}")
    # OHIF complains of an image that comes when its place is gone.
    until(lambda: is_drawn(viewer.page, CT.pixel_array.astype(float)))
    show(viewer, "DOC")
    shown = viewer.page.locator("object[type='application/pdf'][data^='blob:']")
    shown.wait_for(state="attached", timeout=WAIT)
    assert viewer.wrong == []

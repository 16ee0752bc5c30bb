"""Pictures by WADO-RS: rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41, JPEG2000Lossless

from dicomquest.index import Index, open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.store import decompression
from dicomquest.store.rendering_processes import RenderingLimits
from dicomquest.web import WebSettings, rendering_endpoint, renderings
from fixtures.storing import ROOT, instance, write
from fixtures.wado import parts, path_of
from fixtures.web import Browser

CT = Path(str(get_testdata_file("CT_small.dcm")))
COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
PLAN = Path(str(get_testdata_file("rtplan.dcm")))
RENDERED = ["/rendered", "/thumbnail", "/frames/1/rendered", "/frames/1/thumbnail"]


def image(study: int, number: int, grey: int = 0) -> Dataset:
    """An image of one grey level, which its window does not change."""
    made = instance(study, number)
    made.Rows, made.Columns, made.SamplesPerPixel = 16, 32, 1
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.WindowCenter, made.WindowWidth = 128, 256
    made.add_new(0x7FE00010, "OB", bytes([grey]) * 512)
    return made


def document(number: int, kind: str) -> Dataset:
    made = instance(7, number)
    del made.PixelData
    made.EncapsulatedDocument, made.MIMETypeOfEncapsulatedDocument = b"%PDF-1.7 short", kind
    return made


def broken() -> Dataset:
    made = image(6, 1)
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    made.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
    made["PixelData"].is_undefined_length = True
    return made


def film() -> Dataset:
    made = image(6, 2)
    made.file_meta.TransferSyntaxUID = MPEG4HP41
    made.PixelData, made.NumberOfFrames = encapsulate([bytes(range(100))]), 30
    made["PixelData"].is_undefined_length = True
    return made


SERIES = [image(8, number, 50 * number) for number in (1, 2, 3)]
REPORT, PDF, SCRIPT = instance(8, 9), document(1, "application/pdf"), document(2, "text/html")
del REPORT.PixelData
BROKEN, FILM = broken(), film()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("rendered")
    files = write(folder / "made", [*SERIES, REPORT, PDF, SCRIPT, BROKEN, FILM])
    with open_index(folder / "i.sqlite", create=True) as opened:
        opened.ingest([*files, CT, COLOUR, PLAN])
        yield opened


@pytest.fixture(scope="module")
def browser(index: Index) -> Browser:
    return Browser(index)


def shown(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("further", RENDERED)
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "image/jpeg"), ("*/*", "image/jpeg"), ("image/*", "image/jpeg"),
        ("image/png", "image/png"), ("image/gif", "image/gif"),
        ("text/html, image/webp;q=0.9, image/png;q=0.8, */*;q=0.1", "image/png"),
        ('multipart/related; type="image/png"', "multipart image/png"),
        ("application/dicom", "406"), ("image/jp2", "406"), ("image/jpeg;q=0", "406"),
    ],
)  # fmt: skip
def test_the_type_is_chosen_by_accept(
    browser: Browser, further: str, accept: str, expected: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    response = browser.get(path_of(CT) + further, **headers)
    if expected == "406":
        assert (response.status_code, "image/jpeg" in response.text) == (406, True)
        return
    if expected.startswith("multipart"):
        (part,) = parts(response)
        kind, data = f"multipart {part.content_type}", part.body
    else:
        assert response.status_code == 200, response.text
        kind, data = response.headers["content-type"], response.content
    assert kind == expected
    picture = shown(data)
    assert f"image/{str(picture.format).lower()}" == expected.removeprefix("multipart ")
    assert picture.size == ((256, 256) if "thumbnail" in further else (128, 128))


def test_the_parameter_chooses_before_accept(browser: Browser) -> None:
    response = browser.get(f"{path_of(CT)}/rendered?accept=image/png", Accept="image/jpeg")
    assert response.headers["content-type"] == "image/png"


def test_parameters_change_the_picture(browser: Browser) -> None:
    address = f"{path_of(CT)}/rendered?accept=image/png"
    plain = browser.get(address)
    found = {plain.content}
    for each in ("viewport=64,64", "window=1000,50,sigmoid", "viewport=64,64,0,0,-128,128"):
        response = browser.get(f"{address}&{each}")
        assert response.status_code == 200
        assert response.headers["etag"] != plain.headers["etag"]
        found.add(response.content)
    assert len(found) == 4
    warned = browser.get(f"{address}&annotation=patient")
    assert warned.headers["warning"].endswith('"Image annotation is not supported."')
    assert warned.content == plain.content
    assert browser.get(f"{address}&quality=0").status_code == 400
    beyond = browser.get(f"{address}&viewport=9,9,100,100,100,1")
    assert (beyond.status_code, "128 x 128" in beyond.text) == (400, True)


def test_frames_have_pictures(browser: Browser) -> None:
    path = path_of(COLOUR)
    found = parts(browser.get(f"{path}/frames/30,1/rendered", Accept="multipart/*"))
    assert [each.location.split("/frames/")[1] for each in found] == ["30/rendered", "1/rendered"]
    assert found[0].body == browser.get(f"{path}/frames/30/rendered").content
    assert browser.get(f"{path}/rendered").content == (
        browser.get(f"{path}/frames/15/rendered").content
    )
    for frames, code in (("31", 404), ("0", 400), ("1,2", 406)):
        response = browser.get(f"{path}/frames/{frames}/rendered", Accept="image/jpeg")
        assert response.status_code == code
    assert browser.get(f"{path}/frames/1,2/thumbnail").status_code == 400


@pytest.mark.parametrize("level", [1, 2])
def test_a_series_has_a_part_for_each_image(browser: Browser, level: int) -> None:
    """A report among them has none."""
    path = f"{path_of(SERIES[0], level)}/rendered"
    found = parts(browser.get(path, Accept='multipart/related; type="image/png"'))
    levels = sorted(int(np.asarray(shown(each.body)).mean()) for each in found)
    assert levels == [50, 100, 150]
    assert browser.get(path, Accept="image/png").status_code == 406


@pytest.mark.parametrize("level", [1, 2])
def test_a_thumbnail_is_of_an_image(browser: Browser, level: int) -> None:
    path = f"{path_of(SERIES[0], level)}/thumbnail?viewport=64,64"
    response = browser.get(path, Accept="image/jpeg")
    picture = shown(response.content)
    assert picture.size == (64, 32)
    assert round(float(np.asarray(picture).mean()), -1) in {50, 100, 150}
    assert response.headers["cache-control"] == "private, no-cache"
    for other in (PLAN, PDF):
        assert browser.get(f"{path_of(other, level)}/thumbnail").status_code == 406


@pytest.mark.requirement("WS-024")
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("further", ["rendered", "thumbnail"])
def test_an_unchanged_picture_is_not_made_again(browser: Browser, level: int, further: str) -> None:
    path = f"{path_of(SERIES[0], level)}/{further}"
    response = browser.get(path)
    tag = response.headers["etag"]
    again = browser.get(path, If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "accept" in response.headers["vary"].lower()


@pytest.mark.parametrize("further", RENDERED)
def test_an_instance_without_image_has_no_picture(browser: Browser, further: str) -> None:
    for each in (PLAN, SCRIPT):
        response = browser.get(path_of(each) + further)
        assert response.status_code == (404 if "frames" in further else 406)
    response = browser.get(path_of(BROKEN) + further)
    assert (response.status_code, "cannot be decoded" in response.text) == (406, True)
    if further != "/rendered":
        assert browser.get(path_of(FILM) + further).status_code == 406


@pytest.mark.requirement("WS-023")
@pytest.mark.parametrize("made", [PDF, FILM], ids=["document", "video"])
def test_documents_and_videos_are_as_stored(browser: Browser, made: Dataset) -> None:
    path = f"{path_of(made)}/rendered"
    kind = "application/pdf" if made is PDF else "video/mp4"
    data = b"%PDF-1.7 short" if made is PDF else bytes(range(100))
    for accept in ("*/*", kind):
        response = browser.get(path, Accept=accept)
        assert response.headers["content-type"].partition(";")[0] == kind
        assert response.content == data
    some = browser.get(path, Accept=kind, Range="bytes=1-3")
    assert (some.status_code, some.content) == (206, data[1:4])
    assert browser.get(path, Accept="image/jpeg").status_code == 406


def test_without_the_extra_it_is_named(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering_endpoint, "can_render", lambda: False)
    response = browser.get(f"{path_of(CT)}/rendered")
    assert (response.status_code, "dicomquest[images]" in response.text) == (406, True)
    assert browser.get(f"{path_of(PDF)}/rendered").status_code == 200
    monkeypatch.undo()
    monkeypatch.setattr(decompression, "find_spec", lambda _: None)
    response = browser.get(f"{path_of(COLOUR)}/rendered")
    assert (response.status_code, "no decoder" in response.text) == (406, True)


def test_limits_of_pictures_are_told(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Browser(index, WebSettings(rendering=RenderingLimits(pixels=1000)))
    response = small.get(f"{path_of(CT)}/rendered")
    assert (response.status_code, "1,000 pixels" in response.text) == (413, True)
    quick = Browser(index, WebSettings(rendering=RenderingLimits(seconds=0.001)))
    response = quick.get(f"{path_of(CT)}/rendered")
    assert (response.status_code, "longer than" in response.text) == (503, True)
    monkeypatch.setattr(renderings, "MOST_WAITING", 0)
    response = quick.get(f"{path_of(CT)}/rendered")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


@pytest.mark.requirement("WS-034")
@pytest.mark.parametrize("further", ["/rendered", "/thumbnail"])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_hidden_picture_is_an_unknown_one(index: Index, further: str, level: int) -> None:
    profile = Profile(visible=parse_visible(["PatientID=nobody"]))
    admission = Admission(AccessRules(peers={"HTTP": PeerRule(profile=profile)}))
    limited = Browser(index, WebSettings(admission=admission))
    hidden = limited.get(path_of(SERIES[0], level) + further)
    unknown = limited.get(path_of(image(99, 1), level) + further)
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content
    assert hidden.headers == unknown.headers


def test_head_makes_a_picture_of_no_body(browser: Browser) -> None:
    path = f"/dicom-web{path_of(CT)}/rendered"
    assert browser.request("HEAD", path, {"Accept": "*/*"}).status_code == 200


def test_the_page_shows_a_picture_of_each_series(browser: Browser) -> None:
    stored = dcmread(CT)
    page = browser.request("GET", f"/studies/{stored.StudyInstanceUID}", {"Accept": "text/html"})
    assert "img-src 'self'" in page.headers["content-security-policy"]
    (tag,) = [each.split(">")[0] for each in page.text.split("<img ")[1:]]
    attributes = dict(each.split("=", 1) for each in tag.split('" ') if "=" in each)
    assert attributes["width"].strip('"') == attributes["height"].strip('"') == "96"
    assert attributes["loading"].strip('"') == "lazy"
    assert attributes["alt"].strip('"').startswith("CT image")
    response = browser.request("GET", attributes["src"].strip('"'), {"Accept": "image/*"})
    assert response.headers["content-type"] == "image/jpeg"
    assert max(shown(response.content).size) == 192
    report = browser.request("GET", f"/studies/{ROOT}.7", {"Accept": "text/html"})
    assert report.status_code == 200

"""WADO-URI answers as WADO-RS does (PS3.18 9)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.web import WebSettings
from fixtures.wado import path_of, read
from fixtures.web import Browser

CT = Path(str(get_testdata_file("CT_small.dcm")))
COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
PLAN = Path(str(get_testdata_file("rtplan.dcm")))
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("uri")
    with open_index(folder / "i.sqlite", create=True) as index:
        index.ingest([CT, COLOUR, PLAN])
        yield Browser(index)


def asked(file: Path, root: str = "/wado", **further: str) -> str:
    stored = dcmread(file, stop_before_pixels=True)
    given = {
        "requestType": "WADO",
        "studyUID": stored.StudyInstanceUID,
        "seriesUID": stored.SeriesInstanceUID,
        "objectUID": stored.SOPInstanceUID,
        **further,
    }
    return f"{root}?{urlencode({name: value for name, value in given.items() if value})}"


@pytest.mark.requirement("WS-002", "WS-003")
@pytest.mark.parametrize("root", ["/wado", "", "/"])
@pytest.mark.parametrize(("syntax", "file"), [("", CT), (EXPLICIT, CT), ("*", COLOUR)])
def test_a_file_is_that_of_wado_rs(browser: Browser, root: str, syntax: str, file: Path) -> None:
    address = asked(file, root, contentType="application/dicom", transferSyntax=syntax)
    response = browser.get(address, Accept="text/html")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/dicom; transfer-syntax=")
    found, stored = read(response.content), dcmread(file)
    assert found.SOPInstanceUID == stored.SOPInstanceUID
    assert found.PixelData == stored.PixelData
    if syntax == EXPLICIT:
        assert found.file_meta.TransferSyntaxUID == EXPLICIT


@pytest.mark.parametrize("kind", ["", "image/jpeg", "image/png", "image/jp2, image/gif"])
def test_a_picture_is_that_of_wado_rs(browser: Browser, kind: str) -> None:
    response = browser.get(asked(COLOUR, contentType=kind, frameNumber="3"))
    expected = kind.rsplit(", ", maxsplit=1)[-1] or "image/jpeg"
    assert response.headers["content-type"] == expected
    same = browser.get(f"{path_of(COLOUR)}/frames/3/rendered", Accept=expected)
    assert response.content == same.content


def test_a_picture_has_its_wishes(browser: Browser) -> None:
    address = asked(CT, rows="64", windowCenter="40", windowWidth="400", imageQuality="50")
    response = browser.get(address)
    same = f"{path_of(CT)}/rendered?viewport=64,64&window=40,400,linear&quality=50"
    assert response.content == browser.get(same).content
    assert Image.open(io.BytesIO(response.content)).size == (64, 64)


@pytest.mark.requirement("WS-004", "WS-021")
@pytest.mark.parametrize(
    ("further", "code"),
    [
        ({"objectUID": ""}, 400), ({"studyUID": "x"}, 400), ({"requestType": "MPR"}, 400),
        ({"requestType": ""}, 404), ({"seriesUID": "1.2.3"}, 404),
        ({"contentType": "text/html"}, 406), ({"anonymize": "yes"}, 400),
        ({"region": "0,0,1,1"}, 400), ({"presentationUID": "1.2"}, 400),
        ({"windowCenter": "1"}, 400), ({"frameNumber": "2"}, 404), ({"frameNumber": "x"}, 400),
        ({"contentType": "application/dicom", "frameNumber": "1"}, 400),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.4.90"}, 406),
        ({"rows": "0"}, 400), ({"imageQuality": "1000"}, 400),
    ],
)  # fmt: skip
def test_a_request_that_is_none_is_refused(
    browser: Browser, further: dict[str, str], code: int
) -> None:
    response = browser.get(asked(CT, **further))
    assert response.status_code == code, response.text


def test_an_instance_without_image_is_a_file(browser: Browser) -> None:
    refused = browser.get(asked(PLAN))
    assert (refused.status_code, "application/dicom" in refused.text) == (406, True)
    assert browser.get(asked(PLAN, contentType="application/dicom")).status_code == 200


@pytest.mark.requirement("WS-034")
@pytest.mark.parametrize("kind", ["application/dicom", "image/jpeg"])
def test_a_hidden_instance_is_unknown(tmp_path: Path, kind: str) -> None:
    profile = Profile(visible=parse_visible(["PatientID=nobody"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([CT])
        limited = Browser(index, settings)
        hidden = limited.get(asked(CT, contentType=kind))
        unknown = limited.get(asked(COLOUR, contentType=kind))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content

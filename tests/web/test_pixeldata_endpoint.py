"""All pixel data of a resource (PS3.18 10.4.1.1.7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from fixtures.storing import instance, write
from fixtures.wado import OCTETS, VIEWER, parts, path_of
from fixtures.web import Browser

COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
CT = Path(str(get_testdata_file("CT_small.dcm")))
PLAN = Path(str(get_testdata_file("rtplan.dcm")))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("pixels")
    made = [instance(5, number) for number in (1, 2, 3)]
    for each in made:
        each.Rows, each.Columns, each.SamplesPerPixel, each.BitsAllocated = 16, 16, 1, 16
    report = instance(5, 4)
    del report.PixelData
    with open_index(folder / "i.sqlite", create=True) as index:
        index.ingest([*write(folder / "made", [*made, report]), COLOUR, CT, PLAN])
        yield Browser(index)


@pytest.mark.requirement("WS-005", "WS-019")
@pytest.mark.parametrize("level", [1, 2])
def test_a_series_has_the_frames_of_all(browser: Browser, level: int) -> None:
    """A report among them has none."""
    found = parts(browser.get(f"{path_of(instance(5, 1), level)}/pixeldata", Accept=OCTETS))
    assert sorted(each.body[0] for each in found) == [1, 2, 3]
    assert {len(each.body) for each in found} == {512}


@pytest.mark.requirement("WS-016")
@pytest.mark.parametrize("accept", [VIEWER, "*/*", 'multipart/related; type="image/*"'])
def test_parts_are_those_of_frames(browser: Browser, accept: str) -> None:
    path = path_of(COLOUR)
    frames = ",".join(map(str, range(1, 31)))
    found = parts(browser.get(f"{path}/pixeldata", Accept=accept))
    same = parts(browser.get(f"{path}/frames/{frames}", Accept=accept))
    assert [(each.content_type, each.body) for each in found] == [
        (each.content_type, each.body) for each in same
    ]


@pytest.mark.requirement("WS-004", "WS-024")
def test_other_requests_are_refused(browser: Browser) -> None:
    path = f"{path_of(CT)}/pixeldata"
    assert browser.get(path, Accept="application/octet-stream").status_code == 406
    refused = browser.get(path, Accept='multipart/related; type="image/jls"')
    assert (refused.status_code, "transfer-syntax=*" in refused.text) == (406, True)
    assert browser.get(f"{path_of(PLAN)}/pixeldata", Accept=OCTETS).status_code == 404
    assert browser.get(f"{path_of(instance(6, 1))}/pixeldata").status_code == 404
    tag = browser.get(path, Accept=OCTETS).headers["etag"]
    assert browser.get(path, Accept=OCTETS, If_None_Match=tag).status_code == 304
    head = browser.request("HEAD", f"/dicom-web{path}", {"Accept": OCTETS})
    assert (head.status_code, head.content) == (200, b"")

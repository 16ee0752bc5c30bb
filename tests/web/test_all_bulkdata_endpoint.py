"""All large values of a resource (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from fixtures.storing import instance, write
from fixtures.wado import OCTETS, VIEWER, parts, path_of
from fixtures.web import Browser

COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
CT = Path(str(get_testdata_file("CT_small.dcm")))
PLAN = Path(str(get_testdata_file("rtplan.dcm")))
LARGE = bytes(range(250)) * 8


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("bulk")
    made = [instance(5, number) for number in (1, 2)]
    made[0].add_new(0x00091010, "OB", LARGE)
    with open_index(folder / "i.sqlite", create=True) as index:
        index.ingest([*write(folder / "made", made), COLOUR, CT, PLAN])
        yield Browser(index)


def addresses(metadata: Any) -> Iterator[str]:
    """The BulkDataURIs of metadata."""
    for name, value in metadata.items() if isinstance(metadata, dict) else enumerate(metadata):
        if name == "BulkDataURI":
            yield value
        elif isinstance(value, dict | list):
            yield from addresses(value)


@pytest.mark.requirement("WS-011", "WS-019")
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("accept", [OCTETS, "*/*"])
def test_each_address_of_the_metadata_has_its_part(
    browser: Browser, level: int, accept: str
) -> None:
    path = path_of(instance(5, 1), level)
    expected = set(addresses(browser.get(f"{path}/metadata").json()))
    assert len(expected) == (2 if level == 3 else 3)
    found = parts(browser.get(f"{path}/bulkdata", Accept=accept))
    assert {each.location for each in found} == expected
    for each in found:
        (single,) = parts(browser.get(each.location.partition("/dicom-web")[2], Accept=accept))
        assert (each.content_type, each.body) == (single.content_type, single.body)
    assert LARGE in {each.body for each in found}


@pytest.mark.requirement("WS-016")
def test_compressed_pixels_come_by_frames(browser: Browser) -> None:
    found = parts(browser.get(f"{path_of(COLOUR)}/bulkdata", Accept=VIEWER))
    numbers = ",".join(map(str, range(1, 31)))
    same = parts(browser.get(f"{path_of(COLOUR)}/frames/{numbers}", Accept=VIEWER))
    assert [(each.location, each.body) for each in found] == [
        (each.location, each.body) for each in same
    ]


@pytest.mark.requirement("WS-004", "WS-024")
def test_other_requests_are_refused(browser: Browser) -> None:
    path = f"{path_of(CT)}/bulkdata"
    assert browser.get(path, Accept="application/octet-stream").status_code == 406
    refused = browser.get(f"{path_of(COLOUR)}/bulkdata", Accept='multipart/related; type="image/*"')
    assert (refused.status_code, "octets" in refused.text) == (406, True)
    assert browser.get(f"{path_of(PLAN)}/bulkdata", Accept=OCTETS).status_code == 404
    assert browser.get(f"{path_of(instance(6, 1))}/bulkdata").status_code == 404
    tag = browser.get(path, Accept=OCTETS).headers["etag"]
    assert browser.get(path, Accept=OCTETS, If_None_Match=tag).status_code == 304
    head = browser.request("HEAD", f"/dicom-web{path}", {"Accept": OCTETS})
    assert (head.status_code, head.content) == (200, b"")

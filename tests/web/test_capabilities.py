"""OPTIONS: the methods of a resource, and the document of all resources (PS3.18 8.9)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from dicomquest.index import Index, open_index
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.web import WebSettings
from fixtures.web import BASE, Browser

SHOWN = "{http://wadl.dev.java.net/2009/02}representation"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with open_index(tmp_path_factory.mktemp("told") / "i.sqlite", create=True) as opened:
        yield opened


@pytest.mark.requirement("WS-035")
@pytest.mark.parametrize("root", ["/dicom-web", ""])
def test_the_root_describes_all_resources(index: Index, root: str) -> None:
    browser = Browser(index, WebSettings(root=root))
    response = browser.request("OPTIONS", root or "/", {})
    assert response.headers["content-type"] == "application/vnd.sun.wadl+xml"
    (resources,) = etree.fromstring(response.content)
    assert resources.get("base") == BASE + root
    found = {
        each.get("path"): {
            method.get("name"): [
                shown.get("mediaType") for shown in method.iter("{*}representation")
            ]
            for method in each
        }
        for each in resources
    }
    assert found["/studies"] == {
        "GET": ["application/dicom+json", "multipart/related; type=application/dicom+xml"]
    }
    instance = "/studies/{study}/series/{series}/instances/{instance}"
    assert found[f"{instance}/rendered"]["GET"][0] == "image/jpeg"
    assert found[instance]["GET"][1] == "application/dicom"
    for path in found:
        known = path.replace("{value:path}", "7FE00010")
        for name in ("study", "series", "instance", "frames"):
            known = known.replace(f"{{{name}}}", "1")
        answer = browser.request("OPTIONS", root + known, {})
        assert "GET" in answer.headers["allow"].split(", ")


def test_a_resource_tells_its_methods(index: Index) -> None:
    """Whoever asks: a browser's preflight has no credentials."""
    browser = Browser(index, WebSettings(admission=Admission(AccessRules(known_only=True))))
    response = browser.request("OPTIONS", "/dicom-web/studies/1.2/metadata", {})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert browser.request("OPTIONS", "/dicom-web/nothing", {}).status_code == 404
    assert browser.request("GET", "/dicom-web", {}).status_code == 404

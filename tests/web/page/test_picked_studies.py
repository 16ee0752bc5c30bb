"""The actions on ticked studies: a viewer opens studies of several patients after a question."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from dicomquest.index import open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.web import WebSettings
from fixtures.building import instance
from fixtures.web import Browser

ANA, BEN = "Citizen^Ana", "Citizen^Ben"

VIEWER = "/ohif/viewer?StudyInstanceUIDs="


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page over studies 1 and 2 of Ana, study 3 of Ben, all with one patient ID."""
    with open_index(tmp_path_factory.mktemp("picked") / "index.sqlite", create=True) as index:
        index.ingest_data_sets(
            instance(number, series=number, study=number, PatientName=name, PatientID="JP001")
            for number, name in ((1, ANA), (2, ANA), (3, BEN))
        )
        yield Browser(index)


def pick(browser: Browser, studies: str, **fields: str) -> httpx.Response:
    pairs = [f"uid=1.2.{each}" for each in studies]
    pairs += [f"{name}={value}" for name, value in fields.items()]
    return browser.request("POST", "/picked", {}, "&".join(pairs).encode())


def test_studies_of_one_patient_are_opened(browser: Browser) -> None:
    response = pick(browser, "12", do="ohif")
    assert (response.status_code, response.headers["location"]) == (303, f"{VIEWER}1.2.1,1.2.2")


def test_two_patients_with_one_id_are_asked_about(browser: Browser) -> None:
    response = pick(browser, "132", do="ohif")
    assert response.status_code == 200
    assert "Open the studies of 2 patients together?" in response.text
    assert "Citizen, Ana" in response.text
    assert "Citizen, Ben" in response.text
    forms = [
        re.findall(r'name="uid" value="([0-9.]+)"', each) for each in response.text.split("<form")
    ]
    assert [each for each in forms if each] == [
        ["1.2.1", "1.2.2"], ["1.2.3"], ["1.2.1", "1.2.3", "1.2.2"],
    ]  # fmt: skip
    assert "Citizen" not in response.text.partition("</title>")[0]


def test_both_are_opened_after_the_question(browser: Browser) -> None:
    response = pick(browser, "13", do="ohif", together="yes")
    assert response.headers["location"] == f"{VIEWER}1.2.1,1.2.3"


def test_a_hidden_patient_is_not_asked_about(browser: Browser) -> None:
    visible = parse_visible([f"PatientName={ANA}"])
    rules = AccessRules(default=PeerRule(profile=Profile(visible=visible)))
    narrow = Browser(browser.index, WebSettings(admission=Admission(rules)))
    response = pick(narrow, "13", do="ohif")
    assert response.status_code == 303
    assert "Ben" not in response.text


def test_a_link_of_weasis_dies_in_time(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    link = pick(browser, "1", do="weasis").headers["location"]
    assert re.fullmatch(r"weasis://%24dicom%3Aget%20-w%20%22http[^ \"<>]*%22", link), link
    path = re.search(r"%2Fweasis%2F([^%]*)", link)
    assert path is not None
    address = f"/weasis/{path[1]}"
    now = time.time()
    for passed, code in ((299, 200), (301, 403)):
        monkeypatch.setattr("time.time", partial(float, now + passed))
        assert browser.request("GET", address, {}).status_code == code
        assert browser.request("GET", f"{address}/1.2.3/1.2.3.3.3", {}).status_code == 403

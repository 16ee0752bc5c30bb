"""The reading of a question while it is typed (PS3.4 C.4.1.3)."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import PeerChoices, Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit
from dicomquest.web import WebSettings
from dicomquest.web.page_settings import PageSettings
from fixtures.web import Browser, three_studies

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def typing(browser: Browser) -> Browser:
    """A client that may have any number of questions read."""
    page = PageSettings(reads_per_second=1e6)
    browser.application.reconfigure(WebSettings(page=page))
    return browser


def read(browser: Browser, text: str, **fields: str) -> httpx.Response:
    body = urlencode({"q": text, "number": "7", **fields}).encode()
    return browser.request("POST", "/read", FORM, body)


def words(response: httpx.Response) -> list[str]:
    """The sentences and the keys."""
    assert response.status_code == 200
    found = re.findall(r"<(?:p|li)[^>]*>(.*?)</(?:p|li)>", response.text)
    return [unescape(each) for each in found]


def test_a_text_is_read_back_with_its_number(typing: Browser) -> None:
    response = read(typing, "yamada 2024")
    assert words(response) == [
        "Studies of patients named yamada…, study date in 2024",
        "About to find 1 study.",
        "named yamada…",
        "study date 2024",
    ]
    assert 'data-number="7"' in response.text
    assert response.headers["cache-control"] == "no-store"


def test_nothing_that_was_not_typed_is_sent(typing: Browser) -> None:
    text = read(typing, "2024").text
    for name in ("Müller", "Yamada", "山田", "O+Neill", "1.2.1", "P1"):
        assert name not in text


def test_no_match_is_nothing(typing: Browser) -> None:
    assert "About to find nothing." in words(read(typing, "yamada 2023"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("05/03/2024", "05/03/2024 could be two days. Which?"),
        ("A77", "A77 is no accession number, patient ID or study ID here."),
        ("foo:bar", "foo: is no key."),
    ],
)
def test_an_unclear_text_has_no_number(typing: Browser, text: str, said: str) -> None:
    found = words(read(typing, text))
    assert found[0].startswith(said)
    assert "About" not in " ".join(found)


def test_the_fields_of_exact_keys_are_read(typing: Browser) -> None:
    found = words(read(typing, "2024", **{"was-q": "", "sex": "F", "was-sex": ""}))
    assert "About to find 1 study." in found


def test_a_number_ends_at_a_thousand(typing: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomquest.web.page.read_endpoint.MOST_FOUND", 2)
    assert "About to find more than 2 studies." in words(read(typing, "2024"))


def test_no_number_comes_late(typing: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomquest.web.page.read_endpoint.total_of", lambda *_: None)
    assert words(read(typing, "yamada"))[0] == "Studies of patients named yamada…"
    assert "About" not in read(typing, "yamada").text
    # Who was not found in time may be there.
    monkeypatch.setattr("dicomquest.web.page.read_endpoint.LOOK_UP_SECONDS", 0.0)
    assert read(typing, "A1").status_code == 204


def test_a_filter_hides_from_the_number(tmp_path: Path) -> None:
    profile = Profile(visible=parse_visible(["PatientID=P2"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        three_studies(index)
        narrow = Browser(index, settings)
        assert "About to find 1 study." in words(read(narrow, "2024"))
        hidden, unknown = (words(read(narrow, code))[0] for code in ("A1", "A9"))
        assert hidden.removeprefix("A1") == unknown.removeprefix("A9")


def test_a_session_reads_so_often_a_second(tmp_path: Path) -> None:
    told: list[Any] = []

    class Listener:
        def tell(self, event: Any) -> None:
            told.append(event)

    page = PageSettings(reads_per_second=0.01)
    profile = Profile(choices=PeerChoices(finds_per_second=0.01))
    rules = AccessRules(default=PeerRule(profile=profile))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        settings = WebSettings(admission=Admission(rules), page=page, observer=Listener())
        browser = Browser(index, settings)
        assert [read(browser, "x").status_code for _ in range(2)] == [200, 429]
        assert LimitHit(LimitName.READ_RATE, "127.0.0.1", "HTTP") in told
        # Its own rate is no other's: the search goes on.
        assert browser.request("GET", "/?all", {}).status_code == 200


def test_an_overtaken_reading_has_no_answer(
    typing: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(request: Any, *_: object) -> str:
        request.search.interrupt()
        raise IndexDatabaseError("the query was interrupted")

    monkeypatch.setattr("dicomquest.web.page.read_endpoint._read", overtaken)
    response = read(typing, "yamada")
    assert (response.status_code, response.content) == (204, b"")


def test_another_site_has_nothing_read(typing: Browser) -> None:
    headers = {**FORM, "Sec-Fetch-Site": "cross-site"}
    assert typing.request("POST", "/read", headers, b"q=yamada").status_code == 403

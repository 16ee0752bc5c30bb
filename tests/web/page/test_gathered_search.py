"""The page over several archives: the studies of all, and who fell short (PS3.4 C.4.1.3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from html import unescape

import httpx
import pytest

from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.conversation import Found
from dicomquest.federation.federated_find import FederatedFind
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sources import IndexSource, Source
from dicomquest.index import Index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.request import Run
from dicomquest.web import WebSettings, application
from dicomquest.web.page import gathered_search
from dicomquest.web.page.gathered_search import GatheredSearch
from dicomquest.web.page.viewer_tokens import Grant, ViewerTokens
from dicomquest.web.page_settings import PageSettings
from fixtures.timing import LONG, SHORT
from fixtures.web import Browser, three_studies


class Silent(IndexSource):
    """An archive that takes a query and never answers."""

    asked = 0

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        del question, run
        Silent.asked += 1
        async with asyncio.timeout(LONG):
            await asyncio.Event().wait()
        yield []


class Refusing(IndexSource):
    """An archive that cannot be reached, and does not apply the filter itself."""

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        del run
        if question.identifier:
            raise SourceError(EndKind.UNREACHABLE, "nobody listens")
        yield []


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Index]]:
    """One index of all studies, and two that share one of them."""
    folder = tmp_path_factory.mktemp("gathered")
    with (
        Index(folder / "whole") as whole,
        Index(folder / "own") as own,
        Index(folder / "other") as other,
    ):
        three_studies(whole)
        three_studies(own, (1, 2))
        three_studies(other, (2, 3))
        yield [whole, own, other]


def federated(
    indexes: list[Index], *more: Source, settings: WebSettings | None = None, is_alone: bool = False
) -> Browser:
    """A client of a page that asks both halves, and further sources."""
    _, own, other = indexes
    sources: list[Source] = [*more]
    if not is_alone:
        sources = [IndexSource(0, own, "OWN"), IndexSource(1, other, "OTHER", "PACS2"), *more]
    made = Browser(own)
    made.application = application(own, settings, find=FederatedFind(own, "OWN", sources=sources))
    return made


def get(browser: Browser, path: str) -> httpx.Response:
    response = browser.request("GET", path, {"Accept": "text/html"})
    if response.status_code == 303:
        response = browser.request("GET", response.headers["Location"], {"Accept": "text/html"})
    return response


def uids(response: httpx.Response) -> list[str]:
    return re.findall(r'<tr role="row" class="study" id="s-([0-9.]+)"', response.text)


def words_of(response: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


QUESTIONS = [
    "/?all", "/?q=2024", "/?q=yamada", "/?q=muller", "/?q=desc:study", "/?q=CT", "/?q=CT+MR+2024",
    "/?q=A1", "/?q=id:P2", "/?q=2024-01-02..2024-01-03", "/?q=sex:F", "/?q=~yamada",
    "/?q=CT%2BMR", "/?all&sort=name", "/?all&sort=-name", "/?all&sort=date", "/?q=acc:%22%22",
    "/?q=%3D%E5%B1%B1%E7%94%B0*",
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_rows_are_those_of_one_index(indexes: list[Index], question: str) -> None:
    shown = get(federated(indexes), question)
    assert shown.status_code == 200
    found = uids(get(Browser(indexes[0]), question))
    assert uids(shown) == found
    assert found


def test_counts_and_holders_of_a_result(indexes: list[Index]) -> None:
    shown = words_of(get(federated(indexes), "/?all"))
    assert "3 studies" in shown
    assert "CT 3 MR 2" in shown
    assert "Study, 2 in this server, PACS2" in shown
    assert "not complete" not in shown


def test_pages_of_the_list_follow_each_other(
    indexes: list[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomquest.web.page.study_answer.FIRST_ROWS", 1)
    monkeypatch.setattr("dicomquest.web.page.study_answer.NEXT_ROWS", 1)
    browser = federated(indexes)
    for sort in ("", "&sort=name", "&sort=-name"):
        wanted, address = [], f"/?all{sort}"
        for _ in range(3):
            shown = get(browser, address)
            wanted += uids(shown)
            further = re.search(r'data-next="([^"]*)"', shown.text)
            address = unescape(further[1]) if further else ""
        assert address == ""
        assert sorted(wanted) == ["1.2.1", "1.2.2", "1.2.3"]
        back = re.search(r'data-previous="([^"]+)"', shown.text)
        assert back is not None
        assert uids(get(browser, unescape(back[1]))) == [wanted[1]]


def test_an_opened_study_is_whole(indexes: list[Index]) -> None:
    shown = words_of(get(federated(indexes), "/studies/1.2.3/series/1.2.3.5"))
    assert "Archive PACS2" in shown
    assert shown.count("instance ") == 3
    assert get(federated(indexes), "/studies/1.2.9").status_code == 404


def test_a_silent_archive_is_named(indexes: list[Index], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered_search, "SOURCE_SECONDS", 10 * SHORT)
    Silent.asked = 0
    browser = federated(indexes, Silent(2, indexes[0], "OLD", "PACS3"))
    shown = get(browser, "/?q=2024+CT")
    assert uids(shown) == ["1.2.3", "1.2.2", "1.2.1"]
    words = "Archive PACS3 did not answer in time: what is shown is not complete."
    assert words in words_of(shown)
    # The facets without their own keys are questions of their own.
    assert Silent.asked == 1
    assert words in words_of(get(browser, "/?q=name:nobody"))
    assert words in words_of(get(browser, "/studies/1.2.2"))
    unknown = get(browser, "/studies/1.2.9")
    assert unknown.status_code == 503
    assert "It may hold this study." in words_of(unknown)
    table = get(browser, "/studies.csv?q=2024")
    assert 'filename="incomplete-studies.csv"' in table.headers["Content-Disposition"]


def test_no_archive_answers(indexes: list[Index]) -> None:
    browser = federated(indexes, Refusing(0, indexes[0], "OLD", "PACS3"), is_alone=True)
    shown = words_of(get(browser, "/?q=2024"))
    assert "Archive PACS3 cannot be reached" in shown
    assert "No archive has answered, so nobody knows." in shown
    assert "No studies in" not in shown


def test_more_than_can_be_in_hand(indexes: list[Index], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GatheredSearch, "most", 2)
    shown = get(federated(indexes), "/?all")
    assert len(uids(shown)) == 2
    words = words_of(shown)
    assert "More than 2 studies match. The list has the 2 that the archives sent first" in words
    assert "more than 2 studies" in words
    assert "Count anyway" not in words
    table = get(federated(indexes), "/studies.csv?all")
    assert 'filename="studies-first-2.csv"' in table.headers["Content-Disposition"]
    assert len(table.text.splitlines()) == 3


@pytest.mark.requirement("QR-094")
def test_hidden_studies_are_in_no_list(indexes: list[Index]) -> None:
    visible = parse_visible(["PatientID=P2"])
    profile = Profile(visible=visible)
    rules = AccessRules(default=PeerRule(profile=profile))
    settings = WebSettings(admission=Admission(rules))
    browser = federated(indexes, settings=settings)
    assert uids(get(browser, "/?all")) == ["1.2.2"]
    assert get(browser, "/studies/1.2.3").status_code == 404
    assert "1 study" in words_of(get(browser, "/?q=2024"))


def test_the_blank_page_names_the_archives(indexes: list[Index]) -> None:
    shown = words_of(get(federated(indexes), "/"))
    assert "Searches 2 archives at once: this server, PACS2." in shown


@pytest.mark.parametrize("further", ["/files", "/series/1.2.9.1/instances/1.2.9.1.1/file"])
def test_a_download_names_an_archive_that_is_down(indexes: list[Index], further: str) -> None:
    """It may hold what is asked for, so nobody knows that there is none."""
    browser = federated(indexes, Refusing(2, indexes[0], "OLD", "PACS3"))
    unknown = get(browser, f"/studies/1.2.9{further}")
    assert (unknown.status_code, unknown.headers["Retry-After"]) == (503, "5")
    assert "Archive PACS3 cannot be reached" in words_of(unknown)


def test_a_part_of_a_list_of_files_is_refused(indexes: list[Index]) -> None:
    assert get(federated(indexes), "/studies/1.2.2/files").status_code == 200
    browser = federated(indexes, Refusing(2, indexes[0], "OLD", "PACS3"))
    assert get(browser, "/studies/1.2.2/files").status_code == 503


def test_a_viewer_hears_of_an_archive_that_is_down(indexes: list[Index]) -> None:
    settings = WebSettings(page=PageSettings(viewer_key=b"k" * 32))
    token = ViewerTokens(b"k" * 32).make(Grant("HTTP", ("1.2.2", "1.2.9")))
    browser = federated(indexes, Refusing(2, indexes[0], "OLD", "PACS3"), settings=settings)
    for further in ("", "/1.2.9/1.2.9.1.1"):
        unknown = get(browser, f"/weasis/{token}{further}")
        assert unknown.status_code == 503
        assert "Archive PACS3 cannot be reached" in unknown.text

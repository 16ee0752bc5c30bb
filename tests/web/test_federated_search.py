"""QIDO-RS over several archives: the matches of all, in one order, and what is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator

import pytest

from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.conversation import Found
from dicomquest.federation.federated_find import FederatedFind
from dicomquest.federation.gathering import Response
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.sources import IndexSource, Source
from dicomquest.index import Index
from dicomquest.services.observer import Event, FindFinished
from dicomquest.services.request import Run
from dicomquest.standard import statuses
from dicomquest.web import WebSettings, application, federated_search
from dicomquest.web.federated_search import FederatedSearch
from dicomquest.web.search_service import SearchServiceRequest
from fixtures.web import Browser, three_studies

STUDY, SERIES, RETRIEVE_URL, TITLE = "0020000D", "0020000E", "00081190", "00080054"


COUNTED = ("00080061", "00201206", "00201208", "00201209")


class Dead(IndexSource):
    """A source that fails."""

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        async for found in super().answers(question, run):
            del found[:]
            yield found
        raise SourceError(EndKind.TIMED_OUT, "no answer")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Index]]:
    """One index of all studies, and two of which the second has another one of the first's."""
    folder = tmp_path_factory.mktemp("federated")
    with (
        Index(folder / "whole") as whole,
        Index(folder / "own") as own,
        Index(folder / "other") as other,
    ):
        three_studies(whole)
        three_studies(own, (1, 2))
        three_studies(other, (2, 3))
        yield [whole, own, other]


class Heard:
    """Keeps the ends of searches."""

    def __init__(self) -> None:
        self.ends: list[FindFinished] = []

    def tell(self, event: Event) -> None:
        if isinstance(event, FindFinished):
            self.ends.append(event)


def browser(
    indexes: list[Index], *more: Source, is_own: bool = True, observer: Heard | None = None
) -> Browser:
    """A client of a server that asks the two halves."""
    _, own, other = indexes
    sources: list[Source] = [
        *([IndexSource(0, own, "OWN", "own")] if is_own else []),
        *more,
    ]
    if is_own:
        sources.append(IndexSource(len(sources), other, "OTHER", "other"))
    made = Browser(own)
    find = FederatedFind(own, "OWN", sources=sources)
    made.application = application(own, WebSettings(observer=observer), find=find)
    return made


SEARCHES = [
    "/studies",
    "/studies?PatientName=*a*",
    "/studies?ModalitiesInStudy=MR&includefield=StudyDescription",
    "/studies/1.2.2/series",
    "/series?Modality=CT",
    "/studies/1.2.3/instances",
    "/instances?InstanceNumber=5",
    "/studies?PatientID=none",
    "/studies?limit=2",
    "/studies?limit=2&offset=1",
    "/studies?offset=2",
]


@pytest.mark.requirement("QI-031")
@pytest.mark.parametrize("search", SEARCHES)
def test_matches_are_those_of_one_archive(indexes: list[Index], search: str) -> None:
    whole = Browser(indexes[0]).matches(search)
    found = browser(indexes).matches(search)
    # Of what is above a match, nobody knows how much there is in all archives.
    upper = () if search.startswith("/studies?") or search == "/studies" else COUNTED
    for each in (*found, *whole):
        for tag in (RETRIEVE_URL, TITLE, *upper):
            each.pop(tag, None)
    if "offset" in search or "limit" in search:
        assert found == whole
    else:
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, whole))


def test_entities_of_all_archives_have_an_address(indexes: list[Index]) -> None:
    """Retrieval by HTTP fetches from the holders, who are named by their AE titles, too."""
    found = browser(indexes).matches("/studies")
    holders = {each[STUDY]["Value"][0]: each[TITLE]["Value"] for each in found}
    assert holders == {"1.2.1": ["OWN"], "1.2.2": ["OWN", "OTHER"], "1.2.3": ["OTHER"]}
    assert all(RETRIEVE_URL in each for each in found)


def test_number_of_matches_behind_a_page(indexes: list[Index]) -> None:
    response = browser(indexes).get("/studies?limit=1")
    assert "There are 2 additional results" in response.headers["Warning"]


def test_archive_that_fails_is_named_in_a_warning(indexes: list[Index]) -> None:
    """The observer hears the status that C-FIND ends with."""
    heard = Heard()
    dead = Dead(1, indexes[0], "DEAD", "old")
    response = browser(indexes, dead, observer=heard).get("/studies")
    (end,) = heard.ends
    assert (end.status, end.matches) == (statuses.INCOMPLETE, 3)
    assert "old timed out" in str(end)
    assert (response.status_code, len(response.json())) == (200, 3)
    assert "The answer is incomplete: old timed out" in response.headers["Warning"]
    response = browser(indexes, Dead(1, indexes[0], "DEAD", "old")).get("/studies?PatientID=no")
    assert response.status_code == 204
    assert "old timed out" in response.headers["Warning"]


def test_no_archive_answers(indexes: list[Index]) -> None:
    response = browser(indexes, Dead(0, indexes[0], "DEAD", "old"), is_own=False).get("/studies")
    assert response.status_code == 502
    assert "old timed out" in response.text


def test_matches_beyond_what_can_be_ordered(
    indexes: list[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federated_search, "MOST_HELD", 2)
    asking = browser(indexes)
    assert asking.get("/studies").status_code == 503
    assert asking.get("/studies?limit=2&offset=1").status_code == 400
    assert len(asking.matches("/studies?limit=2")) == 2


def test_the_loop_goes_on_while_matches_are_encoded(
    indexes: list[Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other work of the loop comes between two portions of a long answer."""
    order: list[str] = []
    encoded = FederatedSearch._encoded

    def noted(self: FederatedSearch, request: SearchServiceRequest, found: Response) -> bytes:
        asyncio.get_running_loop().call_soon(order.append, "other")
        order.append("match")
        return encoded(self, request, found)

    monkeypatch.setattr(federated_search, "PORTION", 1)
    monkeypatch.setattr(FederatedSearch, "_encoded", noted)
    assert len(browser(indexes).matches("/studies")) == 3
    assert order == ["match", "other"] * 3

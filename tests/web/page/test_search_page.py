"""The page of a question as HTML, without a browser (PS3.4 C.4.1.3)."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import PeerChoices, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.web import WebSettings
from dicomquest.web.box.sealing import Sealer
from dicomquest.web.page import study_answer
from dicomquest.web.page.rendering import HtmlStream
from dicomquest.web.page.study_answer import StudyAnswer
from dicomquest.web.page_settings import PageSettings
from dicomquest.web.web_service import FindAddress
from fixtures.building import instance
from fixtures.web import Browser, three_studies


def get(browser: Browser, path: str) -> httpx.Response:
    return browser.request("GET", path, {"Accept": "text/html"})


def uids(response: httpx.Response) -> list[str]:
    return re.findall(r'<tr role="row" class="study" id="s-([0-9.]+)"', response.text)


def heading(response: httpx.Response) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", response.text, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", found[1])) if found else ""


def words_of(response: httpx.Response) -> str:
    return unescape(re.sub(r"<[^>]*>", "", response.text))


def test_the_blank_page_has_no_rows(browser: Browser) -> None:
    response = get(browser, "/")
    assert response.status_code == 200
    assert "3 studies of 3 patients" in response.text
    assert uids(response) == []


def test_a_question_is_read_back_and_answered(browser: Browser) -> None:
    response = get(browser, "/?q=yamada+2024")
    assert heading(response) == "Studies of patients named yamada…, study date in 2024"
    assert uids(response) == ["1.2.2"]
    assert "<title>1 study · dicomquest</title>" in response.text
    assert "山田 太郎" in response.text


@pytest.mark.parametrize(
    ("path", "late"),
    [
        ("/?all", 'data-late="4"><span>3 studies</span></p>'),
        ("/?q=yamada+2023", 'data-late="1"><span>No studies</span>'),
    ],
)
def test_the_head_waits_for_no_database(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, path: str, late: str
) -> None:
    """The head goes out before anything is known; the number follows."""
    wait_for_heads(monkeypatch)
    response = get(browser, path)
    assert response.text.index("counting …") < response.text.index(late)


def test_a_database_that_fails_late_is_told(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head stays, and the rest goes on in its compression."""

    def fail(answer: StudyAnswer) -> object:
        raise IndexDatabaseError(f"no disk for {answer}")

    monkeypatch.setattr(StudyAnswer, "_first", fail)
    wait_for_heads(monkeypatch)
    response = browser.request("GET", "/?all", {"accept-encoding": "gzip"})
    assert (response.status_code, heading(response)) == (200, "All studies")
    assert "Incomplete" in response.text


def wait_for_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no database begin before the head of the page is out."""
    begun = threading.Event()

    class Stream(HtmlStream):
        async def send(self, text: str, *, more: bool = True) -> None:
            await super().send(text, more=more)
            begun.set()

    def slow(method: Callable[[StudyAnswer], object]) -> Callable[[StudyAnswer], object]:
        return lambda answer: begun.wait(60) and method(answer)

    monkeypatch.setattr(study_answer, "FIRST_WAIT", 0)
    monkeypatch.setattr(study_answer, "HtmlStream", Stream)
    for name in ("_first", "_total"):
        monkeypatch.setattr(StudyAnswer, name, slow(getattr(StudyAnswer, name)))


def test_studies_come_newest_first(browser: Browser) -> None:
    assert uids(get(browser, "/?all")) == ["1.2.3", "1.2.2", "1.2.1"]


def links(response: httpx.Response) -> dict[str, str]:
    found = re.findall(r'data-(next|previous|last)="([^"]*)"', response.text)
    return {name: unescape(address) for name, address in found}


def test_a_list_is_walked_both_ways(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_ROWS", "NEXT_ROWS"):
        monkeypatch.setattr(f"dicomquest.web.page.study_answer.{name}", 1)
    first = get(browser, "/?all")
    assert (uids(first), links(first)["previous"]) == (["1.2.3"], "")
    second = get(browser, f"{links(first)['next']}&part=rows")
    assert "<h1" not in second.text
    assert 'class="uid"' not in second.text
    assert 'class="uid"' in get(browser, f"{links(first)['next']}&part=rows&wide").text
    assert 'aria-rowindex="3"' in second.text
    third = get(browser, links(second)["next"])
    assert (uids(second), uids(third), links(third)["next"]) == (["1.2.2"], ["1.2.1"], "")
    back = get(browser, links(third)["previous"])
    assert uids(back) == ["1.2.2"]
    assert 'aria-rowindex="3"' in back.text
    start = get(browser, links(back)["previous"])
    assert (uids(start), links(start)["previous"]) == (["1.2.3"], "")
    end = get(browser, links(first)["last"])
    assert uids(end) == ["1.2.1"]
    assert "<tr role" in end.text
    assert 'class="study" id="s-1.2.1" data-uid' in end.text
    assert uids(get(browser, links(end)["previous"])) == ["1.2.2"]


def test_what_was_asked_for_is_marked(browser: Browser) -> None:
    text = get(browser, "/?q=yamada").text
    assert '<mark class="hit">Yamada</mark>, Tarou' in text


def test_facets_are_links_that_narrow(browser: Browser) -> None:
    response = get(browser, "/?q=2024")
    found = dict(re.findall(r'<li><a href="/\?([^"]*)"><span>(MR|CT)</span>', response.text))
    address = next(each for each, name in found.items() if name == "MR")
    narrowed = get(browser, f"/?{unescape(address)}")
    assert heading(narrowed) == "MR studies with study date in 2024"
    assert uids(narrowed) == ["1.2.2", "1.2.1"]


def test_studies_without_values_have_no_facets(tmp_path: Path) -> None:
    with open_index(tmp_path / "index.sqlite", create=True) as index:
        index.ingest_data_sets([instance(1)])
        text = get(Browser(index), "/?all").text
    assert "These studies have nothing to narrow by." in text
    assert "Not counted" not in text


def test_none_in_the_form_is_without_a_number(browser: Browser) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    response = browser.request("POST", "/search", headers, b"q=&acc=none&was-acc=")
    assert response.headers["location"].endswith("acc:none")


def test_a_form_becomes_an_address(browser: Browser) -> None:
    body = "q=2024&was-q=2024&sex=F&was-sex="
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = browser.request("POST", "/search", headers, body.encode())
    assert response.status_code == 303
    assert uids(get(browser, response.headers["location"])) == ["1.2.3"]


def test_nothing_found_names_the_key(browser: Browser) -> None:
    response = get(browser, "/?q=yamada+2023")
    assert "No studies. One key excludes all: study date 2023." in response.text
    assert ">without study date 2023</a>" in response.text
    assert "Newest study in the index: 2024-01-03." in words_of(response)


def test_an_unclear_date_gives_two_links(browser: Browser) -> None:
    response = get(browser, "/?q=05/03/2024")
    assert "2024-03-05 (5 March 2024)" in response.text
    assert "2024-05-03 (3 May 2024)" in response.text
    assert uids(response) == []


def test_an_opened_study_shows_its_series(browser: Browser) -> None:
    response = get(browser, "/?q=2024&open=1.2.1")
    assert response.text.count('href="/studies/1.2.1/series/') == 2
    assert 'aria-expanded="true"' in response.text


def test_the_headers_are_strict(browser: Browser) -> None:
    response = get(browser, "/?q=yamada")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script>|<style|style=|onclick=|javascript:", response.text)


def test_files_of_the_page_never_change(browser: Browser) -> None:
    for address in re.findall(r'(?:href|src)="(/static/[^"]*)"', get(browser, "/").text):
        response = get(browser, address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
    assert get(browser, "/static/page.000.css").status_code == 404


def test_stored_markup_is_text(tmp_path: Path) -> None:
    name = '<script>alert(1)</script>^"x\u202ey'
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest_data_sets([instance(1, PatientName=name, StudyDate="20240101")])
        text = get(Browser(index), "/?all").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\u202e" not in text


def test_a_filter_hides_rows_counts_and_facets(tmp_path: Path) -> None:
    profile = Profile(visible=parse_visible(["PatientID=P2"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        three_studies(index)
        narrow = Browser(index, settings)
        assert uids(get(narrow, "/?all")) == ["1.2.2"]
        assert "1 study. Newest study: 2024-01-02." in words_of(get(narrow, "/"))
        hidden, unknown = (get(narrow, f"/studies/{uid}") for uid in ("1.2.1", "1.2.999"))
        assert (hidden.status_code, hidden.text) == (404, unknown.text)


def test_an_account_has_its_first_matches(tmp_path: Path) -> None:
    profile = Profile(choices=PeerChoices(result_limit=2))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        three_studies(index)
        limited = Browser(index, settings)
        response = get(limited, "/?all")
        assert uids(response) == ["1.2.3", "1.2.2"]
        assert "The first 2, your account&#39;s limit. More match." in response.text
        assert links(response) == {"next": "", "previous": "", "last": ""}
        assert uids(get(limited, "/?all&end=1")) == ["1.2.3", "1.2.2"]


def test_without_the_right_there_is_no_form(tmp_path: Path) -> None:
    profile = Profile(services=frozenset({ServiceKind.VERIFICATION}))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        response = get(Browser(index, settings), "/")
    assert response.status_code == 403
    assert "Ask who runs dicomquest" in response.text
    assert "<form" not in response.text


def test_a_failing_database_has_its_own_page(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexDatabaseError("the disk is gone")

    monkeypatch.setattr("dicomquest.index.index.Index.search", fail)
    response = get(browser, "/?q=yamada")
    assert response.status_code == 503
    assert "The database does not answer." in response.text
    assert "Nothing was changed." in response.text
    assert "the disk is gone" not in response.text


ADDRESSES = (
    "/", "/?all", "/?q=2024", "/?q=yamada", "/?q=o%27neill", "/?q=yamada+2023", "/?q=A1", "/?q=A9",
    "/?q=2024&mod=CT", "/?all&facets=all", "/?all&count=all", "/?all&open=1.2.1", "/?all&end=1",
    "/studies/1.2.1", "/studies/1.2.2", "/studies/1.2.2/zip", "/studies.csv?all", "/keys",
)  # fmt: skip


def test_hidden_studies_are_as_if_absent(tmp_path: Path) -> None:
    """All that the page sends is the same over an index that never had the hidden studies."""
    profile = Profile(visible=parse_visible(["PatientID=P2"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with (
        open_index(tmp_path / "all.sqlite", create=True) as index,
        open_index(tmp_path / "few.sqlite", create=True) as few,
    ):
        three_studies(few, {2})
        three_studies(index)
        narrow, whole = Browser(index, settings), Browser(few, settings)
        for address in ADDRESSES:
            answers = [get(each, address) for each in (narrow, whole)]
            assert answers[0].status_code == answers[1].status_code, address
            assert answers[0].text == answers[1].text, address


def test_no_get_changes_a_row(tmp_path: Path) -> None:
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        three_studies(index)
        before = rows_of(tmp_path / "i.sqlite")
        browser = Browser(index)
        for address in ADDRESSES:
            get(browser, address)
        assert rows_of(tmp_path / "i.sqlite") == before


def rows_of(path: Path) -> dict[str, list[object]]:
    """All rows of a database, by table."""
    with closing(sqlite3.connect(path)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}


def test_a_sealed_address_names_nobody(tmp_path: Path) -> None:
    with open_index(tmp_path / "index.sqlite", create=True) as index:
        three_studies(index)
        page = PageSettings(sealer=Sealer(bytes(64)))
        sealed = Browser(index, WebSettings(page=page))
        headers = {"content-type": "application/x-www-form-urlencoded"}
        asked = sealed.request("POST", "/search", headers, "q=Müller+2024".encode())
        address = asked.headers["location"]
        assert asked.status_code == 303
        assert address.startswith("/?k=")
        assert address.endswith("&date=2024")
        assert "1 study" in get(sealed, address).text
        led = sealed.request("GET", "/?PatientName=yamada", {})
        assert (led.status_code, led.headers["location"][:4]) == (303, "/?k=")
        dead = sealed.request("GET", "/?k=AAAA", {})
        assert "This link was made with an older key: ask again." in dead.text


def test_the_find_line_asks_the_server_itself(browser: Browser) -> None:
    assert "As find line" not in get(browser, "/?q=2024").text
    settings = WebSettings(ae_title="MAIN", find_address=FindAddress("", 11112))
    shown = words_of(get(Browser(browser.index, settings), "/?q=2024"))
    assert "dicomquest find pacs.example 11112 --aec MAIN StudyDate=20240101-20241231" in shown
    settings = WebSettings(find_address=FindAddress("10.0.0.1", 104, has_tls=True))
    shown = words_of(get(Browser(browser.index, settings), "/?q=2024"))
    assert "dicomquest find 10.0.0.1 104 --aec DICOMQUEST --tls StudyDate" in shown

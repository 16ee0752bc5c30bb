"""The pages of a study and of a series (PS3.4 C.6.2)."""

from __future__ import annotations

from fixtures.web import Browser


def test_a_study_has_a_page_with_its_series(browser: Browser) -> None:
    response = browser.request("GET", "/studies/1.2.2", {})
    assert "山田 太郎" in response.text
    assert "Yamada^Tarou=山田^太郎" in response.text
    assert "Yamada" not in response.text.partition("</title>")[0]


def test_a_series_lists_its_instances(browser: Browser) -> None:
    page = browser.request("GET", "/studies/1.2.1", {}).text
    address = page.partition('href="/studies/1.2.1/series/')[2].partition('"')[0]
    response = browser.request("GET", f"/studies/1.2.1/series/{address}", {})
    assert "instance 1" in response.text
    assert "1 to 2 of 2" in response.text


def test_an_unknown_uid_is_not_found(browser: Browser) -> None:
    texts = set()
    for path in ("/studies/1.9", "/studies/x", "/studies/1.2.1/series/1.9"):
        response = browser.request("GET", path, {})
        assert response.status_code == 404
        texts.add(response.text)
    assert len(texts) == 1


def test_keys_are_listed(browser: Browser) -> None:
    assert "Tick the study" in browser.request("GET", "/keys", {}).text

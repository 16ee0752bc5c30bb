"""The picture of a series on the page: one of nothing where there is none."""

from __future__ import annotations

from fixtures.web import Browser


def test_a_series_without_a_picture_is_no_error(browser: Browser) -> None:
    assert browser.get("/studies/1.2.1/series/1.2.1.1/thumbnail").status_code == 406
    path = "/studies/1.2.1/series/1.2.1.1/picture?viewport=192,192"
    shown = browser.request("GET", path, {"Accept": "image/*"})
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/svg+xml")


def test_an_unknown_series_has_no_picture(browser: Browser) -> None:
    shown = browser.request("GET", "/studies/1.2.1/series/1.2.9/picture", {"Accept": "image/*"})
    assert shown.status_code == 404

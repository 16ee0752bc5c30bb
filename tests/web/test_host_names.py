"""The names under which a server answers (RFC 9110 15.5.20)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dicomquest.index import Index
from dicomquest.services.observer import SecurityAlert
from dicomquest.web import WebSettings
from dicomquest.web.host_names import HostNames, host_names, name_of
from fixtures.observing import Heard
from fixtures.web import Browser


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("pacs.example", "pacs.example"),
        ("PACS.Example.:8080", "pacs.example"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("", ""),
        (":80", ""),
        ("[::1", None),
        ("[evil]", None),
        ("::1", None),
        ("localhost:80:80", None),
        ("localhost:x", None),
        ("evil@localhost", None),
        ("localhost/evil", None),
    ],
)
def test_the_name_of_a_header(host: str, name: str | None) -> None:
    assert name_of(host) == name


LOOPBACK = ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", ""]


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_only_its_names_are_ours(listens_on: str) -> None:
    names = host_names(listens_on, "", ())
    assert names is not None
    assert all(map(names.allow, LOOPBACK))
    for host in ("evil.example", "localhost.evil.example", "192.0.2.1", "0.0.0.0", "[::1"):
        assert not names.allow(host)


def test_a_proxy_may_pass_on_any_of_our_names() -> None:
    names = host_names("127.0.0.1", "https://pacs.example:8443/x", ["upstream", "[2001:db8::1]"])
    assert names is not None
    hosts = ["pacs.example", "pacs.example:443", "upstream", "[2001:db8:0::1]:80"]
    assert all(map(names.allow, [*LOOPBACK, *hosts]))
    assert not names.allow("evil.example")


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "192.0.2.7", "pacs.example"])
def test_on_a_network_each_name_is_ours(listens_on: str) -> None:
    """People have names in their DNS that the server does not know."""
    assert host_names(listens_on, "https://pacs.example", ()) is None


def test_listed_names_bind_on_a_network_too() -> None:
    names = host_names("192.0.2.7", "https://pacs.example", ["pacs"])
    assert names is not None
    assert all(map(names.allow, [*LOOPBACK, "192.0.2.7:80", "pacs", "pacs.example"]))
    assert not any(map(names.allow, ["evil.example", "192.0.2.8"]))
    every = host_names("0.0.0.0", "", ["pacs"])
    assert every is not None
    assert every.allow("192.0.2.8:80")
    assert not every.allow("evil.example")


@pytest.mark.parametrize("path", ["/", "/dicom-web/studies", "/static/x", "/ohif/"])
def test_another_name_is_answered_by_421(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    with Index(tmp_path / "i.sqlite") as index:
        settings = WebSettings(hosts=HostNames(frozenset({"pacs.example"})), observer=heard)
        browser = Browser(index, settings)
        assert browser.request("GET", path, {}).status_code != 421
        caplog.set_level(logging.WARNING)
        refused = browser.request("GET", path, {"Host": "evil.example\x1b[2J"})
    assert refused.status_code == 421
    assert "--http-host" in refused.text
    assert "\x1b" not in refused.text + caplog.text
    assert "evil.example" in caplog.text
    assert sum(isinstance(each, SecurityAlert) for each in heard.events) == 1

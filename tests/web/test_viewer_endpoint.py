"""OHIF below the server: types, caching, what is never served."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dicomquest.index import Index
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.services.user_verification import (
    USERNAME_AND_PASSCODE,
    Unverified,
    UserVerification,
)
from dicomquest.web import WebSettings
from dicomquest.web.page_settings import PageSettings
from dicomquest.web.sessions import Sessions
from dicomquest.web.viewer_endpoint import viewer_build
from fixtures.timing import LONG
from fixtures.viewer import SECRET, built_viewer
from fixtures.web import Browser, three_studies
from peers.processes import free_port


class Nobody:
    """A verifier that knows nobody."""

    types = frozenset({USERNAME_AND_PASSCODE})

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Unverified:
        return Unverified("nobody is known")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("viewer") / "index.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> WebSettings:
    folder = tmp_path_factory.mktemp("viewer")
    (folder / "secret.json").write_text(SECRET)
    return WebSettings(viewer=viewer_build(built_viewer(folder / "build"), ""))


@pytest.fixture(scope="module")
def browser(index: Index, settings: WebSettings) -> Browser:
    return Browser(index, settings)


def get(browser: Browser, path: str, **headers: str) -> httpx.Response:
    return browser.request("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    "path", ["/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2", "/ohif/notfoundstudy"]
)
def test_each_address_that_is_no_file_is_the_page(browser: Browser, path: str) -> None:
    response = get(browser, path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert 'PUBLIC_URL="/ohif/"' in response.text


def test_the_address_without_a_slash_leads_on(browser: Browser) -> None:
    """The router of OHIF shows an empty page there."""
    response = get(browser, "/ohif?patientName=x")
    assert (response.status_code, response.headers["Location"]) == (307, "/ohif/?patientName=x")


@pytest.mark.parametrize(
    ("name", "content_type", "caching"),
    [
        ("app.bundle.0123456789abcdef.js", "text/javascript; charset=utf-8", "public"),
        ("0123456789abcdef.wasm", "application/wasm", "public"),
        ("app.bundle.css", "text/css; charset=utf-8", "no-cache"),
    ],
)
def test_a_file_has_its_type(browser: Browser, name: str, content_type: str, caching: str) -> None:
    response = get(browser, f"/ohif/{name}")
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Cache-Control"].startswith(caching)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    again = get(browser, f"/ohif/{name}", If_None_Match=response.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_a_script_is_compressed(browser: Browser) -> None:
    path = "/ohif/app.bundle.0123456789abcdef.js"
    plain, packed = get(browser, path), get(browser, path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content


def test_configuration_is_ours_and_never_kept(index: Index, settings: WebSettings) -> None:
    outside = dataclasses.replace(settings, public_url="https://pacs.example/a", root="/web")
    response = get(Browser(index, outside), "/ohif/app-config.js")
    assert response.headers["Cache-Control"] == "no-store"
    assert '"qidoRoot": "/a/web"' in response.text
    assert "demo.example" not in response.text


@pytest.mark.parametrize(
    "path",
    ["sw.js", "missing.js", "../secret.json", "..%2Fsecret.json", "%2e%2e/secret.json",
     "..%5Csecret.json", "/etc/passwd.json", "app.bundle.css%00.js"],
)  # fmt: skip
def test_other_files_are_not_served(browser: Browser, path: str) -> None:
    response = get(browser, f"/ohif/{path}")
    assert response.status_code == 404
    assert SECRET not in response.text


def test_nothing_is_there_without_a_viewer(index: Index) -> None:
    assert get(Browser(index), "/ohif").status_code == 404


@pytest.mark.parametrize("has_viewer", [True, False])
def test_search_page_links_to_it(
    settings: WebSettings, tmp_path: Path, *, has_viewer: bool
) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        three_studies(index)
        browser = Browser(index, settings if has_viewer else None)
        page = get(browser, "/studies/1.2.1").text
    assert ('href="/ohif/viewer?StudyInstanceUIDs=1.2.1"' in page) == has_viewer


def test_person_signs_in_and_comes_back(
    index: Index, settings: WebSettings, tmp_path: Path
) -> None:
    verification = UserVerification([Nobody()], penalty=0)
    closed = dataclasses.replace(
        settings,
        admission=Admission(AccessRules(), verification),
        page=PageSettings(sessions=Sessions(tmp_path / "sign-ins.sqlite")),
    )
    browser = Browser(index, closed)
    response = get(browser, "/ohif/viewer?StudyInstanceUIDs=1.2")
    assert response.status_code == 303
    assert response.headers["Location"] == (
        "/sign-in?to=%2Fohif%2Fviewer%3FStudyInstanceUIDs%3D1.2"
    )
    assert get(browser, "/ohif/app.bundle.css").status_code == 200


def test_folder_without_a_build_ends_the_command(tmp_path: Path) -> None:
    Index(tmp_path / "index.sqlite").close()
    arguments = ["web", "--index", str(tmp_path / "index.sqlite"), "--ohif", str(tmp_path)]
    # Not in this process: the command sets up logging for the whole of it.
    command = [sys.executable, "-m", "dicomquest", *arguments, "--http", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=6 * LONG)
    assert done.returncode == 1
    assert f"--ohif: {tmp_path} has no built OHIF" in done.stderr


def test_page_is_for_callers_that_are_let_in(index: Index, settings: WebSettings) -> None:
    rules = AccessRules(known_only=True)
    closed = dataclasses.replace(settings, admission=Admission(rules))
    assert get(Browser(index, closed), "/ohif/").status_code == 403

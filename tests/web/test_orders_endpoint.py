"""Worklist entries by HTTP: stored before they are answered, all of a body or none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dicomquest.dataset.elements import to_json
from dicomquest.dataset.encoder import encode
from dicomquest.index import open_index
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.web import WebSettings
from dicomquest.worklist.entries import Worklist
from fixtures.observing import Heard
from fixtures.web import Browser
from fixtures.worklists import entry

JSON = {"Content-Type": "application/dicom+json"}
PATH = "/dicom-web/worklist"


class Desk:
    """A service with a worklist, and a client of it."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.index = open_index(folder / "index.sqlite", create=True)
        self.worklist = Worklist(folder / "index.sqlite")
        self._runner = runner
        self.browser = self.browsing()

    def browsing(self, settings: WebSettings | None = None) -> Browser:
        return Browser(self.index, settings, None, self._runner.run, worklist=self.worklist)

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        named = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.browser.request("POST", PATH, named, content)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        made = Desk(tmp_path, runner)
        yield made
        made.worklist.close()
        made.index.close()


def as_json(*numbers: int) -> bytes:
    return json.dumps([to_json(entry(number)) for number in numbers]).encode()


def test_entries_are_stored_before_the_answer(desk: Desk) -> None:
    response = desk.post(as_json(1, 2))
    assert (response.status_code, response.json()) == (200, {"new": 2, "replaced": 0})
    assert desk.worklist.count() == 2
    assert desk.post(as_json(2, 3)).json() == {"new": 1, "replaced": 1}
    assert desk.worklist.sources() == {"http:127.0.0.1"}


def test_one_file_is_an_entry(desk: Desk) -> None:
    data = encode(entry(1), EXPLICIT_VR_LITTLE_ENDIAN)
    assert desk.post(data, Content_Type="application/dicom").json()["new"] == 1


def test_unified_procedure_step_is_told(desk: Desk) -> None:
    step = {"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.34.6.1"]}}
    response = desk.post(json.dumps([to_json(entry(1)), step]).encode())
    assert response.status_code == 400
    assert response.text.startswith("entry 2 is a Unified Procedure Step")
    assert "`dicomquest worklist add`" in response.text
    assert desk.worklist.count() == 0


def test_wrong_entry_refuses_the_body(desk: Desk) -> None:
    wrong = {**to_json(entry(2)), "00100020": {"vr": "LO"}}
    response = desk.post(json.dumps([to_json(entry(1)), wrong]).encode())
    assert response.status_code == 400
    assert response.text.startswith("entry 2: Patient ID has no value")
    assert "--incomplete" not in response.text
    assert desk.worklist.count() == 0


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'{"00100020": 1}', {}, 400),
        (b"\x00\x01", {"Content_Type": "application/dicom"}, 400),
        (as_json(1), {"Content_Type": "text/plain"}, 415),
        (as_json(1), {"Content_Type": ""}, 415),
        (as_json(1), {"Content_Encoding": "gzip"}, 415),
    ],
)
def test_bad_body_is_refused(
    desk: Desk, content: bytes, headers: dict[str, str], code: int
) -> None:
    assert desk.post(content, **headers).status_code == code
    assert desk.worklist.count() == 0


def test_long_body_is_refused(desk: Desk) -> None:
    heard = Heard()
    browser = desk.browsing(WebSettings(longest_orders=1000, observer=heard))
    body = b" " * 1001 + as_json(1)
    assert browser.request("POST", PATH, JSON, body).status_code == 413
    assert [each.limit for each in heard.events if isinstance(each, LimitHit)] == [LimitName.ORDERS]
    assert desk.worklist.count() == 0


def test_caller_without_the_service_is_refused(desk: Desk) -> None:
    profile = Profile(services=frozenset(ServiceKind) - {ServiceKind.ORDERS})
    admission = Admission(AccessRules(default=PeerRule(profile=profile)))
    response = desk.browsing(WebSettings(admission=admission)).request(
        "POST", PATH, JSON, as_json(1)
    )
    assert response.status_code == 403
    assert desk.worklist.count() == 0


def test_page_of_another_site_is_refused(desk: Desk) -> None:
    assert desk.post(as_json(1), Sec_Fetch_Site="cross-site").status_code == 403


def test_service_without_a_worklist_has_no_resource(desk: Desk) -> None:
    bare = Browser(desk.index, None, None, desk._runner.run)
    assert bare.request("POST", PATH, JSON, as_json(1)).status_code == 404

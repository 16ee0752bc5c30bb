"""The audit trail of the page: what each action writes, and that no page is silent."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.dataset.codec import decode
from dicomquest.index import Index, open_index
from dicomquest.monitor.audit_message import AuditSource
from dicomquest.monitor.audit_trail import AuditTrail
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.services.disclosures import StudiesExported
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import Event, FindFinished, LimitHit, RetrieveFinished
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.services.user_verification import (
    USERNAME_AND_PASSCODE,
    Unverified,
    UserVerification,
    Verified,
)
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.web import WebSettings
from dicomquest.web.page.assets import address_of
from dicomquest.web.page.page_routes import page_routes
from dicomquest.web.page.told_requests import identifier_of
from dicomquest.web.web_service import WebService
from fixtures.audit_messages import Audited, audited
from fixtures.web import Browser

CT = Path(str(get_testdata_file("CT_small.dcm")))
MR = Path(str(get_testdata_file("MR_small.dcm")))
QUERY, ACCESSED = "Query", "DICOM Instances Accessed"
TRANSFERRED, EXPORT = "DICOM Instances Transferred", "Export"


class Everybody:
    """A verifier that believes each name, with a list of those who are removed."""

    types = frozenset({USERNAME_AND_PASSCODE})

    def __init__(self) -> None:
        self.removed: set[str] = set()

    def stamp(self, user: str) -> str | None:
        return None if user in self.removed else ""

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        return Verified(claim.primary.decode())


@dataclass
class Sink:
    """A sink that keeps documents."""

    written: list[bytes] = field(default_factory=list)

    def write(self, messages: list[bytes]) -> None:
        self.written += messages

    def close(self) -> None:
        pass


class Told:
    """A page over two stored studies, its events, and the messages of its audit trail."""

    def __init__(self, index: Index, **settings: Any) -> None:
        self._sink = Sink()
        self._trail = AuditTrail(self._sink, AuditSource("test"), "ARCHIVE", 1000)
        self.events: list[Event] = []
        self.settings = WebSettings(observer=self, **settings)
        self.browser = Browser(index, self.settings)

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self._trail.tell(event)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.browser.request("GET", path, headers)

    def post(self, path: str, body: str) -> httpx.Response:
        return self.browser.request("POST", path, {}, body.encode())

    def messages(self) -> list[Audited]:
        """End the trail, and return its messages but those of the application."""
        self._trail.close()
        found = [audited(each) for each in self._sink.written]
        return [each for each in found if each.event != "Application Activity"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with open_index(tmp_path_factory.mktemp("told") / "i.sqlite", create=True) as opened:
        opened.ingest([CT, MR])
        yield opened


@dataclass(frozen=True)
class Names:
    """The UIDs and the patient of a file."""

    study: str
    series: str
    uid: str
    patient_id: str
    patient_name: str


def names_of(path: Path) -> Names:
    read = dcmread(path, stop_before_pixels=True)
    return Names(
        read.StudyInstanceUID, read.SeriesInstanceUID, read.SOPInstanceUID, read.PatientID,
        str(read.PatientName),
    )  # fmt: skip


OF_CT, OF_MR = names_of(CT), names_of(MR)
PATH = "/studies/{study}/series/{series}/instances/{instance}"
BOTH = f"uid={OF_CT.study}&uid={OF_MR.study}"


def filled(path: str, told: Told) -> str:
    """Return an address of a route, for the first study."""
    if "{token}" in path:
        link = told.post("/picked", f"do=weasis&uid={OF_CT.study}").headers["location"]
        token = unquote(link).split("/weasis/")[1].partition('"')[0]
        path = path.replace("{token}", token)
    if path == "/static/{name}":
        return address_of("page.css")
    return path.format(study=OF_CT.study, series=OF_CT.series, instance=OF_CT.uid)


WRITES = {
    "/": ("/?q=mod:CT", [QUERY]),
    "/studies.csv": ("/studies.csv?q=mod:CT", [EXPORT, QUERY]),
    "/weasis/{token}": ("/weasis/{token}", [ACCESSED, ACCESSED]),
    "/weasis/{token}/{study}/{instance}": (
        "/weasis/{token}/{study}/{instance}",
        [ACCESSED, TRANSFERRED],
    ),
    "/studies/{study}/zip": ("/studies/{study}/zip", [TRANSFERRED]),
    "/studies/{study}/files": ("/studies/{study}/files", [ACCESSED]),
    "/studies/{study}/series/{series}/picture": (
        "/studies/{study}/series/{series}/picture",
        [TRANSFERRED],
    ),
    f"{PATH}/file": (f"{PATH}/file", [TRANSFERRED]),
    f"{PATH}/header": (f"{PATH}/header", [ACCESSED]),
    "/studies/{study}": ("/studies/{study}", [ACCESSED]),
    "/studies/{study}/series/{series}": ("/studies/{study}/series/{series}", [ACCESSED]),
}
"""The routes that show data of patients: an address of each, and the messages that it writes."""

SILENT = {"/search", "/read", "/keys", "/static/{name}"}
"""The routes that show none; what one types has a number of studies at most."""

PICKED = {
    "csv": [EXPORT, QUERY],
    "zip": [TRANSFERRED, TRANSFERRED],
    "weasis": [ACCESSED, ACCESSED],
    "ohif": [ACCESSED, ACCESSED],
}
"""The actions on ticked studies, with the messages that they write for two."""


def test_each_route_of_the_page_is_judged(index: Index) -> None:
    """A new route belongs into WRITES, with its messages, or into SILENT, if it shows no data."""
    service = WebService(index, WebSettings(), None, None)
    assert {route.path for route in page_routes(service)} == {*WRITES, *SILENT, "/picked"}


@pytest.mark.parametrize(("address", "events"), WRITES.values(), ids=WRITES)
def test_a_page_of_patients_writes(index: Index, address: str, events: list[str]) -> None:
    told = Told(index)
    response = told.get(filled(address, told))
    assert response.status_code == 200
    messages = told.messages()
    assert [each.event for each in messages] == events
    assert {each.outcome for each in messages} == {"0"}


@pytest.mark.parametrize("path", sorted(SILENT))
def test_a_silent_page_names_no_patient(index: Index, path: str) -> None:
    told = Told(index)
    address = filled(path, told)
    is_form = path in {"/search", "/read"}
    response = told.post(address, "q=mod:CT") if is_form else told.get(address)
    assert response.status_code < 400
    content = response.content + repr(response.headers).encode()
    for secret in (OF_CT.study, OF_CT.patient_id, OF_CT.patient_name):
        assert secret.encode() not in content
    assert told.messages() == []


def test_the_blank_page_names_no_patient(index: Index) -> None:
    told = Told(index)
    text = told.get("/").text
    assert OF_CT.patient_name not in text
    assert OF_CT.patient_id not in text
    assert told.messages() == []


@pytest.mark.parametrize(("action", "events"), PICKED.items(), ids=PICKED)
def test_an_action_on_ticked_studies_writes(index: Index, action: str, events: list[str]) -> None:
    told = Told(index)
    assert told.post("/picked", f"do={action}&{BOTH}").status_code in {200, 303}
    assert [each.event for each in told.messages()] == events


def test_a_search_has_its_identifier(index: Index) -> None:
    told = Told(index)
    assert OF_CT.patient_id in told.get(f"/?q=id:{OF_CT.patient_id}").text
    (message,) = told.messages()
    asked = decode(message.query, EXPLICIT_VR_LITTLE_ENDIAN)
    assert asked[0x00100020].values == (OF_CT.patient_id,)
    assert asked[0x00080052].values == ("STUDY",)
    assert message.values("ParticipantObjectIdentification", "ParticipantObjectID") == [
        "1.2.840.10008.5.1.4.1.2.2.1"
    ]


def test_a_search_is_logged_and_counted(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = Told(index)
    told.get("/?q=mod:CT")
    told.get("/?q=mod:US")
    finds = [each for each in told.events if isinstance(each, FindFinished)]
    assert [(each.code, each.level, each.matches) for each in finds] == [
        ("0000", "STUDY", 1), ("0000", "STUDY", 0),
    ]  # fmt: skip
    line = "request 1: page search at STUDY level by HTTP at 127.0.0.1 ended with 0000, Success"
    assert line in caplog.text
    assert OF_CT.patient_id not in caplog.text


def test_several_values_share_an_element() -> None:
    asked = [("PatientName", "jan"), ("PatientName", "山田"), ("StudyID", "")]
    identifier = decode(identifier_of(asked, ("StudyDate",)), EXPLICIT_VR_LITTLE_ENDIAN)
    assert list(map(str, identifier[0x00100010].values)) == ["jan", "山田"]
    assert identifier[0x00200010].values == ()
    assert 0x00080020 in identifier


def test_a_study_opened_in_its_row_is_told(index: Index) -> None:
    told = Told(index)
    told.get(f"/?q=mod:CT&open={OF_CT.study}")
    found = told.messages()
    assert sorted(each.event for each in found) == [ACCESSED, QUERY]
    (accessed,) = (each for each in found if each.event == ACCESSED)
    ids = accessed.values("ParticipantObjectIdentification", "ParticipantObjectID")
    assert ids == [OF_CT.study, OF_CT.patient_id]
    names = [each.text for each in accessed.root.iter("ParticipantObjectName")]
    assert names == [OF_CT.study, OF_CT.patient_name]
    (shown,) = accessed.values("ParticipantObjectDetail", "value")
    assert base64.b64decode(shown) == b"study"


def test_hidden_and_unknown_studies_are_not_told(index: Index) -> None:
    told = Told(index)
    for path in ("/studies/1.2.3", "/studies/1.2.3/zip", "/studies/1.2.3/files"):
        assert told.get(path).status_code == 404
    assert told.messages() == []


def test_an_export_names_studies_and_patients(index: Index) -> None:
    told = Told(index)
    told.get("/studies.csv?q=")
    export, query = told.messages()
    ids = export.values("ParticipantObjectIdentification", "ParticipantObjectID")
    assert set(ids) == {OF_CT.study, OF_MR.study, OF_CT.patient_id, OF_MR.patient_id}
    assert export.values("MediaType", "originalText") == ["URI"]
    assert query.outcome == "0"
    (find,) = (each for each in told.events if isinstance(each, FindFinished))
    assert find.matches == 2


def test_a_long_export_is_several_messages(index: Index) -> None:
    told = Told(index)
    told.get("/studies.csv?q=mod:CT")
    (find,) = (each for each in told.events if isinstance(each, FindFinished))
    association = find.association
    studies = tuple(StudyOfPatient(f"1.2.{number}", "P", "A^B") for number in range(250))
    told.tell(StudiesExported(association, "studies.csv", studies))
    sizes = [
        len(each.values("ParticipantObjectIdentification", "ParticipantObjectID"))
        for each in told.messages()
        if each.event == EXPORT
    ]
    assert sizes == [2, 101, 101, 51]


def test_downloads_say_in_the_log_what_they_are(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = Told(index)
    for path in ("/studies/{study}/zip", f"{PATH}/file", "/weasis/{token}/{study}/{instance}"):
        told.get(filled(path, told))
    ends = [each for each in told.events if isinstance(each, RetrieveFinished)]
    assert [each.service for each in ends] == ["zip download", "file download", "Weasis download"]
    assert {each.code for each in ends} == {"0000"}
    assert all(each.counts["completed"] == 1 for each in ends)
    assert "zip download Study Root at STUDY level by HTTP" in caplog.text
    assert "link to Weasis shown to HTTP at 127.0.0.1" in caplog.text


def link_of_ann(told: Told) -> str:
    """Open a study in Weasis as a user; return the path of its manifest."""
    authorization = {"authorization": f"Basic {base64.b64encode(b'ann:x').decode()}"}
    body = f"do=weasis&uid={OF_CT.study}".encode()
    response = told.browser.request("POST", "/picked", authorization, body)
    address = unquote(response.headers["location"]).split('"')[1]
    return f"/weasis/{address.partition('/weasis/')[2]}"


def test_weasis_acts_for_the_one_who_opened_it(index: Index) -> None:
    verification = UserVerification([Everybody()], penalty=0)
    told = Told(index, admission=Admission(AccessRules(), verification))
    link = link_of_ann(told)
    for path in (link, f"{link}/{OF_CT.study}/{OF_CT.uid}"):
        assert told.get(path).status_code == 200
    for message in told.messages():
        users = zip(
            message.values("ActiveParticipant", "UserID"),
            message.values("ActiveParticipant", "UserIsRequestor"),
            strict=True,
        )
        assert [name for name, asks in users if asks == "true"] == ["ann"]


def test_the_link_of_a_removed_user_is_dead(index: Index) -> None:
    everybody = Everybody()
    verification = UserVerification([everybody], penalty=0)
    told = Told(index, admission=Admission(AccessRules(), verification))
    link = link_of_ann(told)
    everybody.removed.add("ann")
    assert told.get(link).status_code == 403
    assert told.get(f"{link}/{OF_CT.study}/{OF_CT.uid}").status_code == 403


def test_downloads_are_among_the_retrieves(index: Index) -> None:
    told = Told(index, most_retrieves=1)
    routes = ("/studies/{study}/zip", f"{PATH}/file", "/weasis/{token}/{study}/{instance}")
    paths = [filled(each, told) for each in routes]
    for path in (*paths, *paths):
        assert told.get(path).status_code == 200
    told.browser.application.reconfigure(replace(told.settings, most_retrieves=0))
    for path in paths:
        refused = told.get(path)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    hits = [each.limit for each in told.events if isinstance(each, LimitHit)]
    assert hits == [LimitName.RETRIEVES] * 3


def test_a_download_that_ends_early_is_told(tmp_path: Path) -> None:
    """Some bytes are out: the message has study and patient, and no whole instance."""
    read = dcmread(CT)
    read.PixelData = bytes(4_000_000)
    read.save_as(tmp_path / "large.dcm")
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([tmp_path / "large.dcm"])
        told = Told(index)
        asyncio.run(_left_early(told, f"/studies/{OF_CT.study}/zip"))
        (message,) = told.messages()
    assert message.event == TRANSFERRED
    assert message.outcome == "4"
    ids = message.values("ParticipantObjectIdentification", "ParticipantObjectID")
    assert ids == [OF_CT.study, OF_CT.patient_id]
    assert message.values("SOPClass", "UID") == []


async def _left_early(told: Told, path: str) -> None:
    """Ask for a path, and go away behind the second piece."""
    pieces = 0
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal pieces
        pieces += message["type"] == "http.response.body"
        if pieces > 2:
            raise ConnectionResetError

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "scheme": "http",
        "query_string": b"", "headers": [], "client": ("127.0.0.1", 1), "server": ("a", 80),
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await told.browser.application(scope, receive, send)


def test_a_file_that_is_gone_is_told_as_failed(tmp_path: Path) -> None:
    path = tmp_path / "gone.dcm"
    path.write_bytes(CT.read_bytes())
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([path])
        path.unlink()
        told = Told(index)
        assert told.get(filled(f"{PATH}/file", told)).status_code == 404
        told.get(filled("/studies/{study}/zip", told))
    ends = [each for each in told.events if isinstance(each, RetrieveFinished)]
    assert [each.counts["failed"] for each in ends] == [1, 1]
    assert {each.code for each in ends} == {"A702"}
    assert told.messages() == []

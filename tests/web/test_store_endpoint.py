"""STOW-RS into an archive (PS3.18 10.5)."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomquest.scu.outgoing import encoded
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.observer import AssociationOver, SecurityAlert, StoreFinished
from dicomquest.standard.models import HANGING_PROTOCOL
from dicomquest.web import WebSettings
from fixtures.faces import EXPLICIT
from fixtures.objects import made, with_meta
from fixtures.observing import Heard
from fixtures.storing import ROOT, data_set_bytes, instance, syntax_files
from fixtures.stow import (
    FAILED,
    MULTIPART,
    OTHER,
    REASON,
    REFERENCED,
    URL,
    WARNING,
    StoreFront,
    file_bytes,
    instances,
    message,
    store_front,
    uids,
)

NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[StoreFront]:
    with store_front(tmp_path) as opened:
        yield opened


def without(keyword: str) -> bytes:
    made = instance(1, 9)
    kept = file_bytes(made)
    at = kept.index(encoded(made, EXPLICIT)[:8], 300)
    delattr(made, keyword)
    return kept[:at] + encoded(made, EXPLICIT)


@pytest.mark.requirement("WS-026", "WS-028", "WS-030", "WS-031")
def test_instances_are_stored_and_listed(front: StoreFront) -> None:
    made = [instance(1, number) for number in range(1, 4)]
    response = front.post(message([file_bytes(each) for each in made]))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    answer = response.json()
    assert uids(answer) == [str(each.SOPInstanceUID) for each in made]
    assert set(answer) == {URL, REFERENCED}
    assert front.stored == {str(each.SOPInstanceUID): encoded(each, EXPLICIT) for each in made}
    assert front.browser.values("/instances", "00080018") == sorted(uids(answer))


@pytest.mark.requirement("WS-030")
def test_every_syntax_is_stored_as_it_is(front: StoreFront) -> None:
    paths = syntax_files()
    response = front.post(message([path.read_bytes() for path in paths]))
    assert response.status_code == 200, response.text
    stored = front.stored
    expected = {
        uid: data_set_bytes(path) for uid, path in zip(uids(response.json()), paths, strict=True)
    }
    assert stored == expected


@pytest.mark.requirement("WS-026")
def test_one_instance_needs_no_multipart(front: StoreFront) -> None:
    (file,) = instances(1)
    response = front.post(file, Content_Type="application/dicom")
    assert response.status_code == 200
    assert list(front.stored) == uids(response.json())


def test_files_of_pydicom_have_no_uids_in_front(front: StoreFront) -> None:
    """Class and instance are those of the data set if the File Meta Information has none."""
    made, buffer = instance(1, 1), BytesIO()
    made.save_as(buffer)
    assert front.post(message([buffer.getvalue()])).status_code == 200
    assert front.stored == {str(made.SOPInstanceUID): encoded(made, EXPLICIT)}


@pytest.mark.requirement("WS-026")
@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; type=application/dicom; boundary="b"',
        "Multipart/Related; boundary=b",
        'multipart/related;boundary="b";type="application/dicom; transfer-syntax=1.2"',
    ],
)
def test_content_types_are_read_leniently(front: StoreFront, content_type: str) -> None:
    response = front.post(message(instances(2)), Content_Type=content_type)
    assert response.status_code == 200
    assert len(front.stored) == 2


@pytest.mark.requirement("WS-028", "WS-029")
def test_every_part_is_listed_once(front: StoreFront) -> None:
    """Each part is judged by itself, as C-STORE would judge it."""
    good, other, unknown, foreign = (instance(1, number) for number in range(1, 5))
    other.StudyInstanceUID = "1.2.9"
    unknown.SOPClassUID = "1.2.840.10008.1.3.10"
    parts = [
        file_bytes(good),
        file_bytes(other),
        file_bytes(unknown),
        file_bytes(foreign).replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4" + b"\0" * 13, 1),
        file_bytes(instance(1, 5))[:-100],
        without("StudyInstanceUID"),
        b"no DICOM at all",
        b"",
    ]
    response = front.post(message(parts), f"/studies/{ROOT}.1")
    assert response.status_code == 202
    answer = response.json()
    assert uids(answer) == [good.SOPInstanceUID]
    assert [each[REASON]["Value"] for each in answer[FAILED]["Value"]] == [
        [0xA900],
        [0x0122],
        [0xC122],
        [0xC000],
        [0xA900],
    ]
    assert uids(answer, FAILED)[0] == other.SOPInstanceUID
    assert [each[REASON]["Value"] for each in answer[OTHER]["Value"]] == [[0xC000], [0xC000]]
    assert list(front.stored) == [good.SOPInstanceUID]


@pytest.mark.requirement("WS-028")
@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        (MULTIPART, message([b"not DICOM", b"nor this"]), 409),
        (MULTIPART, message([]), 400),
        (MULTIPART, b"", 400),
        (MULTIPART, b"no multipart message", 400),
        (MULTIPART, message(instances(1))[:-100], 400),
        ("multipart/related; type=application/dicom", b"", 400),
        (f"multipart/related; boundary={'b' * 71}", b"", 400),
        ("", b"", 400),
        ("application/dicom", b"", 400),
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=b", b"", 415),
        ('multipart/related; type="image/jpeg"; boundary=b', b"", 415),
        ("nonsense", b"", 415),
    ],
)
def test_what_is_no_store_request_is_refused(
    front: StoreFront, content_type: str, body: bytes, code: int
) -> None:
    response = front.post(body, Content_Type=content_type)
    assert response.status_code == code
    assert not front.stored


@pytest.mark.requirement("WS-028")
def test_a_compressed_body_is_refused(front: StoreFront) -> None:
    response = front.post(b"\x1f\x8b", Content_Encoding="gzip")
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.requirement("WS-028")
def test_a_class_not_told_is_a_warning(front: StoreFront) -> None:
    response = front.post(message([without("SOPClassUID")]))
    assert response.status_code == 202
    (item,) = response.json()[REFERENCED]["Value"]
    assert item[WARNING] == {"vr": "US", "Value": [0xB007]}


@pytest.mark.requirement("WS-028", "WS-031")
@pytest.mark.parametrize("accept", ["application/dicom+xml", 'multipart/related; type="{}"'])
def test_the_response_is_xml_if_asked_for(front: StoreFront, accept: str) -> None:
    accept = accept.format("application/dicom+xml")
    response = front.post(message([*instances(2), b"none"]), Accept=accept)
    assert response.status_code == 202
    text = response.text
    if accept.startswith("multipart"):
        text = text.partition("\r\n\r\n")[2].partition("\r\n--")[0]
    else:
        assert response.headers["content-type"] == accept
    root = ET.fromstring(text)
    sequences = {
        each.get("keyword"): len(each.findall(f"{NATIVE}Item")) for each in root if each.get("vr")
    }
    assert sequences == {
        "RetrieveURL": 0,
        "ReferencedSOPSequence": 2,
        "OtherFailuresSequence": 1,
    }


@pytest.mark.requirement("WS-031")
@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/dicom+json, */*;q=.1"])
def test_the_response_is_json_else(front: StoreFront, accept: str) -> None:
    response = front.post(message(instances(1)), Accept=accept)
    assert response.headers["content-type"] == "application/dicom+json"


def test_an_answer_that_none_accepts_stores_nothing(front: StoreFront) -> None:
    assert front.post(message(instances(1)), Accept="image/png").status_code == 406
    assert not front.stored


@pytest.mark.requirement("WS-028", "WS-035")
def test_paths_and_methods(front: StoreFront) -> None:
    assert front.post(message(instances(1)), "/studies/x").status_code == 400
    assert front.post(message(instances(1)), "/studies/1.2/series").status_code == 405
    response = front.browser.request("PUT", "/dicom-web/studies", {})
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.requirement("WS-027", "WS-028")
def test_a_broken_body_keeps_what_was_whole(front: StoreFront) -> None:
    first, second = instances(2)
    response = front.post(message([first, second])[:-100])
    assert response.status_code == 202
    answer = response.json()
    assert list(front.stored) == uids(answer) == [instance(1, 1).SOPInstanceUID]
    assert uids(answer, FAILED) == [instance(1, 2).SOPInstanceUID]


@pytest.mark.requirement("WS-026")
def test_any_number_of_parts_in_any_chunks(front: StoreFront) -> None:
    body = message(instances(300))

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 777):
            yield body[at : at + 777]

    response = front.post(chunks())
    assert response.status_code == 200
    assert len(uids(response.json())) == 300 == len(front.stored)


@pytest.mark.requirement("WS-026")
def test_a_large_instance_takes_no_memory(front: StoreFront) -> None:
    made = instance(1, 1, pixels=1024)
    small, size = file_bytes(made), 64 << 20
    start = small.rindex(b"OW\0\0") + 4

    async def chunks() -> AsyncIterator[bytes]:
        yield b"--b\r\n\r\n" + small[:start] + (size).to_bytes(4, "little")
        for _ in range(size >> 16):
            yield bytes(1 << 16)
        yield b"\r\n--b--"

    tracemalloc.start()
    try:
        response = front.post(chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.status_code == 200
    assert peak < 16 << 20


@pytest.mark.requirement("WS-032")
@pytest.mark.parametrize("keeps_first", [False, True])
def test_duplicates_are_those_of_c_store(tmp_path: Path, keeps_first: bool) -> None:
    with store_front(tmp_path, keeps_first=keeps_first) as front:
        first, second = instance(1, 1), instance(1, 1)
        second.PatientName = "OTHER^Name"
        for each in (first, first, second):
            assert front.post(message([file_bytes(each)])).status_code == 200
        kept = first if keeps_first else second
        assert list(front.stored.values()) == [encoded(kept, EXPLICIT)]


def rules_of(heard: Heard, **profile: object) -> WebSettings:
    rules = AccessRules(default=PeerRule(profile=Profile(**profile)))  # type: ignore[arg-type]
    return WebSettings(admission=Admission(rules), observer=heard)


@pytest.mark.requirement("WS-032", "WS-034")
def test_a_caller_needs_the_right_to_store(front: StoreFront) -> None:
    heard = Heard()
    front.browser = front.browsing(rules_of(heard, services=frozenset({ServiceKind.FIND})))
    assert front.post(message(instances(1))).status_code == 403
    assert not front.stored
    assert [type(each) for each in heard.events] == [SecurityAlert]


@pytest.mark.requirement("WS-032")
def test_the_observer_hears_of_each_instance(front: StoreFront) -> None:
    heard = Heard()
    front.browser = front.browsing(rules_of(heard))
    front.post(message([*instances(2), b"none"]))
    finished = [each for each in heard.events if isinstance(each, StoreFinished)]
    assert [each.code for each in finished] in (["0000", "0000", "C000"], ["C000", "0000", "0000"])
    assert sum(each.instance is not None for each in finished) == 2
    assert "request 1: STOW-RS ended with 0000" in map(str, finished)
    assert isinstance(heard.events[-1], AssociationOver)


@pytest.mark.requirement("WS-028")
def test_a_full_disk_is_503(front: StoreFront, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(front.archive._incoming, "begin", full)
    response = front.post(message(instances(2)))
    assert response.status_code == 503
    assert "retry-after" in response.headers
    assert [each[REASON]["Value"] for each in response.json()[FAILED]["Value"]] == [[0xA700]] * 2


@pytest.mark.requirement("WS-028")
def test_addresses_are_told_once_they_exist(front: StoreFront) -> None:
    front.browser.application._service.retrieves = True
    one = front.post(message(instances(2))).json()
    base = f"http://pacs.example/dicom-web/studies/{ROOT}"
    assert one[URL]["Value"] == [f"{base}.1"]
    assert one[REFERENCED]["Value"][1][URL]["Value"] == [
        f"{base}.1/series/{ROOT}.1.1/instances/{ROOT}.1.1.2"
    ]
    two = front.post(message([*instances(1), *instances(1, study=2)])).json()
    assert "Value" not in two[URL]


def test_odd_uids_are_inert(front: StoreFront) -> None:
    made: Dataset = instance(1, 1)
    odd = file_bytes(made).replace(
        made.SOPInstanceUID.encode(), b'"<script>]'.ljust(len(made.SOPInstanceUID), b"\x1b")
    )
    for accept in ("*/*", "application/dicom+xml"):
        response = front.post(message([odd]), Accept=accept)
        assert b"<script>" not in response.content or accept == "*/*"
        assert b"\x1b" not in response.content


@pytest.mark.requirement("WS-026", "WS-028")
def test_ten_thousand_parts_are_listed(front: StoreFront) -> None:
    response = front.post(message([b""] * 10_000))
    assert response.status_code == 409
    assert len(response.json()[OTHER]["Value"]) == 10_000


def test_a_deflated_instance_may_not_explode(front: StoreFront) -> None:
    """A file of 100 KB that inflates to 100 MB before its pixel data is refused, as by C-STORE."""
    made = instance(1, 1)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.add_new(0x00091010, "OB", bytes(100 << 20))
    made.private_block(0x0009, "BOMB", create=True)
    file = file_bytes(made)
    assert len(file) < 1 << 18
    response = front.post(message([file]))
    assert response.status_code == 409
    assert response.json()[FAILED]["Value"][0][REASON]["Value"] == [0xC000]


def test_object_without_a_patient_is_refused(
    front: StoreFront, caplog: pytest.LogCaptureFixture
) -> None:
    """A hanging protocol belongs to no study, which is what STOW-RS stores into."""
    protocol = with_meta(made(HANGING_PROTOCOL, 1, HangingProtocolName="CHEST"))
    with caplog.at_level("INFO"):
        response = front.post(message([file_bytes(protocol)]))
    assert response.status_code == 409
    assert [each[REASON]["Value"] for each in response.json()[FAILED]["Value"]] == [[0x0122]]
    assert not front.stored
    assert "belongs to no patient" in caplog.text

"""STOW-RS of metadata with bulk data (PS3.18 10.5.2)."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence

from dicomquest.dataset.elements import from_json
from dicomquest.dataset.native_xml import to_native_xml
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit
from dicomquest.web.store_spool import SpoolLimits
from dicomquest.web.web_service import WebSettings
from fixtures.observing import Heard
from fixtures.storing import instance, stored_files
from fixtures.stow import FAILED, OTHER, REASON, StoreFront, store_front, uids
from fixtures.stow_metadata import (
    BULK,
    OCTETS,
    body,
    content_type,
    json_part,
    part,
    taken_apart,
)

RLE = "image/dicom-rle"
AGAIN = {"BulkDataURI": BULK.format(0)}


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreFront]:
    """One store for all: each test has its own instances."""
    with store_front(tmp_path_factory.mktemp("metadata")) as opened:
        yield opened


def post(front: StoreFront, *parts: bytes, kind: str = "json") -> Any:
    return front.post(body(parts), Content_Type=content_type(kind))


def stored(front: StoreFront, made: Dataset) -> Dataset:
    return dcmread(stored_files(front._folder)[str(made.SOPInstanceUID)])


def reasons(answer: dict[str, Any], sequence: str = FAILED) -> list[int]:
    return [each[REASON]["Value"][0] for each in answer[sequence]["Value"]]


def read(name: str) -> Dataset:
    return dcmread(str(get_testdata_file(name, download=False)))


@pytest.mark.requirement("WS-026", "WS-028", "WS-030", "WS-031")
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small.dcm", "test-SR.dcm", "liver_1frame.dcm"]
)
def test_a_stored_instance_is_that_of_pydicom(front: StoreFront, name: str) -> None:
    made = read(name)
    metadata, parts = taken_apart(made)
    response = post(front, json_part(metadata), *parts)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/dicom+json"
    assert uids(response.json()) == [made.SOPInstanceUID]
    found = stored(front, made)
    if "SpecificCharacterSet" in made:
        # The text of the metadata is UTF-8, and so is that of the instance.
        assert found.SpecificCharacterSet == "ISO_IR 192"
        del found.SpecificCharacterSet, made.SpecificCharacterSet
    assert found.to_json_dict() == made.to_json_dict()
    assert made.SOPInstanceUID in front.browser.values("/instances", "00080018")


@pytest.mark.requirement("WS-026", "WS-030")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg"),
        ("JPEG-lossy.dcm", "image/jpeg"),
        ("JPEG-lossy.dcm", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.51"),
        ("693_J2KI.dcm", 'image/jp2; transfer-syntax="1.2.840.10008.1.2.4.91"'),
        ("693_J2KI.dcm", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.91"),
        ("SC_rgb_rle_2frame.dcm", RLE),
        ("SC_rgb_rle_2frame.dcm", "image/x-dicom-rle"),
    ],
)
def test_codestreams_become_frames(front: StoreFront, name: str, kind: str) -> None:
    made = read(name)
    made.SOPInstanceUID = f"{made.SOPInstanceUID[:40]}.{sum(f'{name}{kind}'.encode())}"
    metadata, parts = taken_apart(made, kind)
    response = post(front, json_part(metadata), *parts)
    assert response.status_code == 200, response.text
    found = stored(front, made)
    assert found.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID
    count = int(made.get("NumberOfFrames", 1))
    frames = [
        list(generate_frames(each.PixelData, number_of_frames=count)) for each in (found, made)
    ]
    assert frames[0] == frames[1]


@pytest.mark.requirement("WS-026")
def test_metadata_may_be_xml(front: StoreFront) -> None:
    """One part an instance; a private element names its creator."""
    made = [instance(40, number) for number in (1, 2)]
    for each in made:
        each.PatientName = "山田^太郎"
        each.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "x<y")
    parts = []
    for number, each in enumerate(made):
        metadata, bulk = taken_apart(each, first=number)
        text = to_native_xml(from_json(metadata, keeps_addresses=True))
        parts += [part("application/dicom+xml", text.encode()), *bulk]
    response = post(front, *parts, kind="xml")
    assert response.status_code == 200, response.text
    for each in made:
        found = stored(front, each)
        del found.SpecificCharacterSet
        assert found == each


@pytest.mark.requirement("WS-026")
def test_large_values_in_items_have_addresses(front: StoreFront) -> None:
    """Also text, and in a sequence within a sequence."""
    made = instance(41, 1)
    inner, outer = Dataset(), Dataset()
    inner.add_new(0x54001010, "OW", bytes(range(100)))
    inner.add_new(0x0040A160, "UT", "long text " * 9 + "é")
    outer.WaveformSequence = Sequence([inner, Dataset()])
    outer.CodeValue = "C"
    made.ReferencedImageSequence = Sequence([Dataset(), outer])
    metadata, parts = taken_apart(made)
    text = metadata["00081140"]["Value"][1]["54000100"]["Value"][0]["0040A160"]
    parts.append(part("text/plain", text.pop("Value")[0].encode(), BULK.format("text")))
    text["BulkDataURI"] = BULK.format("text")
    assert post(front, json_part(metadata), *parts).status_code == 200
    found = stored(front, made)
    del found.SpecificCharacterSet
    assert found == made


@pytest.mark.requirement("WS-028", "WS-029", "WS-032")
def test_each_instance_is_judged_by_itself(front: StoreFront) -> None:
    """By the rules of C-STORE, and every part that is of no use is listed too."""
    good, foreign, unknown, without, nameless = (instance(42, number) for number in range(1, 6))
    foreign.StudyInstanceUID = "1.2.9"
    unknown.SOPClassUID = "1.2.840.10008.1.3.10"
    del nameless.SOPInstanceUID
    whole = [
        taken_apart(each, first=number) for number, each in enumerate((good, foreign, unknown))
    ]
    parts = [each for _, bulk in whole for each in bulk]
    metadata = json_part(
        *[each for each, _ in whole], taken_apart(without, first=9)[0], nameless.to_json_dict(), 3
    )
    extra = part(OCTETS, b"x", "http://a/other")
    response = front.post(
        body([metadata, *parts, extra]),
        f"/studies/{good.StudyInstanceUID}",
        Content_Type=content_type("json"),
    )
    assert response.status_code == 202
    answer = response.json()
    assert uids(answer) == [good.SOPInstanceUID]
    assert uids(answer, FAILED) == [each.SOPInstanceUID for each in (foreign, unknown, without)]
    assert reasons(answer) == [0xA900, 0x0122, 0xC000]
    assert reasons(answer, OTHER) == [0xC000] * 3


@pytest.mark.requirement("WS-028")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"7FE00010": {"vr": "OW", "BulkDataURI": "http://a/none"}}, 0xC000),
        ({"00280010": None}, 0xA900),
        ({"00280008": {"vr": "IS", "Value": ["3"]}}, 0xA900),
        ({"00100020": {"vr": "LO", "Value": ["\ud800"]}}, 0xC000),
        ({"00280010": {"vr": "US", "Value": [70000]}}, 0xC000),
        ({"FFFEE000": {"vr": "LO", "Value": ["x"]}}, 0xC000),
        ({"00100010": {"vr": "PN"} | AGAIN}, 0xC000),
        ({"00091010": {"vr": "OB"} | AGAIN}, 0xC000),
        ({"00081140": {"vr": "SQ", "Value": [{"7FE00010": {"vr": "OW"} | AGAIN}]}}, 0xC000),
    ],
)  # fmt: skip
def test_what_makes_no_file_is_refused(
    front: StoreFront, change: dict[str, Any], reason: int
) -> None:
    made = read("SC_rgb_rle_2frame.dcm")
    metadata, parts = taken_apart(made, RLE)
    metadata |= change
    metadata = {tag: each for tag, each in metadata.items() if each is not None}
    response = post(front, json_part(metadata), *parts)
    assert response.status_code == 409, response.text
    assert reasons(response.json()) == [reason]


@pytest.mark.requirement("WS-028")
@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", f"{OCTETS}; transfer-syntax=1.2.3"])
def test_an_unknown_codestream_is_refused(front: StoreFront, kind: str) -> None:
    metadata, parts = taken_apart(read("SC_rgb_rle_2frame.dcm"), kind)
    response = post(front, json_part(metadata), *parts)
    assert (response.status_code, reasons(response.json())) == (409, [0xC122])


@pytest.mark.requirement("WS-028")
@pytest.mark.parametrize(
    ("parts", "kind", "code"),
    [
        ([part(OCTETS, b"x", "http://a/1")], "json", 400),
        ([json_part()], "json", 400),
        ([part("application/dicom+json", b"{")], "json", 409),
        ([part("application/dicom+json", b"\xff")], "json", 409),
        ([part("application/dicom+json", b"[{}]x")], "json", 409),
        ([part("application/dicom+json", b"[" * 100_000)], "json", 409),
        ([part("application/dicom+xml", b"<a")], "xml", 409),
        ([part("application/dicom+xml", b"<a/>")], "xml", 409),
        ([part("application/dicom+xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')], "xml", 409),
    ],
)
def test_what_is_no_metadata_is_refused(
    front: StoreFront, parts: list[bytes], kind: str, code: int
) -> None:
    assert post(front, *parts, kind=kind).status_code == code


@pytest.mark.requirement("WS-028")
def test_a_message_without_end_stores_what_is_whole(front: StoreFront) -> None:
    first, second = (instance(43, number) for number in (1, 2))
    (one, bulk), (two, more) = taken_apart(first), taken_apart(second, first=1)
    whole = body([json_part(one, two), *bulk, *more])
    response = front.post(whole[:-20], Content_Type=content_type("json"))
    assert response.status_code == 202
    assert uids(response.json()) == [first.SOPInstanceUID]
    assert uids(response.json(), FAILED) == [second.SOPInstanceUID]


@pytest.mark.requirement("WS-026")
def test_bulk_data_takes_no_memory(front: StoreFront) -> None:
    made, size = instance(44, 1), 64 << 20
    metadata, _ = taken_apart(made)

    async def chunks() -> AsyncIterator[bytes]:
        yield json_part(metadata) + part(OCTETS, b"", BULK.format(0))[:-2]
        for _ in range(size >> 16):
            yield bytes(1 << 16)
        yield b"\r\n--b--"

    tracemalloc.start()
    try:
        response = front.post(chunks(), Content_Type=content_type("json"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.status_code == 200, response.text
    assert peak < 16 << 20
    path = stored_files(front._folder)[made.SOPInstanceUID]
    assert path.stat().st_size > size
    path.unlink()


@pytest.mark.requirement("WS-026")
def test_many_instances_go_in_one_message(front: StoreFront) -> None:
    made = [instance(45, number) for number in range(1, 201)]
    apart = [taken_apart(each, first=number) for number, each in enumerate(made)]
    bulk = [each for _, parts in apart for each in parts]
    response = post(front, *reversed(bulk), json_part(*[each for each, _ in apart]))
    assert response.status_code == 200
    assert uids(response.json()) == [each.SOPInstanceUID for each in made]


@pytest.mark.requirement("WS-028")
@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (SpoolLimits(metadata=1000), LimitName.STOW_METADATA),
        (SpoolLimits(notes=1000), LimitName.STOW_HEADERS),
    ],
)
def test_a_request_beyond_a_limit_is_too_large(
    front: StoreFront, limits: SpoolLimits, limit: LimitName, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    limited = front.browsing(WebSettings(storing=limits, observer=heard))
    monkeypatch.setattr(front, "browser", limited)
    metadata = json_part({"00100020": {"vr": "LO", "Value": ["x" * 1000]}})
    bulk = [part(OCTETS, b"x", BULK.format(number)) for number in range(10)]
    response = post(front, *bulk, metadata)
    assert response.status_code == 413
    assert limit.value in response.text
    assert limit in {each.limit for each in heard.events if isinstance(each, LimitHit)}


@pytest.mark.requirement("WS-028")
def test_a_full_disk_is_503(front: StoreFront, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(front.archive._incoming, "scratch", full)
    response = post(front, json_part({}))
    assert response.status_code == 503
    assert "retry-after" in response.headers


NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["vr", "Value", "BulkDataURI", "InlineBinary", "00080018", "7FE00010"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["00080005", "00080016", "00080018", "00100010", "00091010", "7FE00010", "x"]),
    st.one_of(
        NESTED,
        st.fixed_dictionaries(
            {"vr": st.sampled_from(["UI", "PN", "OW", "SQ", "AT", "US", "FD", "DS", "XX"])},
            optional={
                "Value": st.lists(NESTED, max_size=2),
                "BulkDataURI": st.sampled_from(["", "a", 3]),
                "InlineBinary": st.sampled_from(["AAA=", "!", 7]),
            },
        ),
    ),
    max_size=5,
)


@pytest.mark.requirement("WS-028")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(ATTRIBUTES, NESTED), max_size=3), st.sampled_from([OCTETS, "image/jpeg"]))
def test_any_metadata_has_an_answer(front: StoreFront, metadata: Any, kind: str) -> None:
    text = json.dumps(metadata).encode()
    response = post(front, part("application/dicom+json", text), part(kind, b"abc", "a"))
    assert response.status_code in {200, 202, 400, 409}, response.text

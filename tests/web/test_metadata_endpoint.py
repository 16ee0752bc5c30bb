"""Metadata and bulk data by WADO-RS (PS3.18 10.4.1.1.2, 10.4.1.1.5)."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from dicomquest.index import open_index
from dicomquest.web import WebSettings
from fixtures.storing import instance, syntax_files, write
from fixtures.wado import OCTETS, parts, path_of
from fixtures.web import Browser

FILES = [*syntax_files(), Path(str(get_testdata_file("examples_ybr_color.dcm")))]
XML = 'multipart/related; type="application/dicom+xml"'
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
LARGE = bytes(range(256)) * 9


def rich(number: int) -> Dataset:
    """An instance with values of many kinds, some of them large."""
    made = instance(7, number)
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientName = "Müller^Jörg"
    made.PixelSpacing = ["0.50", "1"]
    made.add_new(0x00281101, "US", [256, 0, 16])
    made.add_new(0x00281201, "OW", LARGE)
    made.add_new(0x00090010, "LO", "ACME")
    made.add_new(0x00091001, "UN", LARGE + b"\1\2")
    made.add_new(0x00091002, "OB", b"short!")
    item = Dataset()
    item.WaveformBitsAllocated = 16
    item.add_new(0x54001010, "OW", LARGE[:2000])
    made.WaveformSequence = Sequence([Dataset(), item])
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("metadata")
    swapped = rich(2)
    swapped.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    swapped.file_meta.MediaStorageSOPInstanceUID = swapped.SOPInstanceUID
    write(folder / "made", [rich(1)])
    for tag in (0x00281201, 0x7FE00010):
        swapped[tag].value = turned(swapped[tag].value)
    swapped.WaveformSequence[1][0x54001010].value = turned(LARGE[:2000])
    write(folder / "swapped", [swapped])
    with open_index(folder / "i.sqlite", create=True) as opened:
        opened.ingest([*FILES, folder / "made", folder / "swapped"])
        yield Browser(opened)


def turned(data: bytes) -> bytes:
    """Words in the other byte order."""
    return struct.pack(f">{len(data) // 2}H", *struct.unpack(f"<{len(data) // 2}H", data))


def addresses(found: dict[str, Any]) -> list[str]:
    """The BulkDataURIs of an object, at any depth."""
    listed = []
    for each in found.values():
        if "BulkDataURI" in each:
            listed.append(each["BulkDataURI"])
        for item in each.get("Value", []) if each["vr"] == "SQ" else []:
            listed += addresses(item)
    return listed


def local(address: str) -> str:
    base = "http://pacs.example/dicom-web"
    assert address.startswith(f"{base}/")
    return address.removeprefix(base)


def resolved(browser: Browser, found: dict[str, Any]) -> Dataset:
    """The data set of an object, with its bulk data."""

    def fetch(address: str) -> bytes:
        response = browser.get(local(address), Accept="application/octet-stream")
        if response.status_code == 406:
            response = browser.get(local(address), Accept='multipart/related; type="*/*"')
            return b"".join(each.body for each in parts(response))
        return response.content

    return Dataset.from_json(found, lambda tag, vr, address: fetch(address))


@pytest.mark.requirement("WS-010", "WS-011", "WS-012")
def test_metadata_is_one_array(browser: Browser) -> None:
    response = browser.get(f"{path_of(rich(1), 1)}/metadata")
    assert response.headers["content-type"] == "application/dicom+json"
    listed = response.json()
    assert [each["00200013"]["Value"] for each in listed] == [[1], [2]]
    for each in listed:
        assert list(each) == sorted(each)
        assert not any(tag.startswith("0002") for tag in each)
        assert "InlineBinary" not in each["7FE00010"]
        assert each["00091002"]["InlineBinary"] == "c2hvcnQh"
        assert each["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
        assert each["00280030"]["Value"] == [0.5, 1]
        assert len(addresses(each)) == 4
        for address in addresses(each):
            assert browser.get(local(address), Accept=OCTETS).status_code == 200
    nested = f"{path_of(rich(1))}/bulkdata/54000100/2/54001010"
    assert local(listed[0]["54000100"]["Value"][1]["54001010"]["BulkDataURI"]) == nested


@pytest.mark.requirement("WS-012")
def test_addresses_are_below_the_public_url(browser: Browser) -> None:
    index = browser.application._service.index
    behind = Browser(index, WebSettings(public_url="https://pacs.example/x"))
    (found,) = behind.get(f"{path_of(FILES[0])}/metadata").json()
    assert found["7FE00010"]["BulkDataURI"].startswith("https://pacs.example/x/dicom-web/studies/")


@pytest.mark.requirement("WS-011", "WS-013")
@pytest.mark.parametrize("file", [FILES[0], FILES[1], FILES[3]], ids=lambda path: path.name)
def test_metadata_is_the_stored_data_set(browser: Browser, file: Path) -> None:
    stored = dcmread(file)
    (found,) = browser.get(f"{path_of(file)}/metadata").json()
    assert found.pop("00083002")["Value"] == [str(stored.file_meta.TransferSyntaxUID)]
    read = resolved(browser, found)
    for each in stored:
        if not each.tag.element or each.keyword == "SpecificCharacterSet":
            continue
        if each.keyword == "PixelData":
            stored_pixels = stored.pixel_array.astype("<u2" if stored.BitsAllocated > 8 else "u1")
            assert read.PixelData.startswith(stored_pixels.tobytes())
        elif each.VR != "UN" and not each.tag.is_private:
            assert str(read[each.tag].value) == str(each.value) or float_equal(read, each)


def float_equal(read: Dataset, each: Any) -> bool:
    values = each.value if each.VM > 1 else [each.value]
    got = read[each.tag].value if each.VM > 1 else [read[each.tag].value]
    return [float(value) for value in got] == [float(value) for value in values]


@pytest.mark.requirement("WS-013")
@pytest.mark.parametrize("number", [1, 2])
def test_large_values_come_in_little_endian(browser: Browser, number: int) -> None:
    (found,) = browser.get(f"{path_of(rich(number))}/metadata").json()
    read = resolved(browser, found)
    assert read[0x00281201].value == LARGE
    assert read[0x00091001].value == LARGE + b"\1\2"
    assert read.WaveformSequence[1][0x54001010].value == LARGE[:2000]
    assert read.PixelData == bytes([number]) * 512


@pytest.mark.requirement("WS-014", "WS-011")
def test_xml_has_a_part_for_each_instance(browser: Browser) -> None:
    found = parts(browser.get(f"{path_of(rich(1), 1)}/metadata", Accept=XML))
    assert [each.content_type for each in found] == ["application/dicom+xml"] * 2
    for each in found:
        root = ET.fromstring(each.body)
        (pixels,) = [one for one in root if one.get("tag") == "7FE00010"]
        (bulk,) = pixels
        address = str(bulk.get("uri"))
        assert browser.get(local(address), Accept=OCTETS).status_code == 200


@pytest.mark.requirement("WS-025")
@pytest.mark.parametrize("accept", ["application/dicom+json", "application/json, */*;q=0.1"])
def test_json_is_compressed_on_request(browser: Browser, accept: str) -> None:
    path = f"{path_of(rich(1), 2)}/metadata"
    plain = browser.get(path, Accept=accept, Accept_Encoding="identity")
    packed = browser.get(path, Accept=accept, Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert "content-encoding" not in plain.headers


@pytest.mark.requirement("WS-023")
@pytest.mark.parametrize(
    ("given", "code", "expected"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=11-13", 206, slice(11, 14)),
        ("bytes=2000-", 206, slice(2000, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-99999", 206, slice(0, None)),
        ("bytes=1-2,5-6", 200, slice(0, None)),
        ("items=1-2", 200, slice(0, None)),
        ("bytes=99999-", 416, None),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_one_value_is_read_in_ranges(
    browser: Browser, number: int, given: str, code: int, expected: slice | None
) -> None:
    path = f"{path_of(rich(number))}/bulkdata/00281201"
    response = browser.get(path, Accept="application/octet-stream", Range=given)
    assert response.status_code == code
    if expected is None:
        assert response.headers["content-range"] == f"bytes */{len(LARGE)}"
    else:
        assert response.content == LARGE[expected]
    (part,) = parts(browser.get(path, Accept=OCTETS, Range=given))
    assert part.body == LARGE


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("00281202", 404), ("54000100/3/54001010", 404), ("54000100/1/54001010", 404),
        ("00100010", 404), ("x", 400), ("54000100/2", 400), ("54000100/0/54001010", 400),
    ],
)  # fmt: skip
def test_a_place_without_a_value_is_not_found(browser: Browser, place: str, code: int) -> None:
    assert browser.get(f"{path_of(rich(1))}/bulkdata/{place}").status_code == code


def test_compressed_pixels_are_their_frames(browser: Browser) -> None:
    path = f"{path_of(FILES[-1])}/bulkdata/7FE00010"
    found = parts(browser.get(path, Accept='multipart/related; type="*/*"'))
    assert len(found) == 30
    assert {each.syntax for each in found} == {"1.2.840.10008.1.2.4.50"}


def test_no_other_type_of_metadata_is_offered(browser: Browser) -> None:
    response = browser.get(f"{path_of(FILES[0])}/metadata", Accept="text/html")
    assert response.status_code == 406
    assert "application/dicom+json" in response.text


def test_a_packed_answer_is_small(browser: Browser) -> None:
    packed = browser.get(f"{path_of(FILES[-1])}/metadata", Accept_Encoding="gzip")
    assert json.loads(gzip.decompress(gzip.compress(packed.content)))

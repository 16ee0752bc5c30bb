"""Downloads of stored instances: zip, file, header, and the viewer's token (PS3.10 7)."""

from __future__ import annotations

import io
import json
import tracemalloc
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.web import WebSettings
from dicomquest.web.page.chosen_instances import ChosenInstance
from dicomquest.web.page.viewer_tokens import LIFETIME, Grant, ViewerTokens
from dicomquest.web.page.zip_stream import zip_pieces
from fixtures.web import Browser

CT = Path(str(get_testdata_file("CT_small.dcm")))
MR = Path(str(get_testdata_file("MR_small.dcm")))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_index(tmp_path_factory.mktemp("stored") / "i.sqlite", create=True) as index:
        index.ingest([CT, MR])
        yield Browser(index)


def uids(path: Path) -> tuple[str, str, str]:
    read = dcmread(path, stop_before_pixels=True)
    return read.StudyInstanceUID, read.SeriesInstanceUID, read.SOPInstanceUID


def instance_path(path: Path) -> str:
    study, series, uid = uids(path)
    return f"/studies/{study}/series/{series}/instances/{uid}"


def test_a_zip_holds_the_stored_files(stored: Browser) -> None:
    study, series, uid = uids(CT)
    response = stored.request("GET", f"/studies/{study}/zip", {})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{study}/{series}/{uid}.dcm"]
        read = dcmread(io.BytesIO(archive.read(archive.namelist()[0])))
    assert read.PixelData == dcmread(CT).PixelData
    assert read.file_meta.TransferSyntaxUID == dcmread(CT).file_meta.TransferSyntaxUID


def test_ticked_studies_become_one_zip(stored: Browser) -> None:
    body = f"do=zip&uid={uids(CT)[0]}&uid={uids(MR)[0]}".encode()
    response = stored.request("POST", "/picked", {}, body)
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert len(archive.namelist()) == 2


def test_a_zip_keeps_nothing_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    read = dcmread(CT)
    read.PixelData = bytes(8_000_000)
    read.save_as(large)
    uid = read.SOPInstanceUID
    pieces = zip_pieces(
        (ChosenInstance("1.2", f"1.3.{number}", uid), (str(large),)) for number in range(5)
    )
    tracemalloc.start()
    total = sum(map(len, pieces))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 40_000_000
    assert peak < 6_000_000


def test_a_missing_file_is_named_in_the_zip(tmp_path: Path) -> None:
    instance = ChosenInstance("1.2", "1.3", "1.4")
    body = b"".join(zip_pieces([(instance, (str(tmp_path / "gone.dcm"),))]))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert b"1.2/1.3/1.4.dcm" in archive.read("MISSING.txt")


def test_one_instance_is_a_file(stored: Browser) -> None:
    response = stored.request("GET", f"{instance_path(MR)}/file", {})
    assert response.headers["content-type"] == "application/dicom"
    assert dcmread(io.BytesIO(response.content)).PixelData == dcmread(MR).PixelData


def test_a_folder_gets_the_list_of_files(stored: Browser) -> None:
    response = stored.request("GET", f"/studies/{uids(MR)[0]}/files", {})
    (listed,) = json.loads(response.content)
    assert stored.request("GET", listed["href"], {}).status_code == 200


def test_a_header_is_shown_line_by_line(stored: Browser) -> None:
    text = stored.request("GET", f"{instance_path(CT)}/header", {}).text
    assert "Transfer Syntax UID" in text
    assert "Explicit VR Little Endian" in text
    assert "(7FE0,0010)" not in text


def test_a_viewer_reads_its_manifest_and_files(stored: Browser) -> None:
    study, _, uid = uids(CT)
    response = stored.request("POST", "/picked", {}, f"do=weasis&uid={study}".encode())
    assert response.status_code == 303
    link = response.headers["location"]
    assert link.startswith("weasis://%24dicom%3Aget%20-w%20%22http")
    address = unquote(link).split('"')[1].removeprefix("http://pacs.example")
    found = ET.fromstring(stored.request("GET", address, {}).content)
    name = "{http://www.weasis.org/xsd/2.5}"
    query = found.find(f"{name}arcQuery")
    instances = list(found.iter(f"{name}Instance"))
    assert query is not None
    assert [each.get("SOPInstanceUID") for each in instances] == [uid]
    base = str(query.get("baseUrl")).removeprefix("http://pacs.example")
    file = stored.request("GET", base + str(instances[0].get("DirectDownloadFile")), {})
    assert dcmread(io.BytesIO(file.content)).SOPInstanceUID == uid
    other = stored.request("GET", f"{base}{uids(MR)[0]}/{uids(MR)[2]}", {})
    assert other.status_code == 403


def test_a_token_dies_after_five_minutes() -> None:
    tokens = ViewerTokens()
    token = tokens.make(Grant("HTTP", ("1.2",)), now=1000.0)
    assert tokens.read(token, now=1000.0 + LIFETIME - 1) == Grant("HTTP", ("1.2",))
    assert tokens.read(token, now=1000.0 + LIFETIME) is None
    assert ViewerTokens().read(token, now=1000.0) is None
    assert tokens.read(f"{token[:-2]}xx", now=1000.0) is None
    assert tokens.read("é", now=1000.0) is None


def test_a_filter_hides_files_and_headers(tmp_path: Path) -> None:
    profile = Profile(visible=parse_visible(["Modality=MR"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([CT, MR])
        narrow = Browser(index, settings)
        for part in ("file", "header"):
            assert narrow.request("GET", f"{instance_path(CT)}/{part}", {}).status_code == 404
            assert narrow.request("GET", f"{instance_path(MR)}/{part}", {}).status_code == 200
        assert narrow.request("GET", f"/studies/{uids(CT)[0]}/zip", {}).status_code == 404


def test_without_the_right_nothing_is_fetched(tmp_path: Path) -> None:
    profile = Profile(services=frozenset({ServiceKind.FIND}))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([CT])
        narrow = Browser(index, settings)
        page = narrow.request("GET", f"/studies/{uids(CT)[0]}", {})
        assert page.status_code == 200
        assert "Download" not in page.text
        assert narrow.request("GET", f"{instance_path(CT)}/file", {}).status_code == 403


def test_a_path_stays_in_its_folder() -> None:
    """Another archive chooses its UIDs, and people unpack the file."""
    assert ChosenInstance("1.2", "..", "../..\\evil").path == "1.2/_/__.._evil.dcm"
    assert ChosenInstance("1.2", "1.2.3", "1.2.3.4").path == "1.2/1.2.3/1.2.3.4.dcm"

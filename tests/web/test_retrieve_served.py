"""WADO-RS by a running server, from real clients (PS3.18 10.4)."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.index import open_index
from fixtures.postgresql_cluster import wait_for
from fixtures.storing import instance, storing, syntax_files, write, write_large
from fixtures.timing import LONG
from fixtures.wado import path_of
from peers.processes import free_port

COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
LARGE = 128 << 20
FILES = [*syntax_files()[:4], COLOUR]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A study of three instances, and a large one of another, for a test to damage."""
    folder = tmp_path_factory.mktemp("own")
    made = [instance(1, number, pixels=100_000) for number in (1, 2, 3)]
    return [*write(folder / "study", made), write_large(folder / "large", LARGE, study=2)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, own: list[Path]) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("served")
    with open_index(folder / "index.sqlite", create=True) as index:
        index.ingest([*FILES, *own])
    port = free_port()
    # This client leaves the port out of its Host header.
    options = ("--http", str(port), "--public-url", f"http://127.0.0.1:{port}")
    with storing(folder, *options) as store:
        wait_for(lambda: f"listening by HTTP on 127.0.0.1 port {port}" in store.log, "HTTP")
        yield f"http://127.0.0.1:{port}/dicom-web"


@pytest.mark.requirement("WS-038")
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_real_client_retrieves(url: str, file: Path) -> None:
    stored, client = dcmread(file), DICOMwebClient(url)
    study, series = str(stored.StudyInstanceUID), str(stored.SeriesInstanceUID)
    instance = str(stored.SOPInstanceUID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (match,) = client.search_for_studies(search_filters={"StudyInstanceUID": study})
        assert match["00081190"]["Value"] == [f"{url}/studies/{study}"]
        for found in (
            client.retrieve_study(study),
            client.retrieve_series(study, series),
            [client.retrieve_instance(study, series, instance)],
        ):
            assert [str(each.SOPInstanceUID) for each in found] == [instance]
        metadata = client.retrieve_instance_metadata(study, series, instance)
        assert client.retrieve_study_metadata(study) == [metadata]
        assert metadata["00280010"]["Value"] == [stored.Rows]
        (frame,) = client.retrieve_instance_frames(study, series, instance, [1])
        bulk = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
    if file != COLOUR:
        size = stored.Rows * stored.Columns * stored.SamplesPerPixel * stored.BitsAllocated // 8
        assert len(frame) == size
        assert bulk[0][:size] == frame
    else:
        assert len(bulk) == stored.NumberOfFrames == 30
        assert bulk[0] == frame
        assert frame.startswith(b"\xff\xd8\xff")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_curl_runs_the_recipes(url: str, tmp_path: Path) -> None:
    """The lines of the how-to: a file, its metadata, and a frame."""
    address = f"{url}{path_of(FILES[0])}"

    def curl(accept: str, further: str = "") -> bytes:
        return subprocess.run(
            ["curl", "--silent", "--fail", "-H", f"Accept: {accept}", address + further],
            check=True, capture_output=True, timeout=LONG,
        ).stdout  # fmt: skip

    saved = tmp_path / "image.dcm"
    saved.write_bytes(curl("application/dicom"))
    stored = dcmread(FILES[0])
    assert dcmread(saved).PixelData == stored.PixelData
    assert b'"7FE00010"' in curl("application/dicom+json", "/metadata")
    assert curl("application/octet-stream", "/frames/1") == stored.PixelData


@contextmanager
def asked(url: str, path: str, accept: str) -> Iterator[http.client.HTTPResponse]:
    """The response to a request whose body is still to come."""
    place = urlsplit(url)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=LONG)
    with closing(connection):
        connection.request("GET", place.path + path, headers={"Accept": accept})
        with connection.getresponse() as response:
            yield response


@pytest.mark.requirement("WS-020")
def test_a_broken_study_has_no_end(url: str, own: list[Path]) -> None:
    """A later file is damaged: the first one comes, and then the connection breaks."""
    own[2].write_bytes(b"x" * own[2].stat().st_size)
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    with asked(url, path_of(instance(1, 1), 1), accept) as response:
        assert response.status == 200
        _, _, boundary = response.headers["Content-Type"].partition("boundary=")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)) as broken:
            response.read()
    body = getattr(broken.value, "partial", b"")
    assert f"--{boundary}--".encode() not in body


@pytest.mark.requirement("WS-020")
@pytest.mark.parametrize("accept", ["application/dicom", 'multipart/related; type="*/*"'])
def test_a_file_cut_off_meanwhile_has_no_end(url: str, own: list[Path], accept: str) -> None:
    whole = own[3].stat().st_size
    with asked(url, path_of(instance(2, 256)), accept) as response:
        assert response.status == 200
        assert response.read(1000)
        with own[3].open("r+b") as file:
            file.truncate(whole // 2)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    with own[3].open("r+b") as file:
        file.truncate(whole)

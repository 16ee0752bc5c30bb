"""Pixel data of all kinds by WADO-RS: videos, every transfer syntax, damaged files (PS3.18 8.7)."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    UID,
    AllTransferSyntaxes,
    ExplicitVRLittleEndian,
    JPIPHTJ2KReferencedDeflate,
    PrivateTransferSyntaxes,
)

from dicomquest.dataset.part10 import read_file_start
from dicomquest.index import Index, open_index
from dicomquest.standard.transfer_syntaxes import STREAM_SYNTAXES
from fixtures.storing import instance, syntax_files, write
from fixtures.wado import OCTETS, VIEWER, parts, path_of
from fixtures.web import Browser

SYNTAXES = [*AllTransferSyntaxes, *PrivateTransferSyntaxes]
ACCEPTED = [
    VIEWER, OCTETS, "*/*", "application/octet-stream; transfer-syntax=*", "image/*", "video/mp4",
]  # fmt: skip
STREAM = [b"\0\0\1\xba" + bytes([number]) * 996 for number in range(3)]
VIDEO = f"video/mp4; transfer-syntax={MPEG4HP41}"


def image(number: int, syntax: UID, fragments: list[bytes]) -> Dataset:
    """Three frames of 16 bytes in any transfer syntax."""
    made = instance(9, number)
    made.Rows, made.Columns, made.SamplesPerPixel, made.NumberOfFrames = 4, 4, 1, 3
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    if syntax.is_encapsulated:
        made.add_new(0x7FE00010, "OB", encapsulate(fragments, has_bot=False))
        made["PixelData"].is_undefined_length = True
    else:
        made.add_new(0x7FE00010, "OB", bytes(range(48)))
    made.file_meta.TransferSyntaxUID = syntax
    return made


IMAGES = [
    image(2 * number + count // 3, syntax, STREAM[:count])
    for number, syntax in enumerate(SYNTAXES)
    for count in (1, 3)
]
FILM = next(each for each in IMAGES if each.file_meta.TransferSyntaxUID == MPEG4HP41)
FRAGMENTED = IMAGES[IMAGES.index(FILM) + 1]


def deflate(file: Path) -> None:
    """Deflate the data set of a file; pydicom does so for the older syntax alone."""
    data = file.read_bytes()
    start = read_file_start(data).start
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    file.write_bytes(data[:start] + made.compress(data[start:]) + made.flush())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("bulk")
    files = write(folder / "made", IMAGES)
    for file, made in zip(files, IMAGES, strict=True):
        if made.file_meta.TransferSyntaxUID == JPIPHTJ2KReferencedDeflate:
            deflate(file)
    with open_index(folder / "i.sqlite", create=True) as index:
        index.ingest(files)
        yield Browser(index)


@pytest.mark.requirement("WS-004", "WS-016", "WS-017")
@pytest.mark.parametrize("made", IMAGES, ids=lambda made: str(made.file_meta.TransferSyntaxUID))
def test_no_syntax_is_a_failure_of_ours(browser: Browser, made: Dataset) -> None:
    """Each transfer syntax that pydicom knows, in one fragment and in three."""
    syntax = made.file_meta.TransferSyntaxUID
    path = path_of(made)
    assert browser.get(f"{path}/metadata").status_code == 200
    for accept in ACCEPTED:
        for place in ("/frames/1", "/frames/3", "/bulkdata/7FE00010"):
            response = browser.get(path + place, Accept=accept)
            assert response.status_code in {200, 404, 406}, (place, accept, response.text)
            if response.status_code != 200:
                assert len(response.text) > 40
    assert browser.get(f"{path}/frames/4", Accept=VIEWER).status_code == 404
    whole = browser.get(f"{path}/bulkdata/7FE00010", Accept=VIEWER).status_code
    # Three frames in one fragment cannot be told apart, and no fragments are deflated.
    is_one = made in IMAGES[::2] and syntax.is_encapsulated and syntax not in STREAM_SYNTAXES
    assert whole == (404 if is_one or syntax == JPIPHTJ2KReferencedDeflate else 200)


@pytest.mark.requirement("WS-005", "WS-016")
@pytest.mark.parametrize("made", [FILM, FRAGMENTED], ids=["one fragment", "three"])
@pytest.mark.parametrize("accept", [VIEWER, "*/*", 'multipart/related; type="video/*"'])
def test_a_video_is_one_stream(browser: Browser, made: Dataset, accept: str) -> None:
    expected = b"".join(STREAM[: 1 if made is FILM else 3])
    (part,) = parts(browser.get(f"{path_of(made)}/bulkdata/7FE00010", Accept=accept))
    assert part.body == expected
    kind = "application/octet-stream" if accept == VIEWER else "video/mp4"
    assert part.content_type == f"{kind}; transfer-syntax={MPEG4HP41}"
    assert part.location.endswith("/bulkdata/7FE00010")


@pytest.mark.requirement("WS-017")
@pytest.mark.parametrize("accept", [*ACCEPTED, f"video/mp4; transfer-syntax={MPEG4HP41}"])
def test_no_frame_of_a_video_stands_alone(browser: Browser, accept: str) -> None:
    response = browser.get(f"{path_of(FRAGMENTED)}/frames/1", Accept=accept)
    assert response.status_code == 406
    address = response.text.split()[-1]
    assert browser.request("GET", address, {"Accept": VIEWER}).status_code == 200
    assert browser.get(f"{path_of(FRAGMENTED)}/frames/4", Accept=accept).status_code == 404


@pytest.mark.requirement("WS-023")
@pytest.mark.parametrize("accept", ["*/*", "video/mp4"])
@pytest.mark.parametrize("asked", ["0-", "990-1010", "2500-", "-1", "999-999"])
def test_a_player_has_ranges_of_a_video(browser: Browser, accept: str, asked: str) -> None:
    path = f"{path_of(FRAGMENTED)}/bulkdata/7FE00010"
    response = browser.get(path, Accept=accept, Range=f"bytes={asked}")
    stream = b"".join(STREAM)
    first, _, last = asked.partition("-")
    begin = int(first) if first else len(stream) - int(last)
    end = int(last) + 1 if first and last else len(stream)
    assert (response.status_code, response.content) == (206, stream[begin:end])
    assert response.headers["content-type"] == VIDEO
    assert response.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(stream)}"
    assert browser.get(path, Accept=accept, Range="bytes=3000-").status_code == 416


def test_a_video_has_no_other_type(browser: Browser) -> None:
    path = f"{path_of(FILM)}/bulkdata/7FE00010"
    response = browser.get(path, Accept="video/mpeg, image/jpeg")
    assert response.status_code == 406
    assert "accept multipart/related" in response.text


FILES = syntax_files()
DEFLATED = next(each for each in FILES if each.name == "image_dfl.dcm")
WHOLE = [each for each in FILES if each != DEFLATED]


def damaged(path: Path, folder: Path, index: Index) -> Iterator[str]:
    """Index a file, then let it be cut off at some places, or changed in a few bytes."""
    draw = random.Random(path.name)
    data = path.read_bytes()
    copy = folder / path.name
    copy.write_bytes(data)
    index.ingest([copy])
    for kept in (100, 98, 80, 60):
        changed = bytearray(data[: len(data) * kept // 100])
        for _ in range(4):
            changed[draw.randrange(len(data) // 2, len(changed))] ^= draw.randrange(1, 256)
        copy.write_bytes(changed)
        yield path_of(path)


@pytest.mark.requirement("WS-020", "WS-036")
@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_damage_is_told_as_such(path: Path, tmp_path: Path) -> None:
    name = str(dcmread(path, stop_before_pixels=True).get("PatientName", "")) or "no name"
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        for address in damaged(path, tmp_path, index):
            for place in ("/frames/1", "/bulkdata/7FE00010"):
                for accept in (VIEWER, OCTETS, "application/octet-stream"):
                    response = Browser(index).get(address + place, Accept=accept)
                    assert response.status_code in {200, 404, 406}, response.text
                    if response.status_code != 200:
                        assert name not in response.text
                        assert "/" + path.name not in response.text


@pytest.mark.requirement("WS-020")
def test_a_cut_off_frame_is_not_there(tmp_path: Path) -> None:
    made = image(1, ExplicitVRLittleEndian, [])
    (file,) = write(tmp_path / "made", [made])
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([file])
        file.write_bytes(file.read_bytes()[:-8])
        response = Browser(index).get(f"{path_of(made)}/frames/3", Accept=VIEWER)
    assert response.status_code == 404
    assert "retrieve the instance itself" in response.text


@pytest.mark.requirement("WS-020")
def test_a_cut_off_stream_has_no_end(tmp_path: Path) -> None:
    """Deflated pixels are inflated as they are sent, so their end is found too late for a 404."""
    file = tmp_path / DEFLATED.name
    file.write_bytes(DEFLATED.read_bytes())
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([file])
        file.write_bytes(file.read_bytes()[:-500])
        path = f"{path_of(DEFLATED)}/bulkdata/7FE00010"
        with pytest.raises(AssertionError):  # the client's: the response is not complete
            Browser(index).get(path, Accept="application/octet-stream")

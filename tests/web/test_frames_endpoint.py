"""Frames by WADO-RS (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

import struct
import subprocess
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit

from dicomquest.index import open_index
from fixtures.programs import program
from fixtures.storing import instance, syntax_files, write
from fixtures.timing import LONG
from fixtures.wado import OCTETS, VIEWER, parts, path_of
from fixtures.web import Browser

COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))
FILES = [*syntax_files(), COLOUR]
EXPLICIT = str(ExplicitVRLittleEndian)
JPEG = str(JPEGBaseline8Bit)


def image(number: int, frames: list[bytes], syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """A multi-frame image of 16 columns, 8 bits a pixel."""
    made = instance(9, number)
    made.Rows, made.Columns, made.SamplesPerPixel = len(frames[0]) // 16, 16, 1
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.NumberOfFrames = len(frames)
    data = b"".join(frames)
    made.add_new(0x7FE00010, "OB", data + b"\0" * (len(data) & 1))
    made.file_meta.TransferSyntaxUID = syntax
    return made


def compressed(number: int, fragments: bytes, count: int) -> Dataset:
    made = image(number, [bytes(16)] * count, JPEGBaseline8Bit)
    made.PixelData = fragments
    made["PixelData"].is_undefined_length = True
    return made


def split(frames: list[bytes], size: int = 400) -> bytes:
    """Fragments of a part of a frame each, with an empty offset table."""
    items = b"".join(
        b"\xfe\xff\x00\xe0" + struct.pack("<I", len(part)) + part
        for frame in frames
        for part in (frame[at : at + size] for at in range(0, len(frame), size))
    )
    return b"\xfe\xff\x00\xe0\0\0\0\0" + items


FRAMES = [bytes([number]) * 48 for number in range(1, 5)]
BITS = np.random.default_rng(1).integers(0, 2, (3, 5, 7), dtype="u1")
STREAMS = list(generate_frames(dcmread(COLOUR).PixelData, number_of_frames=30))[:4]


def bitmap() -> Dataset:
    """A segmentation: frames of 35 bits, which end within a byte."""
    made = image(3, [bytes(16)])
    made.Rows, made.Columns, made.BitsAllocated, made.NumberOfFrames = 5, 7, 1, 3
    made.PixelData = np.packbits(BITS.ravel(), bitorder="little").tobytes()
    return made


WIDE = np.array([[0x01020304, 0x0A0B0C0D]], "<u4")


def wide(number: int) -> Dataset:
    """Samples of 32 bits in big endian: words of 16 bits, the lower one first."""
    made = image(number, [bytes(16)], ExplicitVRBigEndian)
    made.Rows, made.Columns, made.NumberOfFrames = 1, 2, 1
    made.BitsAllocated = made.BitsStored = 32
    made.HighBit = 31
    made.add_new(0x7FE00010, "OW", WIDE.view("<u2").byteswap().tobytes())
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("frames")
    extended, offsets, lengths = encapsulate_extended(STREAMS)
    with_table = compressed(5, extended, 4)
    with_table.ExtendedOffsetTable, with_table.ExtendedOffsetTableLengths = offsets, lengths
    made = [
        image(1, FRAMES),
        image(2, FRAMES, ExplicitVRBigEndian),
        bitmap(),
        compressed(4, encapsulate(STREAMS), 4),
        with_table,
        compressed(6, encapsulate(STREAMS, has_bot=False), 4),
        compressed(7, split(STREAMS), 4),
        compressed(8, split(STREAMS[:1]), 1),
        wide(10),
    ]
    with open_index(folder / "i.sqlite", create=True) as opened:
        opened.ingest([*FILES, *write(folder / "made", made)])
        yield Browser(opened)


@pytest.mark.requirement("WS-015", "WS-019")
@pytest.mark.parametrize("number", [1, 2])
def test_frames_come_in_their_order(browser: Browser, number: int) -> None:
    path = path_of(instance(9, number))
    found = parts(browser.get(f"{path}/frames/1,3", Accept=OCTETS))
    assert [each.body for each in found] == [FRAMES[0], FRAMES[2]]
    assert {each.content_type for each in found} == {
        f"application/octet-stream; transfer-syntax={EXPLICIT}"
    }
    assert [each.location.rpartition("/")[2] for each in found] == ["1", "3"]
    last = parts(browser.get(f"{path}/frames/4%2C2", Accept=OCTETS))
    assert [each.body for each in last] == [FRAMES[3], FRAMES[1]]


@pytest.mark.requirement("WS-016")
def test_frames_of_bits_are_whole_bytes(browser: Browser) -> None:
    path = path_of(instance(9, 3))
    for number in range(3):
        (part,) = parts(browser.get(f"{path}/frames/{number + 1}", Accept=OCTETS))
        bits = np.unpackbits(np.frombuffer(part.body, "u1"), bitorder="little")[:35]
        assert (bits.reshape(5, 7) == BITS[number]).all()
        assert len(part.body) == 5


@pytest.mark.requirement("WS-005", "WS-016")
@pytest.mark.parametrize("number", [4, 5, 6, 7], ids=["table", "extended", "fragments", "markers"])
def test_a_codestream_is_found(browser: Browser, number: int) -> None:
    path = path_of(instance(9, number))
    for frame in (4, 1, 2):
        (part,) = parts(browser.get(f"{path}/frames/{frame}", Accept=VIEWER))
        assert part.body.rstrip(b"\0") == STREAMS[frame - 1].rstrip(b"\0")
        assert part.content_type == f"application/octet-stream; transfer-syntax={JPEG}"
    (part,) = parts(browser.get(f"{path}/frames/1", Accept='multipart/related; type="image/*"'))
    assert part.content_type == f"image/jpeg; transfer-syntax={JPEG}"


@pytest.mark.requirement("WS-016")
def test_all_fragments_are_one_frame(browser: Browser) -> None:
    (part,) = parts(browser.get(f"{path_of(instance(9, 8))}/frames/1", Accept=VIEWER))
    assert part.body.rstrip(b"\0") == STREAMS[0].rstrip(b"\0")


@pytest.mark.requirement("WS-015", "WS-016")
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_frame_is_that_of_the_image(browser: Browser, file: Path) -> None:
    stored = dcmread(file)
    response = browser.get(f"{path_of(file)}/frames/1", Accept=OCTETS)
    if file.name == "JPEG-lossy.dcm":  # no decoder of the extra takes it
        assert response.status_code == 406
        return
    (part,) = parts(response)
    assert part.syntax == EXPLICIT
    count = int(getattr(stored, "NumberOfFrames", 1))
    samples = stored.Rows * stored.Columns * stored.SamplesPerPixel
    assert len(part.body) == samples * stored.BitsAllocated // 8
    is_pixel_by_pixel = not stored.get("PlanarConfiguration", 0)
    if is_pixel_by_pixel and not str(stored.PhotometricInterpretation).startswith("YBR"):
        pixels = stored.pixel_array if count == 1 else stored.pixel_array[0]
        expected = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
        if stored.original_encoding == (False, False) and stored.BitsAllocated == 32:
            # pydicom turns round whole samples of OW, which has words of 16 bits (PS3.5 6.2).
            words = np.frombuffer(stored.PixelData, ">u2", len(part.body) // 2)
            expected = words.astype("<u2").tobytes()
        assert part.body == expected


@pytest.mark.requirement("WS-016", "EN-018")
def test_big_endian_words_have_16_bits(browser: Browser) -> None:
    """So it is for samples of 32 bits too (PS3.5 6.2, 7.3), in a frame and in a whole instance."""
    path = path_of(instance(9, 10))
    (part,) = parts(browser.get(f"{path}/frames/1", Accept=OCTETS))
    assert part.body == WIDE.tobytes()
    response = browser.get(path, Accept=f"application/dicom; transfer-syntax={EXPLICIT}")
    assert dcmread(BytesIO(response.content)).PixelData == WIDE.tobytes()


@pytest.mark.peer("dcmconv")
@pytest.mark.requirement("WS-016", "EN-018")
def test_words_are_those_of_dcmconv(tmp_path: Path) -> None:
    """DCMTK turns round 16 bits in an image of 32."""
    little = wide(11)
    little.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    little.PixelData = WIDE.tobytes()
    (path,) = write(tmp_path, [little])
    big = tmp_path / "big.dcm"
    subprocess.run([program("dcmconv"), "+tb", str(path), str(big)], check=True, timeout=6 * LONG)
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([big])
        (part,) = parts(Browser(index).get(f"{path_of(little)}/frames/1", Accept=OCTETS))
    assert part.body == WIDE.tobytes()


@pytest.mark.requirement("WS-017")
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ("5", 404), ("1,99", 404), ("99999999999999999999", 404), ("0", 400), ("x", 400),
        ("1,,2", 400), ("-1", 400), ("1.5", 400), ("%D9%A1", 400),
    ],
)  # fmt: skip
def test_frames_that_are_not_there(browser: Browser, frames: str, code: int) -> None:
    assert browser.get(f"{path_of(instance(9, 1))}/frames/{frames}").status_code == code


@pytest.mark.requirement("WS-004", "WS-008")
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", f"multipart image/jpeg; transfer-syntax={JPEG}"),
        ("", f"multipart image/jpeg; transfer-syntax={JPEG}"),
        ('multipart/related; type="*/*"', f"multipart image/jpeg; transfer-syntax={JPEG}"),
        ("image/jpeg; transfer-syntax=*", f"image/jpeg; transfer-syntax={JPEG}"),
        (f"image/jpeg; transfer-syntax={JPEG}", f"image/jpeg; transfer-syntax={JPEG}"),
        ("image/jpeg", "406"),
        ("application/octet-stream", f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("image/jls, image/jp2", "406"),
        ("multipart/related; type=image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70", "406"),
        (f"multipart/related; type=image/dicom+jpeg; transfer-syntax={JPEG}",
         f"multipart image/jpeg; transfer-syntax={JPEG}"),
    ],
)  # fmt: skip
def test_a_form_is_chosen_by_accept(browser: Browser, accept: str, expected: str) -> None:
    headers = {"Accept": accept} if accept else {}
    response = browser.get(f"{path_of(COLOUR)}/frames/2", **headers)
    if response.status_code != 200:
        assert str(response.status_code) == expected
        assert "transfer-syntax=*" in response.text
    elif response.headers["content-type"].startswith("multipart/"):
        assert f"multipart {parts(response)[0].content_type}" == expected
    else:
        assert response.headers["content-type"] == expected
        assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.requirement("WS-018")
@pytest.mark.parametrize("is_compressed", [False, True])
def test_one_frame_of_500_mb_is_read_alone(tmp_path: Path, is_compressed: bool) -> None:
    """The file has a hole, so that it takes no disk; memory holds a frame."""
    size, count = 1 << 20, 500
    made = image(1, [bytes(16)])
    made.Rows, made.Columns, made.NumberOfFrames = 1024, 1024, count
    if is_compressed:
        made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        made.PixelData = split([b"\xff\xd8\xff"])
        made["PixelData"].is_undefined_length = True
    (path,) = write(tmp_path / "made", [made])
    begin = path.read_bytes().index(b"\xe0\x7f\x10\x00OB\0\0")
    with path.open("r+b") as file:
        file.seek(begin + 8)
        file.truncate()
        if is_compressed:
            file.write(b"\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")
            for _ in range(count):
                file.write(b"\xfe\xff\x00\xe0" + struct.pack("<I", size))
                file.seek(size - 1, 1)
                file.write(b"\7")
            file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
        else:
            file.write(struct.pack("<I", size * count))
            file.seek(size * (count - 1), 1)
            file.write(b"\7" * size)
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([path])
        browser = Browser(index)
        address = f"{path_of(instance(9, 1))}/frames/500"
        tracemalloc.start()
        (part,) = parts(browser.get(address, Accept=VIEWER))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (len(part.body), part.body[-1]) == (size, 7)
    assert peak < 24 * size


def test_an_instance_without_pixels_has_no_frames(tmp_path: Path) -> None:
    made = instance(1, 1)
    del made.PixelData
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest(write(tmp_path / "made", [made]))
        response = Browser(index).get(f"{path_of(made)}/frames/1", Accept=VIEWER)
    assert response.status_code == 404
    assert "no pixel data" in response.text

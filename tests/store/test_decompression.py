"""Compressed images are decoded for peers that take nothing else, sample by sample (PS3.5 8)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from dicomquest.dataset.part10 import encode_file_meta, read_file_start
from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.standard.transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED
from dicomquest.store import decompression
from dicomquest.store.stored_instance import PIECE, StoredInstance, reachable
from fixtures.shipped_files import SHIPPED

SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")
NATIVE = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
# Attributes that the decoder's output changes, the pixels, and what belonged to fragments.
CHANGED = {0x00280004, 0x00280006, 0x7FE00010, 0x7FE00001, 0x7FE00002, 0x7FE00003}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """pydicom warns of what is odd in its own files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def encapsulated() -> list[Path]:
    found = []
    for path in SHIPPED:
        try:
            syntax = UID(read_file_start(path.read_bytes()).transfer_syntax)
        except DataSetError:
            continue
        if syntax.is_transfer_syntax and syntax.is_encapsulated and path.name != "UN_sequence.dcm":
            found.append(path)
    return found


def native(path: Path, syntax: str) -> Dataset:
    """Return an instance as a peer gets it in a syntax."""
    uid = pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID
    with StoredInstance.open(str(path), uid) as instance:
        pieces = list(instance.pieces(syntax))
        meta = encode_file_meta(
            instance.sop_class_uid, uid, syntax, implementation=("1.2", "T"), source_ae_title="T"
        )
    assert max(map(len, pieces)) <= PIECE
    return pydicom.dcmread(io.BytesIO(bytes(128) + b"DICM" + meta + b"".join(pieces)))


def instance(path: Path, frames: list[bytes], syntax: str, **attributes: object) -> Path:
    """Write an image of 3 rows and 5 columns with encapsulated frames."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SECONDARY_CAPTURE, UID("1.2.3.4")
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 3, 5, 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = encapsulate(frames)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.requirement("RT-043", "RT-044")
@pytest.mark.parametrize("path", encapsulated(), ids=lambda path: path.name)
def test_shipped_image_has_pydicoms_pixels(path: Path) -> None:
    stored = pydicom.dcmread(path)
    try:
        expected = stored.pixel_array
    except (RuntimeError, ValueError):
        expected = None
    if expected is None:
        with pytest.raises(StoredInstanceError, match="cannot be decoded"):
            native(path, ExplicitVRLittleEndian)
        return
    for syntax in NATIVE:
        sent = native(path, syntax)
        assert sent.pixel_array.dtype == expected.dtype
        assert np.array_equal(sent.pixel_array, expected)
        for element in stored:
            # Implicit VR does not tell the VR of private elements.
            is_told = not element.tag.is_private or syntax == ExplicitVRLittleEndian
            if element.tag not in CHANGED and element.tag.element and is_told:
                assert sent[element.tag] == element
        assert set(sent.keys()) - set(stored.keys()) <= {0x00280006}


@pytest.mark.requirement("RT-043")
def test_lossy_image_stays_marked() -> None:
    path = next(path for path in encapsulated() if path.name == "SC_rgb_dcmtk_+eb+cy+s2.dcm")
    stored = pydicom.dcmread(path)
    sent = native(path, ExplicitVRLittleEndian)
    assert sent.get("LossyImageCompression") == stored.get("LossyImageCompression") == "01"
    assert sent.SOPInstanceUID == stored.SOPInstanceUID
    assert (stored.PhotometricInterpretation, sent.PhotometricInterpretation) == (
        "YBR_FULL_422",
        "YBR_FULL",
    )


@pytest.mark.requirement("RT-043")
@pytest.mark.parametrize("syntax", NATIVE)
def test_uncompressed_frames_are_joined(tmp_path: Path, syntax: str) -> None:
    """The padding of odd frames is no part of them."""
    frames = [bytes([number] * 15) for number in range(3)]
    path = instance(tmp_path / "a.dcm", frames, ENCAPSULATED_UNCOMPRESSED)
    assert native(path, syntax).PixelData == b"".join(frames) + b"\0"


@pytest.mark.requirement("RT-043")
def test_extended_offsets_are_used_and_left_out(tmp_path: Path) -> None:
    frames = [bytes([number] * 15) for number in range(3)]
    pixels, offsets, lengths = encapsulate_extended([frame + b"\0" for frame in frames])
    path = instance(
        tmp_path / "a.dcm",
        frames,
        ENCAPSULATED_UNCOMPRESSED,
        PixelData=pixels,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=lengths,
    )
    sent = native(path, ExplicitVRLittleEndian)
    assert sent.PixelData == b"".join(frames) + b"\0"
    assert "ExtendedOffsetTable" not in sent


FAULTY: dict[str, dict[str, object]] = {
    "a frame too few": {"NumberOfFrames": 4},
    "a frame too many": {"NumberOfFrames": 2},
    "no frames": {"NumberOfFrames": "0"},
    "frames of another size": {"Rows": 4},
    "packed bits": {"BitsAllocated": 1},
}


@pytest.mark.requirement("RT-043", "RT-045")
@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("syntax", [ENCAPSULATED_UNCOMPRESSED, JPEG2000Lossless, RLELossless])
def test_faulty_image_fails_at_once(tmp_path: Path, syntax: str, name: str) -> None:
    frames = [bytes([number] * 15) for number in range(3)]
    path = instance(tmp_path / "a.dcm", frames, syntax, **FAULTY[name])
    with (
        StoredInstance.open(str(path), "1.2.3.4") as opened,
        pytest.raises(StoredInstanceError),
    ):
        opened.pieces(ExplicitVRLittleEndian)


@pytest.mark.requirement("RT-045")
def test_missing_attribute_is_named(tmp_path: Path) -> None:
    path = instance(tmp_path / "a.dcm", [bytes(16)], RLELossless, Rows=None)
    with (
        StoredInstance.open(str(path), "1.2.3.4") as opened,
        pytest.raises(StoredInstanceError, match=r"\(0028,0010\) is missing"),
    ):
        opened.pieces(ExplicitVRLittleEndian)


@pytest.mark.requirement("RT-043", "RT-045")
def test_missing_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, "find_spec", lambda _: None)
    assert reachable(RLELossless) == (RLELossless,)
    path = instance(tmp_path / "a.dcm", [bytes(16)], RLELossless)
    with (
        StoredInstance.open(str(path), "1.2.3.4") as opened,
        pytest.raises(StoredInstanceError, match=r"install dicomquest\[images\]"),
    ):
        opened.pieces(ExplicitVRLittleEndian)


def test_video_is_sent_as_stored_alone() -> None:
    mpeg4 = "1.2.840.10008.1.2.4.102"
    assert reachable(mpeg4) == (mpeg4,)

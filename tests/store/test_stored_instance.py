"""A stored instance is sent as it is in its file, or not at all (PS3.4 C.4.2)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from dicomquest.dataset.part10 import encode_file_meta, read_file_start
from dicomquest.errors import StoredInstanceError
from dicomquest.store.stored_instance import PIECE, StoredInstance, reachable
from fixtures.shipped_files import DATA

UID = pydicom.uid.UID("1.2.3.4")
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
# In order: explicit, implicit, big endian, deflated, compressed, without File Meta Information.
FILES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "JPEG2000.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "SC_rgb_rle_2frame.dcm",
]


def write(path: Path, *, pixels: bytes = b"", uid: pydicom.uid.UID = UID) -> bytes:
    """Write an instance with that pixel data, and return its data set's bytes."""
    dataset = Dataset()
    dataset.SOPClassUID = CT_IMAGE
    dataset.SOPInstanceUID = uid
    dataset.PatientName = "CITIZEN^Jan"
    dataset.BitsAllocated = 8
    if pixels:
        dataset.PixelData = pixels
        dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    return data[read_file_start(data).start :]


def sent(path: Path) -> bytes:
    with StoredInstance.open(str(path), UID) as instance:
        return b"".join(instance.pieces(instance.transfer_syntax_uid))


@pytest.mark.requirement("RT-041")
@pytest.mark.parametrize("name", FILES)
def test_shipped_file_is_sent_as_stored(name: str) -> None:
    path = DATA / "test_files" / name
    read = pydicom.dcmread(path, force=True)
    data = path.read_bytes()
    start = read_file_start(data)
    # Of these files, only the deflated one has an odd length.
    expected = data[start.start :] + b"\0" * (len(data) - start.start & 1)
    with StoredInstance.open(str(path), read.SOPInstanceUID) as instance:
        assert instance.sop_class_uid == read.SOPClassUID
        assert instance.sop_instance_uid == read.SOPInstanceUID
        assert instance.transfer_syntax_uid == start.transfer_syntax
        assert instance.length == len(expected)
        assert b"".join(instance.pieces(instance.transfer_syntax_uid)) == expected


@pytest.mark.requirement("RT-041", "RT-052")
@pytest.mark.parametrize("size", [0, 2, 30_000, 32_768, 40_000, PIECE, 3 * PIECE + 2])
def test_pieces_are_the_data_set(tmp_path: Path, size: int) -> None:
    expected = write(tmp_path / "a.dcm", pixels=os.urandom(size))
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        pieces = list(instance.pieces(ExplicitVRLittleEndian))
        assert b"".join(pieces) == expected
        assert max(map(len, pieces)) <= PIECE
        assert b"".join(instance.pieces(ExplicitVRLittleEndian)) == expected


@pytest.mark.requirement("RT-046")
def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredInstanceError, match="No such file"):
        StoredInstance.open(str(tmp_path / "none.dcm"), UID)


@pytest.mark.requirement("RT-046")
def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredInstanceError, match="directory"):
        StoredInstance.open(str(tmp_path), UID)


@pytest.mark.requirement("RT-046")
@pytest.mark.parametrize("content", [b"", b"no DICOM at all", b"\0" * 128 + b"DICM", b"x" * 70_000])
def test_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(StoredInstanceError, match=r"a\.dcm: "):
        StoredInstance.open(str(tmp_path / "a.dcm"), UID)


@pytest.mark.requirement("RT-046")
def test_another_instance_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", uid=pydicom.uid.UID("1.2.3.5"))
    with pytest.raises(StoredInstanceError, match=r"1\.2\.3\.5, but 1\.2\.3\.4 is indexed"):
        StoredInstance.open(str(tmp_path / "a.dcm"), UID)


@pytest.mark.requirement("RT-046")
def test_refused_files_are_closed(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes(b"no DICOM")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("a.dcm", "b.dcm"):
        with pytest.raises(StoredInstanceError):
            StoredInstance.open(str(tmp_path / name), generate_uid())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.requirement("RT-046")
def test_replaced_file_is_not_mixed_in(tmp_path: Path) -> None:
    expected = write(tmp_path / "a.dcm", pixels=b"ab" * PIECE)
    write(tmp_path / "b.dcm", pixels=b"cd" * PIECE)
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        pieces = instance.pieces(ExplicitVRLittleEndian)
        first = next(pieces)
        shutil.move(tmp_path / "b.dcm", tmp_path / "a.dcm")
        assert first + b"".join(pieces) == expected


@pytest.mark.requirement("RT-046")
def test_file_cut_meanwhile_fails(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", pixels=b"ab" * PIECE)
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        pieces = instance.pieces(ExplicitVRLittleEndian)
        next(pieces)
        os.truncate(tmp_path / "a.dcm", PIECE)
        with pytest.raises(StoredInstanceError, match="ends at byte"):
            list(pieces)


@pytest.mark.requirement("RT-046")
def test_file_written_meanwhile_fails(tmp_path: Path) -> None:
    """The last piece is held back until the file is known to be the same."""
    expected = write(tmp_path / "a.dcm", pixels=b"ab" * PIECE)
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        pieces = instance.pieces(ExplicitVRLittleEndian)
        got = [next(pieces)]
        os.utime(tmp_path / "a.dcm", ns=(1, 1))
        with pytest.raises(StoredInstanceError, match="changed"):
            got.extend(pieces)
        assert sum(map(len, got)) < len(expected)


@pytest.mark.requirement("RT-041")
def test_uid_out_of_order_is_found(tmp_path: Path) -> None:
    expected = write(tmp_path / "a.dcm")
    data = (tmp_path / "a.dcm").read_bytes()
    uid = b"\x08\x00\x18\x00UI\x08\x001.2.3.4\0"
    assert uid in expected
    moved = expected.replace(uid, b"") + uid
    (tmp_path / "a.dcm").write_bytes(data[: -len(expected)] + moved)
    assert sent(tmp_path / "a.dcm") == moved


@pytest.mark.requirement("RT-041")
def test_explicit_vr_under_implicit_is_told(tmp_path: Path) -> None:
    """The bytes of the data set decide, not the syntax that the file names."""
    write(tmp_path / "a.dcm")
    data = (tmp_path / "a.dcm").read_bytes()
    explicit, implicit = (uid.encode() for uid in (ExplicitVRLittleEndian, ImplicitVRLittleEndian))
    assert data.count(explicit) == 1
    (tmp_path / "a.dcm").write_bytes(data.replace(explicit + b"\0", implicit + b"\0\0\0"))
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        assert instance.transfer_syntax_uid == ExplicitVRLittleEndian


def test_long_file_meta_information_is_read(tmp_path: Path) -> None:
    expected = write(tmp_path / "a.dcm")
    data = (tmp_path / "a.dcm").read_bytes()
    private = b"\x02\x00\x02\x01OB\0\0" + (50_000).to_bytes(4, "little") + bytes(50_000)
    end = len(data) - len(expected)
    (tmp_path / "a.dcm").write_bytes(data[:end] + private + data[end:])
    assert sent(tmp_path / "a.dcm") == expected


def test_other_syntax_is_refused_at_once(tmp_path: Path) -> None:
    path = DATA / "test_files" / "JPEG2000.dcm"
    uid = pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID
    with (
        StoredInstance.open(str(path), uid) as instance,
        pytest.raises(StoredInstanceError, match="not to be had in"),
    ):
        instance.pieces("1.2.840.10008.1.2.4.50")


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("name", FILES[:4])
def test_instance_is_had_in_other_syntaxes(name: str, tmp_path: Path) -> None:
    path = DATA / "test_files" / name
    read = pydicom.dcmread(path)
    with StoredInstance.open(str(path), read.SOPInstanceUID) as instance:
        reached = reachable(instance.transfer_syntax_uid)
        assert reached[0] == instance.transfer_syntax_uid
        assert len(reached) == 4
        for syntax in reached:
            data = b"".join(instance.pieces(syntax))
            meta = encode_file_meta(
                read.SOPClassUID, UID, syntax, implementation=("1.2", "TEST"), source_ae_title="A"
            )
            (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + meta + data)
            again = pydicom.dcmread(tmp_path / "a.dcm")
            assert (again.pixel_array == read.pixel_array).all()
            assert again.PatientName == read.PatientName


@pytest.mark.requirement("RT-042", "RT-045")
def test_malformed_instance_fails_at_once(tmp_path: Path) -> None:
    """A data set that cannot be re-encoded fails before the first piece."""
    write(tmp_path / "a.dcm", pixels=b"ab" * PIECE)
    os.truncate(tmp_path / "a.dcm", 2 * PIECE)
    with (
        StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance,
        pytest.raises(StoredInstanceError, match=rf"\(7FE0,0010\): {2 * PIECE} bytes expected"),
    ):
        instance.pieces(ImplicitVRLittleEndian)


@pytest.mark.requirement("RT-046")
def test_file_changed_meanwhile_fails_in_any_syntax(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", pixels=b"ab" * PIECE)
    with StoredInstance.open(str(tmp_path / "a.dcm"), UID) as instance:
        pieces = instance.pieces(ImplicitVRLittleEndian)
        next(pieces)
        os.truncate(tmp_path / "a.dcm", PIECE)
        with pytest.raises(StoredInstanceError, match="ends at byte"):
            list(pieces)

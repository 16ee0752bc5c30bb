"""Files that the index could read, but that other programs could not, or that cost too much."""

from __future__ import annotations

import resource
import zlib
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from dicomquest.dataset.codec import FILE_LIMITS
from dicomquest.dataset.part10 import FileStart, read_file_start
from dicomquest.errors import DataSetError
from dicomquest.index.ingest.file_reader import read_arrived, read_file
from dicomquest.index.ingest.instance import Received
from dicomquest.pdu.items import PresentationContextRQ
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import UserInformation
from dicomquest.scu.outgoing import encoded
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.faces import raw_requestor
from fixtures.shipped_files import SHIPPED
from fixtures.storage_scp import CT, UID, Served, counted, send, storing
from fixtures.storing import data_set_bytes, instance, stored_files

JPEG = str(JPEGBaseline8Bit)
IMPLICIT_FOUND = "implicit VR in a syntax of explicit VR"
EXPLICIT_FOUND = "explicit VR in a syntax of implicit VR"
NO_END = "truncated: pixel data without an end"


def answered(served: Served, syntax: str, data_set: bytes) -> tuple[int, str]:
    """Send a data set in a transfer syntax; return the status and the Error Comment."""
    request = AAssociateRQ(
        "SCP", "RAW", (PresentationContextRQ(1, CT, (syntax,)),), UserInformation()
    )
    with raw_requestor(served.port, request) as peer:
        parts = [data_set[start : start + 16000] for start in range(0, len(data_set), 16000)]
        response = send(peer, UID, *parts)
        return response.status, response.error_comment


@pytest.mark.requirement("EN-001")
@pytest.mark.parametrize(
    ("agreed", "sent", "found"),
    [
        (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_FOUND),
        (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_FOUND),
        (JPEG, IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_FOUND),
    ],
)
def test_other_form_of_vr_is_refused(tmp_path: Path, agreed: str, sent: str, found: str) -> None:
    """No other program could read the file."""
    with storing(tmp_path) as served:
        assert answered(served, agreed, encoded(instance(1, 1), sent)) == (0xC000, found)
        assert stored_files(served.folder) == {}
        assert counted(served) == 0


def test_other_vr_form_is_refused_if_deflated(tmp_path: Path) -> None:
    """The other form of VR is refused in a deflated data set too."""
    with storing(tmp_path) as served:
        inner = encoded(instance(1, 1), IMPLICIT_VR_LITTLE_ENDIAN)
        assert answered(served, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflated(inner)) == (
            0xC000,
            IMPLICIT_FOUND,
        )


def mixed(first: int, last: int, form: str, rest: str) -> bytes:
    """An instance whose elements from ``first`` to ``last`` have another form than the rest."""
    made = instance(1, 1, pixels=100_000)
    made.ReferencedImageSequence = [Dataset()]
    made.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    slices = (
        (made[0x00080000:first], rest),
        (made[first : last + 1], form),
        (made[last + 1 :], rest),
    )
    return b"".join(encoded(part, syntax) for part, syntax in slices)


@pytest.mark.requirement("EN-001")
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0x00080018, 0x7FE00010),
        (0x00100020, 0x00100020),
        (0x00081140, 0x00081140),
        (0x7FE00010, 0x7FE00010),
    ],
    ids=["all but the first", "one", "sequence", "pixel data"],
)
@pytest.mark.parametrize(
    ("syntax", "other", "found"),
    [
        (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_FOUND),
        (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_FOUND),
    ],
)
def test_part_in_other_form_of_vr_is_refused(
    tmp_path: Path, first: int, last: int, *, syntax: str, other: str, found: str
) -> None:
    """Explicit VR within implicit VR reads as a huge length, which the comment names instead."""
    with storing(tmp_path) as served:
        status, comment = answered(served, syntax, mixed(first, last, other, syntax))
        assert status == 0xC000
        assert comment == found or (found == EXPLICIT_FOUND and first != 0x7FE00010)
        assert stored_files(served.folder) == {}
        assert answered(served, syntax, mixed(first, last, syntax, syntax)) == (0, "")


@pytest.mark.requirement("EN-015")
@pytest.mark.parametrize("is_delimited", [True, False])
def test_items_of_un_are_implicit_vr_by_standard(tmp_path: Path, is_delimited: bool) -> None:
    made = instance(1, 1)
    item = encoded(made[0x00080060:0x00100021], IMPLICIT_VR_LITTLE_ENDIAN)
    items = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
    end = b"\xfe\xff\xdd\xe0\0\0\0\0" if is_delimited else b""
    length = 0xFFFFFFFF if is_delimited else len(items)
    sequences = b"".join(
        tag + b"UN\0\0" + length.to_bytes(4, "little") + items + end
        for tag in (b"\x08\x00\x40\x11", b"\x09\x00\x01\x10")
    )
    before, after = made[0x00080000:0x00081000], made[0x00100000:]
    whole = b"".join(
        [
            encoded(before, EXPLICIT_VR_LITTLE_ENDIAN),
            sequences,
            encoded(after, EXPLICIT_VR_LITTLE_ENDIAN),
        ]
    )
    with storing(tmp_path) as served:
        assert answered(served, EXPLICIT_VR_LITTLE_ENDIAN, whole) == (0, "")


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_padding_behind_data_set_is_kept_with_it(tmp_path: Path, syntax: str) -> None:
    padded = encoded(instance(1, 1), syntax) + bytes(16)
    with storing(tmp_path) as served:
        assert answered(served, syntax, padded) == (0, "")
        (path,) = stored_files(served.folder).values()
        assert data_set_bytes(path) == padded


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def jpeg(*fragments: bytes) -> bytes:
    """An instance with encapsulated pixel data."""
    made = instance(1, 1)
    made.PixelData = encapsulate(list(fragments), has_bot=False)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return encoded(made, JPEG)


END = 8  # bytes of the delimiter of pixel data


@pytest.mark.parametrize("fragment", [500, 100_000], ids=["short", "long"])
@pytest.mark.parametrize(
    "cut", [1, END, END + 1, END + 300], ids=["in the end", "no end", "last byte", "in a fragment"]
)
def test_encapsulated_pixel_data_must_have_its_end(tmp_path: Path, cut: int, fragment: int) -> None:
    whole = jpeg(*[bytes(fragment)] * 3)
    with storing(tmp_path) as served:
        assert answered(served, JPEG, whole[:-cut]) == (0xC000, NO_END)
        assert answered(served, JPEG, whole) == (0, "")
        (path,) = stored_files(served.folder).values()
        assert data_set_bytes(path) == whole


def test_non_fragment_is_refused(tmp_path: Path) -> None:
    with storing(tmp_path) as served:
        status, comment = answered(served, JPEG, jpeg(bytes(500))[:-END] + b"GARBAGE!" * 20)
        assert (status, comment) == (0xC000, "no fragment where one was expected in pixel data")


@pytest.mark.parametrize("pixels", [1000, 3_000_000], ids=["short", "long"])
def test_deflate_stream_must_have_its_end(tmp_path: Path, pixels: int) -> None:
    made = instance(1, 1)
    made.add_new(0x7FE00010, "OW", bytes(range(250)) * (pixels // 250))
    whole = deflated(encoded(made, EXPLICIT_VR_LITTLE_ENDIAN))
    with storing(tmp_path) as served:
        assert answered(served, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, whole[:-10]) == (0xC000, NO_END)
        assert answered(served, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, whole + b"\0") == (0, "")


def is_unfit(path: Path) -> bool:
    """Tell whether C-STORE would refuse an instance in a file with File Meta Information."""
    try:
        start = read_file_start(path.read_bytes())
    except DataSetError:
        return False
    if start.guessed or not isinstance(read_file(str(path), 0), Received):
        return False
    with path.open("rb") as file:
        return not isinstance(read_arrived(file.fileno(), b"", start, 0), Received)


def test_no_file_of_others_is_unfit() -> None:
    """One file of pydicom's is unfit: it says JPEG, and is in implicit VR."""
    assert [path.name for path in SHIPPED if is_unfit(path)] == ["SC_rgb_jpeg.dcm"]


@pytest.mark.requirement("EN-017")
def test_stream_that_inflates_to_much_is_refused(tmp_path: Path) -> None:
    """A small stream that inflates to much is refused."""
    text = b"A" * (FILE_LIMITS.inflated + 1000)
    made = encoded(instance(1, 1), EXPLICIT_VR_LITTLE_ENDIAN)
    at = made.index(b"\xe0\x7f\x10\x00")
    bomb = (
        made[:at] + b"\x71\x00\x10\x00UT\0\0" + len(text).to_bytes(4, "little") + text + made[at:]
    )
    with storing(tmp_path) as served:
        status, comment = answered(served, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflated(bomb))
        assert status == 0xC000
        assert "inflated bytes before the pixel data" in comment


def test_large_value_before_pixels_stays_on_disk(tmp_path: Path) -> None:
    """A large document or text before the pixel data stays in the file, not in memory."""
    size = 200 << 20
    made = instance(1, 1)
    made.TextValue = "x" * (2 << 20)
    made.EncapsulatedDocument = bytes(size)
    whole = encoded(made, EXPLICIT_VR_LITTLE_ENDIAN)
    path = tmp_path / "large"
    path.write_bytes(whole)
    del whole, made.EncapsulatedDocument
    with path.open("rb") as file:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        first = file.read(32 * 1024)
        arrived = read_arrived(
            file.fileno(), first, FileStart(0, EXPLICIT_VR_LITTLE_ENDIAN, {}, guessed=False), 0
        )
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(arrived, Received)
    assert (after - before) * 1024 < size // 4

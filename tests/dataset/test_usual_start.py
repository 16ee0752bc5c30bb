"""The beginning of a file that is read at once says what the decoder says (PS3.10 7.1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.codec import RemarkKind, Remarks, decode_header, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.part10 import encode_file_meta, read_file_start
from dicomquest.dataset.usual_start import UsualStart, usual_start
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.shipped_files import SHIPPED

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
JPEG = "1.2.840.10008.1.2.4.50"
SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, JPEG)


def file(transfer_syntax: str, uid: str = "1.2.3.44", *, writer: str = "W") -> bytes:
    """A file as archives write it, up to the UIDs and a little further."""
    data_set: DataSet = {
        0x00080005: Element("CS", ("ISO_IR 100",)),
        0x00080008: Element("CS", ("ORIGINAL", "PRIMARY")),
        SOP_CLASS_UID: Element("UI", (CT_IMAGE,)),
        SOP_INSTANCE_UID: Element("UI", (uid,)),
        0x00080060: Element("CS", ("CT",)),
    }
    meta = encode_file_meta(CT_IMAGE, uid, transfer_syntax, implementation=("1.2.9", writer))
    return bytes(128) + b"DICM" + meta + encode(data_set, transfer_syntax)


def by_decoder(data: bytes) -> UsualStart:
    """The same by the decoder; DataSetError for what it cannot read."""
    start, remarks = read_file_start(data), Remarks()
    header = decode_header(
        data,
        start.transfer_syntax,
        start=start.start,
        stop_tag=SOP_INSTANCE_UID + 1,
        remarks=remarks,
    )
    uids = [header.data_set[tag].values[0] for tag in (SOP_CLASS_UID, SOP_INSTANCE_UID)]
    is_explicit = any(each.tag == 0 and each.kind is RemarkKind.VR_FORM for each in remarks)
    syntax = EXPLICIT_VR_LITTLE_ENDIAN if is_explicit else start.transfer_syntax
    return UsualStart(start.start, syntax, *uids)


@pytest.mark.parametrize("transfer_syntax", SYNTAXES)
@pytest.mark.parametrize("uid", ["1.2.3", "1.2.3.4", "1." + "2" * 62])
def test_usual_file_is_read(transfer_syntax: str, uid: str) -> None:
    data = file(transfer_syntax, uid)
    found = usual_start(data)
    assert found is not None
    assert found == by_decoder(data)
    assert found[1:] == (transfer_syntax, CT_IMAGE, uid)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_file_reads_the_same(path: Path) -> None:
    data = path.read_bytes()[: 1 << 15]
    found = usual_start(data)
    assert found is None or found == by_decoder(data)


@given(st.sampled_from(SYNTAXES), st.integers(128, 420), st.integers(0, 255))
@settings(max_examples=500)
def test_changed_byte_is_read_the_same_or_not(
    transfer_syntax: str, position: int, value: int
) -> None:
    data = bytearray(file(transfer_syntax))
    data[position % len(data)] = value
    found = usual_start(bytes(data))
    if found is not None:
        assert found == by_decoder(bytes(data))


@given(st.sampled_from(SYNTAXES), st.integers(0, 400))
def test_cut_file_is_read_the_same_or_not(transfer_syntax: str, size: int) -> None:
    data = file(transfer_syntax)[:size]
    found = usual_start(data)
    if found is not None:
        assert found == by_decoder(data)


def test_files_of_other_writers_are_not_mixed_up() -> None:
    for writer, transfer_syntax in (("A", JPEG), ("B", EXPLICIT_VR_LITTLE_ENDIAN), ("A", JPEG)):
        found = usual_start(file(transfer_syntax, writer=writer))
        assert found is not None
        assert found.transfer_syntax == transfer_syntax


@pytest.mark.parametrize("data", [b"", bytes(200), b"no file" * 100])
def test_other_bytes_are_none(data: bytes) -> None:
    assert usual_start(data) is None
    with pytest.raises(DataSetError):
        read_file_start(data)

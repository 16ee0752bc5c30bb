"""The beginning of files (PS3.10 7.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.codec import TruncatedDataSetError, decode_header, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from vectors.data_sets import wire

DATA_SET: DataSet = {
    0x00080018: Element("UI", ("1.2.3",)),
    0x00100010: Element("PN", ("Doe^John",)),
}
PREFIX = bytes(128) + b"DICM"
META = wire("""
    02000000 'UL' 0400 1C000000                     # group length
    02000100 'OB' 0000 02000000 0001                # File Meta Information Version
    02001000 'UI' 1400 '1.2.840.10008.1.2.1' 00     # Transfer Syntax UID
""")
IMPLICIT_META = META.replace(
    b"UI\x14\0" + b"1.2.840.10008.1.2.1\0", b"UI\x12\0" + b"1.2.840.10008.1.2\0"
)


@pytest.mark.parametrize(
    "prefix", [PREFIX, b"\xff" * 128 + b"DICM", b""], ids=["preamble", "other preamble", "none"]
)
@pytest.mark.parametrize(
    ("meta", "transfer_syntax"),
    [(META, EXPLICIT_VR_LITTLE_ENDIAN), (IMPLICIT_META, IMPLICIT_VR_LITTLE_ENDIAN)],
    ids=["explicit", "implicit"],
)
def test_meta_information_names_transfer_syntax(
    prefix: bytes, meta: bytes, transfer_syntax: str
) -> None:
    """File Meta Information names the transfer syntax."""
    data = prefix + meta + encode(DATA_SET, transfer_syntax)
    start = read_file_start(data)
    assert start.start == len(prefix + meta)
    assert start.transfer_syntax == transfer_syntax
    assert not start.guessed
    assert start.meta[0x00020001] == Element("OB", (b"\0\1",))
    assert decode_header(data, start.transfer_syntax, start=start.start).data_set == DATA_SET


@pytest.mark.parametrize(
    "transfer_syntax",
    [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN],
)
@pytest.mark.parametrize("beginning", [b"", PREFIX], ids=["bare", "prefix"])
def test_first_element_tells_without_meta(beginning: bytes, transfer_syntax: str) -> None:
    """Without File Meta Information the first element tells the transfer syntax."""
    data = beginning + encode(DATA_SET, transfer_syntax)
    start = read_file_start(data)
    assert (start.start, start.transfer_syntax, start.guessed) == (
        len(beginning),
        transfer_syntax,
        True,
    )
    assert start.meta == {}


def test_first_element_tells_without_transfer_syntax() -> None:
    """File Meta Information that names no transfer syntax leaves it to the first element."""
    meta = wire("02000100 'OB' 0000 02000000 0001")
    start = read_file_start(PREFIX + meta + encode(DATA_SET, EXPLICIT_VR_BIG_ENDIAN))
    assert (start.transfer_syntax, start.guessed) == (EXPLICIT_VR_BIG_ENDIAN, True)
    assert read_file_start(PREFIX).transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"PK\3\4" + bytes(200),
        bytes(1000),
        b"%PDF-1.4" * 40,
        b"GIF89a" * 40,
        b"\x08\0\x18\0",
        b"text " * 60,
    ],
)
def test_non_dicom_file_is_refused(data: bytes) -> None:
    with pytest.raises(DataSetError, match="no DICOM file"):
        read_file_start(data)


@pytest.mark.parametrize("length", [140, 155, 165])
def test_meta_information_that_ends_early_needs_more(length: int) -> None:
    data = (PREFIX + META)[:length]
    with pytest.raises(TruncatedDataSetError) as raised:
        read_file_start(data)
    assert raised.value.needed > length


@pytest.mark.requirement("EN-055")
@given(data=st.binary(max_size=60), prefix=st.sampled_from([b"", PREFIX, PREFIX + META[:30]]))
def test_any_bytes_raise_only_declared_error(data: bytes, prefix: bytes) -> None:
    """Any bytes raise nothing but the declared error."""
    try:
        start = read_file_start(prefix + data)
    except DataSetError:
        return
    assert 0 <= start.start <= len(prefix + data)

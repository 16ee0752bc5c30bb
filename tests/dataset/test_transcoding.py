"""Data sets re-encoded in another transfer syntax, read again by pydicom (PS3.5 7, A)."""

from __future__ import annotations

import struct
import warnings
import zlib
from array import array
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicomquest.dataset.decoder import UNDEFINED
from dicomquest.dataset.encoder import deflate
from dicomquest.dataset.part10 import read_file_start
from dicomquest.dataset.transcoding import survey, transcoded
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from dicomquest.standard.vr import VR
from fixtures.shipped_files import SHIPPED
from strategies.stored import PIXEL_REPRESENTATION, data_sets

SYNTAXES = [row.uid for row in TRANSFER_SYNTAXES]
EXPLICIT = {row.uid for row in TRANSFER_SYNTAXES if row.explicit_vr}
LARGEST_PIECE = 128 * 1024


@pytest.fixture(autouse=True)
def _plain_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pydicom show what is there: UN as UN, and any value."""
    monkeypatch.setattr(config, "replace_un_with_known_vr", False)
    monkeypatch.setattr(config.logger, "disabled", True)
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reencoded(data: bytes, syntax: str, target: str) -> bytes:
    """Re-encode a data set, as somebody does who reads it from a file."""

    def read(count: int, at: int) -> bytes:
        assert count <= len(data) - at
        return data[at : at + count]

    signed = survey(read, 0, len(data), syntax, target).signed
    pieces = list(transcoded(read, 0, len(data), syntax, target, signed=signed))
    assert all(len(piece) <= LARGEST_PIECE for piece in pieces)
    result = b"".join(pieces)
    assert target != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN or len(result) % 2 == 0
    return result


def written(dataset: Dataset, syntax: str) -> bytes:
    """Return a data set as pydicom writes it."""
    uid = UID(syntax)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = uid.is_implicit_VR, uid.is_little_endian
    write_dataset(buffer, dataset)
    data = buffer.getvalue()
    return deflate(data) if uid.is_deflated else data


def read_back(data: bytes, syntax: str) -> Dataset:
    uid = UID(syntax)
    if uid.is_deflated:
        data = zlib.decompress(data, wbits=-zlib.MAX_WBITS)
    return read_dataset(BytesIO(data), uid.is_implicit_VR, uid.is_little_endian)


def swapped(data: bytes, vr: str) -> bytes:
    width = struct.calcsize("<" + VR[vr].layout[:1]) if VR[vr].layout else 1
    if width == 1:
        return data
    words = array({2: "H", 4: "I", 8: "Q"}[width], data)
    words.byteswap()
    return words.tobytes()


def content(dataset: Dataset, *, little_endian: bool) -> list[tuple[int, str, object]]:
    """Return tags, VRs ("" if unsaid) and values in little endian, items as such lists."""
    # Taken first: pydicom converts some elements when it reads others.
    raws = {tag: dataset._dict[tag] for tag in sorted(dataset.keys()) if tag.element}
    found: list[tuple[int, str, object]] = []
    for tag, raw in raws.items():
        vr, value = raw.VR or "", raw.value
        if vr == "SQ" or (not vr and known_vr(tag) == "SQ"):
            items = [content(item, little_endian=little_endian) for item in dataset[tag].value]
            found.append((tag, "SQ", items or b""))
        elif isinstance(raw, RawDataElement):
            data = value or b""
            found.append((tag, vr, data if little_endian else swapped(data, vr or "UN")))
        elif tag == PIXEL_REPRESENTATION and value is not None:
            found.append((tag, vr, struct.pack("<H", value)))
        else:
            assert raw.is_empty
            found.append((tag, vr, b""))
    return found


def known_vr(tag: BaseTag) -> str:
    return "" if tag.is_private or not dictionary_has_tag(tag) else dictionary_VR(tag)


def values_alone(found: list[tuple[int, str, object]]) -> list[tuple[int, object]]:
    return [
        (tag, [values_alone(item) for item in value] if isinstance(value, list) else value)
        for tag, _, value in found
    ]


def read_content(data: bytes, syntax: str) -> list[tuple[int, str, object]]:
    return content(read_back(data, syntax), little_endian=UID(syntax).is_little_endian)


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("syntax", SYNTAXES)
@given(dataset=data_sets(), target=st.sampled_from(SYNTAXES))
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_values_survive_in_any_syntax(syntax: str, dataset: Dataset, target: str) -> None:
    data = written(dataset, syntax)
    expected = read_content(data, syntax)
    result = read_content(reencoded(data, syntax, target), target)
    assert values_alone(result) == values_alone(expected)
    if {syntax, target} <= EXPLICIT:
        assert result == expected


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("target", SYNTAXES)
@given(dataset=data_sets())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_there_and_back_changes_nothing(target: str, dataset: Dataset) -> None:
    """Once in delimited form, a data set comes back byte by byte."""
    once = reencoded(
        written(dataset, IMPLICIT_VR_LITTLE_ENDIAN),
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
    )
    there = reencoded(once, EXPLICIT_VR_LITTLE_ENDIAN, target)
    again = reencoded(there, target, EXPLICIT_VR_LITTLE_ENDIAN)
    assert values_alone(read_content(again, EXPLICIT_VR_LITTLE_ENDIAN)) == values_alone(
        read_content(once, EXPLICIT_VR_LITTLE_ENDIAN)
    )


CUT_OFF = {"DICOMDIR-nooffset", "MR_truncated.dcm", "rtplan_truncated.dcm"}
"""Shipped files that end in the midst of an element."""


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_file_keeps_its_values(path: Path) -> None:
    data = path.read_bytes()
    try:
        start = read_file_start(data)
    except DataSetError:
        return
    syntax, body = start.transfer_syntax, data[start.start :]
    if path.name in CUT_OFF:
        with pytest.raises(DataSetError, match="bytes expected"):
            reencoded(body, syntax, IMPLICIT_VR_LITTLE_ENDIAN)
        return
    if syntax not in SYNTAXES and b"\xe0\x7f\x10\0" in body:
        with pytest.raises(DataSetError, match="encapsulated"):
            reencoded(body, syntax, IMPLICIT_VR_LITTLE_ENDIAN)
        return
    expected = values_alone(read_content(body, syntax))
    for target in SYNTAXES:
        assert values_alone(read_content(reencoded(body, syntax, target), target)) == expected


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Encode an element of explicit VR little endian in the short form."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return (
        struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length)
        + value
    )


def item(content: bytes, length: int | None = None) -> bytes:
    return implicit(0xFFFEE000, content, length)


ITEM_END = implicit(0xFFFEE00D, b"")
SEQUENCE_END = implicit(0xFFFEE0DD, b"")


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("target", [EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN])
def test_long_value_of_short_form_becomes_un(target: str) -> None:
    """UN has a length of 32 bits, and its bytes are never swapped (PS3.5 6.2.2)."""
    value = bytes(range(256)) * 256
    result = read_back(
        reencoded(implicit(0x00281201, value), IMPLICIT_VR_LITTLE_ENDIAN, target), target
    )
    raw = result.get_item(0x00281201)
    assert (raw.VR, raw.value) == ("UN", value) or raw.VR == "OW"
    result = read_back(
        reencoded(implicit(0x00180050, b"1.5\\" * 16384), IMPLICIT_VR_LITTLE_ENDIAN, target),
        target,
    )
    raw = result.get_item(0x00180050)
    assert (raw.VR, raw.value) == ("UN", b"1.5\\" * 16384)


@pytest.mark.requirement("RT-042")
def test_longest_value_of_short_form_keeps_its_vr() -> None:
    value = b"x" * 0xFFFE
    data = reencoded(
        implicit(0x00081030, value), IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN
    )
    assert data == element(0x00081030, b"LO", value)


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("target", SYNTAXES)
@pytest.mark.parametrize("tag", [0x00081140, 0x00091003])
def test_un_of_undefined_length_is_a_sequence(tag: int, target: str) -> None:
    """Its items are implicit VR little endian in every syntax (PS3.5 6.2.2 note 5)."""
    items = item(implicit(0x00280010, b"\1\2"), UNDEFINED) + ITEM_END + SEQUENCE_END
    data = struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, b"UN", UNDEFINED) + items
    result = read_back(reencoded(data, EXPLICIT_VR_LITTLE_ENDIAN, target), target)
    assert result[tag].value[0].Rows == 0x0201


@pytest.mark.requirement("RT-042")
def test_group_lengths_are_left_out() -> None:
    data = element(0x00080000, b"UL", b"\x0e\0\0\0") + element(0x00080060, b"CS", b"CT")
    assert reencoded(data, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN) == implicit(
        0x00080060, b"CT"
    )


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("zeros", [1, 7, 8, 200_000])
def test_zeros_behind_the_data_set_are_left_out(zeros: int) -> None:
    data = element(0x00080060, b"CS", b"CT") + bytes(zeros)
    assert reencoded(data, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN) == implicit(
        0x00080060, b"CT"
    )


@pytest.mark.requirement("RT-042")
def test_signed_pixels_tell_the_vr_before_them() -> None:
    """Pixel Representation holds for elements with lower tags, and in items."""
    data = (
        implicit(0x00189810, b"\xff\xff")
        + implicit(0x00280103, b"\1\0")
        + implicit(0x00409096, item(implicit(0x00409216, b"\xff\xff")))
    )
    result = read_back(
        reencoded(data, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN), EXPLICIT_VR_BIG_ENDIAN
    )
    assert result[0x00189810].VR == "SS"
    assert result[0x00189810].value == -1
    assert result[0x00409096].value[0][0x00409216].value == -1


CT = element(0x00080060, b"CS", b"CT")
SEQUENCE = b"\x08\0\x40\x11SQ\0\0"
MALFORMED = {
    "cut header": CT + b"\x08\0\x70",
    "cut value": CT[:-1],
    "cut sequence": SEQUENCE + b"\xff\xff\xff\xff" + item(CT),
    "sequence longer than the file": SEQUENCE + b"\x40\0\0\0" + item(CT),
    "item longer than its sequence": SEQUENCE + b"\x08\0\0\0" + item(CT),
    "element longer than its item": SEQUENCE + b"\x10\0\0\0" + item(CT[:-2]) + CT,
    "no item": SEQUENCE + b"\xff\xff\xff\xff" + CT,
    "item outside of a sequence": item(CT),
    "item's end outside of a sequence": CT + ITEM_END,
    "sequence's end in an item": SEQUENCE
    + b"\xff\xff\xff\xff"
    + item(b"", UNDEFINED)
    + SEQUENCE_END,
    "no VR, and an unknown tag": b"\x08\0\xff\xfe\x02\0\0\0CT",
    "no VR, and a private tag": b"\x09\0\x60\0\x02\0\0\0CT",
    "no VR, and a length that does not fit": b"\x08\0\x60\0\0\0\x02\0CT",
    "undefined length": b"\x08\0\x60\0UT\0\0\xff\xff\xff\xff",
    "zeros between elements": CT + bytes(8) + CT,
    "nested without end": (SEQUENCE + b"\xff\xff\xff\xff" + item(b"", UNDEFINED)) * 1000,
}


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("target", SYNTAXES)
def test_implicit_elements_among_explicit_ones(target: str) -> None:
    """Some writers fall back to implicit VR in mid data set; the values are the same."""
    inner = implicit(0x00080100, b"T1") + implicit(0x00080102, b"DCM ")
    data = (
        CT
        + implicit(0x00081030, b"HEAD")
        + implicit(0x00081032, item(inner))
        + implicit(0x0008103E, b"")
        + implicit(0x00081110, item(inner, UNDEFINED) + ITEM_END + SEQUENCE_END, UNDEFINED)
        + element(0x00100020, b"LO", b"P1")
    )
    found = read_back(reencoded(data, EXPLICIT_VR_LITTLE_ENDIAN, target), target)
    assert [found[tag].VR for tag in (0x00080060, 0x00081030, 0x00100020)] == ["CS", "LO", "LO"]
    assert (found.Modality, found.StudyDescription, found.PatientID) == ("CT", "HEAD", "P1")
    for keyword in ("ProcedureCodeSequence", "ReferencedStudySequence"):
        [code] = found[keyword].value
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("T1", "DCM")


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_data_set_is_refused(name: str) -> None:
    with pytest.raises(DataSetError):
        reencoded(MALFORMED[name], EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.requirement("RT-042")
def test_parts_of_words_are_not_swapped() -> None:
    with pytest.raises(DataSetError, match="3 bytes of VR US"):
        reencoded(
            element(0x00280010, b"US", b"abc"), EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN
        )


@pytest.mark.requirement("RT-042")
@pytest.mark.parametrize("cut", [2, 5, 100])
def test_cut_deflate_stream_is_refused(cut: int) -> None:
    data = deflate(element(0x00081030, b"LO", bytes(range(1, 201)) * 5))
    with pytest.raises(DataSetError, match="cut off"):
        reencoded(data[:-cut], DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)


def test_no_deflate_stream_is_refused() -> None:
    with pytest.raises(DataSetError, match="no deflate stream"):
        reencoded(b"\xff" * 99, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.requirement("RT-042")
@given(
    dataset=data_sets(),
    syntax=st.sampled_from(SYNTAXES),
    target=st.sampled_from(SYNTAXES),
    changed=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 1 << 16),
)
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_changed_bytes_raise_nothing_else(
    dataset: Dataset, syntax: str, target: str, changed: list[tuple[int, int]], cut: int
) -> None:
    """Any bytes are re-encoded after a survey that passes, or refused by it."""
    data = bytearray(written(dataset, syntax))
    for at, value in changed if data else []:
        data[at % len(data)] = value
    del data[len(data) - cut % (len(data) + 1) :]
    stored = bytes(data)

    def read(count: int, at: int) -> bytes:
        return stored[at : at + count]

    try:
        found = survey(read, 0, len(stored), syntax, target)
    except DataSetError:
        return
    if found.pixels_at is None:
        for _ in transcoded(read, 0, len(stored), syntax, target, signed=found.signed):
            pass

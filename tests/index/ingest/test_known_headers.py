"""A known header gives the instance that reading all of it gives (PS3.4 B.2)."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.codec import encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.part10 import FileStart
from dicomquest.index.ingest.file_reader import FIRST_READ, read_arrived, read_file
from dicomquest.index.ingest.instance import Prepared, Received, Skipped
from dicomquest.index.ingest.known_headers import MOST_MISSES, MOST_SERIES, KnownHeaders
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import data_set, instance

if TYPE_CHECKING:
    from collections.abc import Callable

PIXELS = {0x7FE00010: Element("OW", (bytes(100),))}
JPEG = "1.2.840.10008.1.2.4.50"
SYNTAXES = [
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.113619.5.2",
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    JPEG,
]
VALUES: dict[str, list[Any]] = {
    "SpecificCharacterSet": ["ISO_IR 100", "ISO_IR 192", "ISO_IR 13"],
    "SOPClassUID": ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"],
    "SOPInstanceUID": ["1.2.1.1.1", "1.2.1.1.22", "1.2.1.1.333", "", "1.2\\1.3", "1" * 300],
    "StudyInstanceUID": ["1.2.1", "1.2.1", "1.2.2"],
    "StudyDate": ["20240101", "", "2024"],
    "TimezoneOffsetFromUTC": ["+0100", "-0200"],
    "AcquisitionDateTime": ["20240101101010", "20240101"],
    "PatientName": ["A^B", "A^B", "M\xfcller^K"],
    "PatientID": ["1", "1", "2"],
    "SeriesNumber": ["1", "1", "2"],
    "Modality": ["CT"],
    "InstanceNumber": ["1", "22", "333", "", "x"],
    "ImageComments": ["", "text", "M\xfcller", "long " * 30],
    "ContentDate": ["20240101", "20240102"],
    "ContentTime": ["101010.5", "1010", "101010"],
    "SliceLocation": ["1.5", "-1.5", "1.5\\2.5"],
    "ImagePositionPatient": ["1\\2\\3", "4\\5\\6"],
    "PixelRepresentation": [0, 1],
    "SmallestImagePixelValue": [1, 2],
    "RadionuclideTotalDose": ["1.0"],
    "AnatomicRegionSequence": [
        [data_set(CodeValue="T-1", CodeMeaning="a")],
        [data_set(CodeValue="T-2", CodeMeaning="b")],
    ],
}
PRIVATE = {
    0x00290010: [Element("LO", ("ONE",)), Element("LO", ("TWO",))],
    0x00291001: [Element("LO", ("a",)), Element("LO", ("b",)), Element("UN", (b"cc",))],
}


@st.composite
def headers(draw: st.DrawFn) -> DataSet:
    """A header of a series; its elements have few values, so that most agree with others."""
    series = instance(1, Modality="CT")
    found: DataSet = {}
    for keyword, values in VALUES.items():
        if draw(st.integers(0, 9)):
            steady = draw(st.integers(0, 5))
            value = values[0] if steady else draw(st.sampled_from(values))
            found |= data_set(**{keyword: value})
    for tag, elements in PRIVATE.items():
        if draw(st.booleans()):
            found[tag] = draw(st.sampled_from(elements))
    return {**series, **found}


@st.composite
def arriving(draw: st.DrawFn) -> list[bytes]:
    """Data sets of a series, each a change of one before, some with damaged bytes."""
    syntax = draw(st.shared(st.sampled_from(SYNTAXES), key="syntax"))
    base = draw(headers())
    return [
        draw(damaged(draw(encoded(base, syntax, number))))
        for number in range(draw(st.integers(2, 7)))
    ]


@st.composite
def encoded(draw: st.DrawFn, base: DataSet, syntax: str, number: int) -> bytes:
    """The data set of one more instance of a series, which may differ in some elements."""
    header = {**base, **data_set(SOPInstanceUID=f"1.2.1.1.{number * 7}", InstanceNumber="1")}
    if not draw(st.integers(0, 3)):
        changes = draw(headers())
        for tag in draw(st.sets(st.sampled_from(sorted(changes)), max_size=3)):
            header[tag] = changes[tag]
        if not draw(st.integers(0, 4)):
            header.pop(draw(st.sampled_from(sorted(header))))
    header |= PIXELS if draw(st.integers(0, 7)) else {}
    # Under another character set than the one it names, too.
    return encode(dict(sorted(header.items())), syntax, ("ISO_IR 192",))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The same bytes, or now and then with another byte or without their end."""
    changed = bytearray(data)
    if not draw(st.integers(0, 7)):
        changed[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if not draw(st.integers(0, 15)):
        del changed[draw(st.integers(0, len(data))) :]
    return bytes(changed)


@st.composite
def filed(draw: st.DrawFn) -> list[bytes]:
    """Files of several series by turns, with and without File Meta Information, some damaged."""
    series = [
        (
            draw(headers()) | data_set(SeriesInstanceUID=f"1.2.1.{number % 2}"),
            draw(st.sampled_from(SYNTAXES)),
            draw(st.integers(0, 7)) > 0,
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    files = []
    for number in range(draw(st.integers(2, 9))):
        base, syntax, has_meta = draw(st.sampled_from(series))
        data = draw(encoded(base, syntax, number))
        named = draw(st.sampled_from([syntax] * 8 + [*SYNTAXES, "", "1.2 \xff\0"]))
        start = meta_of(named) if has_meta else b""
        files.append(draw(damaged(start + data)))
    return files


def meta_of(transfer_syntax: str) -> bytes:
    """The beginning of a file that names its transfer syntax."""
    name = transfer_syntax.encode("latin-1")
    name += b"\0" * (len(name) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(name)) + name
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta


def arrived(
    data: bytes, syntax: str, known: KnownHeaders | None, zone: int = 60
) -> Prepared | Skipped:
    """An instance that has arrived in a file, behind a start of some bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(b"meta" + data)
        file.flush()
        start = FileStart(4, syntax, {}, guessed=False)
        first = os.pread(file.fileno(), FIRST_READ, 0)
        return read_arrived(file.fileno(), first, start, zone, known)


@settings(max_examples=60)
@given(data_sets=arriving(), syntax=st.shared(st.sampled_from(SYNTAXES), key="syntax"))
def test_known_header_gives_the_same_instance(data_sets: list[bytes], syntax: str) -> None:
    """Whatever differs between the headers of a series, and whatever their bytes."""
    known = KnownHeaders()
    for data in data_sets:
        assert arrived(data, syntax, known) == arrived(data, syntax, None)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_cut_instance_of_known_header_is_refused(syntax: str) -> None:
    """Also where the cut is in the header of the pixel data, behind its tag."""
    whole = [encode({**instance(each), **PIXELS}, syntax) for each in (1, 2)]
    for size in range(len(whole[1]) - len(PIXELS[0x7FE00010].values[0]) - 16, len(whole[1])):
        known = KnownHeaders()
        arrived(whole[0], syntax, known)
        cut = whole[1][:size]
        assert arrived(cut, syntax, known) == arrived(cut, syntax, None)


@settings(max_examples=150)
@given(files=filed())
def test_known_file_gives_the_same_instance(files: list[bytes]) -> None:
    known = KnownHeaders()
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(files):
            path = Path(folder) / str(number)
            path.write_bytes(data)
            assert read_file(str(path), 60, known) == read_file(str(path), 60)


@pytest.mark.parametrize("end", [*range(-114, -98), -50])
def test_cut_file_of_known_header_is_not_known(tmp_path: Path, end: int) -> None:
    """A file that ends within the header of its pixel data, or within that, says so."""
    known = KnownHeaders()
    path = tmp_path / "file"
    for number in (1, 2):
        path.write_bytes(meta_of(EXPLICIT_VR_LITTLE_ENDIAN) + usual(number))
        assert isinstance(read_file(str(path), 0, known), Received)
    path.write_bytes((meta_of(EXPLICIT_VR_LITTLE_ENDIAN) + usual(3))[:end])
    assert read_file(str(path), 0, known) == read_file(str(path), 0)


def usual(number: int, series: int = 1, **values: Any) -> bytes:
    header = instance(number, series=series, InstanceNumber=str(number), Modality="CT", **values)
    return encode({**header, **PIXELS}, EXPLICIT_VR_LITTLE_ENDIAN)


def learned(known: KnownHeaders, data_sets: list[bytes]) -> list[bool]:
    """Read headers one after another; tell of each whether all of it was decoded."""
    told: list[bool] = []
    learn: Callable[..., None] = known.learn

    def tell(*items: Any) -> None:
        told.append(True)
        learn(*items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "learn", tell)
        found = []
        for data in data_sets:
            told.clear()
            assert isinstance(arrived(data, EXPLICIT_VR_LITTLE_ENDIAN, known), Received)
            found.append(bool(told))
    return found


def test_one_header_of_a_series_is_decoded() -> None:
    """The others differ in UID and number alone."""
    assert learned(KnownHeaders(), [usual(number) for number in range(1, 6)]) == [True] + 4 * [
        False
    ]


def test_elements_of_any_level_may_change() -> None:
    """Some scanners change an age or a protocol within a series."""
    known = KnownHeaders()
    data_sets = [
        usual(number, PatientAge=f"{number:03}Y", ProtocolName=str(number)) for number in range(4)
    ]
    assert learned(known, data_sets) == [True, True, False, False]
    for data in data_sets:
        assert arrived(data, EXPLICIT_VR_LITTLE_ENDIAN, known) == arrived(
            data, EXPLICIT_VR_LITTLE_ENDIAN, None
        )


def test_lone_instances_cost_little() -> None:
    """With thousands of series of one instance, few of their headers are kept."""
    known = KnownHeaders()
    learned(known, [usual(1, series) for series in range(1, 1000)])
    kept = {key for key, each in known._series.items() if each.unmade is not None}
    assert learned(known, [usual(1, series) for series in range(1000, 1064)]) == [True] * 64
    assert len(known._series.keys() - kept) < 8
    assert False in learned(known, [usual(number, 2000) for number in range(1, 100)])


def test_next_series_changes_in_the_same_places() -> None:
    """A second header shows what changes; a second series need not show it again."""
    known = KnownHeaders()
    data_sets = [usual(number, SliceLocation=str(number)) for number in (1, 2, 3)]
    assert learned(known, data_sets) == [True, True, False]
    data_sets = [usual(number, 2, SliceLocation=str(number)) for number in (1, 2, 3)]
    assert learned(known, data_sets) == [True, False, False]


def test_series_of_unlike_headers_is_given_up() -> None:
    """Its patterns would cost more than they save."""
    known = KnownHeaders()
    unlike = [usual(number, PatientID=str(number)) for number in range(MOST_MISSES + 3)]
    assert all(learned(known, unlike))
    (series,) = known._series.values()
    assert series.pattern is None


def test_oldest_series_is_forgotten() -> None:
    known = KnownHeaders()
    learned(known, [usual(1, series) for series in range(MOST_SERIES + 5)])
    assert len(known._series) == MOST_SERIES


def test_series_have_own_records() -> None:
    """The records of one series never become those of another, and stay as they are."""
    known = KnownHeaders()
    for number in (1, 2, 3):
        for series in (1, 2):
            found = arrived(usual(number, series), EXPLICIT_VR_LITTLE_ENDIAN, known)
            assert isinstance(found, Received)
            found.records[Level.IMAGE].texts.clear()
            assert found.series_uid == f"1.2.1.{series}"
            again = arrived(usual(number, series), EXPLICIT_VR_LITTLE_ENDIAN, None)
            assert isinstance(again, Received)
            assert found.forms == again.forms

"""A file is told by its content, whatever its name; a file that is no instance says why."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from dicomquest.dataset.codec import encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Prepared, Reason, Received, Skipped
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import instance

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = Element("OW", (bytes(100_000),))


def part10(data_set: DataSet, transfer_syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """A file: preamble, prefix, File Meta Information, data set."""
    uid = transfer_syntax.encode() + b"\0" * (len(transfer_syntax) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return bytes(128) + b"DICM" + length + meta + encode(data_set, transfer_syntax)


def read(folder: Path, data: bytes) -> Prepared | Skipped:
    path = folder / "a file.of any name"
    path.write_bytes(data)
    return read_file(str(path), 0)


def test_data_set_does_not_name_its_transfer_syntax(tmp_path: Path) -> None:
    """A data set does not say what its transfer syntax is."""
    stored = {0x00020010: Element("UI", ("1.2.3",)), **instance()}
    found = read(tmp_path, part10(dict(sorted(stored.items()))))
    assert isinstance(found, Received)
    assert (
        found.records[Level.IMAGE].texts["available_transfer_syntax_uid"]
        == EXPLICIT_VR_LITTLE_ENDIAN
    )


@pytest.mark.parametrize(
    "transfer_syntax",
    [
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    ],
)
def test_file_is_read_up_to_its_pixels(tmp_path: Path, transfer_syntax: str) -> None:
    """A file of each transfer syntax is read up to its pixels."""
    stored = instance(PatientName="Doe^John") | {0x7FE00010: PIXELS}
    found = read(tmp_path, part10(dict(sorted(stored.items())), transfer_syntax))
    assert isinstance(found, Received)
    assert found.records[Level.PATIENT].texts["patient_name"] == "Doe^John"
    assert found.records[Level.IMAGE].texts["available_transfer_syntax_uid"] == transfer_syntax
    assert found.records[Level.IMAGE].elements == {}


def test_header_of_any_size_is_read(tmp_path: Path) -> None:
    stored = instance(DerivationDescription="x" * 1000, TextValue="y" * 300_000)
    found = read(tmp_path, part10(stored))
    assert isinstance(found, Received)
    assert "y" * 300_000 in found.records[Level.IMAGE].elements["0040A160"]


def test_data_set_without_meta_information_is_read(tmp_path: Path) -> None:
    """A data set without File Meta Information is read."""
    found = read(tmp_path, encode(instance(), IMPLICIT_VR_LITTLE_ENDIAN))
    assert isinstance(found, Received)
    assert "available_transfer_syntax_uid" not in found.records[Level.IMAGE].texts


# An empty Directory Record Sequence marks a DICOMDIR whose data set has no SOP class.
DIRECTORY = struct.pack("<HH2s2xI", 4, 0x1220, b"SQ", 0)

SKIPPED: list[tuple[bytes, Reason]] = [
    (b"", Reason.NOT_DICOM),
    (b"<html>", Reason.NOT_DICOM),
    (bytes(1000), Reason.NOT_DICOM),
    (part10(instance())[:-3], Reason.TRUNCATED),
    (part10(instance())[:148], Reason.TRUNCATED),
    (part10(instance() | {0x7FE00010: PIXELS})[:-50_000], Reason.TRUNCATED),
    (part10(instance(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)[:-20], Reason.TRUNCATED),
    (part10(instance(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)[:-40] + b"\xff" * 40, Reason.MALFORMED),
    (part10(instance(SOPInstanceUID="")), Reason.NO_SOP_INSTANCE_UID),
    (part10(instance(SOPInstanceUID="1.2\\1.3")), Reason.UNFIT_UID),
    (part10(instance(StudyInstanceUID="")), Reason.NO_STUDY_OR_SERIES_UID),
    (part10(instance(SeriesInstanceUID="")), Reason.NO_STUDY_OR_SERIES_UID),
    (part10({}) + DIRECTORY, Reason.DICOMDIR),
    (part10(instance(SOPClassUID="1.2.840.10008.1.3.10")), Reason.DICOMDIR),
]


@pytest.mark.parametrize(("data", "reason"), SKIPPED)
def test_non_instance_says_why(tmp_path: Path, data: bytes, reason: Reason) -> None:
    found = read(tmp_path, data)
    assert isinstance(found, Skipped)
    assert found.reason is reason


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert read_file(str(tmp_path / "missing"), 0) == Skipped(Reason.UNREADABLE, os.strerror(2))
    assert read_file(str(tmp_path), 0) == Skipped(Reason.UNREADABLE, os.strerror(21))

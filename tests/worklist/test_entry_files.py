"""Files of worklist entries: DICOM with and without its meta information, DICOM JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest.dataset.elements import to_json, to_pydicom
from dicomquest.dataset.encoder import encode
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.worklist.entry import WorklistEntryError
from dicomquest.worklist.entry_files import LARGEST_FILE, read_entry_file
from fixtures.worklists import entry


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_bare_data_set_is_read(tmp_path: Path, syntax: str) -> None:
    """A data set without File Meta Information is read, as `dump2dcm -F` writes it."""
    path = tmp_path / "a.wl"
    path.write_bytes(encode(entry(1), syntax))
    assert read_entry_file(path) == [entry(1)]


def test_dicom_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wl"
    data = to_pydicom(entry(1))
    data.ensure_file_meta()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path)
    assert read_entry_file(path) == [entry(1)]


def test_json_has_one_or_several(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    objects = [to_json(entry(1)), to_json(entry(2))]
    path.write_text(json.dumps(objects[0]))
    assert read_entry_file(path) == [entry(1)]
    path.write_text(json.dumps(objects))
    assert read_entry_file(path) == [entry(1), entry(2)]


@pytest.mark.parametrize("data", [b"{", b"[1]", b"", b"text", b"[" * 100_000])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wl"
    path.write_bytes(data)
    with pytest.raises(WorklistEntryError):
        read_entry_file(path)


def test_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wl"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(WorklistEntryError, match="no worklist entry: at most"):
        read_entry_file(path)

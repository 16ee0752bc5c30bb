"""Files with worklist entries: DICOM as wlmscpfs reads it, DICOM JSON (PS3.10 7, PS3.18 F)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import DataSet, from_json
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.worklist.entry import WorklistEntryError

LARGEST_FILE = 16 << 20
"""Bytes of a file that is read: an entry has a few thousand, and JSON may list many entries."""


def read_entry_file(path: str | os.PathLike[str]) -> list[DataSet]:
    """Return the data sets of a file; WorklistEntryError says why it has none, OSError too."""
    place = Path(path)
    size = place.stat().st_size
    if size > LARGEST_FILE:
        raise WorklistEntryError(f"{size:,} bytes are no worklist entry: at most {LARGEST_FILE:,}")
    return read_entry_data(place.read_bytes())


def read_entry_data(data: bytes) -> list[DataSet]:
    """Return the data sets of a file's bytes; WorklistEntryError says why it has none."""
    try:
        if data.lstrip()[:1] in (b"{", b"["):
            return _of_json(data)
        start = read_file_start(data)
        return [decode(data[start.start :], start.transfer_syntax, limits=FILE_LIMITS)]
    except DataSetError as error:
        raise WorklistEntryError(str(error)) from error


def _of_json(data: bytes) -> list[DataSet]:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WorklistEntryError(f"no JSON: {error}") from error
    return [from_json(each) for each in (read if isinstance(read, list) else [read])]

"""The header of a file: File Meta Information, and what stands before the pixel data (PS3.10 7)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dicomquest.dataset.codec import decode_header
from dicomquest.dataset.decoder import TruncatedDataSetError
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError, StoredInstanceError

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

_FIRST_READ = 64 * 1024
_LARGEST_HEADER = 1 << 26
"""Bytes of a header that is shown; longer ones hold a picture in an element of their own."""

_LARGEST_VALUE = 1 << 16
"""Bytes of an opaque value beyond which it is left out."""


def read_stored_header(path: str) -> DataSet:
    """Return the elements of a file before its pixel data; StoredInstanceError if it has none."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a path of bytes will do
            size = os.fstat(file.fileno()).st_size
            return _decoded(file.fileno(), size, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoredInstanceError(f"{path}: {reason}") from error
    except DataSetError as error:
        raise StoredInstanceError(f"{path}: {error}") from error


def _decoded(descriptor: int, size: int, path: str) -> DataSet:
    data = os.pread(descriptor, _FIRST_READ, 0)
    while True:
        needed = 0
        try:
            start = read_file_start(data)
            header = decode_header(
                data, start.transfer_syntax, start=start.start, largest_opaque=_LARGEST_VALUE
            )
            if header.stopped or len(data) >= size:
                return {**start.meta, **header.data_set}
            needed = header.needed
        except TruncatedDataSetError as error:
            if len(data) >= size:
                raise
            needed = error.needed
        wanted = max(needed, 2 * len(data))
        if wanted > _LARGEST_HEADER and len(data) >= min(size, _LARGEST_HEADER):
            raise StoredInstanceError(f"{path}: its header has more than {_LARGEST_HEADER:,} bytes")
        data = os.pread(descriptor, min(wanted, _LARGEST_HEADER), 0)

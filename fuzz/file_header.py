"""Invariant: any file is an instance or skipped for a reason; nothing is raised (PS3.10 7)."""

from __future__ import annotations

import os
from functools import cache

from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Prepared, Skipped


def check(data: bytes) -> None:
    """Read a file in memory that has the bytes."""
    descriptor = _file()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)
    assert isinstance(read_file(f"/proc/self/fd/{descriptor}", 0), Prepared | Skipped)


@cache
def _file() -> int:
    return os.memfd_create("fuzz")

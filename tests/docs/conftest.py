"""The folder and the server that the tutorial makes, for the tests of the pages after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pydicom.data
import pytest

from peers import ours
from peers.processes import Peer

LONG_AGO = 1_700_000_000.0
"""A time of 2023 in seconds."""


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the tutorial makes, with its scans and its index."""
    folder = tmp_path_factory.mktemp("tutorial")
    files = Path(str(pydicom.data.__path__[0])) / "test_files" / "dicomdirtests"
    shutil.copytree(files, folder / "scans")
    # Of young files that are cut off, `watch` says that it tries them again.
    for path in (folder / "scans").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    ours.index(folder / "dicomquest.sqlite", folder / "scans")
    return folder


@pytest.fixture(scope="session")
def served(scans: Path) -> Iterator[Peer]:
    """The tutorial's server, for the pages that only ask it."""
    with ours.serve(scans / "dicomquest.sqlite") as peer:
        yield peer

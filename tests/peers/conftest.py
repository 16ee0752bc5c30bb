"""Real peers over one small archive, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers import corpus, dcmtk, pynetdicom_programs
from peers import orthanc as orthanc_program
from peers.processes import Peer


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of ``corpus``."""
    folder = tmp_path_factory.mktemp("archive")
    corpus.write(folder)
    return folder


@pytest.fixture(scope="session")
def dcmqrscp(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with dcmtk.dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), sorted(archive.iterdir())) as peer:
        yield peer


@pytest.fixture(scope="session")
def orthanc(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with orthanc_program.orthanc(
        tmp_path_factory.mktemp("orthanc"), sorted(archive.iterdir())
    ) as peer:
        yield peer


@pytest.fixture(scope="session")
def pynetdicom(archive: Path) -> Iterator[Peer]:
    with pynetdicom_programs.pynetdicom_scp(archive) as peer:
        yield peer

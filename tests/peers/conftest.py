"""Real peers over one small archive, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pydicom import Dataset

from dicomquest.index import open_index
from fixtures import federated_archives
from fixtures.canned_pages import canned_pages
from fixtures.page_studies import fill, write_files
from fixtures.programs import program
from fixtures.viewer import built_viewer
from peers import corpus, dcmtk, ours, pynetdicom_programs
from peers import orthanc as orthanc_program
from peers.our_storage import storage_scp
from peers.processes import Peer, free_port


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
def arrived() -> dict[str, Dataset]:
    """The instances that ``storage`` has received, by their UIDs."""
    return {}


@pytest.fixture(scope="session")
def storage(arrived: dict[str, Dataset]) -> Iterator[Peer]:
    """A Storage SCP, which the server of ``federation`` knows as STORE."""
    with storage_scp(arrived) as peer:
        yield peer


@pytest.fixture(scope="session")
def places(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of each place of ``federation``."""
    return federated_archives.split(archive, tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="session")
def federation(
    places: list[Path], storage: Peer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """A server with an index, before dcmqrscp, Orthanc and dicomquest."""
    folder = tmp_path_factory.mktemp("federation")
    with federated_archives.federation(folder, places, storage) as peer:
        yield peer


@pytest.fixture(scope="session")
def pynetdicom(archive: Path) -> Iterator[Peer]:
    with pynetdicom_programs.pynetdicom_scp(archive) as peer:
        yield peer


@pytest.fixture(scope="module")
def chromium(canned: dict[str, str]) -> Iterator[Browser]:
    """A browser; one a module, because the event loop of its driver is in the way of others."""
    # The pages are asked for in an event loop, too: before this one runs.
    del canned
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium")) as launched,
    ):
        yield launched


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context.new_page()


@pytest.fixture(scope="session")
def canned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The HTML of pages that a server shows seldom, by their names."""
    return canned_pages(tmp_path_factory.mktemp("canned"))


@pytest.fixture(scope="module")
def page_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the page over the studies of ``page_studies``, one of them with files."""
    folder = tmp_path_factory.mktemp("page")
    with open_index(folder / "index.sqlite", create=True) as index:
        fill(index)
        index.ingest(write_files(folder / "files"))
    port, viewer = free_port(), built_viewer(folder / "viewer")
    with ours.serve(folder / "index.sqlite", "--http", str(port), "--ohif", str(viewer)):
        yield f"http://127.0.0.1:{port}"

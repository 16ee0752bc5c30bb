"""WADO-RS over several archives: instances are fetched from their holder for a response."""

from __future__ import annotations

import asyncio
import io
import tempfile
import zipfile
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE

from dicomquest import AE, evt, sop_class
from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.conversation import Found
from dicomquest.federation.federated_find import FederatedFind
from dicomquest.federation.holder_fetch import HolderFetch
from dicomquest.federation.sources import IndexSource, Source, UpstreamSource
from dicomquest.federation.upstream import Upstream
from dicomquest.index import Index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.request import Run
from dicomquest.web import WebSettings, application, fetched_source
from dicomquest.web.fetched_source import FetchedSource
from dicomquest.web.page import gathered_search
from dicomquest.web.refusals import RefusalError
from fixtures import wado
from fixtures.faces import HOST, running
from fixtures.page_studies import STUDY_OF_FILES, write_files
from fixtures.serving import serving
from fixtures.timing import LONG, SHORT
from fixtures.web import Browser

SERIES = f"/studies/{STUDY_OF_FILES}/series/{STUDY_OF_FILES}.2"
INSTANCE = f"{SERIES}/instances/{STUDY_OF_FILES}.2.1"
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
JSON = "application/dicom+json"


class Silent(IndexSource):
    """An archive that takes a query and never answers."""

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        del question, run
        async with asyncio.timeout(LONG):
            await asyncio.Event().wait()
        yield []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> Iterator[Index]:
    """The own index, which has one instance of the study."""
    with Index(tmp_path_factory.mktemp("own") / "index") as index:
        index.ingest(files[:1])
        yield index


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> Iterator[Upstream]:
    """An archive that has the whole study."""
    folder = tmp_path_factory.mktemp("upstream")
    with Index(folder / "index") as index:
        index.ingest(files)
    with serving(folder / "index", folder) as running:
        yield Upstream("PACS2", "DICOMQUEST", "127.0.0.1", running.port)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all requests: that of the associations."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which is empty again after each test."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    yield tmp_path / "spool"
    assert [*(tmp_path / "spool").iterdir()] == []


def browser(
    own: Index, runner: asyncio.Runner, *more: Source, settings: WebSettings | None = None
) -> Browser:
    """A client of a server that asks its own index and further sources."""
    find = FederatedFind(own, "OWN", sources=[IndexSource(0, own, "OWN"), *more])

    def run(asking: object) -> object:
        async def whole() -> object:
            try:
                return await asking  # type: ignore[misc]
            finally:
                await find.end()
                ending = asyncio.all_tasks() - {asyncio.current_task()}
                if ending:
                    # What ends associations and deletes files goes on after a response.
                    await asyncio.wait(ending, timeout=LONG)

        return runner.run(whole())

    made = Browser(own, run=run)  # type: ignore[arg-type]
    made.application = application(own, settings, find=find)
    return made


def test_a_study_of_two_archives_is_sent(
    own: Index, runner: asyncio.Runner, upstream: Upstream, files: list[Path]
) -> None:
    asking = browser(own, runner, UpstreamSource(1, upstream))
    response = asking.get(f"/studies/{STUDY_OF_FILES}", Accept=AS_STORED)
    assert response.status_code == 200
    sent = {wado.read(each.body).SOPInstanceUID for each in wado.parts(response)}
    assert len(sent) == len(files)


@pytest.mark.parametrize(
    "asked",
    [
        (f"{SERIES}/metadata", JSON, JSON),
        (f"{INSTANCE}/metadata", JSON, JSON),
        (INSTANCE, "application/dicom; transfer-syntax=*", "application/dicom"),
        (f"{INSTANCE}/frames/1", "multipart/related; type=application/octet-stream",
         "multipart/related"),
        (f"{INSTANCE}/rendered", "image/jpeg", "image/jpeg"),
        (f"{SERIES}/thumbnail", "image/png", "image/png"),
        (f"{INSTANCE}/thumbnail", "image/png", "image/png"),
    ],
)  # fmt: skip
def test_parts_of_an_upstreams_instance(
    own: Index, runner: asyncio.Runner, upstream: Upstream, asked: tuple[str, str, str]
) -> None:
    path, accept, kind = asked
    response = browser(own, runner, UpstreamSource(1, upstream)).get(path, Accept=accept)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith(kind)
    assert response.content


def test_what_no_archive_has(own: Index, runner: asyncio.Runner, upstream: Upstream) -> None:
    asking = browser(own, runner, UpstreamSource(1, upstream))
    assert asking.get("/studies/1.2.9/metadata", Accept=JSON).status_code == 404


def test_a_silent_archive_may_hold_more(
    own: Index, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_source, "SOURCE_SECONDS", 20 * SHORT)
    asking = browser(own, runner, Silent(1, own, "OLD", "PACS3"))
    unknown = asking.get("/studies/1.2.9/metadata", Accept=JSON)
    assert (unknown.status_code, unknown.headers["Retry-After"]) == (503, "5")
    assert "PACS3 timed out" in unknown.text
    for further, accept in (("", AS_STORED), ("/metadata", JSON)):
        partial = asking.get(f"/studies/{STUDY_OF_FILES}{further}", Accept=accept)
        assert partial.status_code == 206
        assert "not known to be all: PACS3 timed out" in partial.headers["Warning"]


def test_an_archive_that_sends_nothing(
    own: Index, runner: asyncio.Runner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has said what it holds, and is gone when that is fetched."""
    source = UpstreamSource(1, upstream)
    asking = browser(own, runner, source)
    gone = Upstream("PACS2", "NOBODY", "127.0.0.1", 1)
    monkeypatch.setattr(
        "dicomquest.federation.federated_retrieve.HolderFetch",
        lambda _, pool, classes, folder: HolderFetch(gone, pool, classes, folder),
    )
    response = asking.get(f"{SERIES}/metadata", Accept=JSON)
    assert response.status_code == 503
    assert "not sent by PACS2" in response.text
    assert asking.get(f"{SERIES}/thumbnail", Accept="image/jpeg").status_code == 503
    file = asking.request("GET", f"{INSTANCE}/file", {})
    assert file.status_code == 503
    assert "Archive PACS2 did not send what it holds." in file.text
    partial = asking.get(f"/studies/{STUDY_OF_FILES}", Accept=AS_STORED)
    assert partial.status_code == 206
    assert len(wado.parts(partial)) == 1
    assert "not sent by PACS2" in partial.headers["Warning"]


def test_a_holder_that_stops_is_passed_over(
    own: Index,
    runner: asyncio.Runner,
    upstream: Upstream,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another one, with its own time, holds the same, so nothing is missing."""

    class Stuck(HolderFetch):
        async def _run(self, orders: object) -> None:
            if self._upstream.name == "STUCK":
                await asyncio.sleep(6 * LONG)
            await super()._run(orders)  # type: ignore[arg-type]

    monkeypatch.setattr(fetched_source, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr("dicomquest.federation.federated_retrieve.HolderFetch", Stuck)
    timeouts = replace(upstream.timeouts, retrieve=0.2)
    stuck = UpstreamSource(1, replace(upstream, name="STUCK", timeouts=timeouts))
    asking = browser(own, runner, stuck, UpstreamSource(2, upstream))
    response = asking.get(f"/studies/{STUDY_OF_FILES}", Accept=AS_STORED)
    assert response.status_code == 200
    assert len(wado.parts(response)) == len(files)


def test_more_bytes_than_are_kept(
    own: Index, runner: asyncio.Runner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_source, "MOST_SPOOLED", 1000)
    asking = browser(own, runner, UpstreamSource(1, upstream))
    assert asking.get(SERIES, Accept=AS_STORED).status_code == 413


@pytest.fixture(params=["../../evil", "1" * 300])
def odd_archive(request: pytest.FixtureRequest, files: list[Path]) -> Iterator[Upstream]:
    """An archive that has one instance, whose UID is none."""
    sent = dcmread(files[0])
    odd = DataElement(0x00080018, "UI", request.param, validation_mode=IGNORE)
    sent[0x00080018] = odd
    sent.file_meta[0x00020003] = DataElement(
        0x00020003, "UI", request.param, validation_mode=IGNORE
    )

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        answer = Dataset()
        for element in event.identifier:
            if element.tag in sent:
                answer[element.tag] = sent[element.tag]
        answer.QueryRetrieveLevel = event.identifier.QueryRetrieveLevel
        yield 0xFF00, answer

    def get(event: evt.Event) -> Iterator[int | tuple[int, Dataset]]:
        del event
        yield 1
        yield 0xFF00, sent

    ae = AE("UP")
    for uid in (
        sop_class.StudyRootQueryRetrieveInformationModelFind,
        sop_class.StudyRootQueryRetrieveInformationModelGet,
    ):
        ae.add_supported_context(uid)
    ae.add_supported_context(sent.SOPClassUID, scu_role=True, scp_role=True)
    with running((evt.EVT_C_FIND, find), (evt.EVT_C_GET, get), ae=ae) as server:
        yield Upstream("PACS2", "UP", HOST, server.server_address[1])


def test_an_archives_uid_names_no_file_here(
    own: Index, runner: asyncio.Runner, odd_archive: Upstream, tmp_path: Path
) -> None:
    """An archive chooses the UIDs of its instances, so none may lead out of the spool."""
    asking = browser(own, runner, UpstreamSource(1, odd_archive))
    response = asking.get(f"/studies/{STUDY_OF_FILES}", Accept=AS_STORED)
    assert response.status_code == 200
    assert len(wado.parts(response)) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["spool"]


def test_hidden_instances_are_not_sent(
    own: Index, runner: asyncio.Runner, upstream: Upstream
) -> None:
    profile = Profile(visible=parse_visible(["PatientID=P9"]))
    settings = WebSettings(admission=Admission(AccessRules(default=PeerRule(profile=profile))))
    asking = browser(own, runner, UpstreamSource(1, upstream), settings=settings)
    for path in (SERIES, f"{SERIES}/metadata", f"{INSTANCE}/frames/1"):
        assert asking.get(path).status_code == 404


def test_the_page_shows_and_sends_an_upstreams_files(
    own: Index, runner: asyncio.Runner, upstream: Upstream, files: list[Path]
) -> None:
    asking = browser(own, runner, UpstreamSource(1, upstream))
    shown = asking.request("GET", f"/studies/{STUDY_OF_FILES}", {}).text
    assert f"{STUDY_OF_FILES}/series/{STUDY_OF_FILES}.1/instances/" in shown
    header = asking.request("GET", f"{INSTANCE}/header", {})
    assert header.status_code == 200
    assert "Abdomen and pelvis" in header.text
    file = asking.request("GET", f"{INSTANCE}/file", {})
    assert wado.read(file.content).SOPInstanceUID == f"{STUDY_OF_FILES}.2.1"
    picture = asking.request("GET", f"{SERIES}/picture?viewport=192,192", {"Accept": "image/*"})
    assert picture.headers["Content-Type"] == "image/jpeg"
    zipped = asking.request("GET", f"/studies/{STUDY_OF_FILES}/zip", {})
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert len(archive.namelist()) == len(files)


def test_a_zip_that_may_lack_instances_says_so(
    own: Index, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_search, "SOURCE_SECONDS", 20 * SHORT)
    monkeypatch.setattr(fetched_source, "SOURCE_SECONDS", 20 * SHORT)
    asking = browser(own, runner, Silent(1, own, "OLD", "PACS3"))
    partial = asking.request("GET", f"/studies/{STUDY_OF_FILES}/zip", {})
    assert f'"incomplete-{STUDY_OF_FILES}.zip"' in partial.headers["Content-Disposition"]
    unknown = asking.request("GET", "/studies/1.2.9/zip", {})
    assert unknown.status_code == 503
    assert "PACS3 did not answer in time" in unknown.text


@pytest.fixture
def whole(tmp_path: Path, files: list[Path]) -> Iterator[Index]:
    """An index of the whole study."""
    with Index(tmp_path / "index") as index:
        index.ingest(files)
        yield index


@pytest.mark.parametrize("error", [RefusalError(413, "too large"), TimeoutError()])
def test_a_zip_fetches_one_by_one_what_is_large(
    whole: Index,
    runner: asyncio.Runner,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """It has begun by then, so it goes on, and names what cannot be fetched alone either."""

    class Narrow(FetchedSource):
        async def fetch(self) -> bool:
            uids = self._selection.uids()
            if len(uids) > 1 or uids == [f"{STUDY_OF_FILES}.2.1"]:
                raise error
            return await super().fetch()

    monkeypatch.setattr(gathered_search, "FetchedSource", Narrow)
    zipped = browser(whole, runner).request("GET", f"/studies/{STUDY_OF_FILES}/zip", {})
    assert zipped.status_code == 200
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert len(archive.namelist()) == len(files)
        assert (
            archive.read("MISSING.txt")
            .decode()
            .endswith(f":\n{STUDY_OF_FILES}/{STUDY_OF_FILES}.2/{STUDY_OF_FILES}.2.1.dcm\n")
        )


def test_a_part_of_a_zip_that_takes_too_long(
    whole: Index, runner: asyncio.Runner, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_search, "FETCH_SECONDS", 0.0)
    zipped = browser(whole, runner).request("GET", f"/studies/{STUDY_OF_FILES}/zip", {})
    assert zipped.status_code == 200
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert archive.namelist() == ["MISSING.txt"]
        assert archive.read("MISSING.txt").count(b".dcm\n") == len(files)


def test_a_zip_of_more_than_is_gathered_is_refused(
    own: Index, runner: asyncio.Runner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_search.GatheredSearch, "most", 2)
    asking = browser(own, runner, UpstreamSource(1, upstream))
    assert asking.request("GET", f"/studies/{STUDY_OF_FILES}/zip", {}).status_code == 413

"""`find --page`: pages from our own SCP and from pynetdicom's, joined, limited and gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pynetdicom
import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset
from pynetdicom.sop_class import RepositoryQuery  # type: ignore[attr-defined]

from dicomquest import find
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli import main
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.errors import QueryFailedError
from dicomquest.index import Index
from fixtures.building import instance
from fixtures.faces import HOST, data_set

STUDIES = 7


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of `serve` over an index of STUDIES studies, which stops after four answers."""
    location = tmp_path_factory.mktemp("records") / "index.sqlite"
    with Index(location) as index:
        index.ingest_data_sets(
            instance(study=n, PatientID=f"P{n}", Modality="CT") for n in range(1, STUDIES + 1)
        )
        settings = ServeSettings(index=str(location), aet="ARCHIVE", result_limit=4)
        server = RunningServer(lambda: Server(server_settings(settings, index)), (HOST, 0))
        server.start()
        yield server.server_address[1]
        server.shutdown()


def run(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", HOST, str(port), *arguments])


def ids(result: Result) -> list[str]:
    return [row["PatientID"] for row in map(json.loads, result.stdout.splitlines())]


WHOLE = [f"P{number}" for number in range(1, STUDIES + 1)]


@pytest.mark.requirement("RQ-008")
@pytest.mark.parametrize("page", [("--page", "1"), ("--page", "3"), ("-m", "repository")])
def test_pages_are_joined(port: int, page: tuple[str, ...]) -> None:
    """B001 makes the command ask on; Record Keys that nobody asked for are not shown."""
    result = run(port, *page, "PatientID", "-f", "jsonl")
    assert result.exit_code == 0, result.output
    assert ids(result) == WHOLE
    assert "RecordKey" not in result.stdout
    assert ids(run(port, "--page", "2", "PatientID", "RecordKey", "-f", "jsonl")) == WHOLE
    flagged = run(port, *page, "PatientID", "RemovedFromOperationalUse", "-f", "jsonl")
    assert {
        json.loads(each)["RemovedFromOperationalUse"] for each in flagged.stdout.split("\n")[:-1]
    } == {"N"}


@pytest.mark.requirement("RQ-005", "RQ-008")
def test_interrupted_listing_goes_on(port: int) -> None:
    """--limit leaves a key, and --after goes on behind the last match that was shown."""
    first = run(port, "--page", "2", "--limit", "3", "PatientID", "-f", "jsonl")
    match = re.search(r"--after ([0-9a-f]+)", first.stderr)
    assert match is not None, first.stderr
    rest = run(port, "--page", "2", "--after", match[1], "PatientID", "-f", "jsonl")
    assert ids(first) + ids(rest) == WHOLE


def test_wrong_key_is_refused(port: int) -> None:
    result = run(port, "--after", "00ff", "PatientID")
    assert result.exit_code == 1
    assert "A710, Invalid prior record key" in result.stderr
    assert run(port, "--after", "xyz").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-m", "patient"), "--page is for Repository Query: leave -m patient out"),
        (("--tree",), "--tree does not go with Repository Query"),
        (("--get", "x"), "--get does not go with Repository Query"),
        (("--split", "auto"), "--split does not go with Repository Query"),
    ],
)
def test_options_for_other_queries_are_refused(arguments: tuple[str, ...], words: str) -> None:
    result = run(1, "--page", "5", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


@pytest.mark.requirement("RQ-008")
def test_call_gives_all_pages(port: int) -> None:
    found = list(find(HOST, port, model="repository", page=3, keys={"PatientID": ""}))
    assert [each.PatientID for each in found] == WHOLE
    rest = find(HOST, port, model="repository", PatientID="", PriorRecordKey=found[4].RecordKey)
    assert [each.PatientID for each in rest] == WHOLE[5:]
    texts = list(find(HOST, port, model="repository", page=2, as_="json-text", PatientID=""))
    assert len(texts) == STUDIES
    with pytest.raises(ValueError, match="for the model repository alone"):
        find(HOST, port, page=3)


class _Peer:
    """A Repository Query SCP of pynetdicom, which may forget to give keys."""

    def __init__(self) -> None:
        self.gives_keys = True
        self.asked: list[Dataset] = []

    def __call__(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        self.asked.append(asked)
        after = int(asked.PriorRecordKey) if asked.get("PriorRecordKey") else 0
        for number in range(after + 1, min(after + asked.MaximumNumberOfRecords, STUDIES) + 1):
            answer = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.{number}")
            if self.gives_keys:
                answer.RecordKey = f"{number:04}".encode()
            yield 0xFF00, answer
        if after + asked.MaximumNumberOfRecords < STUDIES:
            yield 0xB001, None


@pytest.fixture
def peer() -> Iterator[tuple[_Peer, int]]:
    handler = _Peer()
    entity = pynetdicom.AE()
    entity.add_supported_context(RepositoryQuery)
    server = entity.start_server(
        (HOST, 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_FIND, handler)]
    )
    assert server is not None
    yield handler, server.server_address[1]
    server.shutdown()


@pytest.mark.requirement("RQ-008")
def test_pages_of_pynetdicom_are_joined(peer: tuple[_Peer, int]) -> None:
    handler, port = peer
    result = run(port, "--page", "3", "StudyInstanceUID", "--count")
    assert (result.exit_code, result.stdout) == (0, f"{STUDIES}\n")
    assert [each.get("PriorRecordKey") for each in handler.asked] == [None, b"0003", b"0006"]
    assert len(list(find(HOST, port, model="repository", page=4, StudyInstanceUID=""))) == STUDIES


def test_peer_without_keys_is_not_asked_for_ever(peer: tuple[_Peer, int]) -> None:
    handler, port = peer
    handler.gives_keys = False
    result = run(port, "--page", "3", "StudyInstanceUID")
    assert result.exit_code == 1
    assert "has more records (B001), but gave no new Record Key" in " ".join(result.stderr.split())
    assert len(handler.asked) == 1
    with pytest.raises(QueryFailedError, match="gave no new key"):
        list(find(HOST, port, model="repository", page=3, StudyInstanceUID=""))


def _one_page(port: int, asked: Dataset) -> tuple[list[Dataset], int]:
    """The matches and the final status, which pynetdicom takes for one before the last."""
    entity = pynetdicom.AE()
    entity.add_requested_context(RepositoryQuery)
    association = entity.associate(HOST, port)
    found: list[Dataset] = []
    for status, match in association.send_c_find(asked, RepositoryQuery):
        if match is None:
            association.abort()
            return found, status.Status
        found.append(match)
    raise AssertionError("no final response")


@pytest.mark.requirement("RQ-002", "RQ-003")
def test_pynetdicom_gets_pages_of_ours(port: int) -> None:
    asked = data_set(QueryRetrieveLevel="STUDY", PatientID="", RecordKey=b"")
    asked.MaximumNumberOfRecords = 5
    # The lower limit is the server's.
    found, status = _one_page(port, asked)
    assert ([each.PatientID for each in found], status) == (WHOLE[:4], 0xB001)
    asked.PriorRecordKey = found[3].RecordKey
    found, status = _one_page(port, asked)
    assert ([each.PatientID for each in found], status) == (WHOLE[4:], 0x0000)

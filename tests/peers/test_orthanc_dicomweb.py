"""Orthanc's DICOMweb plugin as a client of ours: it searches us, and fetches what it found."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.timing import LONG, MS
from peers import corpus, ours
from peers.orthanc import DICOMWEB_ROOT, dicomweb
from peers.processes import free_port

pytestmark = pytest.mark.peer("Orthanc", "OrthancDicomWeb")


@dataclass(frozen=True, slots=True)
class Client:
    """Orthanc's own interface, by which a person tells it what to ask us."""

    address: str

    def post(self, path: str, body: object) -> Any:
        data = json.dumps(body).encode()
        with urllib.request.urlopen(self.address + path, data) as response:
            return json.loads(response.read())

    def wait_for_server(self, name: str) -> None:
        """The plugin reads its servers some time after Orthanc listens."""
        deadline = time.monotonic() + LONG
        while name not in self.get(f"{DICOMWEB_ROOT}/servers"):
            assert time.monotonic() < deadline
            time.sleep(20 * MS)  # it tells nobody

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path) as response:
            return json.loads(response.read())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[Client]:
    folder, port = tmp_path_factory.mktemp("dicomweb"), free_port()
    ours.index(folder / "index.sqlite", archive)
    servers = {"dicomquest": {"Url": f"http://127.0.0.1:{port}{DICOMWEB_ROOT}"}}
    with (
        ours.serve(folder / "index.sqlite", "--http", str(port)),
        dicomweb(folder, [], Servers=servers) as peer,
    ):
        made = Client(f"http://127.0.0.1:{peer.http_port}")
        made.wait_for_server("dicomquest")
        yield made


def test_orthanc_searches_us(client: Client) -> None:
    found = client.post(
        f"{DICOMWEB_ROOT}/servers/dicomquest/qido",
        {"Uri": "/studies", "Arguments": {"PatientID": "12345678"}},
    )
    uids = {each["0020000D"]["Value"] for each in found}
    assert uids == {corpus.uid(1), corpus.uid(2)}


@pytest.mark.requirement("WS-001")
def test_orthanc_fetches_a_study_from_us(client: Client) -> None:
    """It then has each instance of the study once."""
    study = corpus.uid(1)
    client.post(
        f"{DICOMWEB_ROOT}/servers/dicomquest/retrieve",
        {"Resources": [{"Study": study}], "Synchronous": True},
    )
    [known] = client.get("/studies?expand")
    assert known["MainDicomTags"]["StudyInstanceUID"] == study
    instances = client.get(f"/studies/{known['ID']}/instances")
    assert sorted(each["MainDicomTags"]["SOPInstanceUID"] for each in instances) == sorted(
        instance.SOPInstanceUID
        for instance in corpus.instances()
        if instance.StudyInstanceUID == study
    )

"""Orthanc as a process with its own storage, fed over its REST interface."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fixtures.programs import program
from fixtures.timing import LONG
from peers.processes import Peer, free_port, server, wait_until_listening

DICOMWEB_ROOT = "/dicom-web"


def dicomweb(
    folder: Path, paths: Sequence[Path], **settings: object
) -> contextlib.AbstractContextManager[Peer]:
    """Run Orthanc with its DICOMweb plugin; ``settings`` add to those of the plugin."""
    plugin = {"Enable": True, "Root": f"{DICOMWEB_ROOT}/", "EnableWado": True, **settings}
    return orthanc(folder, paths, Plugins=[program("OrthancDicomWeb")], DicomWeb=plugin)


def worklists(folder: Path, files: Path) -> contextlib.AbstractContextManager[Peer]:
    """Run Orthanc with its worklist plugin over a folder of files ``*.wl``."""
    return orthanc(
        folder,
        [],
        Plugins=[program("OrthancWorklists")],
        Worklists={"Enable": True, "Database": str(files)},
        DicomAlwaysAllowFindWorklist=True,
    )


@contextlib.contextmanager
def orthanc(folder: Path, paths: Sequence[Path], **settings: object) -> Iterator[Peer]:
    """Run Orthanc with the instances; anybody may query it. ``settings`` add to its own."""
    port, http_port = settings.pop("DicomPort", None) or free_port(), free_port()
    assert isinstance(port, int)
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "Name": "test",
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "Plugins": [],
                "HttpPort": http_port,
                "RemoteAccessAllowed": False,
                "DicomAet": "ORTHANC",
                "DicomPort": port,
                "DicomCheckCalledAet": False,
                "DicomAlwaysAllowEcho": True,
                "DicomAlwaysAllowFind": True,
                "DicomAlwaysAllowStore": True,
                "OverwriteInstances": True,
                "DefaultEncoding": "Utf8",
                "LimitFindResults": 0,
                "LimitFindInstances": 0,
                **settings,
            }
        )
    )
    log = folder / "orthanc.log"
    with server([program("Orthanc"), str(configuration)], port, log) as process:
        wait_until_listening(process, http_port, log)
        for path in paths:
            url = f"http://127.0.0.1:{http_port}/instances"
            with urllib.request.urlopen(urllib.request.Request(url, path.read_bytes())) as response:
                assert response.status == 200, path
        yield Peer("127.0.0.1", port, "ORTHANC", http_port, process.pid)


def retrieve(peer: Peer, modality: str, level: str, **keys: str) -> None:
    """Have Orthanc find what matches at one of its modalities, and have it moved to itself."""
    url = f"http://127.0.0.1:{peer.http_port}"
    found = _post(f"{url}/modalities/{modality}/query", {"Level": level, "Query": keys})
    _post(f"{url}/queries/{found['ID']}/retrieve", {"TargetAet": peer.aet})


def find_worklist(peer: Peer, modality: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Have Orthanc ask one of its modalities for its worklist; the answers by keyword."""
    url = f"http://127.0.0.1:{peer.http_port}/modalities/{modality}/find-worklist"
    answers: list[dict[str, Any]] = _post(url, {"Query": query, "Simplify": True})
    return answers


def stored_files(peer: Peer) -> list[bytes]:
    """The files of all instances that Orthanc has."""
    url = f"http://127.0.0.1:{peer.http_port}/instances"
    with urllib.request.urlopen(url) as response:
        found: list[str] = json.load(response)
    files = []
    for each in found:
        with urllib.request.urlopen(f"{url}/{each}/file") as response:
            files.append(response.read())
    return files


def _post(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=6 * LONG) as response:
        return json.load(response)

"""STOW-RS by `serve --store --http` and `web --store`, from real clients (PS3.18 10.5)."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from dicomweb_client.api import DICOMwebClient

from dicomquest import find
from dicomquest.scu.outgoing import encoded
from fixtures.faces import EXPLICIT
from fixtures.postgresql_cluster import wait_for
from fixtures.storing import Store, instance, storing, write
from fixtures.stow import MULTIPART, file_bytes, message, uids
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port, wait_until_listening


class Served:
    """A running server that stores, with its HTTP port."""

    def __init__(self, store: Store, port: int) -> None:
        self.store = store
        self.port = port
        self.url = f"http://127.0.0.1:{port}/dicom-web"

    def found(self, study: int) -> list[str]:
        """The instances of a study by QIDO-RS."""
        made = instance(study, 1)
        matches = DICOMwebClient(self.url).search_for_instances(str(made.StudyInstanceUID))
        return sorted(each["00080018"]["Value"][0] for each in matches)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("stow")
    port = free_port()
    options = ("--http", str(port), "--pdu-timeout", "1", "--workers", "2")
    with storing(folder, *options) as store:
        wait_for(lambda: f"listening by HTTP on 127.0.0.1 port {port}" in store.log, "HTTP")
        yield Served(store, port)


@pytest.mark.requirement("WS-030", "WS-038")
@pytest.mark.parametrize("size", [None, 1000])
def test_a_real_client_stores(served: Served, size: int | None) -> None:
    """The client sends chunks for what is larger than ``size``."""
    study = 1 if size is None else 2
    made = [instance(study, number) for number in (1, 2, 3)]
    client = DICOMwebClient(served.url, chunk_size=size or 10**6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = client.store_instances(made)
    expected = sorted(str(each.SOPInstanceUID) for each in made)
    referenced = answer.ReferencedSOPSequence
    assert sorted(each.ReferencedSOPInstanceUID for each in referenced) == expected
    assert "FailedSOPSequence" not in answer
    assert served.found(study) == expected
    by_dimse = find(
        "127.0.0.1", served.store.peer.port, level="IMAGE",
        StudyInstanceUID=made[0].StudyInstanceUID, SOPInstanceUID="",
        SeriesInstanceUID=made[0].SeriesInstanceUID,
    )  # fmt: skip
    assert sorted(each.SOPInstanceUID for each in by_dimse) == expected


@pytest.mark.requirement("WS-026", "WS-027")
def test_curl_stores_files(served: Served, tmp_path: Path) -> None:
    """The recipe of the how-to: one file, and several with chunks from a pipe."""
    first, second = write(tmp_path / "made", [instance(3, 1), instance(3, 2)])
    curl = ["curl", "--silent", "--fail", f"{served.url}/studies"]
    done = subprocess.run(
        [*curl, "-H", "Content-Type: application/dicom", "--data-binary", f"@{first}"],
        check=True, capture_output=True, timeout=LONG,
    )  # fmt: skip
    assert len(uids(json.loads(done.stdout))) == 1
    done = subprocess.run(
        [*curl, "-X", "POST", "-H", f"Content-Type: {MULTIPART}", "-T", "-"],
        input=message([first.read_bytes(), second.read_bytes()]),
        check=True, capture_output=True, timeout=LONG,
    )  # fmt: skip
    assert len(uids(json.loads(done.stdout))) == 2
    assert len(served.found(3)) == 2


def head(length: int) -> bytes:
    return (
        "POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {MULTIPART}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.requirement("WS-026")
def test_a_client_that_dies_leaves_whole_parts(served: Served) -> None:
    made = [file_bytes(instance(4, number, pixels=200_000)) for number in (1, 2)]
    body = message(made)
    with socket.create_connection(("127.0.0.1", served.port), LONG) as client:
        client.sendall(head(len(body)) + body[:-1000])
        wait_for(lambda: len(served.found(4)) == 1, "the whole instance")
    wait_for(lambda: not list(served.store.folder.rglob("*.part")), "the other's file goes")
    assert len(served.found(4)) == 1


def test_a_body_that_stands_still_is_given_up(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), LONG) as client:
        client.sendall(head(1000) + b"--b\r\n")
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.requirement("WS-026")
def test_a_large_body_takes_no_memory(served: Served) -> None:
    """A gigabyte of small parts, of which none is an instance, is listed part for part."""
    before = served.store.resident

    def parts() -> Iterator[bytes]:
        for _ in range(4096):
            yield b"--b\r\n\r\n" + b"x" * 65_536 + b"\r\n"
        yield b"--b--"

    request = urllib.request.Request(
        f"{served.url}/studies", parts(), {"Content-Type": MULTIPART}, method="POST"
    )
    with pytest.raises(urllib.request.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=LONG)
    with refused.value as response:
        assert response.status == 409
        assert len(json.load(response)["0008119A"]["Value"]) == 4096
    assert served.store.resident - before < 64 << 20


@pytest.mark.requirement("WS-030")
def test_the_http_side_stores_alone(tmp_path: Path) -> None:
    """`web --store` has the instance on disk and in the index before it answers."""
    port, log = free_port(), tmp_path / "log"
    command = [
        *COMMAND, "web", "--index", str(tmp_path / "index.sqlite"), "--http", str(port),
        "--store", str(tmp_path / "store"), "--store-layout", "{SOPInstanceUID}.dcm",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
    try:
        wait_until_listening(process, port, log)
        made = instance(1, 1)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/dicom-web/studies/{made.StudyInstanceUID}",
            message([file_bytes(made)]), {"Content-Type": MULTIPART},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=LONG) as response:
            assert response.status == 200
        stored = tmp_path / "store" / f"{made.SOPInstanceUID}.dcm"
        assert stored.read_bytes().endswith(encoded(made, EXPLICIT))
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG) == 0
    finally:
        process.kill()
        process.wait(LONG)
    assert "request 1: STOW-RS ended with 0000" in log.read_text("utf-8")

"""C-STORE with other programs on the other side: they send to us, and we to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from fixtures.programs import program
from fixtures.storing import (
    Store,
    data_set_bytes,
    instance,
    stored_files,
    storing,
    syntax_files,
    write,
    write_large,
)
from fixtures.timing import LONG
from peers import dcmtk, ours
from peers.orthanc import orthanc
from peers.processes import client, free_port, server

LARGE = int(os.environ.get("DICOMQUEST_LARGE_INSTANCE", "200_000_000"))
"""Bytes of pixel data, more than the server's memory may grow by."""
MOST_MEMORY = 150_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with storing(tmp_path) as running:
        yield running


def found(store: Store) -> set[str]:
    """The instances that a client finds now."""
    answers = ours.find(
        store.peer, "IMAGE", {"SOPInstanceUID": ""}, "--offer", "relational", "--as-is"
    )
    return {str(answer["SOPInstanceUID"]) for answer in answers}


def uid_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("option", ["-xs", "-xy", "-xx", "-xv", "-xw", "-xd", "-xb", "-xi"])
def test_storescu_in_each_transfer_syntax(store: Store, option: str) -> None:
    """The server takes each proposal, and storescu converts its files to it where it can."""
    paths = syntax_files()
    command = [
        program("storescu"),
        "-v",
        option,
        "-aec",
        "X",
        "-R",
        "+C",
        store.peer.host,
        str(store.peer.port),
    ]
    sent = [
        path
        for path in paths
        if client([*command, str(path)]).output.count("Received Store Response (Success)")
    ]
    assert sent, store.log
    assert found(store) == {uid_of(path) for path in sent}
    assert set(stored_files(store.folder)) == found(store)


@pytest.mark.peer("storescu")
def test_storescu_sends_each_files_transfer_syntax(store: Store, tmp_path: Path) -> None:
    """storescu sends each file in its own transfer syntax; nothing is transcoded."""
    own = {
        "CT_small.dcm": "-xe", "MR_small_implicit.dcm": "-xi", "ExplVR_BigEnd.dcm": "-xb",
        "JPEG-lossy.dcm": "-xx",
        "GDCMJ2K_TextGBR.dcm": "-xv", "SC_rgb_jpeg_gdcm.dcm": "-xs",
    }  # fmt: skip
    paths = {path.name: path for path in syntax_files()}
    for name, option in own.items():
        done = client(
            [
                program("storescu"),
                option,
                "-R",
                store.peer.host,
                str(store.peer.port),
                str(paths[name]),
            ]
        )
        assert done.status == 0, done.output
        stored = stored_files(store.folder)[uid_of(paths[name])]
        assert (
            dcmread(stored).file_meta.TransferSyntaxUID
            == dcmread(paths[name]).file_meta.TransferSyntaxUID
        )
        assert dcmread(stored).PixelData == dcmread(paths[name]).PixelData


@pytest.mark.peer("storescu")
def test_eight_storescus_at_once(store: Store, tmp_path: Path) -> None:
    folders = [tmp_path / f"sent{study}" for study in range(8)]
    for study, folder in enumerate(folders):
        write(folder, [instance(study, number) for number in range(1, 31)])
    command = [program("storescu"), "-R", "+sd", store.peer.host, str(store.peer.port)]
    running = [
        subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE) for folder in folders
    ]
    assert [process.communicate(timeout=6 * LONG)[1] for process in running] == [b""] * 8
    assert [process.returncode for process in running] == [0] * 8
    assert len(found(store)) == 240 == len(stored_files(store.folder))


def test_large_instance_does_not_grow_server(store: Store, tmp_path: Path) -> None:
    """A multi-frame, a hole of zeros in a file, sent and received a part at a time."""
    path = write_large(tmp_path / "sent", LARGE)
    done = ours.run("send", str(path), store.peer.host, str(store.peer.port))
    assert done.status == 0, done.err
    (stored,) = stored_files(store.folder).values()
    assert stored.stat().st_size >= LARGE
    zeros = subprocess.run(
        ["tail", "-c", str(LARGE), str(stored)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=6 * LONG,
    ).stdout.count(0)
    assert zeros == LARGE
    assert store.resident < MOST_MEMORY
    assert len(found(store)) == 1


@pytest.mark.peer("Orthanc")
def test_orthanc_sends_to_us(store: Store, tmp_path: Path) -> None:
    paths = [
        *write(tmp_path / "sent", [instance(1, number) for number in range(1, 6)]),
        *syntax_files(),
    ]
    modalities = {"us": ["DICOMQUEST", store.peer.host, store.peer.port]}
    (tmp_path / "orthanc").mkdir()
    with orthanc(tmp_path / "orthanc", paths, DicomModalities=modalities) as peer:
        base = f"http://127.0.0.1:{peer.http_port}"
        with urllib.request.urlopen(f"{base}/instances") as response:
            identifiers = json.load(response)
        request = urllib.request.Request(
            f"{base}/modalities/us/store", json.dumps(identifiers).encode()
        )
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
    assert answer["FailedInstancesCount"] == 0, answer
    assert found(store) == {uid_of(path) for path in paths}


def test_pynetdicom_sends_to_us(store: Store, tmp_path: Path) -> None:
    paths = write(tmp_path / "sent", [instance(1, number) for number in range(1, 6)])
    command = [
        sys.executable,
        "-m",
        "pynetdicom",
        "storescu",
        store.peer.host,
        str(store.peer.port),
    ]
    done = client([*command, str(tmp_path / "sent"), "-r", "-cx"])
    assert done.status == 0, done.output
    assert found(store) == {uid_of(path) for path in paths}
    for path in paths:
        assert data_set_bytes(stored_files(store.folder)[uid_of(path)]) == data_set_bytes(path)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_we_send_to_ourselves(store: Store, tmp_path: Path, jobs: str) -> None:
    """In every transfer syntax, byte for byte."""
    for path in syntax_files():
        (tmp_path / "sent").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "sent")
    (tmp_path / "sent" / "note.txt").write_text("no instance")
    done = ours.run(
        "send", str(tmp_path / "sent"), store.peer.host, str(store.peer.port), "--jobs", jobs
    )
    assert done.status == 0, done.err
    assert f"{len(syntax_files())} instances sent" in done.err
    assert "note.txt" in done.err
    stored = stored_files(store.folder)
    for path in syntax_files():
        there, sent = stored[uid_of(path)], data_set_bytes(path)
        assert (
            dcmread(there).file_meta.TransferSyntaxUID == dcmread(path).file_meta.TransferSyntaxUID
        )
        assert data_set_bytes(there) == sent + b"\0" * (len(sent) % 2)
    assert found(store) == set(stored)


@pytest.mark.peer("storescp")
def test_we_send_to_storescp(tmp_path: Path) -> None:
    """storescp accepts every transfer syntax with +xa, only uncompressed ones without."""
    received = tmp_path / "received"
    received.mkdir()
    port = free_port()
    command = [program("storescp"), "+xa", "-od", str(received), str(port)]
    with server(command, port, tmp_path / "log"):
        paths = [str(path) for path in syntax_files()]
        done = ours.run("send", *paths, "127.0.0.1", str(port))
    assert done.status == 0, done.err
    assert {str(dcmread(path).SOPInstanceUID) for path in received.iterdir()} == {
        uid_of(Path(path)) for path in paths
    }


@pytest.mark.peer("storescp")
def test_refused_file_is_named(tmp_path: Path) -> None:
    """For a peer of implicit VR alone, explicit VR is converted and compressed data refused."""
    port = free_port()
    explicit, compressed = (
        str(path) for path in syntax_files() if path.name in ("CT_small.dcm", "JPEG-lossy.dcm")
    )
    with server(
        [program("storescp"), "+xi", "-od", str(tmp_path), str(port)], port, tmp_path / "log"
    ):
        done = ours.run("send", explicit, compressed, "127.0.0.1", str(port))
    assert done.status == 1
    assert "1 instance sent" in done.err
    assert "JPEG-lossy.dcm: the peer did not accept a presentation context" in done.err
    (path,) = [path for path in tmp_path.iterdir() if path.name.startswith("CT")]
    there, sent = dcmread(path), dcmread(explicit)
    assert there.PixelData == sent.PixelData
    assert there.file_meta.TransferSyntaxUID.is_implicit_VR


@pytest.mark.peer("dcmqrscp", "dcmqridx")
def test_we_send_to_dcmqrscp(tmp_path: Path) -> None:
    paths = write(tmp_path / "sent", [instance(1, number) for number in range(1, 6)])
    (tmp_path / "peer").mkdir()
    with dcmtk.dcmqrscp(tmp_path / "peer", []) as peer:
        done = ours.run(
            "send", str(tmp_path / "sent"), peer.host, str(peer.port), "--aec", peer.aet
        )
        assert done.status == 0, done.err
        outcome = dcmtk.findscu(peer, "STUDY", {"StudyInstanceUID": "", "PatientID": "P1"})
    assert len(outcome.answers) == 1
    assert f"{len(paths)} instances sent" in done.err


@pytest.mark.peer("Orthanc")
def test_we_send_to_orthanc(tmp_path: Path) -> None:
    with orthanc(tmp_path, []) as peer:
        done = ours.run("send", *map(str, syntax_files()), peer.host, str(peer.port), "--jobs", "2")
        with urllib.request.urlopen(f"http://127.0.0.1:{peer.http_port}/instances") as response:
            there = json.load(response)
    assert done.status == 0, done.err
    assert len(there) == len(syntax_files())


def test_nobody_listens(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [instance(1, 1)])
    done = ours.run("send", str(path), "127.0.0.1", str(free_port()))
    assert done.status == 1
    assert "no connection to 127.0.0.1 port" in done.err
    assert "Traceback" not in done.err

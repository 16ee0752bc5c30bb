"""Thousands of instances over one association, and one of 500 MB, in flat memory (RT-052)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.programs import program
from fixtures.storing import ROOT, instance, write, write_large
from peers import ours
from peers.processes import Peer, client, free_port, server

MANY = int(os.environ.get("DICOMQUEST_MANY_INSTANCES", "3000"))
LARGE = int(os.environ.get("DICOMQUEST_LARGE_INSTANCE", "500000000"))
MOST_MEMORY = 150_000_000
MANY_STUDY, LARGE_STUDY = f"{ROOT}.1", f"{ROOT}.2"
FIRST = 10_000
STORE_PORT = free_port()

pytestmark = pytest.mark.requirement("RT-052")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def archive(folder: Path) -> Iterator[Peer]:
    write_many(folder / "many")
    write_large(folder / "large", LARGE, study=2)
    ours.index(folder / "index.sqlite", folder / "many", folder / "large")
    configuration = folder / "dicomquest.toml"
    configuration.write_text(f'[destinations.STORE]\nhost = "127.0.0.1"\nport = {STORE_PORT}\n')
    with ours.serve(folder / "index.sqlite", "--config", str(configuration)) as peer:
        yield peer


def write_many(folder: Path) -> None:
    """Write one instance, and the others as that one with another number in it."""
    (first,) = write(folder, [instance(1, FIRST, pixels=2)])
    data = first.read_bytes()
    for number in range(FIRST + 1, FIRST + MANY):
        copy = data.replace(str(FIRST).encode(), str(number).encode())
        (folder / f"{number}.dcm").write_bytes(copy)


def most_memory(folder: Path) -> int:
    """The bytes that the server of a folder had at most, all its processes together."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder / "index.sqlite").encode() in (process / "cmdline").read_bytes():
                status = (process / "status").read_text(encoding="ascii")
                total += int(status.split("VmHWM:")[1].split()[0]) * 1024
    assert total
    return total


def asked(study: str, archive: Peer) -> list[str]:
    return [
        *("-v", "-S", "-aec", archive.aet, "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", f"StudyInstanceUID={study}", archive.host, str(archive.port)),
    ]


@pytest.mark.peer("getscu")
@pytest.mark.parametrize(("study", "count"), [(MANY_STUDY, MANY), (LARGE_STUDY, 1)])
def test_get_needs_little_memory(archive: Peer, folder: Path, study: str, count: int) -> None:
    outcome = client([program("getscu"), "--ignore", *asked(study, archive)])
    assert f"Number of Completed Suboperations : {count}\n" in outcome.output
    assert "Received C-GET Response (Success)" in outcome.output
    assert most_memory(folder) < MOST_MEMORY


@pytest.mark.peer("movescu", "storescp")
@pytest.mark.parametrize(("study", "count"), [(MANY_STUDY, MANY), (LARGE_STUDY, 1)])
def test_move_needs_little_memory(archive: Peer, folder: Path, study: str, count: int) -> None:
    log = folder / "storescp.log"
    command = [program("storescp"), "--ignore", "-v", "-aet", "STORE", str(STORE_PORT)]
    with server(command, STORE_PORT, log):
        moving = [program("movescu"), "-d", "-aem", "STORE", *asked(study, archive)]
        outcome = client(moving)
    assert "Received Final Move Response (Success)" in outcome.output
    taken = log.read_text(encoding="utf-8", errors="replace")
    assert taken.count("Received Store Request") == count
    # One association took them all; the other connection looked whether storescp listens.
    assert taken.count("Association Release") == 1
    assert most_memory(folder) < MOST_MEMORY

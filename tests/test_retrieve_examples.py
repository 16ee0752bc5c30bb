"""Scripts of pynetdicom's users for storage, C-GET and C-MOVE run under either package's name."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from fixtures import retrieve_scripts as scripts
from fixtures.programs import program
from fixtures.timing import LONG
from peers import corpus, dcmtk, ours
from peers.processes import Peer, client, free_port, server

DIRECTIONS = pytest.mark.parametrize(
    ("own", "other"),
    [
        ("dicomquest", "dicomquest"),
        ("dicomquest", "pynetdicom"),
        ("pynetdicom", "dicomquest"),
    ],
)
PATIENT, STUDY = "D-1", corpus.uid(4)
UIDS = [corpus.uid(4, 1, number) for number in (1, 2)]
"""The two CT instances of a study of the corpus."""

GOT = "status 0xff00 1\nstatus 0xff00 2\nstatus 0x0000 2\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    corpus.write(folder)
    return folder


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if dcmread(path).SOPInstanceUID in UIDS]


@contextlib.contextmanager
def running(script: str, log: Path, **words: object) -> Iterator[Peer]:
    """Run a server's script, which raises nothing."""
    port = free_port()
    command = [sys.executable, "-c", script.format(port=port, **words)]
    with server(command, port, log):
        yield Peer("127.0.0.1", port, "ANY-SCP")
    assert "Traceback" not in log.read_text()


def run(script: str, *arguments: str, **words: object) -> str:
    """Run a client's script to its end, and return what it prints."""
    words = {"aet": "SCU", "called": "ANY-SCP", "patient": PATIENT, "study": STUDY, **words}
    done = subprocess.run(
        [sys.executable, "-c", script.format(**words), *arguments],
        capture_output=True, text=True, check=True, timeout=6 * LONG,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.stdout


def check_kept(kept: Path, folder: Path) -> None:
    """The files of a receiver hold the study's instances, as they were."""
    found = {path.name: dcmread(path) for path in kept.iterdir()}
    assert sorted(found) == UIDS
    for path in files(folder):
        sent = dcmread(path)
        assert found[sent.SOPInstanceUID] == sent


@pytest.mark.parametrize(
    ("script", "own", "other"),
    [
        (scripts.STORE_SCP, "dicomquest", "pynetdicom"),
        (scripts.STORE_SCP, "pynetdicom", "dicomquest"),
        (scripts.BYTES_STORE_SCP, "dicomquest", "dicomquest"),
    ],
)
def test_storage_against_each_other(
    script: str, own: str, other: str, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with running(script, tmp_path / "log", package=other, out=str(out)) as scp:
        paths = map(str, files(folder))
        assert run(scripts.STORE_SCU, *paths, package=own, port=scp.port) == "status 0x0000\n" * 2
    check_kept(out, folder)


@pytest.mark.requirement("RT-083")
@DIRECTIONS
def test_get_against_each_other(own: str, other: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    log = tmp_path / "log"
    with running(scripts.GET_SCP, log, package=other, folder=str(folder)) as scp:
        assert run(scripts.GET_SCU, package=own, port=scp.port, out=str(out)) == GOT
    check_kept(out, folder)


@pytest.mark.requirement("RT-083")
@DIRECTIONS
def test_move_against_each_other(own: str, other: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    log, store_port = tmp_path / "log", free_port()
    words = {"folder": str(folder), "store_port": store_port}
    with running(scripts.MOVE_SCP, log, package=other, **words) as scp:
        words = {"package": own, "port": scp.port, "store_port": store_port, "out": str(out)}
        assert run(scripts.MOVE_SCU, **words) == GOT
    check_kept(out, folder)


@pytest.mark.peer("storescu")
def test_storage_scp_against_storescu(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    log = tmp_path / "log"
    with running(scripts.STORE_SCP, log, package="dicomquest", out=str(out)) as scp:
        assert dcmtk.storescu(scp, files(folder)).status == 0
    check_kept(out, folder)


@pytest.mark.requirement("RT-083")
@pytest.mark.peer("getscu")
def test_get_scp_against_getscu(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    log = tmp_path / "log"
    keys = ["QueryRetrieveLevel=STUDY", f"PatientID={PATIENT}", f"StudyInstanceUID={STUDY}"]
    with running(scripts.GET_SCP, log, package="dicomquest", folder=str(folder)) as scp:
        command = [program("getscu"), "-v", "-P", "-od", str(out)]
        options = [each for key in keys for each in ("-k", key)]
        done = client([*command, *options, scp.host, str(scp.port)])
    assert done.status == 0, done.output
    assert sorted(dcmread(path).SOPInstanceUID for path in out.iterdir()) == UIDS


@pytest.mark.requirement("RT-083")
@pytest.mark.peer("movescu")
def test_move_scp_against_movescu(folder: Path, tmp_path: Path) -> None:
    """movescu receives by itself on a port."""
    out = tmp_path / "out"
    out.mkdir()
    log, store_port = tmp_path / "log", free_port()
    keys = ["QueryRetrieveLevel=STUDY", f"PatientID={PATIENT}", f"StudyInstanceUID={STUDY}"]
    words = {"folder": str(folder), "store_port": store_port}
    with running(scripts.MOVE_SCP, log, package="dicomquest", **words) as scp:
        command = [program("movescu"), "-v", "-P", "-aem", "STORE_SCP", "-od", str(out)]
        options = [each for key in keys for each in ("-k", key)]
        done = client([*command, "+P", str(store_port), *options, scp.host, str(scp.port)])
    assert done.status == 0, done.output
    assert sorted(dcmread(path).SOPInstanceUID for path in out.iterdir()) == UIDS


@pytest.mark.peer("storescp")
def test_storage_scu_against_storescp(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    port = free_port()
    with server([program("storescp"), "-od", str(out), str(port)], port, tmp_path / "log"):
        answers = run(scripts.STORE_SCU, *map(str, files(folder)), package="dicomquest", port=port)
    assert answers == "status 0x0000\n" * 2
    assert sorted(dcmread(path).SOPInstanceUID for path in out.iterdir()) == UIDS


@pytest.mark.peer("dcmqrscp")
def test_scus_against_dcmqrscp(folder: Path, tmp_path: Path) -> None:
    got, moved, archive = (tmp_path / name for name in ("got", "moved", "archive"))
    for path in (got, moved, archive):
        path.mkdir()
    destination = Peer("127.0.0.1", free_port(), "STORE_SCP")
    with dcmtk.dcmqrscp(archive, files(folder), [destination]) as peer:
        words = {"package": "dicomquest", "port": peer.port, "called": peer.aet}
        printed = run(scripts.GET_SCU, **words, out=str(got))
        assert printed.endswith("status 0x0000 2\n")
        printed = run(scripts.MOVE_SCU, **words, store_port=destination.port, out=str(moved))
        assert printed.endswith("status 0x0000 2\n")
    check_kept(got, folder)
    check_kept(moved, folder)


def test_scus_against_serve(folder: Path, tmp_path: Path) -> None:
    """The same scripts fetch from an index that ``dicomquest serve`` answers from."""
    got, moved = (tmp_path / name for name in ("got", "moved"))
    got.mkdir()
    moved.mkdir()
    location, store_port = tmp_path / "index.sqlite", free_port()
    configuration = tmp_path / "dicomquest.toml"
    configuration.write_text(
        f'[destinations.STORE_SCP]\nhost = "127.0.0.1"\nport = {store_port}\n', encoding="utf-8"
    )
    ours.index(location, folder)
    with ours.serve(location, "--config", str(configuration)) as peer:
        words = {"package": "dicomquest", "port": peer.port, "called": peer.aet}
        printed = run(scripts.GET_SCU, **words, out=str(got))
        assert printed.endswith("status 0x0000 2\n")
        printed = run(scripts.MOVE_SCU, **words, store_port=store_port, out=str(moved))
        assert printed.endswith("status 0x0000 2\n")
    check_kept(got, folder)
    check_kept(moved, folder)

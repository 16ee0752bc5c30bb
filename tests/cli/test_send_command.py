"""`dicomquest send`: the files that it leaves out, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pynetdicom
import pytest
from click.testing import CliRunner
from pydicom import DataElement
from pydicom.data import get_testdata_file
from pydicom.uid import CTImageStorage
from pynetdicom.events import Event

from dicomquest.cli import main
from dicomquest.index.ingest.instance import Reason
from dicomquest.scu.outgoing import Instance, describe
from fixtures.faces import RawPeer, raw_acceptor, serving
from fixtures.programs import program
from fixtures.storing import instance, syntax_files, write
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port, server

INTERRUPTED = "Error: interrupted; the peer has stored the files that it answered\n"


def test_dicomdir_is_left_out_as_what_it_is() -> None:
    """The summary, in the words of `dicomquest index`."""
    path = str(get_testdata_file("DICOMDIR", download=False))
    result = CliRunner().invoke(main, ["send", path, "127.0.0.1", str(free_port())])
    assert result.exit_code == 1
    assert (
        result.stderr
        == f"skipped: {path}: {Reason.DICOMDIR.value}\nError: there is no DICOM file to send\n"
    )


@pytest.mark.parametrize("place", ["walk", "describe", "groups"])
def test_ctrl_c_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    write(tmp_path, [instance(1, 1)])
    monkeypatch.setattr(f"dicomquest.cli.send_queue.{place}", interrupt)
    result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    assert (result.exit_code, result.stderr) == (130, INTERRUPTED)


@pytest.mark.peer("storescp")
def test_odd_values_that_change_form_do_not_warn(tmp_path: Path) -> None:
    """Odd values converted for a peer that takes implicit VR alone give no warning."""
    made = instance(1, 1)
    for keyword, vr, value in (
        ("PatientID", "LO", "P" * 255),
        ("StudyInstanceUID", "UI", "1..2.a"),
    ):
        made[keyword] = DataElement(keyword, vr, value, already_converted=True)
    write(tmp_path / "sent", [made])
    (tmp_path / "received").mkdir()
    port = free_port()
    peer = [program("storescp"), "+xi", "-od", str(tmp_path / "received"), str(port)]
    command = [
        COMMAND[0],
        *COMMAND[3:],
        "send",
        "--quiet",
        str(tmp_path / "sent"),
        "127.0.0.1",
        str(port),
    ]
    with server(peer, port, tmp_path / "log"):
        done = subprocess.run(
            command, capture_output=True, check=False, env=ENVIRONMENT, timeout=6 * LONG
        )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    (path,) = (tmp_path / "received").iterdir()
    assert path.read_bytes().count(b"P" * 255) == 1


def test_class_that_the_peer_takes_not_fails_alone(tmp_path: Path) -> None:
    """Files of which the peer accepts no context fail one by one, and each is named."""
    write(tmp_path, [instance(1, 1), instance(1, 2)])
    with serving() as port:
        result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(port)])
    assert result.exit_code == 1
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert all("did not accept a presentation context for CT Image" in line for line in failed)


def cut_files(folder: Path) -> list[Path]:
    """Files that end within pixel data, native and encapsulated, a header, a deflated data set."""
    folder.mkdir()
    names = ("CT_small.dcm", "JPEG-lossy.dcm", "image_dfl.dcm")
    wholes = [Path(str(get_testdata_file(name, download=False))) for name in names]
    for whole in wholes:
        (folder / whole.name).write_bytes(whole.read_bytes()[:-1000])
    (folder / "header.dcm").write_bytes(wholes[0].read_bytes()[:1000])
    return sorted(folder.iterdir())


def test_truncated_files_are_refused_at_once(tmp_path: Path) -> None:
    """No peer waits for their ends: they are skipped before an association is asked for."""
    ct, jpeg, header, deflated = cut_files(tmp_path / "cut")
    result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"skipped: {ct}: truncated (39068 bytes expected, 38206 there)",
        f"skipped: {jpeg}: truncated (pixel data without an end)",
        f"skipped: {header}: truncated (1066 bytes expected, 1000 there)",
        f"skipped: {deflated}: truncated (a deflated data set without its end)",
        "Error: there is no DICOM file to send",
    ]


def test_reason_of_truncated_file_is_that_of_index(tmp_path: Path) -> None:
    ct, _, header, _ = cut_files(tmp_path / "cut")
    index = str(tmp_path / "index.sqlite")
    indexed = CliRunner().invoke(main, ["index", "-v", "--index", index, str(tmp_path / "cut")])
    sent = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    for path in (ct, header):
        (line,) = (each for each in sent.stderr.splitlines() if f"{path}:" in each)
        assert line in indexed.stderr.splitlines()


def test_whole_files_of_each_syntax_count_as_whole() -> None:
    for path in syntax_files():
        assert describe(path).sop_instance_uid


def test_closed_port_is_told_before_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files behind the first hundred are not looked at."""
    read = []

    def counted(path: str) -> Instance:
        read.append(path)
        return describe(path)

    write(tmp_path, [instance(1, number) for number in range(150)])
    monkeypatch.setattr("dicomquest.cli.send_queue.describe", counted)
    result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no connection to ")
    assert "Connection refused\n  Nothing listens there" in result.stderr
    assert len(read) == 100


def test_summary_names_no_rate_without_bytes(tmp_path: Path) -> None:
    write(tmp_path, [instance(1, 1)])
    result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    assert "/s)" not in result.stderr
    assert result.stderr.startswith("0 instances sent in ")


def file_that_cannot_change_its_form(folder: Path) -> Path:
    """Write a file in explicit VR with a VR that its value does not fit."""
    (whole,) = write(folder, [instance(1, 1)])
    data = whole.read_bytes()
    (folder / "odd.dcm").write_bytes(data.replace(b"\x20\x00\x13\x00IS", b"\x20\x00\x13\x00FL", 1))
    whole.unlink()
    return folder / "odd.dcm"


@pytest.mark.peer("storescp")
def test_unconvertible_file_fails_rest_is_sent(tmp_path: Path) -> None:
    """A file that cannot change to implicit VR fails; the rest is sent."""
    odd = file_that_cannot_change_its_form(tmp_path / "sent")
    write(tmp_path / "sent" / "good", [instance(1, 2), instance(1, 3)])
    with storescp(tmp_path, "+xi") as send:
        done = send(tmp_path / "sent")
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith(
        f"failed: {odd}: a value cannot be brought to Implicit VR Little Endian ("
    )
    assert lines[1].startswith("2 instances sent in ")
    assert lines[1].endswith(" kB/s), 1 failed, 0 files skipped")
    assert len(lines) == 2


@pytest.mark.peer("storescp")
@pytest.mark.parametrize(
    ("taken", "name"), [("+xe", "MR_small_implicit.dcm"), ("+xi", "CT_small.dcm")]
)
def test_peer_of_one_form_gets_that(tmp_path: Path, taken: str, name: str) -> None:
    with storescp(tmp_path, taken) as send:
        done = send(Path(str(get_testdata_file(name, download=False))))
    assert done.returncode == 0, done.stderr.decode()
    assert len(list((tmp_path / "received").iterdir())) == 1


@contextlib.contextmanager
def storescp(
    folder: Path, *options: str
) -> Iterator[Callable[[Path], subprocess.CompletedProcess[bytes]]]:
    """Run DCMTK's server; yield a function that sends it the files of a folder."""
    (folder / "received").mkdir()
    port = free_port()

    def send(path: Path) -> subprocess.CompletedProcess[bytes]:
        command = [*COMMAND, "send", str(path), "127.0.0.1", str(port)]
        return subprocess.run(
            command, capture_output=True, check=False, env=ENVIRONMENT, timeout=6 * LONG
        )

    peer = [program("storescp"), *options, "-od", str(folder / "received"), str(port)]
    with server(peer, port, folder / "log"):
        yield send


def test_warning_of_the_peer_is_told(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [instance(1, 1)])

    def answer(_: Event) -> int:
        return 0xB000

    ae = pynetdicom.AE()
    ae.add_supported_context(CTImageStorage)
    peer = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, answer)]
    )
    assert peer is not None
    try:
        result = CliRunner().invoke(
            main, ["send", str(path), "127.0.0.1", str(peer.server_address[1])]
        )
    finally:
        peer.shutdown()
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"sent: {path}: status B000, ")
    assert ", 1 of them with a warning, 0 failed" in lines[1]


def test_ctrl_c_while_peer_does_not_answer(tmp_path: Path) -> None:
    write(tmp_path, [instance(1, 1)])

    def interrupt(peer: RawPeer) -> None:
        peer.receive()  # the association request, so the command is at work
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=LONG)
        assert (running.returncode, err.decode()) == (130, INTERRUPTED)

    with raw_acceptor(interrupt) as port:
        command = [*COMMAND, "send", str(tmp_path), "127.0.0.1", str(port)]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)

"""`dicomquest send`: what it leaves out and why, and what Ctrl-C makes of it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import DataElement
from pydicom.data import get_testdata_file

from dicomquest.cli import main
from dicomquest.index.received import Reason
from faces_fixtures import RawPeer, raw_acceptor
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port, server
from programs import program
from storing import instance, write
from timing import LONG

INTERRUPTED = "Error: interrupted; what was answered is stored at the peer\n"


def test_a_dicomdir_is_left_out_as_what_it_is() -> None:
    """In the words of `dicomquest index`."""
    path = str(get_testdata_file("DICOMDIR", download=False))
    result = CliRunner().invoke(main, ["send", path, "127.0.0.1", str(free_port())])
    assert result.exit_code == 1
    assert result.stderr == f"skipped: {path}: {Reason.DICOMDIR.value}\nError: no DICOM file to send\n"


@pytest.mark.parametrize("place", ["walk", "describe", "groups"])
def test_ctrl_c_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    write(tmp_path, [instance(1, 1)])
    monkeypatch.setattr(f"dicomquest.cli.send_app.{place}", interrupt)
    result = CliRunner().invoke(main, ["send", str(tmp_path), "127.0.0.1", str(free_port())])
    assert (result.exit_code, result.stderr) == (130, INTERRUPTED)


@pytest.mark.peer("storescp")
def test_odd_values_that_change_their_form_are_no_warnings(tmp_path: Path) -> None:
    """The peer takes implicit VR alone."""
    made = instance(1, 1)
    for keyword, vr, value in (("PatientID", "LO", "P" * 255), ("StudyInstanceUID", "UI", "1..2.a")):
        made[keyword] = DataElement(keyword, vr, value, already_converted=True)
    write(tmp_path / "sent", [made])
    (tmp_path / "received").mkdir()
    port = free_port()
    peer = [program("storescp"), "+xi", "-od", str(tmp_path / "received"), str(port)]
    command = [COMMAND[0], *COMMAND[3:], "send", "--quiet", str(tmp_path / "sent"), "127.0.0.1", str(port)]
    with server(peer, port, tmp_path / "log"):
        done = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    (path,) = (tmp_path / "received").iterdir()
    assert path.read_bytes().count(b"P" * 255) == 1


def test_ctrl_c_while_the_peer_does_not_answer(tmp_path: Path) -> None:
    write(tmp_path, [instance(1, 1)])

    def interrupt(peer: RawPeer) -> None:
        peer.receive()  # the association request, so that it is under way
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=LONG)
        assert (running.returncode, err.decode()) == (130, INTERRUPTED)

    with raw_acceptor(interrupt) as port:
        command = [*COMMAND, "send", str(tmp_path), "127.0.0.1", str(port)]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)

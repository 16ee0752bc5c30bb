"""`dicomquest serve` as a process: it starts, shares its port, and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from dicomquest.dimse.commands import CStoreRQ
from dicomquest.pdu.items import PresentationContextRQ
from dicomquest.pdu.pdus import AAssociateRQ, encode
from dicomquest.pdu.user_information import UserInformation
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from fixtures.faces import raw_requestor
from fixtures.postgresql_cluster import wait_for
from fixtures.serving import serving
from fixtures.timing import LONG
from peers import corpus, ours


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    ours.index(folder / "index.sqlite", folder / "files")
    return folder / "index.sqlite"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_cleanly(
    index: Path, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    with serving(index, tmp_path, "--workers", workers) as server:
        with socket.create_connection(("127.0.0.1", server.port)):  # a connected, silent peer
            server.process.send_signal(number)
            assert server.process.wait(LONG) == 0, server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_the_whole_group_cleanly(index: Path, tmp_path: Path, workers: str) -> None:
    """Ctrl-C reaches the whole process group and ends it cleanly."""
    with serving(index, tmp_path, "--workers", workers) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(LONG) == 0, server.log
        assert "Traceback" not in server.log


def test_workers_share_the_port(index: Path, tmp_path: Path) -> None:
    with serving(index, tmp_path, "--workers", "2") as server:
        wait_for(lambda: len(server.listening()) == 2, "two workers that listen")
        pids = set()
        # The kernel spreads connections by address: of this many, each worker gets some.
        for _ in range(64):
            assert associate(server.port) == b"\x02"
            pids = set(re.findall(r"^\S+ \S+ (\d+) INFO association", server.log, re.MULTILINE))
            if len(pids) == 2:
                break
        server.process.terminate()
        assert server.process.wait(LONG) == 0
        pids = set(re.findall(r"^\S+ \S+ (\d+) INFO association", server.log, re.MULTILINE))
        assert len(pids) == 2


def associate(port: int) -> bytes:
    """Ask for an association and go away; return the type of the answering PDU."""
    context = PresentationContextRQ(1, "1.2.840.10008.1.1", (IMPLICIT_VR_LITTLE_ENDIAN,))
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as connection:
        connection.sendall(encode(AAssociateRQ("ANY-SCP", "TEST", (context,), UserInformation())))
        return connection.recv(1)


def test_no_peer_writes_lines_of_the_log(index: Path, tmp_path: Path) -> None:
    """Line breaks and escape sequences of AE titles and UIDs are escaped."""
    rq = AAssociateRQ(
        "ANY-SCP",
        "MARK1",
        (PresentationContextRQ(1, "1.2.840.10008.1.1", (IMPLICIT_VR_LITTLE_ENDIAN,)),),
        UserInformation(),
    )
    with serving(index, tmp_path) as server, raw_requestor(server.port, None) as peer:
        peer.send(encode(rq).replace(b"MARK1", b"\n\x1b[2J"))
        peer.receive()
        peer.send_command(
            CStoreRQ(
                message_id=7,
                affected_sop_class_uid="1.2.840.10008.1.1",
                affected_sop_instance_uid="1\n\x1b[1A2",
            ),
            b"\0\0",
            context_id=1,
        )
        peer.receive_command()
        log = server.log_with("C-STORE-RQ")
    assert "requested by \\x0a\\x1b[2J at 127.0.0.1" in log
    assert "\x1b" not in log
    assert all(re.match(r"\d{4}-\d\d-\d\d ", line) for line in log.splitlines())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_that_is_taken_is_said_so(index: Path, workers: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = ours.run("serve", "--index", str(index), "--port", port, "--workers", workers)
    assert done.status == 1
    assert f"Error: cannot listen on 127.0.0.1 port {port}: " in done.err
    assert "Traceback" not in done.err


def test_missing_index_error_says_how_to_make_one(tmp_path: Path) -> None:
    done = ours.run("serve", "--index", str(tmp_path / "none.sqlite"))
    assert done.status == 1
    assert "there is no index at" in done.err
    assert "dicomquest index PATH" in done.err


def test_bad_certificate_is_wrong_command_line(index: Path, tmp_path: Path) -> None:
    """A file that is no certificate is a wrong command line."""
    (tmp_path / "cert.pem").write_text("nonsense")
    done = ours.run("serve", "--index", str(index), "--tls-cert", str(tmp_path / "cert.pem"))
    assert done.status == 2
    assert "TLS: cannot use" in done.err


def test_it_listens_on_loopback_only(index: Path, tmp_path: Path) -> None:
    with serving(index, tmp_path) as server:
        assert server.log_with("listening on 127.0.0.1 port")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(
                ("127.0.0.2", server.port), timeout=LONG
            )  # 0.0.0.0 would have answered there

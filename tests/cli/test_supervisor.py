"""Workers die and others take their places; orders and signals reach them all."""

from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from dicomquest.cli.supervisor import LONGEST_PAUSE, Supervisor, pause_after
from dicomquest.dimse.command_sets import decode_command
from dicomquest.dimse.commands import CFindRSP
from dicomquest.index import Index
from dicomquest.pdu.pdus import AAbort, PDataTF
from dicomquest.sync import Association
from fixtures.building import instance
from fixtures.faces import HOST, RawPeer, raw_requestor, scu
from fixtures.postgresql_cluster import runs, wait_for
from fixtures.serving import Running, serving
from fixtures.timing import LONG, SHORT
from peers import certificates

MANY = 1600
"""Instances whose answers fill all buffers between server and peer, at 10 KB each."""

ALL_COMMENTS = (
    bytes.fromhex("0800 5200 0600 0000") + b"IMAGE " + bytes.fromhex("2000 0040 0000 0000")
)
"""QueryRetrieveLevel IMAGE and ImageComments without a value, in Implicit VR Little Endian."""

FOREVER = ("--grace", "3600")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("supervised") / "index.sqlite"
    with Index(path) as made:
        made.ingest_data_sets(
            instance(number, ImageComments="x" * 10_000) for number in range(1, MANY + 1)
        )
    return path


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [pause_after(deaths) for deaths in range(40)]
    assert pauses[:4] == [0, 0.5, 1, 2]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_dead_worker_is_replaced(index: Path, tmp_path: Path) -> None:
    """Only the associations of the dead one are lost."""
    with serving(index, tmp_path, "--workers", "2") as server, ExitStack() as held:
        wait_for(lambda: len(server.listening()) == 2, "both workers listen")
        associations = [held.enter_context(scu().associate(HOST, server.port)) for _ in range(32)]
        wait_for(lambda: server.log.count(": requested by") == 32, "all associations in the log")
        dead, alive = server.listening()
        lost = server.log.count(f" {dead} INFO association")
        os.kill(dead, signal.SIGKILL)
        wait_for(lambda: len(server.listening()) == 3, "a third worker listens")
        assert f"server process {dead} ended by SIGKILL" in server.log
        assert server.workers == {alive, server.listening()[-1]}
        assert [answers(each) for each in associations].count(False) == lost
        assert 0 < lost < len(associations)
        with scu().associate(HOST, server.port) as association:
            assert association.send_c_echo().Status == 0
        server.process.terminate()
        assert server.process.wait(LONG) == 0, server.log


def answers(association: Association) -> bool:
    try:
        return bool(association.send_c_echo().get("Status") == 0)
    except RuntimeError:  # it has ended
        return False


def test_killed_parent_leaves_no_worker(index: Path, tmp_path: Path) -> None:
    with serving(index, tmp_path, "--workers", "2") as server:
        wait_for(lambda: len(server.listening()) == 2, "both workers listen")
        workers = server.workers
        server.process.kill()
        wait_for(lambda: not any(map(runs, workers)), "the workers end")


def test_worker_that_cannot_start_ends_all(index: Path, tmp_path: Path) -> None:
    """A server that never served says why at once, and does not try for ever."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(AssertionError, match="ended with 1") as failure,
            serving(index, tmp_path, "--workers", "2", "--port", str(port)),
        ):
            pass
    assert f"cannot listen on {HOST} port {port}" in str(failure.value)


def unread_find(peer: RawPeer) -> None:
    """Ask for everything, and read only the first answer."""
    peer.send_find(identifier=ALL_COMMENTS)
    assert isinstance(peer.receive(), PDataTF)


def statuses_to_the_end(peer: RawPeer) -> tuple[list[int], object]:
    """Read all: the statuses of the responses, and the last PDU behind them."""
    statuses = []
    while isinstance(pdu := peer.receive(), PDataTF):
        for pdv in pdu.pdvs:
            if pdv.is_command:
                command = decode_command(pdv.fragment)
                assert isinstance(command, CFindRSP)
                statuses.append(command.status)
    return statuses, pdu


@pytest.mark.parametrize("workers", ["1", "2"])
def test_running_find_ends_after_sigterm(index: Path, tmp_path: Path, workers: str) -> None:
    """Its peer gets all matches; nobody else gets an association meanwhile."""
    with (
        serving(index, tmp_path, "--workers", workers, *FOREVER) as server,
        raw_requestor(server.port) as peer,
    ):
        unread_find(peer)
        server.process.terminate()
        server.log_with("ending")
        wait_for(lambda: is_refused(server.port), "no connection is accepted")
        statuses, last = statuses_to_the_end(peer)
        assert statuses[-1] == 0
        assert len(statuses) > MANY - 10  # some came before
        assert isinstance(last, AAbort)
        assert server.process.wait(LONG) == 0, server.log


def is_refused(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=LONG):
            return False
    except OSError:
        return True


@pytest.mark.parametrize("workers", ["1", "2"])
def test_second_signal_ends_at_once(index: Path, tmp_path: Path, workers: str) -> None:
    with (
        serving(index, tmp_path, "--workers", workers, *FOREVER) as server,
        raw_requestor(server.port) as peer,
    ):
        unread_find(peer)
        # As systemd does, to all processes: a worker's own signal is no second one.
        os.killpg(server.process.pid, signal.SIGTERM)
        server.log_with("ending")
        assert not has_ended(server)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(LONG) == 0, server.log
        assert "ending at once" in server.log


def has_ended(server: Running) -> bool:
    time.sleep(SHORT)
    return server.process.poll() is not None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_grace_time_runs_out(index: Path, tmp_path: Path, workers: str) -> None:
    with (
        serving(index, tmp_path, "--workers", workers, "--grace", "0.1") as server,
        raw_requestor(server.port) as peer,
    ):
        unread_find(peer)
        server.process.terminate()
        assert server.process.wait(LONG) == 0, server.log
        assert 0 not in statuses_to_the_end(peer)[0]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_reads_the_settings_again(index: Path, tmp_path: Path, workers: str) -> None:
    """No association is lost; a wrong file is told, and the earlier settings stay."""
    config = tmp_path / "dicomquest.toml"
    config.write_text('aet = "FIRST"\ncheck-aet = true\n')
    options = ("--workers", workers, "--config", str(config))
    with serving(index, tmp_path, *options) as server, ExitStack() as held:
        first = held.enter_context(calling(server.port, "FIRST"))
        config.write_text('aet = "SECOND"\ncheck-aet = true\n')
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: is_known(server.port, "SECOND"), "SECOND is known")
        assert first.send_c_echo().Status == 0
        config.write_text('aet = "THIRD"\ncheck-aets = true\n')
        server.process.send_signal(signal.SIGHUP)
        assert "did you mean 'check-aet'" in server.log_with("the settings stay as they are")
        assert is_known(server.port, "SECOND")
        assert first.send_c_echo().Status == 0
        server.process.terminate()
        assert server.process.wait(LONG) == 0, server.log
        assert "Traceback" not in server.log


KNOWN = """
[access]
known-only = true
[peers.{title}]
addresses = ["{address}"]
"""


def test_sighup_reads_who_may_ask_again(index: Path, tmp_path: Path) -> None:
    config = tmp_path / "dicomquest.toml"
    config.write_text(KNOWN.format(title="SCU", address=HOST))
    with serving(index, tmp_path, "--config", str(config)) as server, ExitStack() as held:
        first = held.enter_context(calling(server.port, "ANY"))
        assert first.is_established
        config.write_text(KNOWN.format(title="SCU", address="192.0.2.1"))
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not is_known(server.port, "ANY"), "another address is demanded")
        assert first.send_c_echo().Status == 0


def test_sighup_reads_certificates_again(index: Path, tmp_path: Path) -> None:
    """New connections see the new one; the association under the old one goes on."""
    pem = certificates.make(tmp_path)
    options = ("--tls-cert", pem.server.cert, "--tls-key", pem.server.key)
    with serving(index, tmp_path, *options) as server, ExitStack() as held:
        first = held.enter_context(
            scu().associate(HOST, server.port, tls_args=(trusting(pem.ca), HOST))
        )
        assert first.send_c_echo().Status == 0
        before = Path(pem.server.cert).read_text("ascii")
        assert certificate_of(server.port) == before
        certificates.make(tmp_path)
        after = Path(pem.server.cert).read_text("ascii")
        assert after != before
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: certificate_of(server.port) == after, "the new certificate is shown")
        Path(pem.server.cert).write_text("nonsense", "ascii")
        server.process.send_signal(signal.SIGHUP)
        server.log_with("the settings stay as they are: TLS: cannot use")
        assert certificate_of(server.port) == after
        assert first.send_c_echo().Status == 0


def trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def certificate_of(port: int) -> str:
    return ssl.get_server_certificate((HOST, port), timeout=LONG)


def calling(port: int, title: str) -> Association:
    return scu().associate(HOST, port, ae_title=title)


def is_known(port: int, title: str) -> bool:
    with calling(port, title) as association:
        return association.is_established


def test_fork_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory or processes for a new worker, the others go on."""
    supervisor = Supervisor(1, lambda _: None, grace=lambda: 0.0, reload=bytes)
    (worker,) = supervisor._workers
    supervisor._is_serving = True

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    supervisor._start(worker)
    assert worker.pid == 0
    wait = supervisor._seconds_to_wait()
    assert wait is not None
    assert 0 < wait <= pause_after(1)
    supervisor._is_serving = False
    with pytest.raises(BlockingIOError):
        supervisor._start(worker)
    supervisor._selector.close()

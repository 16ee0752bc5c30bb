"""Under a service manager: its sockets are taken over, and it is told when we are ready."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.cli.systemd import inherited_sockets, tell_manager
from fixtures.faces import HOST, scu
from fixtures.timing import LONG
from peers import corpus, ours
from peers.ours import COMMAND, ENVIRONMENT

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.executable, [sys.executable, *sys.argv[2:]],
          {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
"""
"""Becomes a program that has a socket as systemd passes it."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which a service manager hears of its services."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(LONG)
        yield listening


def test_states_reach_the_manager(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname()}
    tell_manager("READY=1", environment)
    assert manager.recv(100) == b"READY=1"
    tell_manager("RELOADING=1", environment)
    assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_no_manager_hears_nothing(tmp_path: Path) -> None:
    tell_manager("READY=1", {})
    tell_manager("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    "environment",
    [{}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, {"LISTEN_FDS": "x", "LISTEN_PID": "SELF"}],
)
def test_sockets_of_others_are_left_alone(environment: dict[str, str]) -> None:
    own = {key: value.replace("SELF", str(os.getpid())) for key, value in environment.items()}
    assert inherited_sockets(own) == []
    assert own == {}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_takes_over_a_socket(tmp_path: Path, manager: socket.socket, workers: str) -> None:
    """It listens on the socket that it was given, tells when it is ready, and when it ends."""
    (tmp_path / "files").mkdir()
    corpus.write(tmp_path / "files")
    ours.index(tmp_path / "index.sqlite", tmp_path / "files")
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        options = ["--index", str(tmp_path / "index.sqlite"), "--workers", workers]
        number = str(listening.fileno())
        with subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, number, *COMMAND[1:], "serve", *options],
            pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL,
            env={**ENVIRONMENT, "NOTIFY_SOCKET": manager.getsockname()},
        ) as process:  # fmt: skip
            assert manager.recv(100) == b"READY=1"
            with scu().associate(HOST, port) as association:
                assert association.send_c_echo().Status == 0
            process.terminate()
            assert manager.recv(100) == b"STOPPING=1"
            assert process.wait(LONG) == 0

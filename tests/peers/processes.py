"""Other people's programs as processes: start one, wait until it listens, end it."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.timing import LONG, MS


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM node that listens."""

    host: str
    port: int
    aet: str
    http_port: int = 0
    pid: int = 0


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def ports_of_servers(count: int) -> list[int]:
    """Free ports that no client will get before a server has bound them."""
    try:
        first_of_clients = int(
            Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
        )
    except OSError:
        first_of_clients = 32768
    found: list[int] = []
    for port in random.sample(range(10_000, first_of_clients), 10 * count):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            found.append(port)
    return found[:count]


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Connect until somebody answers; fail when the process or the time has ended."""
    command, deadline = process.args, time.monotonic() + 3 * LONG
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(
                f"{command!r} ended with {process.returncode}:\n{log.read_text(errors='replace')}"
            )
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=LONG),
        ):
            return
        time.sleep(20 * MS)  # a peer announces in no other way that it listens
    raise AssertionError(
        f"{command!r} does not listen on {port}:\n{log.read_text(errors='replace')}"
    )


@contextlib.contextmanager
def server(
    command: Sequence[str], port: int, log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for as long as the block lasts; its output goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=environment,
        )
        try:
            wait_until_listening(process, port, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(LONG)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(LONG)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a client program: its exit status and its output."""

    status: int
    output: str


def client(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a client program to its end."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=6 * LONG,
        check=False, env=environment,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"))

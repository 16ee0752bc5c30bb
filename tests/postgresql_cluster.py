"""A throw-away PostgreSQL cluster: a primary and its streaming replicas, started, killed and promoted by a test.

Nothing outlives the process that started it: the kernel sends the servers their signal when that process dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg

from peers.processes import free_port
from programs import program
from timing import LONG, MS

PROGRAMS = ("initdb", "postgres", "pg_basebackup")
"""What a cluster is made with."""

SUPERUSER = "postgres"

# For data that nobody will miss.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",  # a worker in a template keeps it from being copied, and would change plans between two runs
    "max_connections": "200",
    "log_min_messages": "warning",
    "max_wal_size": "4GB",
    "wal_retrieve_retry_interval": "100ms",  # a replica that has lost its primary may sleep this long before it obeys
}

# What a crash must not lose.
# SIGKILL leaves what was written to the kernel's memory, so fsync would show nothing.
DURABLE: Mapping[str, str] = {"synchronous_commit": "on"}

_PR_SET_PDEATHSIG = 1
_ATTEMPTS = 3
_numbers = itertools.count(1)


def _user() -> str | None:
    """Whose process a server is: initdb and postgres refuse to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def die_with_parent() -> None:
    """In the child: an immediate shutdown when the tests' process is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def as_user() -> dict[str, Any]:
    """What has Popen start a server's program as a user who may run it."""
    user = _user()
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


class Cluster:
    """A server with a folder of its own, listening on loopback and on a socket in that folder."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        """``settings`` are added to ``SETTINGS``: pass ``DURABLE`` to a test of crashes."""
        self.settings = {**SETTINGS, **(settings or {})}
        # Short: the path of a socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="dq-pg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._primary: Cluster | None = None
        self._replicas: list[Cluster] = []
        user = _user()
        if user is not None:
            shutil.chown(self.folder, user)

    def start(self) -> Self:
        """Make the data folder if there is none, and run the server until it lets clients in."""
        try:
            if not self.data.is_dir():
                self._make_data()
            for _ in range(_ATTEMPTS):
                # Kept over a restart, as clients know it.
                self.port = self.port or free_port()
                self._run()
                if self._becomes_ready():
                    return self
                # Somebody else was quicker to take the port.
                assert "could not bind" in self._output(), f"PostgreSQL does not start:\n{self._output()}"
                self.port = 0
        except BaseException:
            self.kill()
            raise
        raise AssertionError(f"PostgreSQL finds no free port:\n{self._output()}")

    def stop(self) -> None:
        """End the server and its replicas at once, and remove their folders."""
        for replica in self._replicas:
            replica.stop()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End the server as a crash does: SIGKILL for it and all its processes; ``start`` recovers its folder."""
        process, self._process = self._process, None
        if process is None:
            return
        below = children(process.pid)
        for pid in (process.pid, *below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(LONG)
        wait_for(lambda: not any(map(runs, below)), "the server's processes end")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def address(self) -> str:
        """Host and port, as one part of a multi-host URL."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "postgres", **parameters: str) -> str:
        """Return a libpq URL; ``parameters`` go behind its question mark."""
        return multi_host_url([self], database, **parameters)

    def query(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement, committed at once, and return its rows if it has any."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement.encode(), values or None)  # bytes: not every statement is a literal
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Create a database, empty or as a copy of ``template`` (nobody may be connected to that); return its URL."""
        name = name or f"test_{next(_numbers)}"
        self.query(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextlib.contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """Have a database for as long as the block lasts; yield its URL."""
        name = f"test_{next(_numbers)}"
        url = self.create_database(name, template)
        try:
            yield url
        finally:
            if self.is_running:
                self.drop_database(name)

    def replica(self, *, synchronous: bool = False) -> Cluster:
        """Start a streaming replica, and wait until it streams; synchronous: a commit here waits for it."""
        replica = Cluster(self.settings)
        replica._primary = self
        self._replicas.append(replica)
        name = f"replica_{next(_numbers)}"
        _run_to_end(
            program("pg_basebackup"), "--pgdata", str(replica.data), "--checkpoint=fast", "--wal-method=stream",
            "--no-sync", "--write-recovery-conf", "--dbname", f"{self.url()}?application_name={name}",
        )  # fmt: skip
        replica.start()
        if synchronous:
            self.configure(synchronous_standby_names=f'FIRST 1 ("{name}")')
        state = "sync" if synchronous else "async"
        wait_for(
            lambda: bool(
                self.query(
                    "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND (application_name, sync_state)"
                    " = (%s, %s)", name, state,
                )
            ),
            f"{name} streams",
        )  # fmt: skip
        return replica

    def configure(self, **settings: str) -> None:
        """Change settings of the running server, those that need no restart."""
        for name, value in settings.items():
            literal = value.replace("'", "''")
            self.query(f"ALTER SYSTEM SET {name} = '{literal}'")
        self.query("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make a replica a primary, and wait until it takes writes."""
        self.query("SELECT pg_promote(true, 10)")
        wait_for(lambda: self.query("SELECT pg_is_in_recovery()") == [(False,)], "the replica is promoted")

    def wait_for_replay(self) -> None:
        """Wait, on a replica, until it shows all that its primary has committed."""
        assert self._primary is not None, "a primary replays nothing"
        [(position,)] = self._primary.query("SELECT pg_current_wal_lsn()::text")
        replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        wait_for(lambda: self.query(replayed, position) == [(True,)], "the replica has replayed")

    def _make_data(self) -> None:
        _run_to_end(
            program("initdb"), "--pgdata", str(self.data), "--username", SUPERUSER, "--auth=trust", "--locale=C",
            "--encoding=UTF8", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def _run(self) -> None:
        settings = {
            **self.settings, "port": str(self.port), "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        }  # fmt: skip
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", str(self.data), *options], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd=self.folder,
                start_new_session=True,  # a Ctrl-C is the tests' to handle
                preexec_fn=die_with_parent,  # noqa: PLW1509  it takes no lock
                **as_user(),
            )  # fmt: skip

    def _becomes_ready(self) -> bool:
        """Wait until the server lets a client in; False if it has ended instead."""
        assert self._process is not None
        deadline = time.monotonic() + 3 * LONG
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            with contextlib.suppress(psycopg.OperationalError):
                self.query("SELECT 1")
                return True
            time.sleep(10 * MS)  # a server has no better way to say that it is ready
        raise AssertionError(f"PostgreSQL lets nobody in:\n{self._output()}")

    def _output(self) -> str:
        return self.log.read_text(errors="replace")


def multi_host_url(clusters: list[Cluster], database: str = "postgres", **parameters: str) -> str:
    """Return the libpq URL that has the clusters' addresses in this order."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    hosts = ",".join(cluster.address for cluster in clusters)
    return f"postgresql://{SUPERUSER}@{hosts}/{database}" + (f"?{query}" if query else "")


def wait_for(condition: Callable[[], bool], what: str, *, deadline: float = 3 * LONG) -> None:
    """Ask until it is so; time that has run out is the test's failure."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain: {what}"
        time.sleep(10 * MS)  # what is waited for is a state of a server, which announces none


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may be listed for a while, but without its command."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still are its own."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # not Linux: a server's processes end by themselves soon after it


def _run_to_end(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        cwd=tempfile.gettempdir(), timeout=6 * LONG, **as_user(),
    )  # fmt: skip
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}"

"""The throw-away cluster does what the tests that stand on it believe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postgresql_cluster import DURABLE, PROGRAMS, Cluster, runs, wait_for
from timing import LONG

pytestmark = pytest.mark.peer(*PROGRAMS)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(DURABLE)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def test_a_database_is_fresh_or_a_copy(postgresql: Cluster, postgresql_database: str) -> None:
    with psycopg.connect(postgresql_database) as connection:
        connection.execute("CREATE TABLE made (value text)")
    template = postgresql_database.rpartition("/")[2]
    with postgresql.database(template) as copy, psycopg.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM made").fetchone() == (0,)
    with postgresql.database() as fresh, psycopg.connect(fresh) as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT count(*) FROM made")


def test_a_replica_has_what_was_committed_and_can_be_promoted(cluster: Cluster) -> None:
    replica = cluster.replica(synchronous=True)
    cluster.query("CREATE TABLE kept AS SELECT 1 AS value")
    replica.wait_for_replay()
    assert replica.query("SELECT value FROM kept") == [(1,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        replica.query("INSERT INTO kept VALUES (2)")
    cluster.kill()
    with pytest.raises(psycopg.OperationalError):
        cluster.query("SELECT 1")
    replica.promote()
    replica.query("INSERT INTO kept VALUES (2)")
    assert replica.query("SELECT count(*) FROM kept") == [(2,)]


def test_a_crashed_server_comes_back_with_what_was_committed(cluster: Cluster) -> None:
    cluster.query("CREATE TABLE kept AS SELECT 1 AS value")
    address = cluster.address
    cluster.kill()
    cluster.start()
    assert cluster.address == address
    assert cluster.query("SELECT value FROM kept") == [(1,)]


PROGRAM_THAT_IS_KILLED = """
import os
from postgresql_cluster import Cluster
cluster = Cluster().start()
print(cluster.folder, cluster._process.pid, flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_no_server_outlives_the_process_that_started_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM_THAT_IS_KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        folder, pid = parent.stdout.readline().decode().split()
        parent.send_signal(signal.SIGKILL)
        parent.wait(LONG)
        wait_for(lambda: not runs(int(pid)), "the server ends")
    subprocess.run(["rm", "-r", folder], check=True)

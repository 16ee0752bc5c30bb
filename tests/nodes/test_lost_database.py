"""A node whose database is missing at the start, lost for a while, or behind its primary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomquest import find
from dicomquest.dataset.elements import from_pydicom
from dicomquest.index import Index
from fixtures.postgresql_cluster import DURABLE, PROGRAMS, Cluster, wait_for
from fixtures.timing import LONG, MS
from nodes.asking import EXPECTED, find_all
from nodes.served import node
from peers import corpus, dcmtk, ours
from peers.corpus import uid
from peers.processes import Peer, free_port

pytestmark = [pytest.mark.alone, pytest.mark.peer(*PROGRAMS)]

SOON = 5000 * MS


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server with the index of ``corpus``."""
    cluster = Cluster(DURABLE)
    try:
        cluster.start()
        with Index(cluster.create_database("dicomquest")) as index:
            index.ingest_data_sets(map(from_pydicom, corpus.instances()))
        yield cluster
    finally:
        cluster.stop()


def test_missing_server_is_told_at_the_start() -> None:
    """The start of a node says that the database server is not there."""
    done = ours.run("serve", "--index", f"postgresql://me:secret@127.0.0.1:{free_port()}/dicom")
    assert done.status == 1
    assert "PostgreSQL database 'dicom' on 127.0.0.1 port" in done.err
    assert "refused" in done.err
    assert "Traceback" not in done.err
    assert "secret" not in done.err


def test_database_without_index_is_said_so(postgresql_database: str) -> None:
    done = ours.run("serve", "--index", postgresql_database)
    assert done.status == 1
    assert "has no index" in done.err
    assert "dicomquest index PATH" in done.err


def test_finds_fail_soon_and_go_on_once_it_is_back(cluster: Cluster, tmp_path: Path) -> None:
    """Finds fail soon while the database is away and go on when it is back."""
    with node(cluster.url("dicomquest"), tmp_path) as peer:
        assert find_all(peer) == ""
        cluster.kill()
        for _ in range(2):
            began = time.monotonic()
            assert "C002" in find_all(peer)
            assert time.monotonic() - began < SOON
        cluster.start()
        wait_for(lambda: find_all(peer) == "", "finds go on")


@pytest.mark.peer("storescu")
def test_sender_finds_its_instance_at_once(cluster: Cluster, tmp_path: Path) -> None:
    """A peer that has stored finds its instance while the replica lags behind."""
    replica = cluster.replica()
    replica.query("SELECT pg_wal_replay_pause()")
    wait_for(
        lambda: replica.query("SELECT pg_get_wal_replay_pause_state()") == [("paused",)],
        "replay pauses",
    )
    options = ("--read-index", replica.url("dicomquest"), "--store", str(tmp_path / "store"))
    with node(cluster.url("dicomquest"), tmp_path, *options) as peer:
        new = corpus.instances()[0]
        new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = (
            uid(50),
            uid(50, 1),
            uid(50, 1, 1),
        )
        new.save_as(tmp_path / "new.dcm", enforce_file_format=True)
        assert dcmtk.storescu(peer, [tmp_path / "new.dcm"]).status == 0
        assert studies(peer) == EXPECTED
        replica.query("SELECT pg_wal_replay_resume()")
        wait_for(lambda: studies(peer) == {*EXPECTED, uid(50)}, "the replica catches up")


def studies(peer: Peer) -> set[str]:
    return {study.StudyInstanceUID for study in find(peer.host, peer.port, StudyInstanceUID=None)}


def test_asynchronous_replication_loses_last_commits(cluster: Cluster) -> None:
    """The last commits, if the replica did not receive them, as the page about scaling says."""
    replica = cluster.replica()
    replica.configure(primary_conninfo="")
    wait_for(
        lambda: cluster.query("SELECT 1 FROM pg_stat_replication") == [],
        "the replica loses its primary",
    )
    new = corpus.instances()[0]
    new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = (
        uid(50),
        uid(50, 1),
        uid(50, 1, 1),
    )
    with Index(cluster.url("dicomquest")) as index:
        assert index.ingest_data_sets([from_pydicom(new)]).indexed == 1
    cluster.kill()
    replica.promote()
    [(found,)] = replica.query("SELECT count(*) FROM study", database="dicomquest")
    assert found == len(EXPECTED)


def test_replica_behind_migration_is_waited_for(cluster: Cluster) -> None:
    """A replica that is behind a change of the schema is waited for."""
    url = cluster.create_database("migrated")
    replica = cluster.replica()
    replica.query("SELECT pg_wal_replay_pause()")
    wait_for(
        lambda: replica.query("SELECT pg_get_wal_replay_pause_state()") == [("paused",)],
        "replay pauses",
    )
    asked = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = 'migrated' AND application_name = 'dicomquest'"
    )
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Index, url, read_location=replica.url("migrated"))
        wait_for(lambda: bool(replica.query(asked)), "the replica is asked")
        assert not opening.done()
        replica.query("SELECT pg_wal_replay_resume()")
        opening.result(3 * LONG).close()

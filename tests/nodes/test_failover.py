"""Two nodes under load when their primary dies and its replica takes over."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dicomquest.index import Index
from fixtures.postgresql_cluster import DURABLE, PROGRAMS, Cluster, multi_host_url, wait_for
from fixtures.timing import MS
from nodes.asking import find_all, findscu_all
from nodes.served import Load, node
from nodes.storers import Storer, stored_instances
from peers import corpus

pytestmark = [pytest.mark.alone, pytest.mark.peer(*PROGRAMS, "findscu")]

DEADLINE = 5000 * MS
"""The time within which finds go on after the primary's death."""


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Cluster]:
    """A durable primary with the index of ``corpus``."""
    cluster = Cluster(DURABLE)
    try:
        cluster.start()
        files = tmp_path / "files"
        files.mkdir()
        corpus.write(files)
        with Index(cluster.create_database("dicomquest")) as index:
            index.ingest([files])
        yield cluster
    finally:
        cluster.stop()


def test_finds_and_stores_go_on_and_lose_nothing(primary: Cluster, tmp_path: Path) -> None:
    """Finds and stores go on, and nothing acknowledged is lost."""
    replica = primary.replica(synchronous=True)
    servers = [primary, replica]
    url = multi_host_url(servers, "dicomquest", target_session_attrs="read-write")
    reads = multi_host_url(servers, "dicomquest", target_session_attrs="prefer-standby")
    store = ("--store", str(tmp_path / "store"))
    with (
        node(url, tmp_path, *store) as first,
        node(url, tmp_path, "--read-index", reads, *store) as second,
    ):
        storers = [Storer(first, 1_000_000), Storer(second, 2_000_000)]
        loads = [
            Load("finds of the first node", partial(find_all, first)),
            Load("finds of the second node", partial(find_all, second)),
            Load("findscu", partial(findscu_all, itertools.cycle([first, second]))),
        ]
        stores = [
            Load("stores at the first node", storers[0].store),
            Load("stores at the second", storers[1].store),
        ]
        with contextlib.ExitStack() as stack:
            for load in (*loads, *stores):
                stack.enter_context(load)
            wait_for(
                lambda: all(len(load.successes_since(0)) >= 5 for load in (*loads, *stores)),
                "the load runs",
            )
            killed = time.monotonic()
            primary.kill()
            replica.promote()
            wait_for(
                lambda: all(load.successes_since(killed) for load in (*loads, *stores)),
                "finds and stores go on",
            )
            resumed = time.monotonic()
            wait_for(
                lambda: all(len(load.successes_since(resumed)) >= 3 for load in (*loads, *stores)),
                "the load runs on",
            )
        for load in loads:
            assert load.successes_since(killed)[0].ended - killed < DEADLINE, load.name
        for load in (*loads, *stores):
            # A find that fails does so soon, and once finds go on they do not fail again.
            assert max(attempt.seconds for attempt in load.attempts) < DEADLINE, load.name
            assert not [
                each.failure
                for each in load.attempts
                if each.began < killed - DEADLINE and each.failure
            ]
            assert not [
                each.failure for each in load.attempts if each.began >= resumed and each.failure
            ], load.name
        acknowledged = {each for storer in storers for each in storer.acknowledged}
        for peer in (first, second):
            assert acknowledged <= stored_instances(peer)
    with Index(replica.url("dicomquest"), create=False) as index:
        assert not index.check().differences

"""The layout of docs/how-to/several-nodes.md: three machines behind HAProxy; one dies.

Not part of the suite because it takes a minute and some forty processes:
``pytest tests/nodes/three_machines.py``.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from pathlib import Path

import pytest

from dicomquest.errors import AssociationError, QueryFailedError
from dicomquest.index import Index
from fixtures.postgresql_cluster import wait_for
from fixtures.timing import LONG, MS
from nodes.asking import EXPECTED, find_all
from nodes.machines import PROGRAMS, three_machines
from nodes.served import Load
from nodes.storers import Storer, stored_instances
from peers import corpus, dcmtk
from peers.processes import Peer

pytestmark = pytest.mark.peer(*PROGRAMS, "findscu")

FINDS_GO_ON = 5000 * MS
STORES_GO_ON = 60_000 * MS
"""Patroni waits ``ttl``, 20 s, for its primary before it elects another one."""


def find_through_balancer(peer: Peer) -> str:
    """As ``find_all``, but an association may be lost with its node."""
    try:
        return find_all(peer)
    except QueryFailedError:
        raise
    except AssociationError as error:
        return str(error)


def findscu_through_balancer(peer: Peer) -> str:
    """The same by findscu, which then has no final response to show."""
    outcome = dcmtk.findscu(peer, "STUDY", {"StudyInstanceUID": ""})
    if outcome.final.startswith("Success"):
        assert {answer["StudyInstanceUID"] for answer in outcome.answers} >= EXPECTED, (
            outcome.output
        )
        return ""
    return outcome.final or "no final response"


def test_machine_of_three_dies_and_comes_back(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    corpus.write(files)
    with three_machines() as machines:
        machines.start_database()
        machines.create_index()
        with Index(machines.url()) as index:
            index.ingest([files])
        machines.start_nodes()
        storer = Storer(machines.peer, 1_000_000, may_be_cut=True)
        finds = [
            Load("finds", partial(find_through_balancer, machines.peer)),
            Load("findscu", partial(findscu_through_balancer, machines.peer)),
        ]
        stores = Load("stores", storer.store)
        loads = [*finds, stores]
        with contextlib.ExitStack() as stack:
            for load in loads:
                stack.enter_context(load)
            wait_for(
                lambda: all(len(load.successes_since(0)) >= 5 for load in loads), "the load runs"
            )
            dead = machines.primary()
            killed = time.monotonic()
            dead.kill()
            wait_for(
                lambda: all(load.successes_since(killed) for load in loads),
                "finds and stores go on", deadline=9 * LONG,
            )  # fmt: skip
            resumed = time.monotonic()
            wait_for(
                lambda: all(len(load.successes_since(resumed)) >= 10 for load in loads),
                "the load runs on",
            )
            machines.restart(dead)
            wait_for(lambda: not find_all(dead.node), "the node that was dead answers")
            back = time.monotonic()
            wait_for(
                lambda: all(len(load.successes_since(back)) >= 3 for load in loads),
                "the load runs on",
            )
        for load in finds:
            assert load.successes_since(killed)[0].ended - killed < FINDS_GO_ON, load.name
            assert max(attempt.seconds for attempt in load.attempts) < FINDS_GO_ON, load.name
        assert stores.successes_since(killed)[0].ended - killed < STORES_GO_ON
        for load in loads:
            assert not [
                each.failure for each in load.attempts if each.ended < killed and each.failure
            ], load.name
        for machine in machines.all:
            # The machine's node may ask a replica that is a moment behind.
            wait_for(
                lambda: {*storer.acknowledged} <= stored_instances(machine.node),  # noqa: B023
                f"{machine.name} finds what was acknowledged",
            )
            assert "Traceback" not in machine.log("dicom").read_text(encoding="utf-8")
        with Index(machines.url(), create=False) as index:
            assert not index.check().differences

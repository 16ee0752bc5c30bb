"""Workers of `serve` are killed under load: nothing answered is lost, others take over."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from fixtures.fault_load import IS_LONG, FaultLoad, check, fill, timed
from fixtures.postgresql_cluster import children, runs, wait_for
from fixtures.storing import storing

SECONDS, APART = (300.0, 5.0) if IS_LONG else (2.0, 0.7)


def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "index.sqlite")
    kills = 0
    with storing(tmp_path, "--workers", "2") as store:
        # A worker that dies at the start, before it listens, ends the server.
        wait_for(lambda: store.log.count("INFO listening") == 2, "two workers that listen")
        with FaultLoad(store.peer.port, askers=2, senders=2) as tally:
            tally.wait_for_more("found")
            tally.wait_for_more("stored")
            with timed(SECONDS) as left:
                for rest in left:
                    kills += _kill(store.process.pid)
                    time.sleep(min(rest, APART))  # the fault is the time between two kills
            # A worker may have had no association when it was killed: some have one.
            for _ in range(10):
                if tally.outcomes["lost"]:
                    break
                tally.wait_for_more("found", 10)
                kills += _kill(store.process.pid)
            # Service again, by itself.
            tally.wait_for_more("found", 50)
            tally.wait_for_more("stored", 50)
        assert store.process.poll() is None
        check(store, tally)
    with storing(tmp_path) as store:
        check(store, tally)
    assert tally.outcomes["lost"] or not kills
    print(f"{kills} workers killed: {dict(tally.outcomes)}")  # noqa: T201


def _kill(server: int) -> bool:
    """Kill a worker; tell whether there was one."""
    workers = [pid for pid in children(server) if runs(pid)]
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    return bool(workers)

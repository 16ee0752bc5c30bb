"""Workers of `serve` are killed under load: nothing answered is lost, others take over."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from fixtures.fault_load import IS_LONG, FaultLoad, check, fill, timed
from fixtures.postgresql_cluster import children, runs
from fixtures.storing import storing

SECONDS, APART = (300.0, 5.0) if IS_LONG else (2.0, 0.7)


def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "index.sqlite")
    kills = 0
    with storing(tmp_path, "--workers", "2") as store:
        with FaultLoad(store.peer.port, askers=2, senders=2) as tally:
            tally.wait_for_more("found")
            tally.wait_for_more("stored")
            with timed(SECONDS) as left:
                for rest in left:
                    workers = [pid for pid in children(store.process.pid) if runs(pid)]
                    if workers:
                        os.kill(random.choice(workers), signal.SIGKILL)
                        kills += 1
                    time.sleep(min(rest, APART))  # the fault is the time between two kills
            # Service again, by itself.
            tally.wait_for_more("found", 50)
            tally.wait_for_more("stored", 50)
        assert store.process.poll() is None
        check(store, tally)
    with storing(tmp_path) as store:
        check(store, tally)
    assert tally.outcomes["lost"] or not kills
    print(f"{kills} workers killed: {dict(tally.outcomes)}")  # noqa: T201

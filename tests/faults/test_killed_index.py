"""`dicomquest index` is killed at random moments: what is there is right, and the next run ends."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from dicomquest.index import Index
from dicomquest.standard.levels import Level
from fixtures.fault_load import IS_LONG
from fixtures.postgresql_cluster import children, runs, wait_for
from fixtures.storing import instance, write
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT

KILLS, FILES = (50, 10_000) if IS_LONG else (2, 200)


def wait_for_end(processes: list[int]) -> None:
    wait_for(lambda: not any(map(runs, processes)), "the readers end")


def test_killed_index_goes_on(tmp_path: Path) -> None:
    uids = set()
    for study in range(FILES // 100):
        made = [instance(study, number) for number in range(100)]
        write(tmp_path / "files" / str(study), made)
        uids |= {str(each.SOPInstanceUID) for each in made}
    path = tmp_path / "index.sqlite"
    command = [
        *COMMAND,
        "index",
        "-q",
        "--jobs",
        "2",
        "--index",
        str(path),
        str(tmp_path / "files"),
    ]
    # As long as a run takes: a kill may come anywhere in it.
    longest = 8.0 if IS_LONG else 1.5
    killed = seen = 0
    for _ in range(KILLS):
        with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
            try:
                process.wait(random.uniform(0, longest))
            except subprocess.TimeoutExpired:
                readers = children(process.pid)
                process.kill()
                killed += 1
                wait_for_end(readers)
        if path.exists() and path.stat().st_size:
            done = subprocess.run(
                [*COMMAND, "check", "--index", str(path)], env=ENVIRONMENT, capture_output=True,
                check=False, timeout=6 * LONG,
            )  # fmt: skip
            assert done.returncode == 0 or b"has no index" in done.stderr, done
            if done.returncode == 0:
                with Index(path, create=False) as index:
                    count = index.counts()[Level.IMAGE]
                assert count >= seen
                seen = count if count < len(uids) else 0
                if not seen:
                    path.unlink()  # all is indexed: begin again
    subprocess.run(command, env=ENVIRONMENT, check=True, timeout=6 * LONG)
    with Index(path, create=False) as index:
        assert {str(each.SOPInstanceUID) for each in index.find(level="IMAGE")} == uids
        assert index.check().examples == []
        assert index.check_files().examples == []
    print(f"killed {killed} of {KILLS} runs, {len(uids)} files")  # noqa: T201

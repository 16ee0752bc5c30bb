"""Many associations ask for minutes, beside silent, slow and unread ones: all answers are right."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dicomquest.index import Index
from fixtures.building import instance
from fixtures.fault_load import IS_LONG
from fixtures.load_client import STUDIES
from fixtures.serving import serving
from fixtures.timing import LONG

TESTS = Path(__file__).parents[1]
PROCESSES = 4
ASKERS, OTHERS, SECONDS = (1_000, 200, 600) if IS_LONG else (60, 20, 8)
KINDS = [
    *[("ask", ASKERS // PROCESSES)] * PROCESSES,
    *((kind, OTHERS) for kind in ("silent", "slow", "unread")),
]
FLAT = 40 << 20
"""Bytes by which the server may grow after its first tenth."""


def memory(pid: int) -> int:
    (kilobytes,) = (
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        if line.startswith("VmRSS:")
    )
    return int(kilobytes) << 10


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("load") / "index.sqlite"
    with Index(path) as index:
        index.ingest_data_sets(
            instance(
                PatientID=f"P{study // 4}",
                PatientName=f"NAME{study // 4}^X",
                AccessionNumber=f"A{study}",
                StudyInstanceUID=f"1.2.{study}",
                SeriesInstanceUID=f"1.2.{study}.1",
                SOPInstanceUID=f"1.2.{study}.1.{number}",
            )
            for study in range(STUDIES)
            for number in range(study % 3 + 1)
        )
    return path


@pytest.mark.alone
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_all_answers_are_right_under_load(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--max-associations", str(2 * ASKERS + 4 * OTHERS), "--log-level", "warning"]
    outcomes, times, sizes = Counter[str](), list[float](), list[int]()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(index, tmp_path, *options))
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "fixtures.load_client", kind, str(server.port),
                     str(count), str(SECONDS), str(tmp_path / f"{number}.json")],
                    cwd=TESTS, stdout=subprocess.PIPE, text=True,
                )
            )
            for number, (kind, count) in enumerate(KINDS)
        ]  # fmt: skip
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        while processes[0].poll() is None:
            sizes.append(memory(server.process.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                processes[0].wait(SECONDS / 40)
        for process in processes:
            process.communicate(timeout=6 * LONG)
            assert process.returncode == 0
        for path in tmp_path.glob("*.json"):
            found = json.loads(path.read_text("ascii"))
            outcomes.update(found["outcomes"])
            times += found["times"]
        assert server.process.poll() is None
    parts = statistics.quantiles(times, n=100)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ASKERS} askers, {SECONDS} s: {dict(outcomes)}; median {1000 * parts[49]:.1f} ms, "
            f"p99 {1000 * parts[98]:.1f} ms; memory {sizes[len(sizes) // 10] >> 20} MB, at most "
            f"{max(sizes) >> 20} MB\n"
        )
    assert outcomes["wrong"] == outcomes["refused"] == 0
    assert outcomes["right"] > ASKERS
    assert max(sizes) <= sizes[len(sizes) // 10] + FLAT

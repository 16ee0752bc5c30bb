"""The benches at toy size, so that they cannot rot: every claim is measured, and none is judged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.timing import LONG

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.peer(
    "dcmqrscp",
    "dcmqridx",
    "wlmscpfs",
    "findscu",
    "storescu",
    "Orthanc",
    "OrthancDicomWeb",
    "postgres",
    "chromium",
)
def test_every_claim_can_be_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--size", "toy", "--output", str(page)],
        cwd=ROOT, env={**os.environ, "DICOMQUEST_BENCH_CACHE": str(tmp_path)}, capture_output=True,
        check=False, timeout=30 * LONG,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    text = page.read_text(encoding="utf-8")
    assert [f"P{number}" for number in range(1, 26) if f"\n## P{number}: " not in text] == []

"""`make run` keeps the README's promise: its output can be pasted, and both commands answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.timing import LONG
from peers.processes import free_port, wait_until_listening

ROOT = Path(__file__).parents[2]


@pytest.mark.peer("make", "findscu")
def test_printed_lines_answer_with_patients(tmp_path: Path) -> None:
    port, http_port = free_port(), free_port()
    bin_folder = Path(sys.executable).parent
    log = tmp_path / "log"
    command = [
        "make", "--no-print-directory", "--old-file", str(ROOT / ".venv" / "installed"), "run",
        f"BIN={bin_folder}", f"PORT={port}", f"HTTP_PORT={http_port}",
        f"RUN_INDEX={tmp_path / 'run.sqlite'}",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_listening(process, port, log)
        indexed, *blocks = log.read_text(encoding="utf-8").split("\n\n")
        assert len([line for line in indexed.splitlines() if "skipped:" in line]) == 1
        address, ours, theirs, page, stop, docs = blocks[0].splitlines()
        assert f"127.0.0.1 port {port}" in address
        assert page.endswith(f" http://127.0.0.1:{http_port}/")
        assert "Ctrl-C" in stop
        assert (ROOT / "docs" / "index.md").exists()
        assert "docs/index.md" in docs
        printed = [ours.strip(), theirs.strip()]
        shown = bin_folder.relative_to(ROOT) if bin_folder.is_relative_to(ROOT) else bin_folder
        assert printed[0].startswith(f"{shown}/dicomquest find ")
        assert printed[1].startswith("findscu ")
        for line in printed:
            done = subprocess.run(
                line,
                shell=True,
                cwd=ROOT,
                capture_output=True,
                check=False,
                text=True,
                timeout=30 * LONG,
            )
            assert done.returncode == 0, done.stderr
            assert "Citizen^Jan" in done.stdout + done.stderr, line
            assert "CompressedSamples^CT1" in done.stdout + done.stderr, line
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
            process.wait(LONG)
    assert "Traceback" not in log.read_text(encoding="utf-8")

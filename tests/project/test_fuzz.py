"""Each fuzzer holds its invariant over other people's bytes, changed at random."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.timing import LONG

ROOT = Path(__file__).parents[2]
TARGETS = (
    "pdu",
    "items",
    "command_set",
    "identifier",
    "file_header",
    "response",
    "session",
    "http_request",
)
SECONDS = 4


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30 * LONG,
    )  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_invariant_holds(target: str, tmp_path: Path) -> None:
    # The same inputs each time: other ones are for `make fuzz`, not for who changes a page.
    done = fuzz(target, "--seed", "1", "--seconds", str(SECONDS), "--failures", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the invariant holds" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_first_line_says_what_holds() -> None:
    for target in TARGETS:
        first = (ROOT / "fuzz" / f"{target}.py").read_text("utf-8").splitlines()[0]
        assert first.startswith('"""Invariant: '), target


def test_broken_invariant_is_told(tmp_path: Path) -> None:
    program = (
        "import fuzz.items, fuzz.__main__, pathlib\n"
        "def check(data):\n"
        "    assert len(data) < 40 or data[7] != 0x99\n"
        "fuzz.items.check = check\n"
        f"print(fuzz.__main__.run('items', 60, 10**9, 1, pathlib.Path({str(tmp_path)!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30 * LONG,
    )
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes()[7] == 0x99
    assert "AssertionError" in done.stdout
    assert done.stdout.strip().endswith("False)")


def test_a_slow_input_is_told(tmp_path: Path) -> None:
    """The time of the processor counts, not that of the clock on a busy machine."""
    program = (
        "import fuzz.items, fuzz.__main__, pathlib, time\n"
        "def check(data):\n"
        "    if busy:\n"
        "        ends = time.process_time() + 0.25\n"
        "        while time.process_time() < ends: pass\n"
        "    else:\n"
        "        time.sleep(0.25)\n"
        "fuzz.items.check = check\n"
        "fuzz.__main__.corpus = lambda target: [b'0123456789']\n"
        "for busy in (False, True):\n"
        f"    print(fuzz.__main__.run('items', 60, 1, 1, pathlib.Path({str(tmp_path)!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30 * LONG,
    )
    assert done.stdout.startswith("(1, True)\n")
    assert "3 times over the limit" in done.stdout
    assert done.stdout.strip().endswith("(1, False)")

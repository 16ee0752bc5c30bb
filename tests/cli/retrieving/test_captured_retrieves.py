"""Terminals of 80, 100 and 200 columns after `get` and `move`, compared with the files beside.

``DICOMQUEST_CAPTURE=1 pytest`` on this file writes them anew: look at them before you commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from fixtures.faces import HOST
from fixtures.retrieving_peer import RetrievingPeer
from fixtures.storing import ROOT, instance
from fixtures.terminals import on_terminal, screen

CAPTURED = Path(__file__).parent / "captured"
INSTANCES = [instance(study, number) for study in (1, 2) for number in range(1, 7)]
FAILING = [str(each.SOPInstanceUID) for each in INSTANCES[:5]]

CAPTURES = {
    "get": (
        ["get", "PatientName=CITIZEN*", "-o", "scans"],
        ["get", "PatientID=P2", "-o", "scans"],
        ["get", "PatientID=P3", "-o", "scans"],
    ),
    "move": (["move", f"StudyInstanceUID={ROOT}.2", "--to", "WORKSTATION"],),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with RetrievingPeer(INSTANCES, fails=FAILING).listening() as port:
        yield port


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("name", CAPTURES)
def test_terminal_is_as_captured(name: str, width: int, port: int, tmp_path: Path) -> None:
    parts = []
    for command, *arguments in CAPTURES[name]:
        words = " ".join(f"'{word}'" if "*" in word else word for word in arguments)
        raw = on_terminal(width, command, HOST, str(port), *arguments, folder=tmp_path)
        printed = screen(raw)
        assert all(cell_len(line) <= width for line in printed.splitlines())
        assert all(line == line.rstrip() for line in printed.splitlines())
        printed = re.sub(r"in [\d.,]+ s\b", "in 1.2 s", printed)
        printed = re.sub(r"[\d,]+/s, [\d.,]+ kB/s", "9/s, 9 kB/s", printed)
        printed = printed.replace(f"port {port}", "port 104")
        parts.append(f"$ dicomquest {command} pacs1 {words}\n{printed}")
    text = "\n".join(parts)
    path = CAPTURED / f"{name}-{width}.txt"
    if os.environ.get("DICOMQUEST_CAPTURE"):
        CAPTURED.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_bar_is_drawn_and_taken_away(port: int, tmp_path: Path) -> None:
    raw = on_terminal(100, "get", HOST, str(port), "PatientID=P2", "-o", "scans", folder=tmp_path)
    assert "Fetching" in raw
    assert "Fetching" not in screen(raw)

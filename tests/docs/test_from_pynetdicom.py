"""The page on moving from pynetdicom: each name of its tables, under both libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.pynetdicom_lines import DIFFERENCES, LINES
from fixtures.timing import LONG
from peers import ours
from peers.processes import Peer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "from-pynetdicom.md"

PRIMITIVES = {"pynetdicom": "pynetdicom.pdu_primitives", "dicomquest": "dicomquest.pdu_primitives"}

# Runs each text in a namespace of its own. The servers that the lines leave behind end with it.
PROGRAM = """
import contextlib, io, json, os, sys, traceback
answers = {}
for name, text in json.load(sys.stdin).items():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(text, name, "exec"), {"__name__": "lines"})
        except BaseException:
            traceback.print_exc(file=printed)
    answers[name] = printed.getvalue().strip()
sys.stdout.write(json.dumps(answers))
sys.stdout.flush()
os._exit(0)
"""

NAMES = [(heading, name) for heading, lines in LINES.items() for name in lines]


@pytest.fixture(scope="module")
def storing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("storing")
    with ours.serve(folder / "index.sqlite", "--store", str(folder / "store")) as peer:
        yield peer


@pytest.fixture(scope="module")
def printed(served: Peer, storing: Peer) -> dict[str, dict[str, str]]:
    """The output of each name's lines, by library."""
    texts = {name: text for lines in [*LINES.values(), DIFFERENCES] for name, text in lines.items()}
    running = {}
    for library, primitives in PRIMITIVES.items():
        words = {
            "LIBRARY": library,
            "PRIMITIVES": primitives,
            "STORE_PORT": str(storing.port),
            "PORT": str(served.port),
        }
        filled = {name: _filled(text, words) for name, text in texts.items()}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(filled))
        process.stdin.close()
        process.stdin = None
        running[library] = process
    return {
        library: json.loads(process.communicate(timeout=6 * LONG)[0])
        for library, process in running.items()
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = re.sub(rf"\b{word}\b", meaning, text)
    return text


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n##")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" `") for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("heading", LINES)
def test_the_page_has_each_name(heading: str) -> None:
    assert [row[0] for row in _rows(heading)] == list(LINES[heading])


@pytest.mark.parametrize(("heading", "name"), NAMES)
def test_a_name_does_the_same_in_both(
    heading: str, name: str, printed: dict[str, dict[str, str]]
) -> None:
    theirs, ours_ = printed["pynetdicom"][name], printed["dicomquest"][name]
    assert theirs
    assert "Traceback" not in theirs, heading
    # The matches of a query have no order.
    assert sorted(ours_.splitlines()) == sorted(theirs.splitlines())


def test_the_differences_are_those_of_the_page(printed: dict[str, dict[str, str]]) -> None:
    rows = [
        [name, printed["pynetdicom"][name], printed["dicomquest"][name]] for name in DIFFERENCES
    ]
    assert [row[:3] for row in _rows("Differences")] == rows

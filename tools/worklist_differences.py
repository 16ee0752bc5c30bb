"""Write the section of docs/explanation/differences.md on worklists.

DCMTK's findscu sends the same queries to dicomquest and to wlmscpfs, which hold the same entries.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from peers.worklist_table import COUNT, ROWS
from peers.worklists import WorklistOutcome, ask, our_worklist, their_worklist

PAGE = ROOT / "docs" / "explanation" / "differences.md"

HEADING = "## Worklists"

INTRODUCTION = f"""\
{HEADING}

`python tools/worklist_differences.py` writes this section.
DCMTK's findscu sends the same queries to dicomquest and to DCMTK's wlmscpfs.
Both hold the same {COUNT} entries (`tests/peers/worklist_table.py`).
They differ in {{different}} of {{count}} queries; the clauses are those of PS3.4.
Not every difference is a fault: a worklist need not match optional keys.
It may also choose if case counts in names.
A test holds our answers against the plain meaning of each query, and this table against both
(`tests/peers/test_worklist.py`).

| Keys | dicomquest | wlmscpfs | Right | PS3.4 |
| --- | --- | --- | --- | --- |
"""


def words(outcome: WorklistOutcome, other: WorklistOutcome) -> str:
    """An outcome; where it has as many entries as the other but not the same, that too."""
    text = f"{len(outcome.found)} found"
    if len(outcome.found) == len(other.found) and outcome.found != other.found:
        text += ", others"
    return f"{text}; an error" if outcome.fails else text


def section(answers: list[tuple[WorklistOutcome, WorklistOutcome]]) -> str:
    """The section: how often the two differ, and where."""
    different = sum(mine != theirs for mine, theirs in answers)
    lines = [INTRODUCTION.format(different=different, count=len(answers))]
    for row, (mine, theirs) in zip(ROWS, answers, strict=True):
        if mine != theirs:
            cells = [row.words, words(mine, theirs), words(theirs, mine), row.says, row.clause]
            lines.append("| " + " | ".join(cells) + " |\n")
    return "".join(lines)


def run(folder: Path) -> list[tuple[WorklistOutcome, WorklistOutcome]]:
    """Start the two over the same entries, and ask both everything."""
    mine, theirs = folder / "dicomquest", folder / "wlmscpfs"
    mine.mkdir()
    theirs.mkdir()
    with our_worklist(mine) as our_peer, their_worklist(theirs) as their_peer:
        return [(ask(our_peer, row), ask(their_peer, row)) for row in ROWS]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        worklists = section(run(Path(folder)))
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text(f"{before.rstrip()}\n\n{worklists}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write docs/explanation/differences.md: three archives' answers to a hundred queries.

DCMTK's findscu sends each query of ``tests/peers/query_table.py`` to dicomquest, dcmqrscp and
Orthanc. An answer is the unique keys of the responses, how often each, and the final status.
The section of searches by HTTP, which ``search_differences.py`` writes, stays as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))


from peers import ours, realistic
from peers.dcmtk import dcmqrscp, findscu
from peers.orthanc import orthanc
from peers.processes import Peer
from peers.query_table import ROWS, Row

PAGE = ROOT / "docs" / "explanation" / "differences.md"
UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


STATUSES = {"Error: DataSetDoesNotMatchSOPClass": "A900", "Failed: UnableToProcess": "Cxxx"}
"""findscu's words for the failures that occur."""


INTRODUCTION = """\
---
hide: [toc]
---

# Differences

`python tools/differences.py` writes this page.
DCMTK's findscu sends the same queries to dicomquest and to two other archives.
[Searches by HTTP](#by-http) and [worklists](#worklists) are below.
All three hold the same {count} instances (`tests/peers/realistic.py`).
The table lists the queries that at least one of the three answers differently.
A test holds our answers against counts made by hand, and against the plain meaning of each query
(`tests/peers/test_query_table.py`).

The *right* column says why ours is the answer, by the clause of PS3.4 beside it.
Not every difference is a fault of the other side:

- Each implementation may choose if case and accents count in names, and how precise a time is.
- An SCP need not support an optional key; it then says so by the status FF01.
- We answer a malformed key with an error; by the Standard, no match would be an answer too.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Unique keys with how often each came, and findscu's word for the final status."""

    found: tuple[tuple[str, int], ...]
    final: str

    def words(self) -> str:
        count = sum(times for _, times in self.found)
        entities = len(self.found)
        text = (
            f"{entities} found" if count == entities else f"{entities} found, in {count} responses"
        )
        return (
            text
            if self.final == "Success"
            else f"{text}; {STATUSES.get(self.final, self.final) or 'no answer'}"
        )


def ask(peer: Peer, row: Row) -> Outcome:
    """Send one query; the unique keys down to the level are asked for too."""
    unique = UNIQUE.get(row.level, "PatientID")
    keys = {"SpecificCharacterSet": "ISO_IR 192", unique: "", **row.keys}
    outcome = findscu(peer, row.level, keys, model=row.model)
    found = Counter(str(answer.get(unique, "")) for answer in outcome.answers)
    return Outcome(tuple(sorted(found.items())), outcome.final)


def key_words(row: Row) -> str:
    keys = ", ".join(f"{name}=`{value}`" if value else name for name, value in row.keys.items())
    return keys.replace("|", "\\|").replace(f"{realistic.ROOT}.", "…") or "no key"


def page(answers: dict[str, list[Outcome]]) -> str:
    """The table, and how often each peer differs."""
    right = answers["dicomquest"]
    lines = [INTRODUCTION.format(count=len(realistic.instances()))]
    for name, outcomes in answers.items():
        if name != "dicomquest":
            count = sum(mine != theirs for mine, theirs in zip(right, outcomes, strict=True))
            lines.append(f"{name} differs from dicomquest in {count} of {len(ROWS)} queries.")
    lines += ["", f"| Model, level | Keys | {' | '.join(answers)} | Right | PS3.4 |"]
    lines.append("| --- " * (len(answers) + 4) + "|")
    for number, row in enumerate(ROWS):
        outcomes = [of[number] for of in answers.values()]
        if len(set(outcomes)) > 1:
            cells = [
                f"{row.model}, {row.level}",
                key_words(row),
                *(words(each, outcomes[0]) for each in outcomes),
            ]
            lines.append("| " + " | ".join([*cells, row.says, row.clause]) + " |")
    return "\n".join([*lines, ""])


def words(outcome: Outcome, right: Outcome) -> str:
    """An outcome; where it has as many entities as the right one but not the same, that too."""
    keys, right_keys = ({key for key, _ in each.found} for each in (outcome, right))
    return (
        f"{outcome.words()}, others"
        if len(keys) == len(right_keys) and keys != right_keys
        else outcome.words()
    )


def run() -> dict[str, list[Outcome]]:
    """Start the three and ask all of them everything."""
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(4)]
        files = realistic.write(folders[0])
        ours.index(folders[1] / "index.sqlite", folders[0])
        peers = {
            "dicomquest": stack.enter_context(ours.serve(folders[1] / "index.sqlite")),
            "dcmqrscp": stack.enter_context(dcmqrscp(folders[2], files)),
            "Orthanc": stack.enter_context(orthanc(folders[3], files)),
        }
        return {name: [ask(peer, row) for row in ROWS] for name, peer in peers.items()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    _, mark, searches = PAGE.read_text(encoding="utf-8").partition("\n## By HTTP\n")
    PAGE.write_text(page(run()) + mark + searches, encoding="utf-8")


if __name__ == "__main__":
    main()

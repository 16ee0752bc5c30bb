"""Write the section of docs/explanation/differences.md on searches by HTTP.

The same requests go to dicomquest and to Orthanc's plugin. An answer is its code, the unique keys
found, the attributes that are missing or needless, and how many results it says are left.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from pydicom.datadict import keyword_for_tag

from peers import ours, realistic
from peers.orthanc import DICOMWEB_ROOT, dicomweb
from peers.processes import free_port
from peers.search_table import ROWS, SearchOutcome, SearchRow, outcome_of

PAGE = ROOT / "docs" / "explanation" / "differences.md"

HEADING = "## By HTTP"

INTRODUCTION = f"""\
{HEADING}

`python tools/search_differences.py` writes this section.
The DICOMweb plugin of Orthanc is asked the same searches (QIDO-RS), with its defaults.
It differs from dicomquest in {{different}} of {{count}}; the clauses are those of PS3.18.
A test holds our answers against counts made by hand, and this table against both
(`tests/peers/test_search_table.py`).

Where nothing is found, we answer 204 without a body, and the plugin 200 with an empty array.
Earlier editions had the latter; 10.6.3.1 has 204, and clients take both.
For a parameter that we do not know, we add a `Warning` header, as 8.3.1 allows.

| Search | dicomquest | Orthanc | Right | PS3.18 |
| --- | --- | --- | --- | --- |
"""


def ask(base: str, row: SearchRow) -> SearchOutcome:
    """Send one search."""
    request = urllib.request.Request(base + row.path, headers={"Accept": "application/dicom+json"})
    try:
        with urllib.request.urlopen(request) as response:
            results = json.loads(response.read() or b"[]")
            return outcome_of(row, response.status, results, response.headers.get("Warning", ""))
    except urllib.error.HTTPError as error:
        with error:
            return outcome_of(row, error.code, [], "")


def words(outcome: SearchOutcome, other: SearchOutcome) -> str:
    """An outcome; what is wrong with its attributes too, and what one of the two says is left."""
    if outcome.code != 200:
        return str(outcome.code)
    others = ", others" if len(outcome.found) == len(other.found) != 0 else ""
    text = f"{len(outcome.found)} found"
    if outcome.found != other.found:
        text += others
    for said, tags in (("without", outcome.missing), ("with", outcome.needless)):
        if tags:
            names = (keyword_for_tag(int(tag, 16)) for tag in tags)
            text += f", {said} {', '.join(names)}"
    if outcome.left != other.left:
        text += f", {outcome.left} left" if outcome.left else ", none said to be left"
    return text


def section(answers: list[tuple[SearchOutcome, SearchOutcome]]) -> str:
    """The section: how often the two differ, and where."""
    different = sum(mine != theirs for mine, theirs in answers)
    lines = [INTRODUCTION.format(different=different, count=len(answers))]
    for row, (mine, theirs) in zip(ROWS, answers, strict=True):
        if mine != theirs:
            path = row.path.replace(f"{realistic.ROOT}.", "…").replace("|", "\\|")
            cells = [f"`{path}`", words(mine, theirs), words(theirs, mine), row.says, row.clause]
            lines.append("| " + " | ".join(cells) + " |\n")
    return "".join(lines)


def run(folder: Path) -> list[tuple[SearchOutcome, SearchOutcome]]:
    """Start the two over the same files, in a folder of their own, and ask both everything."""
    files, storage = folder / "files", folder / "orthanc"
    files.mkdir()
    storage.mkdir()
    paths = realistic.write(files)
    ours.index(folder / "index.sqlite", files)
    port = free_port()
    with (
        ours.serve(folder / "index.sqlite", "--http", str(port)),
        dicomweb(storage, paths) as orthanc,
    ):
        bases = [f"http://127.0.0.1:{each}{DICOMWEB_ROOT}" for each in (port, orthanc.http_port)]
        return [(ask(bases[0], row), ask(bases[1], row)) for row in ROWS]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        searches = section(run(Path(folder)))
    queries, _, before = PAGE.read_text(encoding="utf-8").partition(HEADING)
    _, mark, others = before.partition("\n## ")
    PAGE.write_text(queries + searches + mark + others, encoding="utf-8")


if __name__ == "__main__":
    main()

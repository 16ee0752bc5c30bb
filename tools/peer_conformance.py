"""Write docs/reference/conformance-of-peers.md: the checks of ``dicomquest conform``, run on peers.

The archives hold the instances of ``tests/peers/realistic.py``.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pynetdicom

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from dicomquest.cli.conform.check_table import CHECKS, WORKLIST_CHECKS
from dicomquest.cli.conform.outcome import Check, Outcome, Result
from dicomquest.cli.conform.questioner import Questioner
from dicomquest.cli.conform.reports import clause_of, counts
from dicomquest.cli.conform_command import results_of
from dicomquest.cli.peer import PeerSettings, associate
from peers import ours, realistic
from peers.dcmtk import dcmqrscp
from peers.orthanc import orthanc
from peers.processes import Peer
from peers.pynetdicom_programs import qrscp
from peers.worklists import orthancs_worklist, our_worklist, their_worklist

PAGE = ROOT / "docs" / "reference" / "conformance-of-peers.md"

INTRODUCTION = """\
---
hide: [toc]
---

# Conformance of peers

`python tools/peer_conformance.py` writes this page.
[`dicomquest conform`](command-line.md#conform) checks four archives.
They hold the same {count} instances.
They are dcmqrscp of DCMTK {dcmtk}, Orthanc {orthanc}, qrscp of pynetdicom {pynetdicom}, and ours.
[Three worklists](#worklists) follow.

A check that the peer's data or services cannot decide is *not decided*, never *passed*.
An SCP chooses its information models and its optional keys.
If it ignores a key, it must say so by FF01.
Two checks hold a peer to more than the letter, because a wrong list is worse than an error: \
`malformed-range`, and `wild-uid-star-alone`, as some SCUs send `*` for an empty UID.
"""
WORKLISTS = """
## Worklists

`dicomquest conform -W` checks three worklists with the same 200 steps: wlmscpfs of DCMTK, the \
worklist plugin of Orthanc, and ours.
"""
MARKS = {Outcome.PASSED: "passed", Outcome.FAILED: "**failed**", Outcome.NOT_DECIDED: "not decided"}


def check(peer: Peer, *, is_worklist: bool = False) -> list[Result]:
    """Run all checks on a peer, or those of its worklist."""
    settings = PeerSettings(aec=peer.aet)
    questioner = Questioner(
        lambda uids, extended: associate(peer.host, peer.port, settings, uids, extended), 1000
    )
    try:
        checks = WORKLIST_CHECKS if is_worklist else CHECKS
        return list(results_of(questioner, checks, is_worklist=is_worklist))
    finally:
        questioner.close()


def page(
    found: Mapping[str, Sequence[Result]],
    worklists: Mapping[str, Sequence[Result]],
    versions: Mapping[str, str],
) -> str:
    """The page, with one table of archives and one of worklists."""
    lines = [INTRODUCTION.format(count=len(realistic.instances()), **versions)]
    lines += [*table(found), WORKLISTS, *table(worklists)]
    return "\n".join([*lines, ""])


def table(found: Mapping[str, Sequence[Result]]) -> list[str]:
    """The table of all checks, and what each peer failed."""
    lines = [f"| Check | Clause | It checks | {' | '.join(found)} |"]
    lines += ["| --- " * (len(found) + 3) + "|"]
    for results in zip(*found.values(), strict=True):
        row = results[0].check
        cells = [linked(row), clause_of(row), row.words]
        marks = [MARKS[result.verdict.outcome] for result in results]
        lines.append(f"| {' | '.join([*cells, *marks])} |")
    for name, all_results in found.items():
        lines += ["", f"**{name}**: {counts(all_results)}."]
        failures = [
            f"| {linked(result.check)} | {cell(result.verdict.words)} |"
            for result in all_results
            if result.verdict.outcome is Outcome.FAILED
        ]
        if failures:
            lines += ["", "| Failed | Seen |", "| --- | --- |", *failures]
    return lines


def linked(row: Check) -> str:
    """The identifier of a check, with a link to its section."""
    return f"[`{row.identifier}`](conform-checks.md#{row.identifier})"


def cell(words: str) -> str:
    """Words as they are, within a table."""
    return words.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def versions() -> dict[str, str]:
    """The versions of the three others."""
    said = {
        name: subprocess.run(
            [name, "--version"], capture_output=True, text=True, check=False
        ).stdout
        for name in ("dcmqrscp", "Orthanc")
    }
    return {
        "dcmtk": said["dcmqrscp"].split(" v")[1].split()[0],
        "orthanc": said["Orthanc"].split()[1],
        "pynetdicom": pynetdicom.__version__,
    }


def check_worklists() -> dict[str, list[Result]]:
    """Check the three worklists, one after the other."""
    found: dict[str, list[Result]] = {}
    for title, run in (
        ("dicomquest", our_worklist),
        ("wlmscpfs", their_worklist),
        ("Orthanc", orthancs_worklist),
    ):
        with tempfile.TemporaryDirectory() as name, run(Path(name)) as peer:
            found[title] = check(peer, is_worklist=True)
            print(f"{title}, worklist: {counts(found[title])}")
    return found


def main() -> None:
    """Run the four, one after the other."""
    found: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = {each: Path(name, each) for each in ("files", "index", "dcmtk", "orthanc", "py")}
        for folder in folders.values():
            folder.mkdir()
        realistic.write(folders["files"])
        paths = sorted(folders["files"].iterdir())
        ours.index(folders["index"] / "index.sqlite", folders["files"])
        peers = {
            "dicomquest": stack.enter_context(ours.serve(folders["index"] / "index.sqlite")),
            "dcmqrscp": stack.enter_context(dcmqrscp(folders["dcmtk"], paths)),
            "Orthanc": stack.enter_context(orthanc(folders["orthanc"], paths)),
            "pynetdicom qrscp": stack.enter_context(qrscp(folders["py"], paths)),
        }
        for title, peer in peers.items():
            found[title] = check(peer)
            print(f"{title}: {counts(found[title])}")
    worklists = check_worklists()
    PAGE.write_text(page(found, worklists, versions()), encoding="utf-8")


if __name__ == "__main__":
    main()

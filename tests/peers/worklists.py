"""The same worklist in dicomquest and in wlmscpfs, and the answers of both to one query."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dicomquest.dataset.elements import DataSet, to_json
from dicomquest.dataset.encoder import encode
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from peers import ours
from peers.dcmtk import findscu_worklist, wlmscpfs
from peers.processes import Peer
from peers.worklist_table import PLAN, WorklistRow, data_set_of

TITLE = "RIS"
_STEP = "ScheduledProcedureStepSequence[0]"


@dataclass(frozen=True, slots=True)
class WorklistOutcome:
    """The Requested Procedure IDs of the answers, sorted, and True for another end than Success."""

    found: tuple[str, ...]
    fails: bool


def encoded(data_set: DataSet) -> bytes:
    """An entry as a file of wlmscpfs has it, in Latin-1."""
    return encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 100",))


@contextlib.contextmanager
def our_worklist(folder: Path) -> Iterator[Peer]:
    """The entries in a running dicomquest."""
    file, location = folder / "entries.json", folder / "index.sqlite"
    file.write_text(json.dumps([to_json(data_set_of(each)) for each in PLAN]))
    done = ours.run("worklist", "add", str(file), "--index", str(location))
    assert done.status == 0, done.err
    with ours.serve(location, "--worklist", aet=TITLE) as peer:
        yield peer


@contextlib.contextmanager
def their_worklist(folder: Path) -> Iterator[Peer]:
    """The entries in a running wlmscpfs."""
    data = [encoded(data_set_of(each)) for each in PLAN]
    with wlmscpfs(folder, {TITLE: data}) as port:
        yield Peer("127.0.0.1", port, TITLE)


def ask(peer: Peer, row: WorklistRow) -> WorklistOutcome:
    """Send one query by findscu, which asks for the Requested Procedure ID, too."""
    keys = {f"{_STEP}.{name}": value for name, value in row.step.items()}
    keys |= {"RequestedProcedureID": "", **row.root}
    if any(not value.isascii() for value in keys.values()):
        keys["SpecificCharacterSet"] = "ISO_IR 192"
    outcome = findscu_worklist(peer, keys)
    found = sorted(str(answer["RequestedProcedureID"]) for answer in outcome.answers)
    return WorklistOutcome(tuple(found), not outcome.final.startswith("Success"))

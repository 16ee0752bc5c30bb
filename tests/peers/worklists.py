"""The same worklist in dicomquest, wlmscpfs and Orthanc, and the answers of each to one query."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicomquest.dataset.elements import DataSet, to_json
from dicomquest.dataset.encoder import encode
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from peers import ours
from peers.dcmtk import findscu_worklist, wlmscpfs
from peers.orthanc import worklists
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


@contextlib.contextmanager
def orthancs_worklist(folder: Path) -> Iterator[Peer]:
    """The entries as files in the folder of Orthanc's worklist plugin."""
    files = folder / "worklist"
    files.mkdir()
    for number, each in enumerate(PLAN):
        file = pydicom.dcmread(io.BytesIO(encoded(data_set_of(each))), force=True)
        file.file_meta = FileMetaDataset()
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file.file_meta.MediaStorageSOPClassUID = UID(MODALITY_WORKLIST.uid)
        file.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.826.0.1.3680043.8.498.{number}")
        file.save_as(files / f"{number}.wl", enforce_file_format=True)
    with worklists(folder, files) as peer:
        yield peer


def ask(peer: Peer, row: WorklistRow) -> WorklistOutcome:
    """Send one query by findscu, which asks for the Requested Procedure ID, too."""
    keys = {f"{_STEP}.{name}": value for name, value in row.step.items()}
    keys |= {"RequestedProcedureID": "", **row.root}
    if any(not value.isascii() for value in keys.values()):
        keys["SpecificCharacterSet"] = "ISO_IR 192"
    outcome = findscu_worklist(peer, keys)
    found = sorted(str(answer["RequestedProcedureID"]) for answer in outcome.answers)
    return WorklistOutcome(tuple(found), not outcome.final.startswith("Success"))

"""P16: storescu, Orthanc and pynetdicom store in four transfer syntaxes, over one association and
eight; all is found at once, and the server stays small."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Claim, Figure, number
from p13_store import ASSOCIATIONS, ours
from population import ROOT
from pydicom import dcmread
from servers import CACHE, resident_bytes, scratch

from dicomquest import find

from peers.orthanc import orthanc  # isort: skip - servers makes this importable
from peers.processes import free_port  # isort: skip
from fixtures.programs import program  # isort: skip
from fixtures.storing import syntax_files  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sizes import Size

    from peers.processes import Peer

MOST_MEMORY = 150_000_000

SYNTAXES = {
    "CT_small.dcm": "-xe",  # Explicit VR Little Endian
    "MR_small_implicit.dcm": "-xi",
    "SC_rgb_jpeg_gdcm.dcm": "-xs",  # JPEG Lossless
    "GDCMJ2K_TextGBR.dcm": "-xv",  # JPEG 2000, lossless
}
"""The files that instances are made of, each with storescu's option for its transfer syntax."""


def folders_of(instances: int) -> list[tuple[str, Path]]:
    """Eight folders of files, a study each, two of each transfer syntax; with storescu's option."""
    root = CACHE / f"senders-{instances}"
    places = [(name, option, half) for name, option in SYNTAXES.items() for half in (1, 2)]
    if not root.exists():
        building = root.with_suffix(".building")
        paths = {path.name: path for path in syntax_files()}
        for study, (name, option, half) in enumerate(places, 1):
            folder = building / f"{option}{half}"
            folder.mkdir(parents=True, exist_ok=True)
            dataset = dcmread(paths[name])
            dataset.PatientID, dataset.StudyInstanceUID = f"S{study}", f"{ROOT}.16.{study}"
            dataset.SeriesInstanceUID = f"{ROOT}.16.{study}.1"
            for each in range(1, instances // len(places) + 1):
                dataset.SOPInstanceUID = f"{ROOT}.16.{study}.1.{each}"
                dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
                dataset.InstanceNumber = str(each)
                dataset.save_as(folder / f"{each:05}.dcm", enforce_file_format=True)
        building.rename(root)
    return [(option, root / f"{option}{half}") for _, option, half in places]


def run_all(commands: Sequence[Sequence[str]], at_once: int) -> None:
    """Run programs to their end, so many at once; AssertionError has the output of a failed one."""

    def call(command: Sequence[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(
                f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(call, commands))


def by_storescu(port: int, folders: list[tuple[str, Path]], associations: int) -> None:
    """A process and an association for each folder: it proposes one transfer syntax a run."""
    run_all(
        [
            [program("storescu"), option, "-R", "+sd", "127.0.0.1", str(port), str(path)]
            for option, path in folders
        ],
        associations,
    )


def by_pynetdicom(port: int, folders: list[tuple[str, Path]], associations: int) -> None:
    command = [sys.executable, "-m", "pynetdicom", "storescu", "127.0.0.1", str(port)]
    paths = [path for _, path in folders] if associations > 1 else [folders[0][1].parent]
    run_all([[*command, str(path), "-r", "-cx"] for path in paths], associations)


@contextlib.contextmanager
def filled_orthanc(port: int, folders: list[tuple[str, Path]]) -> Iterator[tuple[Peer, list[str]]]:
    """Orthanc with all the files, and their names in it."""
    modalities = {"us": ["DICOMQUEST", "127.0.0.1", port]}
    paths = [path for _, folder in folders for path in sorted(folder.iterdir())]
    with (
        orthanc(scratch(), paths, DicomModalities=modalities, DicomScuTimeout=600) as peer,
        urllib.request.urlopen(f"http://127.0.0.1:{peer.http_port}/instances") as response,
    ):
        yield peer, json.load(response)


def by_orthanc(peer: Peer, names: list[str], associations: int) -> None:
    """A request for each association: Orthanc answers it when all of its instances are stored."""

    def send(share: list[str]) -> None:
        body = json.dumps({"Resources": share, "Synchronous": True}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{peer.http_port}/modalities/us/store", body
        )
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        if answer["FailedInstancesCount"]:
            raise AssertionError(f"Orthanc: {answer['FailedInstancesCount']} instances failed")

    with ThreadPoolExecutor(associations) as pool:
        list(pool.map(send, [names[start::associations] for start in range(associations)]))


def found(port: int) -> int:
    """The instances that a client finds, as the studies count them."""
    studies = find(
        "127.0.0.1", port, level="STUDY", called_aet="DICOMQUEST", NumberOfStudyRelatedInstances=""
    )
    return sum(int(study.NumberOfStudyRelatedInstances) for study in studies)


def run(size: Size) -> Claim:
    folders = folders_of(size.stored)
    instances = size.stored // 8 * 8
    claim = Claim(
        "P16",
        f"{instances:,} instances in four transfer syntaxes, two of them compressed, "
        "from other programs, a second",
        "all found at once, in less than 150 MB of memory",
    )
    claim.remark = (
        "Each figure includes the sender's own work: it reads its files, and shares the cores."
    )
    claim.is_met = True
    with contextlib.ExitStack() as stack:
        port = free_port()
        peer, names = stack.enter_context(filled_orthanc(port, folders))
        senders = {
            "storescu": lambda associations: by_storescu(port, folders, associations),
            "Orthanc": lambda associations: by_orthanc(peer, names, associations),
            "pynetdicom storescu": lambda associations: by_pynetdicom(port, folders, associations),
        }
        for name, send in senders.items():
            for associations in ASSOCIATIONS:
                with ours(scratch(), port=port) as (_, _, pid):
                    started = time.perf_counter()
                    send(associations)
                    seconds = time.perf_counter() - started
                    there, memory = found(port), resident_bytes(pid)
                claim.is_met &= there == instances and memory < MOST_MEMORY
                claim.figures.append(
                    Figure(
                        f"{name}, {associations} associations",
                        number(instances / seconds),
                        f"{there:,} found, {memory / 1e6:.0f} MB",
                    )
                )
    return claim

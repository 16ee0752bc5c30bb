"""DCMTK's programs: findscu, echoscu, storescu, and dcmqrscp with its configuration."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from fixtures.programs import program
from fixtures.timing import LONG
from peers.answers import Answer, plain
from peers.processes import Outcome, Peer, client, free_port, server

MODELS = {"patient": "-P", "study": "-S", "psonly": "-O", "worklist": "-W"}


@dataclass(frozen=True, slots=True)
class FindOutcome:
    """The outcome of findscu: the Pending responses, and its words for the final status."""

    answers: list[Answer]
    final: str
    status: int
    output: str


def findscu(
    peer: Peer, level: str, keys: Mapping[str, str], *options: str, model: str = "study"
) -> FindOutcome:
    """Query with findscu; keys are keywords or sequence paths in findscu's form."""
    texts = [
        text
        for name, value in {"QueryRetrieveLevel": level, **keys}.items()
        for text in ("-k", f"{name}={value}")
    ]
    return _find(peer, model, [*options, *texts], [])


def findscu_worklist(peer: Peer, keys: Mapping[str, str], *options: str) -> FindOutcome:
    """Query a worklist with findscu."""
    texts = [text for name, value in keys.items() for text in ("-k", f"{name}={value}")]
    return _find(peer, "worklist", [*options, *texts], [])


def findscu_file(peer: Peer, path: Path, *, model: str = "study") -> FindOutcome:
    """Query with the identifier of a file, byte for byte."""
    return _find(peer, model, [], [str(path)])


def _find(peer: Peer, model: str, options: Sequence[str], files: Sequence[str]) -> FindOutcome:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            program("findscu"),
            "-v",
            MODELS[model],
            "-aec",
            peer.aet,
            "-X",
            "-od",
            folder,
            *options,
        ]
        outcome = client([*command, peer.host, str(peer.port), *files])
        answers = [
            plain(pydicom.dcmread(path, force=True))
            for path in sorted(Path(folder).glob("rsp*.dcm"))
        ]
    final = re.search(r"Received Final Find Response \((.*)\)", outcome.output)
    return FindOutcome(answers, final[1] if final else "", outcome.status, outcome.output)


def echoscu(peer: Peer, *options: str) -> Outcome:
    return client([program("echoscu"), "-v", "-aec", peer.aet, *options, peer.host, str(peer.port)])


def storescu(peer: Peer, paths: Sequence[Path]) -> Outcome:
    return client(
        [program("storescu"), "-aec", peer.aet, "-R", peer.host, str(peer.port), *map(str, paths)]
    )


CONFIGURATION = """
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = 64
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{aet} {area} RW (500, 1024mb) ANY
AETable END
"""


@contextlib.contextmanager
def dcmqrscp(
    folder: Path, paths: Sequence[Path], destinations: Sequence[Peer] = ()
) -> Iterator[Peer]:
    """Run dcmqrscp over copies of the instances, indexed by dcmqridx; it may move them to peers."""
    area = folder / "area"
    area.mkdir()
    copies = [shutil.copyfile(path, area / f"{number:05}.dcm") for number, path in enumerate(paths)]
    subprocess.run(
        [program("dcmqridx"), str(area), *map(str, copies)],
        check=True,
        capture_output=True,
        timeout=6 * LONG,
    )
    port = free_port()
    configuration = folder / "dcmqrscp.cfg"
    hosts = "\n".join(
        f"{peer.aet.lower()} = ({peer.aet}, {peer.host}, {peer.port})" for peer in destinations
    )
    configuration.write_text(CONFIGURATION.format(port=port, aet="QRSCP", area=area, hosts=hosts))
    with server([program("dcmqrscp"), "-c", str(configuration)], port, folder / "dcmqrscp.log"):
        yield Peer("127.0.0.1", port, "QRSCP")


@contextlib.contextmanager
def wlmscpfs(folder: Path, entries: Mapping[str, Sequence[bytes]]) -> Iterator[int]:
    """Run wlmscpfs over encoded entries by the AE title that it is called by; give its port."""
    for title, data_sets in entries.items():
        (folder / title).mkdir()
        (folder / title / "lockfile").touch()
        for number, data in enumerate(data_sets):
            (folder / title / f"{number:04}.wl").write_bytes(data)
    port = free_port()
    # A single process: a forked one would outlive the test.
    command = [program("wlmscpfs"), "-v", "-s", "-dfr", "-csk", "-dfp", str(folder), str(port)]
    with server(command, port, folder / "wlmscpfs.log"):
        yield port

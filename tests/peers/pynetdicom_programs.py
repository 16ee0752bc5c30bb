"""The programs of pynetdicom_peer.py, started and read."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest import AE
from fixtures.timing import LONG
from peers.answers import Answer, plain
from peers.processes import Peer, client, free_port, server

PROGRAM = Path(__file__).parent / "pynetdicom_peer.py"


@contextlib.contextmanager
def pynetdicom_scp(folder: Path) -> Iterator[Peer]:
    """Run the SCP over a folder; it prints its port, and ends at the end of its input."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "scp", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            yield Peer("127.0.0.1", int(process.stdout.readline()), "PYNETDICOM")
        finally:
            process.stdin.close()
            try:
                process.wait(LONG)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(LONG)


QRSCP = """\
[DEFAULT]
ae_title: QRSCP_PY
port: {port}
max_pdu: 16382
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address: 127.0.0.1
instance_location: {folder}/instances
database_location: {folder}/instances.sqlite
log_identifier: False
"""


@contextlib.contextmanager
def qrscp(folder: Path, paths: Sequence[Path], destinations: Sequence[Peer] = ()) -> Iterator[Peer]:
    """Run pynetdicom's own archive, and send it the instances; it may move them to peers."""
    port = free_port()
    configuration = folder / "qrscp.ini"
    known = "".join(
        f"[{peer.aet}]\nae_title: {peer.aet}\naddress: {peer.host}\nport: {peer.port}\n"
        for peer in destinations
    )
    configuration.write_text(QRSCP.format(port=port, folder=folder) + known)
    command = [sys.executable, "-m", "pynetdicom", "qrscp", "-c", str(configuration)]
    with server(command, port, folder / "qrscp.log"):
        ae = AE("SENDER")
        for sop_class in {pydicom.dcmread(path).SOPClassUID for path in paths}:
            ae.add_requested_context(sop_class, ExplicitVRLittleEndian)
        with ae.associate("127.0.0.1", port) as association:
            for path in paths:
                association.send_c_store(path)
        yield Peer("127.0.0.1", port, "QRSCP_PY")


@dataclass(frozen=True, slots=True)
class PynetdicomOutcome:
    """The statuses of all responses, in order, and the identifiers of the Pending ones."""

    statuses: list[int | None]
    answers: list[Answer]
    output: str


def pynetdicom_find(
    peer: Peer, level: str, keys: Mapping[str, str], *options: str, model: str = "study"
) -> PynetdicomOutcome:
    """Query with pynetdicom's SCU."""
    texts = [
        f"{keyword}={value}" for keyword, value in {"QueryRetrieveLevel": level, **keys}.items()
    ]
    (outcome,) = _run(peer, "find", texts, 1, model, *options)
    return outcome


def pynetdicom_find_files(
    peer: Peer, paths: Sequence[Path], *options: str, model: str = "study"
) -> list[PynetdicomOutcome]:
    """Query with the identifiers of files, all on one association."""
    return _run(peer, "find-files", [str(path) for path in paths], len(paths), model, *options)


def _run(
    peer: Peer, command: str, what: Sequence[str], queries: int, model: str, *options: str
) -> list[PynetdicomOutcome]:
    arguments = [sys.executable, str(PROGRAM), command, peer.host, str(peer.port), *what]
    outcome = client([*arguments, "--aec", peer.aet, "--model", model, *options])
    assert outcome.status == 0, outcome.output
    messages = [json.loads(line) for line in outcome.output.splitlines() if line.startswith("{")]
    return [
        PynetdicomOutcome(
            [message["status"] for message in messages if message["query"] == query],
            [
                plain(pydicom.Dataset.from_json(message["identifier"]))
                for message in messages
                if message["query"] == query and "identifier" in message
            ],
            outcome.output,
        )
        for query in range(queries)
    ]

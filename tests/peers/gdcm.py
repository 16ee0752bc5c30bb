"""GDCM's gdcmscu.

Version 3.0.21 throws ("ProtocolStream as nullptr is invalid") and aborts once a peer has confirmed
its release, before it prints the matches. So the tests read the responses from its debugging
output, which has each message's command set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fixtures.programs import program
from peers.processes import Peer, client

# A P-DATA-TF in gdcmscu's output: the control header of a command set, and all up to the status.
STATUS = re.compile(r"MessageHeader: 3\n(?:\(0000,.*\n)*?\(0000,0900\) .*?\(US\) (\d+)")

MODELS = {"patient": "--patientroot", "study": "--studyroot"}


@dataclass(frozen=True, slots=True)
class GdcmOutcome:
    """The statuses of all responses in order, and the success and release that gdcmscu tells."""

    statuses: list[int]
    success: bool
    released: bool
    output: str


def _run(peer: Peer, *arguments: str) -> GdcmOutcome:
    outcome = client(
        [program("gdcmscu"), *arguments, "-D", "--call", peer.aet, peer.host, str(peer.port)]
    )
    return GdcmOutcome(
        [int(status) for status in STATUS.findall(outcome.output)],
        "was successful" in outcome.output,
        "PDU code: 6" in outcome.output,
        outcome.output,
    )


def gdcmscu_echo(peer: Peer) -> GdcmOutcome:
    return _run(peer, "--echo")


def gdcmscu_find(
    peer: Peer, level: str, keys: Mapping[str, str], *, model: str = "study"
) -> GdcmOutcome:
    """Query with gdcmscu; keys are ``group,element`` in hexadecimal without leading zeros."""
    texts = [text for tag, value in keys.items() for text in ("--key", f"{tag}={value}")]
    return _run(peer, "--find", MODELS[model], f"--{level.lower()}", *texts)


def gdcmscu_worklist(peer: Peer, keys: Mapping[str, str]) -> GdcmOutcome:
    """Query a worklist with gdcmscu; keys as ``gdcmscu_find`` has them."""
    texts = [text for tag, value in keys.items() for text in ("--key", f"{tag}={value}")]
    return _run(peer, "--worklist", *texts)


def gdcmscu_move(
    peer: Peer, title: str, port: int, folder: Path, keys: Mapping[str, str]
) -> GdcmOutcome:
    """Have a study moved to gdcmscu itself, which writes the instances into the folder."""
    texts = [text for tag, value in keys.items() for text in ("--key", f"{tag}={value}")]
    receive = ("--aetitle", title, "--port-scp", str(port), "--output", str(folder))
    return _run(peer, "--move", "--studyroot", "--study", *receive, *texts)

"""GDCM's gdcmscu.

Version 3.0.21 throws ("ProtocolStream as nullptr is invalid") and aborts once any peer has confirmed its release,
before it prints what it found. So what it received is read from its debugging output: each message's command set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fixtures.programs import program
from peers.processes import Peer, client

# A P-DATA-TF as gdcmscu prints it: the control header of a whole command set, then the elements up to the status.
STATUS = re.compile(r"MessageHeader: 3\n(?:\(0000,.*\n)*?\(0000,0900\) .*?\(US\) (\d+)")

MODELS = {"patient": "--patientroot", "study": "--studyroot"}


@dataclass(frozen=True, slots=True)
class GdcmOutcome:
    """The statuses of all responses, in order; whether gdcmscu calls it a success and released the association."""

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
    """Query with gdcmscu; keys are ``group,element`` in hexadecimal without leading zeros, as it wants them."""
    texts = [text for tag, value in keys.items() for text in ("--key", f"{tag}={value}")]
    return _run(peer, "--find", MODELS[model], f"--{level.lower()}", *texts)

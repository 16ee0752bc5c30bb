"""The timers of an association as data: in which states each runs, and what its end does (PS3.8 9.1.4, 9.1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from dicomquest.ul.states import Event, Role, State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds; None waits for ever. Only ARTIM is the Standard's own.

    ``first_response`` and ``dimse`` are the session's: from a request to its first response, and between responses.
    """

    artim: float | None = 10.0
    associate_request: float | None = 30.0
    connect: float | None = 10.0
    association: float | None = 30.0
    release: float | None = 10.0
    first_response: float | None = 300.0
    dimse: float | None = 60.0
    pdu: float | None = 60.0
    idle: float | None = 300.0
    write: float | None = 60.0


class Timer(Enum):
    """The timers of the upper layer."""

    ARTIM = auto()
    ARTIM_OF_STATE_2 = auto()
    CONNECT = auto()
    ASSOCIATION = auto()
    RELEASE = auto()
    IDLE = auto()
    PDU = auto()
    WRITE = auto()


class Expiry(NamedTuple):
    """What happens when a timer runs out: an event of Table 9-10, and whether we then close without waiting."""

    timeout: str
    event: Event
    closes: bool
    words: str


# The Standard has one ARTIM timer; in state 2 ours has a longer time-out, so it is a row of its own.
# fmt: off
EXPIRIES = {
    Timer.ARTIM:            Expiry("artim", Event.ARTIM_EXPIRED, False, "the peer did not close the connection"),
    Timer.ARTIM_OF_STATE_2: Expiry("associate_request", Event.ARTIM_EXPIRED, False, "no A-ASSOCIATE-RQ"),
    Timer.CONNECT:          Expiry("connect", Event.ABORT_REQUEST, True, "no transport connection"),
    Timer.ASSOCIATION:      Expiry("association", Event.ABORT_REQUEST, False, "no answer to A-ASSOCIATE-RQ"),
    Timer.RELEASE:          Expiry("release", Event.ABORT_REQUEST, True, "no answer to A-RELEASE-RQ"),
    Timer.IDLE:             Expiry("idle", Event.ABORT_REQUEST, False, "no operation on the association"),
    Timer.PDU:              Expiry("pdu", Event.INVALID_PDU, False, "a PDU was begun and not completed"),
    Timer.WRITE:            Expiry("write", Event.ABORT_REQUEST, True, "the peer did not read what was sent to it"),
}

# A timer of this table starts when its states are entered, and stops when they are left. ARTIM, PDU and WRITE are
# started and stopped by actions, by what is received, and by the face.
STATES = {
    Timer.CONNECT:     frozenset({State.STA4}),
    Timer.ASSOCIATION: frozenset({State.STA5}),
    Timer.RELEASE:     frozenset({State.STA7, State.STA9, State.STA10, State.STA11}),
    Timer.IDLE:        frozenset({State.STA6}),
}
# fmt: on

ONLY_ROLE = {Timer.IDLE: Role.ACCEPTOR}
"""Timers that run on one side only: a requestor may keep an association for as long as it wants."""

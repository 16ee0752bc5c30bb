"""The timers of an association: as data, in which states each runs and what its end does (PS3.8 9.1.4, 9.1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
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


class Timer(IntEnum):
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

_OF_STATE = {
    state: frozenset(timer for timer, states in STATES.items() if state in states)
    for state in State
}

ONLY_ROLE = {Timer.IDLE: Role.ACCEPTOR}
"""Timers that run on one side only: a requestor may keep an association for as long as it wants."""


class Deadlines:
    """The timers that run now, and when each runs out."""

    __slots__ = ("_at", "_is_busy", "_role", "_timeouts")

    def __init__(self, role: Role, timeouts: Timeouts) -> None:
        self._role = role
        self._timeouts = timeouts
        self._at: dict[Timer, float] = {}
        self._is_busy = False

    def __contains__(self, timer: Timer) -> bool:
        return timer in self._at

    def start(self, timer: Timer, now: float) -> None:
        """Start a timer, anew if it runs; one whose time-out is None never runs."""
        seconds = self.seconds(timer)
        if seconds is not None:
            self._at[timer] = now + seconds

    def stop(self, *timers: Timer) -> None:
        """Stop timers, running or not."""
        for timer in timers:
            self._at.pop(timer, None)

    def stop_all(self) -> None:
        """Stop every timer."""
        self._at.clear()

    def change_state(self, before: State, state: State, now: float) -> None:
        """Start the timers whose states are entered, stop those whose states are left."""
        left, entered = _OF_STATE[before], _OF_STATE[state]
        if left == entered:
            return
        for timer in left - entered:
            self._at.pop(timer, None)
        for timer in entered - left:
            if self._may_run(timer):
                self.start(timer, now)

    def set_busy(self, is_busy: bool, state: State, now: float) -> None:
        """Let the idle timer stand still while operations are outstanding, and start anew after them."""
        self._is_busy = is_busy
        if is_busy:
            self._at.pop(Timer.IDLE, None)
        elif Timer.IDLE in _OF_STATE[state] and self._may_run(Timer.IDLE):
            self.start(Timer.IDLE, now)

    def next(self) -> float | None:
        """When the first timer runs out."""
        return min(self._at.values()) if self._at else None

    def take_expired(self, now: float) -> Timer | None:
        """Take out the timer that ran out first, if one has by now."""
        timer = min(self._at, key=self._at.__getitem__, default=None)
        if timer is None or self._at[timer] > now:
            return None
        del self._at[timer]
        return timer

    def seconds(self, timer: Timer) -> float | None:
        """How long a timer runs."""
        seconds: float | None = getattr(self._timeouts, EXPIRIES[timer].timeout)
        return seconds

    def _may_run(self, timer: Timer) -> bool:
        """Whether a timer runs on this side now, given that its state is there."""
        if timer is Timer.IDLE and self._is_busy:
            return False
        return ONLY_ROLE.get(timer, self._role) is self._role

"""The timers of an association as data: when each runs, what its end does (PS3.8 9.1.4, 9.1.5).

The Standard has one timer, ARTIM, and forbids its use for establishment and release. The other
timers are ours, so that no peer can hold an association by doing nothing. None of them has actions
of its own: a timer that runs out is an event of Table 9-10 (``EXPIRIES``). Nothing here reads a
clock; the time is an argument, of any monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import NamedTuple

from dicomquest.ul.states import Event, Role, State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time-outs in seconds; None waits for ever.

    Only ``artim`` is the Standard's. ``first_response``, ``dimse`` and ``retrieve`` are the
    session's: from a query to its first response, between responses, and between the signs of life
    of a C-GET or C-MOVE.
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
    retrieve: float | None = 600.0


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
    """The end of a timer: its time-out, an event of Table 9-10, the words for the message.

    ``closes`` says that this side then closes at once, and does not wait for the peer to close.
    """

    timeout: str
    event: Event
    closes: bool
    words: str


_ARTIM, _ABORT, _INVALID = Event.ARTIM_EXPIRED, Event.ABORT_REQUEST, Event.INVALID_PDU

# The Standard has one ARTIM timer. In state 2 ours has a longer time-out, so it is a row of its
# own. A peer that does not connect, release or read is not waited for to close. fmt: off
EXPIRIES = {
    Timer.ARTIM: Expiry("artim", _ARTIM, False, "the peer did not close the connection"),
    Timer.ARTIM_OF_STATE_2: Expiry("associate_request", _ARTIM, False, "no A-ASSOCIATE-RQ"),
    Timer.CONNECT: Expiry("connect", _ABORT, True, "no transport connection"),
    Timer.ASSOCIATION: Expiry("association", _ABORT, False, "no answer to A-ASSOCIATE-RQ"),
    Timer.RELEASE: Expiry("release", _ABORT, True, "no answer to A-RELEASE-RQ"),
    Timer.IDLE: Expiry("idle", _ABORT, False, "no operation on the association"),
    Timer.PDU: Expiry("pdu", _INVALID, False, "a PDU was begun and not completed"),
    Timer.WRITE: Expiry("write", _ABORT, True, "the peer did not read what was sent to it"),
}

# A timer of this table starts when its states are entered, and stops when they are left. The others
# are started and stopped elsewhere: ARTIM by actions, PDU by bytes that arrive, WRITE by the face.
STATES = {
    Timer.CONNECT: frozenset({State.STA4}),
    Timer.ASSOCIATION: frozenset({State.STA5}),
    Timer.RELEASE: frozenset({State.STA7, State.STA9, State.STA10, State.STA11}),
    Timer.IDLE: frozenset({State.STA6}),
}
# fmt: on

_OF_STATE = {
    state: frozenset(timer for timer, states in STATES.items() if state in states)
    for state in State
}

ONLY_ROLE = {Timer.IDLE: Role.ACCEPTOR}
"""Timers that run on one side only: a requestor may keep an association as long as it wants."""


class Deadlines:
    """The timers that run now, and when each runs out."""

    __slots__ = ("_at", "_is_busy", "_role", "_timeouts")

    def __init__(self, role: Role, timeouts: Timeouts) -> None:
        self._role = role
        self._timeouts = timeouts
        self._at: dict[Timer, float] = {}
        self._is_busy = False

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Use other time-outs for timers that start from now on."""
        self._timeouts = timeouts

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
        # Most changes are between states of no timer, or of the same one, which then goes on.
        if left == entered:
            return
        for timer in left - entered:
            self._at.pop(timer, None)
        for timer in entered - left:
            if self._may_run(timer):
                self.start(timer, now)

    def set_busy(self, is_busy: bool, state: State, now: float) -> None:
        """Stop the idle timer while operations are outstanding, and start it anew after them."""
        self._is_busy = is_busy
        if is_busy:
            self._at.pop(Timer.IDLE, None)
        elif Timer.IDLE in _OF_STATE[state] and self._may_run(Timer.IDLE):
            self.start(Timer.IDLE, now)

    def next(self) -> float | None:
        """Return the time at which the first timer runs out; None if none runs."""
        return min(self._at.values()) if self._at else None

    def take_expired(self, now: float) -> Timer | None:
        """Take out the timer that ran out first; None if none has by now."""
        timer = min(self._at, key=self._at.__getitem__, default=None)
        if timer is None or self._at[timer] > now:
            return None
        del self._at[timer]
        return timer

    def seconds(self, timer: Timer) -> float | None:
        """Return the time-out of a timer; None if it never runs."""
        seconds: float | None = getattr(self._timeouts, EXPIRIES[timer].timeout)
        return seconds

    def _may_run(self, timer: Timer) -> bool:
        """Tell whether a timer of the present state runs on this side now."""
        if timer is Timer.IDLE and self._is_busy:
            return False
        return ONLY_ROLE.get(timer, self._role) is self._role

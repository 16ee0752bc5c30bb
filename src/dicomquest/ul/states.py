"""The state machine of the upper layer as data: Tables 9-1 to 9-10 (PS3.8 9.2).

An association is in one of 13 states. 19 events can happen to it: its user asks for something, a
PDU arrives, the transport connection comes or goes, the ARTIM timer runs out. Table 9-10 has a row
for each event and a column for each state; the cell names an action. Tables 9-6 to 9-9 say what
each action does, and which state comes next. All of it stands here as literals, laid out to be read
beside the Standard:

- ``_TABLE_9_10`` is the table itself. The row P_DATA_RECEIVED reads: when a P-DATA-TF arrives in
  state 6, the action is DT-2; in state 7 it is AR-6, in state 13 AA-6; in state 1, with a dot, it
  cannot happen. ``TRANSITIONS`` is the same table as dictionaries.
- ``OUTCOMES`` has the row of each action: its effects in the order in which they happen, and the
  next state. The Standard lets AE-6 and AR-8 go two ways: the first outcome counts if its condition
  holds, the second otherwise.

An ``Effect`` is a value that does nothing by itself. ``UpperLayer._act`` in ``connection`` is the
only interpreter: it looks up the cell of an event and the present state, takes the next state from
the outcome, and carries out the effects.

Nothing else names a next state, or sets one: all other code offers an event and lets the table
decide. So this page can be held against the Standard by eye, and a test offers every event in every
state. An event in a state without a cell for it is the caller's error if the user asks for it
(``UpperLayer._check`` raises LocalProtocolError); any other event changes nothing.

Two things lie outside of the table. The face opens the transport connection itself, so AE-1 has no
effect. Timers besides ARTIM, which are not the Standard's, run out as events of the table
(``timers``).
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from typing import NamedTuple, Self


class Role(Enum):
    """The side of an association: who requested it, or who was asked."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


class _Worded(IntEnum):
    """A number of the Standard, with the words for it in messages."""

    words: str

    def __new__(cls, number: int, words: str) -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.words = words
        return member


class State(_Worded):
    """The states of Tables 9-1 to 9-5; their numbers are the columns of Table 9-10."""

    STA1 = 1, "idle"
    STA2 = 2, "transport open, awaiting A-ASSOCIATE-RQ"
    STA3 = 3, "awaiting the local answer to A-ASSOCIATE-RQ"
    STA4 = 4, "awaiting the transport connection"
    STA5 = 5, "awaiting A-ASSOCIATE-AC or -RJ"
    STA6 = 6, "association established"
    STA7 = 7, "awaiting A-RELEASE-RP"
    STA8 = 8, "awaiting the local answer to A-RELEASE-RQ"
    STA9 = 9, "release collision, requestor: awaiting the local answer"
    STA10 = 10, "release collision, acceptor: awaiting A-RELEASE-RP"
    STA11 = 11, "release collision, requestor: awaiting A-RELEASE-RP"
    STA12 = 12, "release collision, acceptor: awaiting the local answer"
    STA13 = 13, "awaiting the end of the transport connection"


class Event(_Worded):
    """The rows of Table 9-10: what the service user, the peer, the transport and ARTIM do."""

    ASSOCIATE_REQUEST = 1, "A-ASSOCIATE request"
    TRANSPORT_CONFIRMED = 2, "transport connection confirmed"
    ASSOCIATE_AC_RECEIVED = 3, "A-ASSOCIATE-AC"
    ASSOCIATE_RJ_RECEIVED = 4, "A-ASSOCIATE-RJ"
    TRANSPORT_INDICATED = 5, "transport connection indicated"
    ASSOCIATE_RQ_RECEIVED = 6, "A-ASSOCIATE-RQ"
    ASSOCIATE_ACCEPT = 7, "A-ASSOCIATE response (accept)"
    ASSOCIATE_REJECT = 8, "A-ASSOCIATE response (reject)"
    P_DATA_REQUEST = 9, "P-DATA request"
    P_DATA_RECEIVED = 10, "P-DATA-TF"
    RELEASE_REQUEST = 11, "A-RELEASE request"
    RELEASE_RQ_RECEIVED = 12, "A-RELEASE-RQ"
    RELEASE_RP_RECEIVED = 13, "A-RELEASE-RP"
    RELEASE_RESPONSE = 14, "A-RELEASE response"
    ABORT_REQUEST = 15, "A-ABORT request"
    ABORT_RECEIVED = 16, "A-ABORT"
    TRANSPORT_CLOSED = 17, "transport connection closed"
    ARTIM_EXPIRED = 18, "ARTIM timer expired"
    INVALID_PDU = 19, "unrecognized or invalid PDU"


class Action(IntEnum):
    """The cells of Table 9-10."""

    AE_1 = auto()
    AE_2 = auto()
    AE_3 = auto()
    AE_4 = auto()
    AE_5 = auto()
    AE_6 = auto()
    AE_7 = auto()
    AE_8 = auto()
    DT_1 = auto()
    DT_2 = auto()
    AR_1 = auto()
    AR_2 = auto()
    AR_3 = auto()
    AR_4 = auto()
    AR_5 = auto()
    AR_6 = auto()
    AR_7 = auto()
    AR_8 = auto()
    AR_9 = auto()
    AR_10 = auto()
    AA_1 = auto()
    AA_2 = auto()
    AA_3 = auto()
    AA_4 = auto()
    AA_5 = auto()
    AA_6 = auto()
    AA_7 = auto()
    AA_8 = auto()


class Effect(Enum):
    """The parts that actions are made of."""

    SEND = "send the PDU that the service user asked for"
    SEND_REJECT = "send A-ASSOCIATE-RJ for what the provider itself does not accept"
    SEND_USER_ABORT = "send A-ABORT, source service user"
    SEND_PROVIDER_ABORT = "send A-ABORT, source service provider, with the reason of the error"
    INDICATE = "tell the service user what the PDU says"
    INDICATE_PROVIDER_ABORT = "tell the service user that the association is lost, and why"
    START_ARTIM = "start the ARTIM timer, anew if it runs"
    STOP_ARTIM = "stop the ARTIM timer"
    CLOSE = "the transport connection is over: close it"


class Condition(Enum):
    """The conditions that the next state of AE-6 and AR-8 depends on."""

    ALWAYS = "always; of a second outcome: otherwise"
    ACCEPTABLE = "the provider can accept the A-ASSOCIATE-RQ"
    REQUESTOR = "this side requested the association"


class Outcome(NamedTuple):
    """One way that an action goes: its effects, in this order, and the state after it."""

    effects: tuple[Effect, ...]
    next_state: State
    condition: Condition = Condition.ALWAYS


_SEND, _INDICATE, _CLOSE = Effect.SEND, Effect.INDICATE, Effect.CLOSE
_START, _STOP = Effect.START_ARTIM, Effect.STOP_ARTIM
_LOST = Effect.INDICATE_PROVIDER_ABORT

# fmt: off
OUTCOMES: dict[Action, tuple[Outcome, ...]] = {
    # Association establishment: Table 9-6. The face itself opens the connection for AE-1. A face
    # that gets a connection has accepted it already, so AE-5 only starts the timer.
    Action.AE_1:  (Outcome((), State.STA4),),
    Action.AE_2:  (Outcome((_SEND,), State.STA5),),
    Action.AE_3:  (Outcome((_INDICATE,), State.STA6),),
    Action.AE_4:  (Outcome((_INDICATE, _CLOSE), State.STA1),),
    Action.AE_5:  (Outcome((_START,), State.STA2),),
    Action.AE_6:  (Outcome((_STOP, _INDICATE), State.STA3, Condition.ACCEPTABLE),
                   Outcome((_STOP, Effect.SEND_REJECT, _START), State.STA13)),
    Action.AE_7:  (Outcome((_SEND,), State.STA6),),
    Action.AE_8:  (Outcome((_SEND, _START), State.STA13),),
    # Data transfer: Table 9-7.
    Action.DT_1:  (Outcome((_SEND,), State.STA6),),
    Action.DT_2:  (Outcome((_INDICATE,), State.STA6),),
    # Association release: Table 9-8. AR-8 is the collision: both sides have asked for release, and
    # the requestor of the association answers first.
    Action.AR_1:  (Outcome((_SEND,), State.STA7),),
    Action.AR_2:  (Outcome((_INDICATE,), State.STA8),),
    Action.AR_3:  (Outcome((_INDICATE, _CLOSE), State.STA1),),
    Action.AR_4:  (Outcome((_SEND, _START), State.STA13),),
    Action.AR_5:  (Outcome((_STOP, _CLOSE), State.STA1),),
    Action.AR_6:  (Outcome((_INDICATE,), State.STA7),),
    Action.AR_7:  (Outcome((_SEND,), State.STA8),),
    Action.AR_8:  (Outcome((_INDICATE,), State.STA9, Condition.REQUESTOR),
                   Outcome((_INDICATE,), State.STA10)),
    Action.AR_9:  (Outcome((_SEND,), State.STA11),),
    Action.AR_10: (Outcome((_INDICATE,), State.STA12),),
    # Association abort: Table 9-9. After its own A-ABORT a side waits in state 13 for the peer to
    # close, as long as ARTIM runs. AA-7 does not start it anew: it runs already.
    Action.AA_1:  (Outcome((Effect.SEND_USER_ABORT, _START), State.STA13),),
    Action.AA_2:  (Outcome((_STOP, _CLOSE), State.STA1),),
    Action.AA_3:  (Outcome((_INDICATE, _CLOSE), State.STA1),),
    Action.AA_4:  (Outcome((_LOST, _CLOSE), State.STA1),),
    Action.AA_5:  (Outcome((_STOP, _CLOSE), State.STA1),),
    Action.AA_6:  (Outcome((), State.STA13),),
    Action.AA_7:  (Outcome((Effect.SEND_PROVIDER_ABORT,), State.STA13),),
    Action.AA_8:  (Outcome((Effect.SEND_PROVIDER_ABORT, _LOST, _START), State.STA13),),
}

_TABLE_9_10 = """
Event                 1     2     3     4     5     6     7     8     9     10    11    12    13
ASSOCIATE_REQUEST     AE-1  .     .     .     .     .     .     .     .     .     .     .     .
TRANSPORT_CONFIRMED   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
ASSOCIATE_AC_RECEIVED .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
ASSOCIATE_RJ_RECEIVED .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
TRANSPORT_INDICATED   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
ASSOCIATE_RQ_RECEIVED .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
ASSOCIATE_ACCEPT      .     .     AE-7  .     .     .     .     .     .     .     .     .     .
ASSOCIATE_REJECT      .     .     AE-8  .     .     .     .     .     .     .     .     .     .
P_DATA_REQUEST        .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
P_DATA_RECEIVED       .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
RELEASE_REQUEST       .     .     .     .     .     AR-1  .     .     .     .     .     .     .
RELEASE_RQ_RECEIVED   .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
RELEASE_RP_RECEIVED   .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
RELEASE_RESPONSE      .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
ABORT_REQUEST         .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
ABORT_RECEIVED        .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
TRANSPORT_CLOSED      .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
ARTIM_EXPIRED         .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
INVALID_PDU           .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""
# fmt: on


def _read(table: str) -> dict[Event, dict[State, Action]]:
    header, *rows = (line.split() for line in table.strip().splitlines())
    states = [State(int(number)) for number in header[1:]]  # type: ignore[call-arg]
    return {
        Event[name]: {
            state: Action[cell.replace("-", "_")]
            for state, cell in zip(states, cells, strict=True)
            if cell != "."
        }
        for name, *cells in rows
    }


TRANSITIONS = _read(_TABLE_9_10)
"""The action by event and state; an event without a cell cannot happen, or changes nothing."""

"""The upper layer of one association, without I/O (PS3.8 9.2).

``UpperLayer`` is the interpreter of the tables in ``states``: every call becomes an event, and
``_act`` carries out the cell of Table 9-10. Bytes, the user's requests and times go in; bytes and
indications come out. The methods around ``_act`` do the rest: they cut PDUs out of the byte stream,
hold PDVs and answers against the negotiation, and look at the timers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias, assert_never

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    PresentationDataValue,
    encode,
    encode_p_data,
    is_remembered,
)
from dicomquest.pdu.reader import PduReader
from dicomquest.pdu.reasons import AbortReason, AbortSource
from dicomquest.ul.indications import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    DataReceived,
    Indication,
    ProviderAborted,
    ReleaseConfirmed,
    ReleaseRequested,
    TransportClosed,
)
from dicomquest.ul.negotiation import (
    PROTOCOL_VERSION_NOT_SUPPORTED,
    AcceptedContext,
    accepted_contexts,
    check_answer,
    check_own_answer,
)
from dicomquest.ul.p_data import check_received, check_sent
from dicomquest.ul.states import (
    OUTCOMES,
    TRANSITIONS,
    Action,
    Condition,
    Effect,
    Event,
    Role,
    State,
)
from dicomquest.ul.timers import EXPIRIES, Deadlines, Timeouts, Timer

Bytes: TypeAlias = bytes | memoryview

ASSOCIATION_PDU_LIMIT = 1 << 20
"""The longest A-ASSOCIATE-RQ or -AC that is received.

128 contexts with many transfer syntaxes and a long SAML assertion fit well.
"""

P_DATA_LIMIT_IF_UNLIMITED = 1 << 27
"""The longest P-DATA-TF that is received after announcing "no limit" (0)."""

SEND_LIMIT_IF_UNLIMITED = 128 * 1024
"""The longest P-DATA-TF to a peer that announces "no limit": some have small buffers."""


class UpperLayer:
    """The state machine of one association on one transport connection.

    It never waits and reads no clock: times are seconds of any monotonic clock. A request that the
    state does not allow raises LocalProtocolError and changes nothing; whatever the peer sends is
    answered as Table 9-10 says, and raises nothing.
    """

    # A server holds one for each association, and most of these are idle.
    __slots__ = (
        "_ac",
        "_contexts",
        "_deadlines",
        "_indications",
        "_outgoing",
        "_peer_maximum_length",
        "_reader",
        "_request",
        "_role",
        "_rq",
        "_should_close",
        "_state",
        "limit",
        "position_behind",
    )

    def __init__(
        self,
        role: Role,
        *,
        timeouts: Timeouts | None = None,
        association_pdu_limit: int = ASSOCIATION_PDU_LIMIT,
    ) -> None:
        self._should_close = False
        self._role = role
        self._state = State.STA1
        self._reader = PduReader(association_pdu_limit, association_pdu_limit)
        self.position_behind = self._reader.position_behind
        self._outgoing: list[Bytes] = []
        self._indications: list[Indication] = []
        self._deadlines = Deadlines(role, timeouts or Timeouts())
        self._request = b""
        self._rq: AAssociateRQ | None = None
        self._ac: AAssociateAC | None = None
        self._contexts: Mapping[int, AcceptedContext] = {}
        self._peer_maximum_length = 0
        # The name of the limit or time-out that ended the association; empty if none did.
        self.limit = ""

    @property
    def state(self) -> State:
        """The state of Tables 9-1 to 9-5."""
        return self._state

    @property
    def role(self) -> Role:
        """The side of the association that this is."""
        return self._role

    @property
    def should_close(self) -> bool:
        """Tell whether to send what is left and close the connection; once true it stays so."""
        return self._should_close

    @property
    def rq(self) -> AAssociateRQ | None:
        """The association request, sent or received."""
        return self._rq

    @property
    def ac(self) -> AAssociateAC | None:
        """The acceptance, sent or received."""
        return self._ac

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """The accepted presentation contexts by their ID; empty before the acceptance."""
        return self._contexts

    @property
    def peer_maximum_length(self) -> int:
        """The longest P-DATA-TF that the peer receives, in bytes of PDU-length; 0 is no limit."""
        return self._peer_maximum_length

    @property
    def send_limit(self) -> int:
        """The longest PDU-length to give a P-DATA-TF, in bytes."""
        return self._peer_maximum_length or SEND_LIMIT_IF_UNLIMITED

    def allows(self, event: Event) -> bool:
        """Tell whether Table 9-10 has a cell for this event in the present state."""
        return self._state in TRANSITIONS[event] and not self._should_close

    def transport_connected(self, now: float) -> None:
        """Begin: the connection is accepted, or is made after ``send_associate_rq``."""
        # The Standard has two events for one fact: an acceptor is told of the connection, a
        # requestor has asked for it.
        event = (
            Event.TRANSPORT_INDICATED if self._role is Role.ACCEPTOR else Event.TRANSPORT_CONFIRMED
        )
        self._check(event)
        self._act(event, now, data=self._request)
        self._request = b""

    def send_associate_rq(self, pdu: AAssociateRQ, now: float) -> None:
        """Ask for an association; the request goes out as soon as the transport is connected."""
        # The table would allow it in state 1, as it has no roles.
        if self._role is Role.ACCEPTOR:
            raise LocalProtocolError("A-ASSOCIATE request by the acceptor of the association")
        self._check(Event.ASSOCIATE_REQUEST)
        self._request = encode(pdu)
        self._rq = pdu
        self._announce(pdu.user_information.maximum_length)
        self._act(Event.ASSOCIATE_REQUEST, now)

    def send_associate_ac(self, pdu: AAssociateAC, now: float) -> None:
        """Accept; raise LocalProtocolError for an answer that does not fit the request."""
        self._check(Event.ASSOCIATE_ACCEPT)
        rq = self._requested()
        # An answer to a request that holds a password is not remembered, as the request is not.
        data, contexts = (
            _remembered_answer(rq, pdu) if is_remembered(rq) else _checked_answer(rq, pdu)
        )
        self._ac = pdu
        self._contexts = contexts
        self._announce(pdu.user_information.maximum_length)
        self._act(Event.ASSOCIATE_ACCEPT, now, data=data)

    def send_associate_rj(self, result: int, source: int, reason: int, now: float) -> None:
        """Refuse, with a combination of PS3.8 9.3.4."""
        self._check(Event.ASSOCIATE_REJECT)
        self._act(Event.ASSOCIATE_REJECT, now, data=encode(AAssociateRJ(result, source, reason)))

    def send_p_data(self, pdvs: Iterable[PresentationDataValue], now: float) -> None:
        """Send PDVs in one P-DATA-TF; LocalProtocolError if one is not allowed (PS3.8 9.3.5)."""
        self._check(Event.P_DATA_REQUEST)
        pdvs = tuple(pdvs)
        check_sent(pdvs, self._contexts, self._peer_maximum_length)
        self._act(Event.P_DATA_REQUEST, now, data=encode_p_data(pdvs))
        self._postpone_idle(now)

    def send_encoded_p_data(self, data: bytes, now: float, more: Sequence[Bytes] = ()) -> None:
        """Send whole P-DATA-TF PDUs unchecked: their maker has kept to ``send_limit``.

        ``more`` goes behind ``data``: parts of PDUs, which need not be joined.
        """
        self._check(Event.P_DATA_REQUEST)
        self._act(Event.P_DATA_REQUEST, now, data=data)
        self._outgoing.extend(more)
        self._postpone_idle(now)

    def send_release_rq(self, now: float) -> None:
        """Ask for the orderly end."""
        self._check(Event.RELEASE_REQUEST)
        self._act(Event.RELEASE_REQUEST, now, data=encode(AReleaseRQ()))

    def send_release_rp(self, now: float) -> None:
        """Answer the peer's release request."""
        self._check(Event.RELEASE_RESPONSE)
        self._act(Event.RELEASE_RESPONSE, now, data=encode(AReleaseRP()))

    def send_abort(self, now: float) -> None:
        """End the association as its user; only the end of the transport is indicated."""
        self._check(Event.ABORT_REQUEST)
        self._act(Event.ABORT_REQUEST, now)

    def send_provider_abort(self, reason: int, message: str, now: float) -> None:
        """End the association for a message that the layer above finds invalid; nothing if over."""
        # AA-8 alone tells the user; the other actions for this event belong to an association that
        # has not begun, or is ending already.
        if TRANSITIONS[Event.INVALID_PDU].get(self._state) is Action.AA_8:
            self._act(Event.INVALID_PDU, now, reason=reason, message=message)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the connection, in pieces of any size."""
        if self._should_close:
            return
        if self._state in (State.STA1, State.STA4):
            raise LocalProtocolError(f"{len(data)} bytes received before the transport connection")
        (reader := self._reader).feed(data)
        is_first = True
        while not self._should_close:
            try:
                # The fast way: all PDVs of a stream of responses by one event, as data does not
                # change state 6. Anything else is left to the plain way.
                if self._state is State.STA6 and (pdvs := reader.next_p_data(self._contexts)):
                    self._act(Event.P_DATA_RECEIVED, now, indication=DataReceived(tuple(pdvs)))
                    self._postpone_idle(now)
                    is_first = False
                pdu = reader.next_pdu()
                if pdu is None:
                    break
                self._receive(pdu, now)
            except RemoteProtocolError as error:
                # The reader is past the bad PDU; the loop goes on, as the table has cells for PDUs
                # that come after an abort (state 13).
                self.limit = self.limit or error.limit
                self._act(Event.INVALID_PDU, now, reason=error.reason, message=str(error))
            is_first = False
        self._time_pdu(now, is_new=not is_first)

    def receive_eof(self, now: float, message: str = "the peer closed the connection") -> None:
        """Take the end of the connection, or its failure; ``message`` says what happened."""
        # Nobody is there to read what was not sent yet.
        self._outgoing.clear()
        self._act(Event.TRANSPORT_CLOSED, now, reason=0, message=message)

    @property
    def is_inside_pdu(self) -> bool:
        """Tell whether a PDU has begun to arrive and is not complete."""
        return self._reader.is_inside_pdu

    def events(self) -> list[Indication]:
        """Return the indications since the last call."""
        indications = self._indications
        self._indications = []
        return indications

    def data_to_send(self) -> bytes:
        """Return the bytes to send since the last call."""
        # One part alone, such as a batch of responses, is not copied.
        return b"".join(self.parts_to_send())

    def parts_to_send(self) -> list[Bytes]:
        """Return the same in parts, so that nobody has to join large ones."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_deadline(self) -> float | None:
        """Return the time to call ``expire`` at the latest; None if no timer runs."""
        return self._deadlines.next()

    def expire(self, now: float) -> None:
        """Act on the timers that have run out by now."""
        while (timer := self._deadlines.take_expired(now)) is not None:
            self._expire(timer, now)

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Use other time-outs for timers that start from now on."""
        self._deadlines.set_timeouts(timeouts)

    def set_busy(self, is_busy: bool, now: float) -> None:
        """Take note whether operations are outstanding: the idle timer runs only between them."""
        self._deadlines.set_busy(is_busy, self._state, now)

    def writing_paused(self, now: float) -> None:
        """Take note that the connection takes no more bytes for now."""
        if not self._should_close and Timer.WRITE not in self._deadlines:
            self._deadlines.start(Timer.WRITE, now)

    def writing_resumed(self) -> None:
        """Take note that the connection takes bytes again."""
        self._deadlines.stop(Timer.WRITE)

    def _check(self, event: Event) -> None:
        if self._should_close or self._state not in TRANSITIONS[event]:
            what = "the association is over" if self._should_close else self._state.words
            raise LocalProtocolError(
                f"{event.words} is not possible in state {self._state:d} ({what})"
            )

    def _receive(self, pdu: PDU, now: float) -> None:
        # A PDU is checked against the negotiation only if the state allows it at all: in other
        # states the table alone decides, and its reason is the one that the peer hears.
        match pdu:
            case PDataTF():
                if self._action(Event.P_DATA_RECEIVED) in (Action.DT_2, Action.AR_6):
                    check_received(pdu.pdvs, self._contexts)
                self._act(Event.P_DATA_RECEIVED, now, indication=DataReceived(pdu.pdvs))
                self._postpone_idle(now)
            case AAssociateRQ():
                if self._action(Event.ASSOCIATE_RQ_RECEIVED) is Action.AE_6:
                    self._rq = pdu
                    self._peer_maximum_length = pdu.user_information.maximum_length
                self._act(Event.ASSOCIATE_RQ_RECEIVED, now, indication=AssociateRequested(pdu))
            case AAssociateAC():
                if self._action(Event.ASSOCIATE_AC_RECEIVED) is Action.AE_3:
                    self._take_acceptance(pdu)
                self._act(Event.ASSOCIATE_AC_RECEIVED, now, indication=AssociateAccepted(pdu))
            case AAssociateRJ():
                self._act(Event.ASSOCIATE_RJ_RECEIVED, now, indication=AssociateRejected(pdu))
            case AReleaseRQ():
                self._act(Event.RELEASE_RQ_RECEIVED, now, indication=ReleaseRequested())
            case AReleaseRP():
                self._act(Event.RELEASE_RP_RECEIVED, now, indication=ReleaseConfirmed())
            case AAbort():
                self._act(
                    Event.ABORT_RECEIVED,
                    now,
                    indication=Aborted(pdu.source, pdu.reason),
                    message=str(pdu),
                )
            case _:
                assert_never(pdu)

    def _take_acceptance(self, ac: AAssociateAC) -> None:
        rq = self._requested()
        check_answer(rq, ac)
        self._ac = ac
        self._contexts = accepted_contexts(rq, ac)
        self._peer_maximum_length = ac.user_information.maximum_length

    def _requested(self) -> AAssociateRQ:
        if self._rq is None:
            raise LocalProtocolError("no A-ASSOCIATE-RQ was sent or received")
        return self._rq

    def _announce(self, maximum_length: int) -> None:
        self._reader.p_data_limit = maximum_length or P_DATA_LIMIT_IF_UNLIMITED

    def _action(self, event: Event) -> Action | None:
        return TRANSITIONS[event].get(self._state)

    def _act(
        self,
        event: Event,
        now: float,
        *,
        data: bytes = b"",
        indication: Indication | None = None,
        reason: int = AbortReason.UNEXPECTED_PDU,
        message: str = "",
    ) -> None:
        """Carry out the cell of Table 9-10 for an event in the present state.

        ``data`` is what SEND sends, ``indication`` what INDICATE tells; ``reason`` and ``message``
        are for an abort by the provider.
        """
        before = self._state
        action = TRANSITIONS[event].get(before)
        if action is None:
            return
        # Nearly all actions have one outcome, whose condition need not be asked.
        outcomes = OUTCOMES[action]
        outcome = outcomes[0]
        if len(outcomes) > 1 and not self._holds(outcome.condition):
            outcome = outcomes[1]
        # The state comes first: START_ARTIM depends on it.
        self._state = outcome.next_state
        for effect in outcome.effects:
            match effect:
                case Effect.SEND:
                    self._outgoing.append(data)
                case Effect.INDICATE:
                    if indication is not None:
                        self._indications.append(indication)
                case Effect.SEND_REJECT:
                    self._outgoing.append(encode(PROTOCOL_VERSION_NOT_SUPPORTED))
                case Effect.SEND_USER_ABORT:
                    self._outgoing.append(encode(AAbort(AbortSource.SERVICE_USER, 0)))
                case Effect.SEND_PROVIDER_ABORT:
                    self._outgoing.append(encode(AAbort(AbortSource.SERVICE_PROVIDER, reason)))
                case Effect.INDICATE_PROVIDER_ABORT:
                    words = (
                        message
                        or f"{event.words} is unexpected in state {before:d} ({before.words})"
                    )
                    self._indications.append(ProviderAborted(reason, words))
                case Effect.START_ARTIM:
                    timer = Timer.ARTIM_OF_STATE_2 if self._state is State.STA2 else Timer.ARTIM
                    self._deadlines.start(timer, now)
                case Effect.STOP_ARTIM:
                    self._deadlines.stop(Timer.ARTIM, Timer.ARTIM_OF_STATE_2)
                case Effect.CLOSE:
                    self._should_close = True
                    self._deadlines.stop_all()
                    self._indications.append(TransportClosed(message or event.words))
                case _:
                    assert_never(effect)
        if self._state is not before:
            self._deadlines.change_state(before, self._state, now)

    def _holds(self, condition: Condition) -> bool:
        match condition:
            case Condition.ALWAYS:
                return True
            case Condition.ACCEPTABLE:
                # A receiver tests bit 0 only (PS3.8 9.3.2).
                return self._requested().protocol_version & 1 == 1
            case Condition.REQUESTOR:
                return self._role is Role.REQUESTOR
            case _:
                assert_never(condition)

    def _postpone_idle(self, now: float) -> None:
        if Timer.IDLE in self._deadlines:
            self._deadlines.start(Timer.IDLE, now)

    def _time_pdu(self, now: float, *, is_new: bool) -> None:
        """Let the PDU timer run from the first bytes of a PDU to its last.

        ``is_new`` says that other PDUs were completed meanwhile. Without it a running timer goes
        on, so that a peer cannot prolong a PDU by sending it byte by byte.
        """
        if self._should_close or not self._reader.is_inside_pdu:
            self._deadlines.stop(Timer.PDU)
        elif is_new or Timer.PDU not in self._deadlines:
            self._deadlines.start(Timer.PDU, now)

    def _expire(self, timer: Timer, now: float) -> None:
        expiry = EXPIRIES[timer]
        self.limit = self.limit or expiry.timeout
        message = f"{expiry.words} within {self._deadlines.seconds(timer):g} s"
        # A user's abort indicates nothing by itself, but here the user did not ask for it.
        if expiry.event is Event.ABORT_REQUEST and self._action(Event.ABORT_REQUEST) is not None:
            self._indications.append(ProviderAborted(0, message))
        self._act(expiry.event, now, reason=0, message=message)
        if expiry.closes:
            self._act(Event.ARTIM_EXPIRED, now, message=message)


def _checked_answer(
    rq: AAssociateRQ, ac: AAssociateAC
) -> tuple[bytes, Mapping[int, AcceptedContext]]:
    """Return the bytes and the contexts of an answer; LocalProtocolError if it does not fit."""
    check_own_answer(rq, ac)
    return encode(ac), accepted_contexts(rq, ac)


_remembered_answer = lru_cache(maxsize=64)(_checked_answer)
"""The same for requests that come again: a peer proposes the same in each of its associations."""

"""Two sessions wired back to back: the bytes of one are fed to the other, in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import cycle
from struct import pack
from typing import TypeVar

from dicomquest.dimse.commands import Command, encode_command
from dicomquest.dimse.events import AssociationAccepted, AssociationRequested, SessionEvent
from dicomquest.dimse.fragments import Message, Reassembler
from dicomquest.dimse.link import SessionOptions
from dicomquest.dimse.session import Session
from dicomquest.pdu.pdus import (
    COMMAND,
    LAST,
    AAbort,
    AAssociateAC,
    AAssociateRQ,
    PDataTF,
    PresentationDataValue,
    decode,
    encode,
)
from dicomquest.pdu.user_information import AsyncOperationsWindow, RoleSelection, UserInformation
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, negotiate, propose_contexts
from dicomquest.ul.timers import Timeouts

T = TypeVar("T")

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
UNKNOWN_SERVICE = "1.2.840.10008.5.1.4.1.2.2.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"

# The presentation contexts of every pair, by ID; the last one is not accepted.
FIND, ECHO, STORE, MOVE, REFUSED = 1, 3, 5, 7, 9
ABSTRACT_SYNTAXES = (STUDY_ROOT_FIND, VERIFICATION, CT_STORAGE, UNKNOWN_SERVICE, "1.2.3")

TIMEOUTS = Timeouts()


def request(
    *,
    maximum_length: int = 16384,
    window: AsyncOperationsWindow | None = None,
    scp_role_for: Sequence[str] = (),
    transfer_syntax: str = EXPLICIT,
) -> AAssociateRQ:
    """An association request for the contexts above."""
    return AAssociateRQ(
        "SCP",
        "SCU",
        propose_contexts((uid, [transfer_syntax]) for uid in ABSTRACT_SYNTAXES),
        UserInformation(
            maximum_length=maximum_length,
            async_operations_window=window,
            roles=tuple(RoleSelection(uid, scu_role=True, scp_role=True) for uid in scp_role_for),
        ),
    )


def policy(
    *,
    maximum_length: int = 16384,
    window: AsyncOperationsWindow | None = None,
    transfer_syntax: str = EXPLICIT,
) -> AcceptorPolicy:
    """Accepts all contexts above but the last, in all roles."""
    syntax = SupportedSyntax((transfer_syntax,), scu_role=True, scp_role=True)
    return AcceptorPolicy(
        dict.fromkeys(ABSTRACT_SYNTAXES[:-1], syntax),
        maximum_length=maximum_length,
        async_operations_window=window or AsyncOperationsWindow(),
    )


class Pair:
    """An association with both of its sides; ``scu`` is its requestor, ``scp`` its acceptor."""

    def __init__(
        self,
        rq: AAssociateRQ | None = None,
        accepting: AcceptorPolicy | None = None,
        *,
        timeouts: Timeouts = TIMEOUTS,
        options: SessionOptions | None = None,
        pieces: Iterable[int] = (100_000,),
    ) -> None:
        self.now = 1000.0
        self.rq = rq or request()
        self.policy = accepting or policy()
        self.scu = Session.requestor(self.rq, timeouts, self.now, options)
        self.scp = Session.acceptor(timeouts, self.now, options)
        self.scu_events: list[SessionEvent] = []
        self.scp_events: list[SessionEvent] = []
        self._pieces = cycle(pieces)

    @classmethod
    def established(
        cls,
        rq: AAssociateRQ | None = None,
        accepting: AcceptorPolicy | None = None,
        *,
        timeouts: Timeouts = TIMEOUTS,
        options: SessionOptions | None = None,
        pieces: Iterable[int] = (100_000,),
    ) -> Pair:
        """A pair whose association has been accepted."""
        pair = cls(rq, accepting, timeouts=timeouts, options=options, pieces=pieces)
        pair.run()
        (requested,) = pair.take(pair.scp_events, AssociationRequested)
        answer = negotiate(requested.rq, pair.policy)
        assert isinstance(answer, AAssociateAC)
        pair.scp.accept(answer, pair.now)
        pair.run()
        pair.take(pair.scu_events, AssociationAccepted)
        assert pair.scu.is_established
        assert pair.scp.is_established
        return pair

    def run(self) -> None:
        """Carry bytes both ways until there are none; note the events."""
        while True:
            to_scp, to_scu = self.scu.data_to_send(), self.scp.data_to_send()
            self.feed_scp(to_scp)
            self.feed_scu(to_scu)
            if not to_scp and not to_scu:
                return

    def feed_scp(self, data: bytes) -> None:
        """Give bytes to the acceptor, in pieces."""
        self._feed(self.scp, data)
        self.scp_events += self.scp.events()

    def feed_scu(self, data: bytes) -> None:
        """Give bytes to the requestor, in pieces."""
        self._feed(self.scu, data)
        self.scu_events += self.scu.events()

    def _feed(self, session: Session, data: bytes) -> None:
        while data:
            size = next(self._pieces)
            session.receive_data(data[:size], self.now)
            data = data[size:]

    def pass_time(self, seconds: float) -> None:
        """Let time pass for both, and what is due happen."""
        self.now += seconds
        for session in (self.scu, self.scp):
            session.expire(self.now)
        self.scu_events += self.scu.events()
        self.scp_events += self.scp.events()

    def deadline_in(self, session: Session) -> float | None:
        """In how many seconds a session wants to be woken."""
        deadline = session.next_deadline()
        return None if deadline is None else round(deadline - self.now, 6)

    @staticmethod
    def take(events: list[SessionEvent], kind: type[T]) -> list[T]:
        """Take all events out; they must all be of this kind."""
        taken: list[T] = [event for event in events if isinstance(event, kind)]
        assert len(taken) == len(events), events
        events.clear()
        return taken


def p_data(context_id: int, *pdvs: tuple[int, bytes]) -> bytes:
    """One P-DATA-TF of (control header, fragment) pairs."""
    return encode(PDataTF(tuple(PresentationDataValue(context_id, control, data) for control, data in pdvs)))


def message(context_id: int, command: Command | bytes, data_set: bytes | None = None) -> bytes:
    """One message in one PDU, whether or not we would send it."""
    command_set = command if isinstance(command, bytes) else encode_command(command)
    data = () if data_set is None else ((LAST, data_set),)
    return p_data(context_id, (COMMAND | LAST, command_set), *data)


def pdus_of(data: bytes) -> list[object]:
    """The PDUs that stand one after the other."""
    pdus: list[object] = []
    while data:
        end = 6 + int.from_bytes(data[2:6], "big")
        pdus.append(decode(data[0], data[6:end]))
        data = data[end:]
    return pdus


def messages_from(session: Session) -> list[Message]:
    """The messages that a session is about to send."""
    reassembler = Reassembler()
    pdus = pdus_of(session.data_to_send())
    received = [reassembler.receive(pdv) for pdu in pdus if isinstance(pdu, PDataTF) for pdv in pdu.pdvs]
    return [each for each in received if isinstance(each, Message)]


def aborts_in(session: Session) -> list[AAbort]:
    """The A-ABORTs among what a session is about to send."""
    return [pdu for pdu in pdus_of(session.data_to_send()) if isinstance(pdu, AAbort)]


def with_maximum_length(rq: AAssociateRQ, maximum_length: int) -> AAssociateRQ:
    """The same request from a peer that receives less or more."""
    return replace(rq, user_information=replace(rq.user_information, maximum_length=maximum_length))


def us(value: int) -> bytes:
    """A US value."""
    return pack("<H", value)

"""Invariant: whatever a peer sends, a session raises nothing, and an association ends once.

The bytes are those of a requestor; the acceptor accepts what it can and answers each request.
"""

from __future__ import annotations

from dicomquest.dimse.commands import response_to
from dicomquest.dimse.events import (
    Aborted,
    AssociationRequested,
    Ended,
    Released,
    RequestReceived,
)
from dicomquest.dimse.link import SessionOptions
from dicomquest.dimse.session import Session
from dicomquest.pdu.pdus import AAssociateAC
from dicomquest.standard.sop_classes import SERVED
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, negotiate
from dicomquest.ul.states import State
from dicomquest.ul.timers import Timeouts

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAX = SupportedSyntax(("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"), scu_role=True, scp_role=True)
POLICY = AcceptorPolicy(dict.fromkeys([*(each.uid for each in SERVED), CT], SYNTAX))
PIECES = (1, 3, 6, 500, 17)


def check(data: bytes) -> None:
    """Feed a conversation in pieces, and let all time-outs run out at its end."""
    session = Session.acceptor(Timeouts(), 0.0, SessionOptions(streams_stores=True))
    ends, position, turn = list[object](), 0, 0
    while position < len(data):
        size = PIECES[turn % len(PIECES)] if turn < 10 else 4096
        session.receive_data(data[position : position + size], float(turn))
        ends += _answer(session, float(turn))
        position, turn = position + size, turn + 1
    session.receive_eof(float(turn))
    ends += _answer(session, float(turn))
    while (deadline := session.next_deadline()) is not None:
        session.expire(deadline)
        ends += _answer(session, deadline)
    assert len([each for each in ends if isinstance(each, Aborted | Released)]) <= 1
    assert len([each for each in ends if isinstance(each, Ended)]) <= 1


def _answer(session: Session, now: float) -> list[object]:
    """Do what a server does with each event; return those that end an association."""
    ends = list[object]()
    while events := session.events():
        for event in events:
            # The same bytes may hold the end of what they ask for.
            if isinstance(event, AssociationRequested) and session.state is State.STA3:
                answer = negotiate(event.rq, POLICY)
                if isinstance(answer, AAssociateAC):
                    session.accept(answer, now)
                else:
                    session.reject(answer, now)
            elif isinstance(event, RequestReceived) and session.is_established:
                session.send_response(event.command, response_to(event.command, 0), None, now)
            elif isinstance(event, Aborted | Released | Ended):
                ends.append(event)
    session.data_to_send()
    return ends

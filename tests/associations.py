"""Upper layers brought to any state by what really happens to an association."""

from __future__ import annotations

from collections.abc import Callable

from dicomquest.pdu.items import PresentationContextAC, PresentationContextRQ
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
)
from dicomquest.pdu.reader import PduReader
from dicomquest.pdu.user_information import UserInformation
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.states import Event, Role, State
from dicomquest.ul.timers import Timeouts
from vectors.pdus import EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION

NEVER = Timeouts(*[None] * 10)
"""No timer runs."""

RQ = AAssociateRQ(
    "CALLED",
    "CALLING",
    (
        PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),
        PresentationContextRQ(3, STUDY_ROOT_FIND, (EXPLICIT, IMPLICIT)),
        PresentationContextRQ(5, "1.2.3", (IMPLICIT,)),
    ),
    UserInformation(maximum_length=1000),
    echo=b"CALLED".ljust(16) + b"CALLING".ljust(16) + bytes(32),
)
AC = AAssociateAC(
    (
        PresentationContextAC(1, 0, IMPLICIT),
        PresentationContextAC(3, 0, EXPLICIT),
        PresentationContextAC(5, 3, IMPLICIT),
    ),
    UserInformation(maximum_length=2000),
    RQ.echo,
)
RJ = AAssociateRJ(1, 1, 7)
PDV = PresentationDataValue(1, 3, b"abcd")
DATA = PDataTF((PDV,))

NOW = 1000.0

RECEIVED: dict[Event, PDU] = {
    Event.ASSOCIATE_AC_RECEIVED: AC,
    Event.ASSOCIATE_RJ_RECEIVED: RJ,
    Event.ASSOCIATE_RQ_RECEIVED: RQ,
    Event.P_DATA_RECEIVED: DATA,
    Event.RELEASE_RQ_RECEIVED: AReleaseRQ(),
    Event.RELEASE_RP_RECEIVED: AReleaseRP(),
    Event.ABORT_RECEIVED: AAbort(2, 2),
}
"""A PDU for each row of Table 9-10 that is one."""

DONE: dict[Event, Callable[[UpperLayer], None]] = {
    Event.ASSOCIATE_REQUEST: lambda layer: layer.send_associate_rq(RQ, NOW),
    Event.TRANSPORT_CONFIRMED: lambda layer: layer.transport_connected(NOW),
    Event.TRANSPORT_INDICATED: lambda layer: layer.transport_connected(NOW),
    Event.ASSOCIATE_ACCEPT: lambda layer: layer.send_associate_ac(AC, NOW),
    Event.ASSOCIATE_REJECT: lambda layer: layer.send_associate_rj(1, 1, 7, NOW),
    Event.P_DATA_REQUEST: lambda layer: layer.send_p_data([PDV], NOW),
    Event.RELEASE_REQUEST: lambda layer: layer.send_release_rq(NOW),
    Event.RELEASE_RESPONSE: lambda layer: layer.send_release_rp(NOW),
    Event.ABORT_REQUEST: lambda layer: layer.send_abort(NOW),
    Event.TRANSPORT_CLOSED: lambda layer: layer.receive_eof(NOW),
    Event.ARTIM_EXPIRED: lambda layer: layer.expire(NOW + 1e9),
    Event.INVALID_PDU: lambda layer: layer.receive_data(b"\x16\3\1\0\0\0", NOW),
}
"""How each of the other rows comes about."""

_ESTABLISHED = {
    Role.REQUESTOR: (Event.ASSOCIATE_REQUEST, Event.TRANSPORT_CONFIRMED, Event.ASSOCIATE_AC_RECEIVED),
    Role.ACCEPTOR: (Event.TRANSPORT_INDICATED, Event.ASSOCIATE_RQ_RECEIVED, Event.ASSOCIATE_ACCEPT),
}
_COLLISION = (Event.RELEASE_REQUEST, Event.RELEASE_RQ_RECEIVED)

WAYS: dict[State, dict[Role, tuple[Event, ...]]] = {
    State.STA1: {Role.REQUESTOR: (), Role.ACCEPTOR: ()},
    State.STA2: {Role.ACCEPTOR: (Event.TRANSPORT_INDICATED,)},
    State.STA3: {Role.ACCEPTOR: (Event.TRANSPORT_INDICATED, Event.ASSOCIATE_RQ_RECEIVED)},
    State.STA4: {Role.REQUESTOR: (Event.ASSOCIATE_REQUEST,)},
    State.STA5: {Role.REQUESTOR: (Event.ASSOCIATE_REQUEST, Event.TRANSPORT_CONFIRMED)},
    State.STA6: dict(_ESTABLISHED),
    State.STA7: {role: (*events, Event.RELEASE_REQUEST) for role, events in _ESTABLISHED.items()},
    State.STA8: {role: (*events, Event.RELEASE_RQ_RECEIVED) for role, events in _ESTABLISHED.items()},
    State.STA9: {Role.REQUESTOR: (*_ESTABLISHED[Role.REQUESTOR], *_COLLISION)},
    State.STA10: {Role.ACCEPTOR: (*_ESTABLISHED[Role.ACCEPTOR], *_COLLISION)},
    State.STA11: {Role.REQUESTOR: (*_ESTABLISHED[Role.REQUESTOR], *_COLLISION, Event.RELEASE_RESPONSE)},
    State.STA12: {Role.ACCEPTOR: (*_ESTABLISHED[Role.ACCEPTOR], *_COLLISION, Event.RELEASE_RP_RECEIVED)},
    State.STA13: {role: (*events, Event.ABORT_REQUEST) for role, events in _ESTABLISHED.items()},
}
"""The events that lead to each state, for the roles that can be in it."""


def happen(layer: UpperLayer, event: Event) -> None:
    """Let an event of Table 9-10 happen to a layer."""
    if event in RECEIVED:
        layer.receive_data(encode(RECEIVED[event]), NOW)
    else:
        DONE[event](layer)


def layer_in(state: State, role: Role, timeouts: Timeouts = NEVER) -> UpperLayer:
    """A layer in a state, with nothing left to send or to indicate."""
    layer = UpperLayer(role, timeouts=timeouts)
    for event in WAYS[state][role]:
        happen(layer, event)
    layer.data_to_send()
    layer.events()
    return layer


def established(role: Role, timeouts: Timeouts = NEVER) -> UpperLayer:
    """A layer of an established association."""
    return layer_in(State.STA6, role, timeouts)


def pdus_of(data: bytes) -> list[PDU]:
    """The PDUs of a stream, which must be whole."""
    reader = PduReader(1 << 30, 1 << 30)
    reader.feed(data)
    found = []
    while (pdu := reader.next_pdu()) is not None:
        found.append(pdu)
    if reader.is_inside_pdu:
        raise AssertionError(f"{data!r} ends inside a PDU")
    return found


def sent_by(layer: UpperLayer) -> list[PDU]:
    """The PDUs that a layer has to send."""
    return pdus_of(layer.data_to_send())


def carry(sender: UpperLayer, receiver: UpperLayer, now: float = NOW) -> None:
    """Let what one layer has to send arrive at the other."""
    if data := sender.data_to_send():
        receiver.receive_data(data, now)


def state_of(layer: UpperLayer) -> int:
    """The state's number; as a function, so that a type checker does not take two looks for one."""
    return int(layer.state)

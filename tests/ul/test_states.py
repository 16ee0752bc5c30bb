"""All cells of Table 9-10, as data and in the upper layer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
)
from dicomquest.ul.indications import ProviderAborted, TransportClosed
from dicomquest.ul.states import OUTCOMES, TRANSITIONS, Action, Event, Role, State
from fixtures.associations import NEVER, NOW, RECEIVED, WAYS, happen, layer_in, sent_by

# Requests of the layer's user: in a state without a cell they are the user's error.
LOCAL_EVENTS = frozenset(
    {
        Event.ASSOCIATE_REQUEST,
        Event.TRANSPORT_CONFIRMED,
        Event.TRANSPORT_INDICATED,
        Event.ASSOCIATE_ACCEPT,
        Event.ASSOCIATE_REJECT,
        Event.P_DATA_REQUEST,
        Event.RELEASE_REQUEST,
        Event.RELEASE_RESPONSE,
        Event.ABORT_REQUEST,
    }
)

# The outcome of each event in each state, written anew from PS3.8 without the names of the actions:
# the next state, and then
#   s sends the PDU asked for         i indicates the PDU received     c closes the connection
#   u sends A-ABORT as service user   p sends A-ABORT as provider      l indicates the loss
#   r of 9/10 is the state of the requestor and of the acceptor
EXPECTED = """
 Event                  1     2     3     4     5     6     7      8     9     10    11    12    13
 ASSOCIATE_REQUEST      4     .     .     .     .     .     .      .     .     .     .     .     .
 TRANSPORT_CONFIRMED    .     .     .     5s    .     .     .      .     .     .     .     .     .
 ASSOCIATE_AC_RECEIVED  .     13u   13pl  .     6i    13pl  13pl   13pl  13pl  13pl  13pl  13pl  13
 ASSOCIATE_RJ_RECEIVED  .     13u   13pl  .     1ic   13pl  13pl   13pl  13pl  13pl  13pl  13pl  13
 TRANSPORT_INDICATED    2     .     .     .     .     .     .      .     .     .     .     .     .
 ASSOCIATE_RQ_RECEIVED  .     3i    13pl  .     13pl  13pl  13pl   13pl  13pl  13pl  13pl  13pl  13p
 ASSOCIATE_ACCEPT       .     .     6s    .     .     .     .      .     .     .     .     .     .
 ASSOCIATE_REJECT       .     .     13s   .     .     .     .      .     .     .     .     .     .
 P_DATA_REQUEST         .     .     .     .     .     6s    .      8s    .     .     .     .     .
 P_DATA_RECEIVED        .     13u   13pl  .     13pl  6i    7i     13pl  13pl  13pl  13pl  13pl  13
 RELEASE_REQUEST        .     .     .     .     .     7s    .      .     .     .     .     .     .
 RELEASE_RQ_RECEIVED    .     13u   13pl  .     13pl  8i    9/10i  13pl  13pl  13pl  13pl  13pl  13
 RELEASE_RP_RECEIVED    .     13u   13pl  .     13pl  13pl  1ic    13pl  13pl  12i   1ic   13pl  13
 RELEASE_RESPONSE       .     .     .     .     .     .     .      13s   11s   .     .     13s   .
 ABORT_REQUEST          .     .     13u   1c    13u   13u   13u    13u   13u   13u   13u   13u   .
 ABORT_RECEIVED         .     1c    1ic   .     1ic   1ic   1ic    1ic   1ic   1ic   1ic   1ic   1c
 TRANSPORT_CLOSED       .     1c    1lc   1lc   1lc   1lc   1lc    1lc   1lc   1lc   1lc   1lc   1c
 ARTIM_EXPIRED          .     1c    .     .     .     .     .      .     .     .     .     .     1c
 INVALID_PDU            .     13u   13pl  .     13pl  13pl  13pl   13pl  13pl  13pl  13pl  13pl  13p
"""
SENT: dict[Event, type[PDU]] = {
    Event.TRANSPORT_CONFIRMED: AAssociateRQ,
    Event.ASSOCIATE_ACCEPT: AAssociateAC,
    Event.ASSOCIATE_REJECT: AAssociateRJ,
    Event.P_DATA_REQUEST: PDataTF,
    Event.RELEASE_REQUEST: AReleaseRQ,
    Event.RELEASE_RESPONSE: AReleaseRP,
}
"""The PDU that the user asks to send by each event."""

STATES = list(State)
CELLS = [
    (Event[name], state, cell)
    for name, *cells in (line.split() for line in EXPECTED.strip().splitlines()[1:])
    for state, cell in zip(STATES, cells, strict=True)
]


def roles_for(event: Event, state: State) -> list[Role]:
    """The roles to which an event can happen in a state."""
    if state is State.STA1 and event is Event.TRANSPORT_CONFIRMED:
        return [Role.REQUESTOR]
    if state is State.STA1 and event is Event.TRANSPORT_INDICATED:
        return [Role.ACCEPTOR]
    if state is State.STA1 and event is Event.ASSOCIATE_REQUEST:
        return [Role.REQUESTOR]
    if state is State.STA4 and event is Event.TRANSPORT_INDICATED:
        return []  # a requestor's connection is confirmed, never indicated
    return list(WAYS[state])


SCENES = [
    (event, state, role, cell) for event, state, cell in CELLS for role in roles_for(event, state)
]


def test_table_has_19_times_13_cells() -> None:
    assert len(CELLS) == 19 * 13
    assert len({(event, state) for event, state, _ in CELLS}) == 19 * 13


@pytest.mark.requirement("UL-050", "UL-060")
@pytest.mark.parametrize(
    ("event", "state", "role", "cell"),
    SCENES,
    ids=[f"{e.name}-{s:d}-{r.value}" for e, s, r, _ in SCENES],
)
def test_cell_does_what_the_table_says(event: Event, state: State, role: Role, cell: str) -> None:
    layer = layer_in(state, role, replace(NEVER, artim=10.0, associate_request=30.0))
    if cell == ".":
        has_no_transport = state in (State.STA1, State.STA4)
        if event in LOCAL_EVENTS or (
            has_no_transport and (event in RECEIVED or event is Event.INVALID_PDU)
        ):
            with pytest.raises(LocalProtocolError):
                happen(layer, event)
        else:
            happen(layer, event)
        assert (layer.state, layer.data_to_send(), layer.events(), layer.should_close) == (
            state,
            b"",
            [],
            False,
        )
        return

    found = re.fullmatch(r"(\d+)(?:/(\d+))?([a-z]*)", cell)
    assert found
    next_state = int(found[2] if found[2] and role is Role.ACCEPTOR else found[1])
    expected = set(found[3])
    happen(layer, event)
    sent, told = sent_by(layer), layer.events()
    assert layer.state == next_state
    assert layer.should_close == ("c" in expected)

    expected_sent: list[PDU] = [AAbort(0, 0)] if "u" in expected else []
    if "p" in expected:
        expected_sent = [AAbort(2, 1 if event is Event.INVALID_PDU else 2)]
    if "s" in expected:
        assert [type(pdu) for pdu in sent] == [SENT[event]]
    else:
        assert sent == expected_sent

    kinds = [type(indication) for indication in told]
    assert (kinds[-1:] == [TransportClosed]) == ("c" in expected)
    assert (ProviderAborted in kinds) == ("l" in expected)
    rest = [kind for kind in kinds if kind not in (TransportClosed, ProviderAborted)]
    assert len(rest) == ("i" in expected)

    waits = next_state in (2, 13)
    assert (layer.next_deadline() is not None) == waits


@pytest.mark.requirement("UL-050")
def test_table_equals_second_transcription() -> None:
    """A second transcription of the state table is the same."""
    ours = {
        (f"Evt{event:d}", f"Sta{state:d}"): action.name.replace("_", "-")
        for event, row in TRANSITIONS.items()
        for state, action in row.items()
    }
    assert ours == TRANSITION_TABLE


@pytest.mark.requirement("UL-050")
def test_actions_are_in_table_with_outcomes() -> None:
    """Every action is in the table and has its outcomes."""
    used = {action for row in TRANSITIONS.values() for action in row.values()}
    assert used == set(Action) == set(OUTCOMES)
    assert set(TRANSITIONS) == set(Event)


@pytest.mark.requirement("UL-059")
@pytest.mark.parametrize("role", list(Role))
def test_second_request_aborts_association(role: Role) -> None:
    """A second request aborts an established association."""
    layer = layer_in(State.STA6, role)
    happen(layer, Event.ASSOCIATE_RQ_RECEIVED)
    assert sent_by(layer) == [AAbort(2, 2)]
    (lost,) = layer.events()
    assert lost == ProviderAborted(
        2, "A-ASSOCIATE-RQ is unexpected in state 6 (association established)"
    )


@pytest.mark.parametrize(
    "event", sorted(LOCAL_EVENTS - {Event.TRANSPORT_CONFIRMED, Event.TRANSPORT_INDICATED})
)
@pytest.mark.parametrize("role", list(Role))
def test_layer_says_what_its_user_may_do(event: Event, role: Role) -> None:
    for state in State:
        if role not in WAYS[state] or (event is Event.ASSOCIATE_REQUEST and role is Role.ACCEPTOR):
            continue
        layer = layer_in(state, role)
        allowed = layer.allows(event)
        try:
            happen(layer, event)
        except LocalProtocolError:
            assert not allowed
            assert layer.state == state
        else:
            assert allowed


def test_nothing_begins_again_after_the_end() -> None:
    layer = layer_in(State.STA6, Role.REQUESTOR)
    happen(layer, Event.ABORT_RECEIVED)
    layer.events()
    assert not any(layer.allows(event) for event in Event)
    with pytest.raises(LocalProtocolError, match="the association is over"):
        happen(layer, Event.ASSOCIATE_REQUEST)
    happen(layer, Event.P_DATA_RECEIVED)
    happen(layer, Event.TRANSPORT_CLOSED)
    layer.expire(NOW + 1e9)
    layer.writing_paused(NOW)
    assert (layer.events(), layer.data_to_send(), layer.next_deadline()) == ([], b"", None)

"""Each timer's start, stop and expiry, under a time that the test sets."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from dicomquest.pdu.pdus import AAbort, encode
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.indications import ProviderAborted, TransportClosed
from dicomquest.ul.states import Event, Role, State
from dicomquest.ul.timers import EXPIRIES, Timeouts, Timer
from fixtures.associations import (
    DATA,
    NEVER,
    NOW,
    PDV,
    WAYS,
    established,
    happen,
    layer_in,
    sent_by,
)

REQUESTOR, ACCEPTOR = Role.REQUESTOR, Role.ACCEPTOR


def only(**timeouts: float) -> Timeouts:
    return replace(NEVER, **timeouts)


def test_every_timer_has_time_out_that_can_be_set() -> None:
    names = {row.name for row in fields(Timeouts)}
    of_session = {"first_response", "dimse", "retrieve"}
    assert {expiry.timeout for expiry in EXPIRIES.values()} == names - of_session
    assert set(EXPIRIES) == set(Timer)


@pytest.mark.requirement("UL-061")
@pytest.mark.parametrize(
    ("timeouts", "state", "role", "message", "sent"),
    [
        (only(connect=10), State.STA4, REQUESTOR, "no transport connection within 5 s", []),
        (
            only(association=30),
            State.STA5,
            REQUESTOR,
            "no answer to A-ASSOCIATE-RQ within 5 s",
            [AAbort(0, 0)],
        ),
        (
            only(release=10),
            State.STA7,
            REQUESTOR,
            "no answer to A-RELEASE-RQ within 5 s",
            [AAbort(0, 0)],
        ),
        (
            only(release=10),
            State.STA7,
            ACCEPTOR,
            "no answer to A-RELEASE-RQ within 5 s",
            [AAbort(0, 0)],
        ),
        (
            only(release=10),
            State.STA10,
            ACCEPTOR,
            "no answer to A-RELEASE-RQ within 5 s",
            [AAbort(0, 0)],
        ),
        (
            only(release=10),
            State.STA11,
            REQUESTOR,
            "no answer to A-RELEASE-RQ within 5 s",
            [AAbort(0, 0)],
        ),
        (
            only(idle=300),
            State.STA6,
            ACCEPTOR,
            "no operation on the association within 5 s",
            [AAbort(0, 0)],
        ),
    ],
)
def test_timer_of_a_state_aborts(
    timeouts: Timeouts, state: State, role: Role, message: str, sent: list[AAbort]
) -> None:
    five = replace(
        timeouts,
        **{row.name: 5.0 for row in fields(timeouts) if getattr(timeouts, row.name) is not None},
    )
    layer = layer_in(state, role, five)
    assert layer.next_deadline() == NOW + 5
    layer.expire(NOW + 4.9)
    assert layer.events() == []
    layer.expire(NOW + 5)
    assert sent_by(layer) == sent
    assert layer.events()[0] == ProviderAborted(0, message)
    assert layer.next_deadline() is None


@pytest.mark.requirement("UL-061")
@pytest.mark.parametrize("timer", [timer for timer in Timer if timer is not Timer.WRITE])
def test_timer_runs_in_no_other_state(timer: Timer) -> None:
    running_in = {
        Timer.ARTIM: {(State.STA13, REQUESTOR), (State.STA13, ACCEPTOR)},
        Timer.ARTIM_OF_STATE_2: {(State.STA2, ACCEPTOR)},
        Timer.CONNECT: {(State.STA4, REQUESTOR)},
        Timer.ASSOCIATION: {(State.STA5, REQUESTOR)},
        Timer.RELEASE: {
            (State.STA7, REQUESTOR),
            (State.STA7, ACCEPTOR),
            (State.STA9, REQUESTOR),
            (State.STA10, ACCEPTOR),
            (State.STA11, REQUESTOR),
        },
        Timer.IDLE: {(State.STA6, ACCEPTOR)},
        Timer.PDU: set(),
        Timer.WRITE: set(),
    }[timer]
    timeouts = only(**{EXPIRIES[timer].timeout: 7.0})
    for state, ways in WAYS.items():
        for role in ways:
            deadline = layer_in(state, role, timeouts).next_deadline()
            assert (deadline == NOW + 7.0) == ((state, role) in running_in), (state, role)


@pytest.mark.requirement("UL-051", "UL-052")
def test_connection_without_request_closes_silently() -> None:
    """Without a request the connection is closed in silence."""
    layer = layer_in(State.STA2, ACCEPTOR, Timeouts(artim=10, associate_request=30))
    assert layer.next_deadline() == NOW + 30
    layer.expire(NOW + 29)
    assert not layer.events()
    layer.expire(NOW + 30)
    assert layer.should_close
    assert layer.data_to_send() == b""
    assert layer.events() == [TransportClosed("no A-ASSOCIATE-RQ within 30 s")]


@pytest.mark.requirement("UL-051")
def test_request_stops_artim() -> None:
    layer = layer_in(State.STA3, ACCEPTOR, only(artim=10, associate_request=30))
    assert layer.next_deadline() is None


@pytest.mark.requirement("UL-051", "UL-053")
@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.STA3, Event.ASSOCIATE_REJECT),
        (State.STA8, Event.RELEASE_RESPONSE),
        (State.STA6, Event.ABORT_REQUEST),
        (State.STA6, Event.INVALID_PDU),
        (State.STA2, Event.INVALID_PDU),
    ],
)
@pytest.mark.parametrize("artim", [10.0, 0.5])
def test_close_is_awaited_for_artim_at_most(state: State, event: Event, artim: float) -> None:
    """After the last PDU the close is awaited for ARTIM at most."""
    layer = layer_in(state, ACCEPTOR, only(artim=artim, associate_request=99))
    happen(layer, event)
    layer.events()
    assert (layer.next_deadline(), layer.should_close) == (NOW + artim, False)
    layer.expire(NOW + artim)
    assert layer.should_close
    assert layer.events() == [
        TransportClosed(f"the peer did not close the connection within {artim:g} s")
    ]


@pytest.mark.requirement("UL-053")
def test_close_of_the_peer_ends_the_wait() -> None:
    layer = layer_in(State.STA13, ACCEPTOR, only(artim=10))
    layer.receive_eof(NOW + 1)
    assert layer.next_deadline() is None
    assert layer.events() == [TransportClosed("the peer closed the connection")]


@pytest.mark.requirement("UL-061")
@pytest.mark.parametrize(
    ("timeouts", "state", "role"),
    [(only(release=10), State.STA7, REQUESTOR), (only(connect=10), State.STA4, REQUESTOR)],
)
def test_connection_closes_at_once_if_all_is_said(
    timeouts: Timeouts, state: State, role: Role
) -> None:
    """A connection is closed at once if nothing can follow."""
    layer = layer_in(state, role, timeouts)
    layer.expire(NOW + 10)
    assert layer.should_close
    assert [type(indication) for indication in layer.events()] == [ProviderAborted, TransportClosed]


@pytest.mark.requirement("UL-061")
def test_traffic_either_way_postpones_idle_timer() -> None:
    """Data in both directions postpones the idle timer."""
    layer = established(ACCEPTOR, only(idle=300))
    layer.receive_data(encode(DATA), NOW + 100)
    assert layer.next_deadline() == NOW + 400
    layer.send_p_data([PDV], NOW + 200)
    assert layer.next_deadline() == NOW + 500
    layer.send_encoded_p_data(encode(DATA), NOW + 300)
    assert layer.next_deadline() == NOW + 600


@pytest.mark.requirement("UL-061")
def test_idle_timer_stands_still_while_busy() -> None:
    """The idle timer stands still during an operation."""
    layer = established(ACCEPTOR, only(idle=300))
    layer.set_busy(True, NOW + 1)
    assert layer.next_deadline() is None
    layer.receive_data(encode(DATA), NOW + 100)
    assert layer.next_deadline() is None
    layer.set_busy(False, NOW + 1000)
    assert layer.next_deadline() == NOW + 1300


def test_idle_timer_starts_only_as_idle_acceptor() -> None:
    """The end of an operation starts no idle timer in another state or role."""
    for state, ways in WAYS.items():
        for role in ways:
            layer = layer_in(state, role, only(idle=300))
            layer.set_busy(True, NOW)
            layer.set_busy(False, NOW)
            assert (layer.next_deadline() is not None) == ((state, role) == (State.STA6, ACCEPTOR))


@pytest.mark.requirement("UL-061")
def test_pdu_that_is_begun_has_to_be_completed() -> None:
    layer = established(ACCEPTOR, only(pdu=60, artim=10))
    data = encode(DATA)
    layer.receive_data(data[:3], NOW)
    layer.receive_data(data[3:9], NOW + 50)
    assert layer.next_deadline() == NOW + 60
    layer.expire(NOW + 60)
    assert sent_by(layer) == [AAbort(2, 0)]
    assert layer.events() == [ProviderAborted(0, "a PDU was begun and not completed within 60 s")]
    assert layer.state is State.STA13


def test_next_pdu_has_time_of_its_own() -> None:
    layer = established(ACCEPTOR, only(pdu=60))
    data = encode(DATA)
    layer.receive_data(data[:3], NOW)
    layer.receive_data(data[3:] + data[:1], NOW + 50)
    assert layer.next_deadline() == NOW + 110
    layer.receive_data(data[1:], NOW + 55)
    assert layer.next_deadline() is None
    assert len(layer.events()) == 2


def test_rest_of_refused_pdu_is_awaited_too() -> None:
    layer = established(ACCEPTOR, only(pdu=60))
    layer.receive_data(b"\x47\0\0\0\0\4", NOW)
    assert layer.next_deadline() == NOW + 60


@pytest.mark.requirement("UL-061")
@pytest.mark.parametrize(
    "state", [state for state in WAYS if state not in (State.STA1, State.STA2)]
)
def test_peer_that_does_not_read_is_left(state: State) -> None:
    for role in WAYS[state]:
        layer = layer_in(state, role, only(write=60, artim=600))
        layer.writing_paused(NOW)
        layer.writing_paused(NOW + 5)
        layer.expire(NOW + 60)
        assert layer.should_close
        message = "the peer did not read what was sent to it within 60 s"
        lost = [] if state is State.STA13 else [ProviderAborted(0, message)]
        assert layer.events() == [*lost, TransportClosed(message)]


def test_peer_that_reads_again_is_not_left() -> None:
    layer = established(ACCEPTOR, only(write=60))
    layer.writing_paused(NOW)
    layer.writing_resumed()
    assert layer.next_deadline() is None
    layer.writing_paused(NOW + 50)
    assert layer.next_deadline() == NOW + 110


def test_several_timers_end_in_their_order() -> None:
    layer = established(ACCEPTOR, only(idle=300, pdu=60, artim=10))
    layer.receive_data(b"\4", NOW)
    assert layer.next_deadline() == NOW + 60
    layer.expire(NOW + 1000)
    assert sent_by(layer) == [AAbort(2, 0)]
    # ARTIM begins when the abort is sent, whenever that is.
    assert layer.next_deadline() == NOW + 1010


@pytest.mark.requirement("UL-061")
def test_none_waits_for_ever() -> None:
    for state, ways in WAYS.items():
        for role in ways:
            layer = layer_in(state, role)
            layer.writing_paused(NOW)
            assert layer.next_deadline() is None
            layer.expire(NOW + 1e12)
            assert layer.state is state


def test_time_outs_have_values_without_being_asked() -> None:
    layer = UpperLayer(ACCEPTOR)
    layer.transport_connected(0.0)
    assert layer.next_deadline() == 30.0

"""The life of an association with its operations, with both sides or with one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dimse.command_sets import encode_command, encode_elements
from dicomquest.dimse.commands import (
    PENDING,
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    response_to,
)
from dicomquest.dimse.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    CancelReceived,
    Ended,
    Released,
    RequestReceived,
    ResponseReceived,
    SessionEvent,
)
from dicomquest.dimse.fragments import Limits
from dicomquest.dimse.link import SessionOptions
from dicomquest.dimse.session import Session
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import (
    COMMAND,
    LAST,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AReleaseRP,
    AReleaseRQ,
    encode,
)
from dicomquest.ul.negotiation import negotiate
from dicomquest.ul.states import State
from dicomquest.ul.timers import Timeouts
from fixtures.session_pairs import (
    ECHO,
    FIND,
    REFUSED,
    STUDY_ROOT_FIND,
    TIMEOUTS,
    VERIFICATION,
    Pair,
    aborts_in,
    message,
    messages_from,
    p_data,
    pdus_of,
    policy,
    request,
    us,
)
from strategies.dimse import MAXIMUM_LENGTHS, cuts, data_sets

IS_FIND = CFindRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_FIND)
FIND_REQUEST = message(FIND, IS_FIND, b"abcd")
RELEASE_RQ, RELEASE_RP = encode(AReleaseRQ()), encode(AReleaseRP())


def pending(message_id: int = 1, status: int = 0xFF00) -> CFindRSP:
    return CFindRSP(
        message_id_being_responded_to=message_id,
        status=status,
        affected_sop_class_uid=STUDY_ROOT_FIND,
        has_data_set=True,
    )


def final(message_id: int = 1, status: int = 0x0000) -> CFindRSP:
    return CFindRSP(
        message_id_being_responded_to=message_id,
        status=status,
        affected_sop_class_uid=STUDY_ROOT_FIND,
    )


def kinds(events: list[SessionEvent]) -> list[type[SessionEvent]]:
    return [type(event) for event in events]


@pytest.mark.requirement("UL-014", "UL-070", "UL-075", "UL-099")
@given(
    st.tuples(MAXIMUM_LENGTHS, MAXIMUM_LENGTHS),
    cuts(),
    st.lists(
        st.tuples(
            data_sets(),
            st.lists(data_sets(), max_size=5),
            st.sampled_from(sorted(PENDING)),
            st.booleans(),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_queries_are_answered_at_any_length_and_cut(
    maximum_lengths: tuple[int, int],
    pieces: list[int],
    queries: list[tuple[bytes, list[bytes], int, bool]],
    shares_pdu: bool,
) -> None:
    """Queries are answered with any PDU length and any cut of the bytes."""
    pair = Pair.established(
        request(maximum_length=maximum_lengths[0]),
        policy(maximum_length=maximum_lengths[1]),
        options=SessionOptions(shares_pdu=shares_pdu),
        pieces=pieces,
    )
    for identifier, matches, status, is_cancelled in queries:
        message_id = pair.scu.send_find(FIND, identifier, pair.now)
        pair.run()
        (received,) = pair.take(pair.scp_events, RequestReceived)
        assert received.data_set == identifier
        pair.scp.send_pending(FIND, message_id, status, matches, pair.now)
        end = 0x0000
        if is_cancelled:
            pair.scu.send_cancel(message_id, pair.now)
            pair.run()
            assert pair.take(pair.scp_events, CancelReceived) == [CancelReceived(message_id)]
            end = 0xFE00
        pair.scp.send_response(received.command, response_to(received.command, end), None, pair.now)
        pair.run()
        context = pair.scu.contexts[FIND]
        assert pair.take(pair.scu_events, ResponseReceived) == [
            *(ResponseReceived(context, pending(message_id, status), match) for match in matches),
            ResponseReceived(context, final(message_id, end), None),
        ]
    pair.scu.release(pair.now)
    pair.run()
    assert kinds(pair.scu_events) == [Released, Ended]
    assert kinds(pair.scp_events) == [Released]
    pair.scp.receive_eof(pair.now)
    assert kinds(pair.scp.events()) == [Ended]
    assert pair.scu.should_close
    assert pair.scp.should_close


def test_negotiation_is_told_on_both_sides() -> None:
    pair = Pair()
    pair.run()
    (requested,) = pair.take(pair.scp_events, AssociationRequested)
    assert requested.rq == pair.rq == pair.scu.rq
    answer = negotiate(requested.rq, pair.policy)
    assert isinstance(answer, AAssociateAC)
    pair.scp.accept(answer, pair.now)
    pair.run()
    assert pair.take(pair.scu_events, AssociationAccepted) == [
        AssociationAccepted(answer, pair.scu.contexts)
    ]
    assert pair.scu.ac == pair.scp.ac == answer
    assert pair.scu.contexts == pair.scp.contexts
    assert sorted(pair.scu.contexts) == [1, 3, 5, 7]
    assert pair.scu.peer_maximum_length == pair.scp.peer_maximum_length == 16384


def test_rejection_is_told() -> None:
    pair = Pair()
    pair.run()
    pair.scp.reject(AAssociateRJ(1, 1, 7), pair.now)
    pair.run()
    rejected, ended = pair.scu_events
    assert rejected == AssociationRejected(AAssociateRJ(1, 1, 7))
    assert isinstance(ended, Ended)
    assert pair.scu.should_close
    pair.scp.receive_eof(pair.now)
    assert kinds(pair.scp.events()) == [Ended]


def cut_maximum_length(data: bytes, maximum_length: int) -> bytes:
    """An A-ASSOCIATE PDU whose maximum length of 8 is changed to one that no PDU of ours has."""
    head, item, tail = data.partition(b"\x51\0\0\4\0\0\0")
    assert tail[:1] == b"\x08"
    return head + item + bytes([maximum_length]) + tail[1:]


@pytest.mark.requirement("UL-070", "UL-072")
@pytest.mark.parametrize("maximum_length", [1, 7])
def test_peer_that_can_receive_nothing_is_aborted(maximum_length: int) -> None:
    pair = Pair(request(maximum_length=8))
    pair.feed_scp(cut_maximum_length(pair.scu.data_to_send(), maximum_length))
    assert pair.scp_events == []
    assert len(aborts_in(pair.scp)) == 1
    pair = Pair(accepting=policy(maximum_length=8))
    pair.run()
    (requested,) = pair.take(pair.scp_events, AssociationRequested)
    answer = negotiate(requested.rq, pair.policy)
    assert isinstance(answer, AAssociateAC)
    pair.scp.accept(answer, pair.now)
    pair.feed_scu(cut_maximum_length(pair.scp.data_to_send(), maximum_length))
    assert len(pair.take(pair.scu_events, Aborted)) == 1
    assert aborts_in(pair.scu) == [AAbort(2, 6)]


@pytest.mark.requirement("UL-070", "UL-072")
@pytest.mark.parametrize("maximum_length", [8, 13])
def test_peer_with_no_room_beside_header_is_aborted(maximum_length: int) -> None:
    """A peer whose PDU header, which it counts, leaves no room for data is aborted."""
    pair = Pair(
        request(maximum_length=maximum_length), options=SessionOptions(counts_pdu_header=True)
    )
    pair.run()
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert aborted.message == f"a maximum length of {maximum_length} bytes: no fragment fits"
    assert kinds(pair.scu_events) == [Aborted, Ended]


@pytest.mark.requirement("UL-045")
@pytest.mark.parametrize("context_id", [REFUSED, 2, 11])
def test_message_on_context_that_was_not_accepted(context_id: int) -> None:
    pair = Pair.established()
    pair.feed_scp(message(context_id, CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION)))
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert f"presentation context {context_id}" in aborted.message
    assert aborts_in(pair.scp) == [AAbort(2, 6)]


@pytest.mark.requirement("UL-071")
def test_p_data_beyond_the_announced_length() -> None:
    pair = Pair.established(accepting=policy(maximum_length=4096))
    pair.feed_scp(p_data(FIND, (COMMAND, bytes(4090))))
    assert pair.scp.is_established
    pair.feed_scp(p_data(FIND, (COMMAND, bytes(4091))))
    assert len(pair.take(pair.scp_events, Aborted)) == 1
    assert aborts_in(pair.scp) == [AAbort(2, 6)]


@pytest.mark.requirement("UL-078", "UL-106")
@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("context changes", p_data(FIND, (COMMAND, b"ab")) + p_data(ECHO, (COMMAND, b"ab")), 6),
        (
            "command instead of data",
            p_data(FIND, (COMMAND | LAST, encode_command(IS_FIND)), (COMMAND, b"ab")),
            5,
        ),
        ("data without a command", p_data(FIND, (LAST, b"ab")), 5),
        ("no command set", message(FIND, bytes(9)), 6),
        (
            "no Message ID",
            message(FIND, encode_elements({0x0100: us(0x0020), 0x0800: us(0x0101)})),
            6,
        ),
        (
            "no Command Field",
            message(FIND, encode_elements({0x0110: us(1), 0x0800: us(0x0101)})),
            6,
        ),
        (
            "command set too long",
            b"".join(p_data(FIND, (COMMAND, bytes(16000))) for _ in range(5)),
            6,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_message_that_cannot_be(name: str, data: bytes, reason: int) -> None:
    del name
    pair = Pair.established()
    # The session does not look at bytes behind the error any more.
    pair.feed_scp(data + FIND_REQUEST)
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert (aborted.source, aborted.reason, aborted.by_peer) == (2, reason, False)
    assert aborts_in(pair.scp) == [AAbort(2, reason)]
    assert pair.scp.state is State.STA13


@pytest.mark.requirement("UL-106")
def test_limits_are_those_of_the_options() -> None:
    pair = Pair.established(options=SessionOptions(limits=Limits(command_set=100)))
    pair.feed_scp(FIND_REQUEST)
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1
    pair.feed_scp(message(FIND, bytes(101)))
    assert aborts_in(pair.scp) == [AAbort(2, 6)]


@pytest.mark.requirement("UL-123")
@given(
    st.lists(
        st.builds(
            lambda control, data: p_data(FIND, (control, data)),
            st.integers(0, 255),
            st.binary(max_size=60),
        )
        | st.sampled_from(
            [
                FIND_REQUEST,
                RELEASE_RQ,
                encode(AAbort(0, 0)),
                message(FIND, final()),
                FIND_REQUEST[:9],
            ]
        )
        | st.binary(max_size=30),
        max_size=6,
    ),
    cuts(),
)
def test_anything_is_survived_and_end_told_once(stream: list[bytes], pieces: list[int]) -> None:
    """Any input is survived, and the end is told once."""
    pair = Pair.established(pieces=pieces)
    pair.feed_scp(b"".join(stream))
    pair.scp.receive_eof(pair.now)
    events = pair.scp_events + pair.scp.events()
    assert sum(isinstance(event, Aborted | Released) for event in events) == 1
    assert isinstance(events[-1], Ended)
    assert sum(isinstance(event, Ended) for event in events) == 1
    assert pair.scp.should_close


@pytest.mark.requirement("UL-057")
def test_release_waits_for_final_response() -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    with pytest.raises(
        LocalProtocolError, match=r"A-RELEASE request while operations \(1,\) are outstanding"
    ):
        pair.scu.release(pair.now)
    assert pair.scu.data_to_send() == b""
    pair.feed_scu(message(FIND, final()))
    pair.scu.release(pair.now)
    assert pdus_of(pair.scu.data_to_send()) == [AReleaseRQ()]


def test_acceptor_does_not_release() -> None:
    pair = Pair.established()
    with pytest.raises(LocalProtocolError, match="only the requestor may"):
        pair.scp.release(pair.now)
    assert pair.scp.is_established


def test_nothing_is_sent_after_release_request() -> None:
    pair = Pair.established()
    pair.scu.release(pair.now)
    with pytest.raises(LocalProtocolError, match="C-ECHO-RQ in state 7"):
        pair.scu.send_echo(ECHO, pair.now)


@pytest.mark.requirement("UL-055")
def test_request_after_our_release_request_is_told() -> None:
    """A request that comes after our release request is told."""
    pair = Pair.established(request(scp_role_for=[VERIFICATION]))
    pair.scu.release(pair.now)
    pair.scp.send_echo(ECHO, pair.now)
    pair.feed_scu(pair.scp.data_to_send())
    assert pair.scu.state is State.STA7
    assert len(pair.take(pair.scu_events, RequestReceived)) == 1


@pytest.mark.requirement("UL-056")
def test_responses_go_out_before_release_answer() -> None:
    """Responses are sent between the release request and its answer."""
    pair = Pair.established()
    pair.feed_scp(FIND_REQUEST + RELEASE_RQ)
    assert kinds(pair.scp_events) == [RequestReceived, CancelReceived]
    assert pair.scp.state is State.STA8
    pair.scp.send_pending(FIND, 1, 0xFF00, [b"ab"], pair.now)
    pair.scp.send_response(IS_FIND, final(status=0xFE00), None, pair.now)
    assert kinds(pair.scp.events()) == [Released]
    assert pair.scp.data_to_send() == b"".join(
        [
            p_data(FIND, (COMMAND | LAST, encode_command(pending()))),
            p_data(FIND, (LAST, b"ab")),
            message(FIND, final(status=0xFE00)),
            RELEASE_RP,
        ]
    )


def test_idle_release_request_is_answered_at_once() -> None:
    """A release request is answered at once when nothing runs."""
    pair = Pair.established()
    pair.feed_scp(RELEASE_RQ)
    assert pair.take(pair.scp_events, Released) == [Released()]
    assert pair.scp.data_to_send() == RELEASE_RP
    assert not pair.scp.should_close
    pair.pass_time(10)
    assert kinds(pair.scp_events) == [Ended]
    assert pair.scp.should_close


def test_acceptors_release_names_what_is_outstanding() -> None:
    """A release by the acceptor is answered, and the outstanding operations are named."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    pair.feed_scu(RELEASE_RQ)
    assert pair.take(pair.scu_events, Released) == [Released(outstanding=(1,))]
    assert pair.scu.data_to_send() == RELEASE_RP
    assert pair.scu.outstanding == ()


@pytest.mark.requirement("UL-054")
def test_release_collision_ends_for_requestor() -> None:
    pair = Pair.established()
    pair.scu.release(pair.now)
    assert pair.scu.data_to_send() == RELEASE_RQ
    pair.feed_scu(RELEASE_RQ)
    assert pair.scu.data_to_send() == RELEASE_RP
    assert pair.scu_events == []
    pair.feed_scu(RELEASE_RP)
    assert kinds(pair.scu_events) == [Released, Ended]


@pytest.mark.requirement("UL-058")
def test_peers_abort_fails_outstanding_once() -> None:
    """The peer's abort fails what is outstanding and is told once."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(encode(AAbort(2, 6)))
    aborted, ended = pair.scu_events
    expected = "A-ABORT of the peer: aborted by the service provider: invalid PDU parameter value"
    assert aborted == Aborted(2, 6, by_peer=True, message=expected, outstanding=(1,))
    assert isinstance(ended, Ended)
    assert pair.scu.outstanding == ()
    assert pair.scu.next_deadline() is None
    pair.scu_events.clear()
    pair.scu.receive_eof(pair.now)
    pair.scu.abort(pair.now)
    assert pair.scu.events() == []


@pytest.mark.requirement("UL-058")
def test_own_abort_fails_outstanding_once() -> None:
    """This side's abort fails what is outstanding and is told once."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    for _ in range(2):
        pair.scu.abort(pair.now)
    assert pair.scu.events() == [
        Aborted(0, 0, by_peer=False, message="this side aborted the association", outstanding=(1,))
    ]
    assert pdus_of(pair.scu.data_to_send()) == [AAbort(0, 0)]
    pair.feed_scu(message(FIND, final()))
    assert pair.scu_events == []
    pair.scu.receive_eof(pair.now)
    assert kinds(pair.scu.events()) == [Ended]


@pytest.mark.requirement("UL-058")
def test_lost_connection_fails_outstanding_once() -> None:
    """The loss of the connection fails what is outstanding and is told once."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    for _ in range(2):
        pair.scu.receive_eof(pair.now, "the line is cut")
    aborted, ended = pair.scu.events()
    assert isinstance(aborted, Aborted)
    assert (aborted.by_peer, aborted.message, aborted.outstanding) == (
        False,
        "the line is cut",
        (1,),
    )
    assert ended == Ended("the line is cut")


@pytest.mark.requirement("UL-058")
def test_abort_ends_what_is_performed() -> None:
    pair = Pair.established()
    pair.feed_scp(FIND_REQUEST + encode(AAbort(0, 0)))
    assert kinds(pair.scp_events) == [RequestReceived, Aborted, Ended]
    with pytest.raises(LocalProtocolError, match="no such request runs"):
        pair.scp.send_pending(FIND, 1, 0xFF00, [b"ab"], pair.now)
    with pytest.raises(LocalProtocolError, match="no such request runs"):
        pair.scp.send_response(IS_FIND, final(), None, pair.now)


def test_no_refusal_after_association_has_ended() -> None:
    """A refusal is not sent when the same input ended the association."""
    pair = Pair.established()
    mistaken = message(FIND, CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION))
    pair.feed_scp(mistaken + encode(AAbort(0, 0)))
    assert kinds(pair.scp_events) == [Aborted, Ended]
    assert pair.scp.data_to_send() == b""


def test_refusal_and_release_answer_go_in_turn() -> None:
    """A refusal and the answer to a release request are sent in turn."""
    pair = Pair.established()
    mistaken = CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION)
    pair.feed_scp(message(FIND, mistaken) + RELEASE_RQ)
    data = pair.scp.data_to_send()
    assert data.endswith(RELEASE_RP)
    assert len(pdus_of(data)) == 2


def test_idle_connection_closed_is_no_failure() -> None:
    """A connection closed with nothing going on is no failure."""
    for side in ("scu", "scp"):
        pair = Pair.established()
        session: Session = getattr(pair, side)
        session.receive_eof(pair.now)
        released, ended = session.events()
        assert released == Released(is_orderly=False)
        assert isinstance(ended, Ended)


@pytest.mark.requirement("UL-058")
@pytest.mark.parametrize(
    "going_on", ["a PDU", "a message", "a query of the peer", "a query of ours"]
)
def test_busy_connection_closed_is_a_failure(going_on: str) -> None:
    """A connection closed with something going on is a failure."""
    pair = Pair.established(request(scp_role_for=[STUDY_ROOT_FIND]))
    if going_on == "a PDU":
        pair.feed_scp(FIND_REQUEST[:5])
    elif going_on == "a message":
        pair.feed_scp(p_data(FIND, (COMMAND, b"ab")))
    elif going_on == "a query of the peer":
        pair.feed_scp(FIND_REQUEST)
    else:
        pair.scp.send_find(FIND, b"abcd", pair.now)
    pair.scp.receive_eof(pair.now)
    assert Aborted in kinds(pair.scp_events + pair.scp.events())


def test_close_instead_of_release_answer_is_fine() -> None:
    """A connection closed instead of an answer to the release request is no failure."""
    pair = Pair.established()
    pair.scu.release(pair.now)
    pair.scu.receive_eof(pair.now)
    assert kinds(pair.scu.events()) == [Released, Ended]


def test_message_spans_first_byte_to_last() -> None:
    """A message begins with its first byte and is complete with its last."""
    pair = Pair.established()
    assert not pair.scp.is_inside_message
    for position in range(1, len(FIND_REQUEST)):
        pair.feed_scp(FIND_REQUEST[position - 1 : position])
        assert pair.scp.is_inside_message
    pair.feed_scp(FIND_REQUEST[-1:])
    assert not pair.scp.is_inside_message


def test_open_and_close_is_hardly_worth_telling() -> None:
    """A connection that only opens and closes is an event of no interest to the log."""
    session = Session.acceptor(TIMEOUTS, 0.0)
    session.receive_eof(1.0)
    assert kinds(session.events()) == [Ended]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_other_protocols_are_aborted(data: bytes) -> None:
    session = Session.acceptor(TIMEOUTS, 0.0)
    session.receive_data(data, 0.0)
    assert len(aborts_in(session)) == 1
    session.receive_eof(1.0)
    assert kinds(session.events()) == [Ended]


@pytest.mark.requirement("UL-061")
def test_idle_time_counts_between_operations_only() -> None:
    pair = Pair.established(timeouts=Timeouts(idle=300.0))
    assert pair.deadline_in(pair.scp) == 300
    pair.feed_scp(FIND_REQUEST)
    assert pair.scp.next_deadline() is None
    pair.now += 1000
    pair.scp.send_response(IS_FIND, final(), None, pair.now)
    assert pair.deadline_in(pair.scp) == 300
    pair.scp_events.clear()
    pair.scp.data_to_send()
    pair.pass_time(300)
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert aborted.message == "no operation on the association within 300 s"
    assert aborts_in(pair.scp) == [AAbort(0, 0)]


@pytest.mark.requirement("UL-061")
def test_refused_requests_keep_nothing_busy() -> None:
    """Refused requests do not keep an association busy."""
    pair = Pair.established(timeouts=Timeouts(idle=300.0))
    pair.pass_time(200)
    pair.feed_scp(message(FIND, CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION)))
    assert pair.deadline_in(pair.scp) == 300


@pytest.mark.requirement("UL-061")
def test_peer_that_does_not_read_is_aborted() -> None:
    pair = Pair.established(timeouts=Timeouts(write=60.0))
    pair.feed_scp(FIND_REQUEST)
    pair.scp_events.clear()
    pair.scp.writing_paused(pair.now)
    assert pair.deadline_in(pair.scp) == 60
    pair.scp.writing_resumed()
    assert pair.scp.next_deadline() is None
    pair.scp.writing_paused(pair.now)
    pair.pass_time(60)
    assert Aborted in kinds(pair.scp_events)
    assert pair.scp.should_close


def test_cancel_crossing_final_response_is_harmless() -> None:
    """A C-CANCEL that crosses the final response does no harm."""
    pair = Pair.established()
    message_id = pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.run()
    pair.scp.send_response(IS_FIND, final(), None, pair.now)
    pair.scu.send_cancel(message_id, pair.now)
    pair.run()
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert response.command.status == 0x0000
    assert pair.scu.send_echo(ECHO, pair.now) == 2
    assert pair.scu.is_established
    assert pair.scp.is_established
    assert messages_from(pair.scu)[0].command == CEchoRQ(
        message_id=2, affected_sop_class_uid=VERIFICATION
    )


def test_message_from_both_sides_at_once() -> None:
    pair = Pair.established(request(scp_role_for=[VERIFICATION]))
    for session in (pair.scu, pair.scp):
        session.send_echo(ECHO, pair.now)
    pair.run()
    for session, events in ((pair.scu, pair.scu_events), (pair.scp, pair.scp_events)):
        (received,) = pair.take(events, RequestReceived)
        assert isinstance(received.command, CEchoRQ)
        session.send_response(
            received.command, response_to(received.command, 0x0000), None, pair.now
        )
    pair.run()
    for events in (pair.scu_events, pair.scp_events):
        (response,) = pair.take(events, ResponseReceived)
        assert response.command == CEchoRSP(
            message_id_being_responded_to=1, status=0x0000, affected_sop_class_uid=VERIFICATION
        )


def test_c_cancel_is_never_sent_twice_or_answered() -> None:
    pair = Pair.established()
    pair.feed_scp(FIND_REQUEST)
    pair.scp_events.clear()
    for _ in range(3):
        pair.feed_scp(message(FIND, CCancelRQ(message_id_being_responded_to=1)))
    assert sum(isinstance(event, CancelReceived) for event in pair.scp_events) == 1
    assert pair.scp.data_to_send() == b""

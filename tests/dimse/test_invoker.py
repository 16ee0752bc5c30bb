"""The requests that this side sends, and their responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dimse.command_sets import encode_elements
from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    Command,
    CStoreRQ,
    CStoreRSP,
    UnknownCommand,
)
from dicomquest.dimse.events import Aborted, MessageIgnored, ResponseReceived
from dicomquest.dimse.fragments import Limits, Message
from dicomquest.dimse.invoker import IGNORED_RESPONSES, LAST_MESSAGE_ID
from dicomquest.dimse.link import SessionOptions
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import COMMAND, LAST, AAbort
from dicomquest.pdu.user_information import AsyncOperationsWindow
from dicomquest.ul.timers import Timeouts
from fixtures.session_pairs import (
    ECHO,
    FIND,
    MOVE,
    REFUSED,
    STORE,
    STUDY_ROOT_FIND,
    VERIFICATION,
    Pair,
    aborts_in,
    message,
    messages_from,
    p_data,
    policy,
    request,
    us,
)
from strategies.dimse import FINAL_STATUSES

CONCURRENT = AsyncOperationsWindow(invoked=3, performed=1)
UNLIMITED = AsyncOperationsWindow(invoked=0, performed=0)


def find_response(status: int, message_id: int = 1, *, has_data_set: bool | None = None) -> bytes:
    """A C-FIND-RSP command set in which status and Command Data Set Type need not agree."""
    pending = status in (0xFF00, 0xFF01) if has_data_set is None else has_data_set
    data_set_type = us(0x0001 if pending else 0x0101)
    return encode_elements(
        {0x0100: us(0x8020), 0x0120: us(message_id), 0x0800: data_set_type, 0x0900: us(status)}
    )


@pytest.mark.requirement("UL-094", "UL-097")
def test_c_find_is_sent_with_all_that_it_needs() -> None:
    pair = Pair.established()
    message_id = pair.scu.send_find(FIND, b"abcd", pair.now, priority=1)
    expected = CFindRQ(message_id=message_id, affected_sop_class_uid=STUDY_ROOT_FIND, priority=1)
    assert messages_from(pair.scu) == [Message(FIND, expected, b"abcd")]
    assert pair.scu.outstanding == (message_id,)


def test_c_echo_is_sent_without_a_data_set() -> None:
    pair = Pair.established()
    message_id = pair.scu.send_echo(ECHO, pair.now)
    expected = CEchoRQ(message_id=message_id, affected_sop_class_uid=VERIFICATION)
    assert messages_from(pair.scu) == [Message(ECHO, expected)]


def test_c_store_is_sent_and_answered() -> None:
    pair = Pair.established()
    store = CStoreRQ(
        message_id=5,
        affected_sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        affected_sop_instance_uid="1.2",
    )
    assert pair.scu.send_request(STORE, store, b"pixels", pair.now) == 5
    assert messages_from(pair.scu) == [Message(STORE, store, b"pixels")]
    response = CStoreRSP(message_id_being_responded_to=5, status=0xB000)
    pair.feed_scu(message(STORE, response))
    assert pair.take(pair.scu_events, ResponseReceived) == [
        ResponseReceived(pair.scu.contexts[STORE], response, None)
    ]


@pytest.mark.requirement("UL-096")
def test_c_cancel_is_sent_once_on_its_context() -> None:
    """C-CANCEL is sent once, on the context of its request."""
    pair = Pair.established()
    message_id = pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    pair.scu.send_cancel(message_id, pair.now)
    assert messages_from(pair.scu) == [
        Message(FIND, CCancelRQ(message_id_being_responded_to=message_id))
    ]
    pair.scu.send_cancel(message_id, pair.now)
    assert pair.scu.data_to_send() == b""


def test_responses_follow_c_cancel_until_final_one() -> None:
    """Responses come on after a C-CANCEL until the final one."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.send_cancel(1, pair.now)
    for status, data_set in ((0xFF00, b"ab"), (0xFF01, b"cd"), (0x0000, None)):
        pair.feed_scu(message(FIND, find_response(status), data_set))
    responses = pair.take(pair.scu_events, ResponseReceived)
    assert [(each.command.status, each.data_set) for each in responses] == [
        (0xFF00, b"ab"),
        (0xFF01, b"cd"),
        (0x0000, None),
    ]
    assert pair.scu.outstanding == ()


@pytest.mark.parametrize("message_id", [1, 2])
def test_c_cancel_needs_query_that_is_outstanding(message_id: int) -> None:
    pair = Pair.established()
    pair.scu.send_echo(ECHO, pair.now)
    with pytest.raises(LocalProtocolError, match=f"C-CANCEL of {message_id}: no C-FIND"):
        pair.scu.send_cancel(message_id, pair.now)


@pytest.mark.requirement("UL-097")
def test_message_ids_count_up_past_those_in_use() -> None:
    """Message IDs count up and begin anew past those in use."""
    pair = Pair.established(request(window=UNLIMITED), policy(window=UNLIMITED))
    assert [pair.scu.send_echo(ECHO, pair.now) for _ in range(3)] == [1, 2, 3]
    pair.scu.send_echo(ECHO, pair.now, message_id=5)
    assert [pair.scu.send_echo(ECHO, pair.now) for _ in range(2)] == [4, 6]
    pair.scu._invoker._last_message_id = LAST_MESSAGE_ID - 1
    assert [pair.scu.send_echo(ECHO, pair.now) for _ in range(2)] == [0xFFFF, 7]


@pytest.mark.requirement("UL-097")
def test_outstanding_message_id_is_not_reused() -> None:
    """The Message ID of an outstanding operation is not used again."""
    pair = Pair.established(request(window=CONCURRENT), policy(window=CONCURRENT))
    pair.scu.send_echo(ECHO, pair.now, message_id=9)
    pair.scu.data_to_send()
    with pytest.raises(
        LocalProtocolError, match="Message ID 9 is that of an operation that is outstanding"
    ):
        pair.scu.send_echo(ECHO, pair.now, message_id=9)
    assert pair.scu.data_to_send() == b""


def test_message_id_is_free_after_its_operation() -> None:
    """A Message ID may be used again when its operation has ended."""
    pair = Pair.established()
    for _ in range(2):
        pair.scu.send_echo(ECHO, pair.now, message_id=1)
        pair.feed_scu(message(ECHO, CEchoRSP(message_id_being_responded_to=1, status=0)))
    assert len(pair.take(pair.scu_events, ResponseReceived)) == 2


@pytest.mark.requirement("UL-098")
def test_no_second_operation_before_final_response() -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(message(FIND, find_response(0xFF00), b"ab"))
    pair.scu.data_to_send()
    with pytest.raises(
        LocalProtocolError, match=r"C-ECHO-RQ while 1 operations await .* 1 may at a time"
    ):
        pair.scu.send_echo(ECHO, pair.now)
    assert pair.scu.data_to_send() == b""
    pair.feed_scu(message(FIND, find_response(0x0000)))
    assert pair.scu.send_echo(ECHO, pair.now) == 3


@pytest.mark.requirement("UL-098", "UL-099")
def test_as_many_operations_as_window_allows() -> None:
    pair = Pair.established(request(window=CONCURRENT), policy(window=CONCURRENT))
    ids = [pair.scu.send_find(FIND, b"abcd", pair.now) for _ in range(3)]
    with pytest.raises(LocalProtocolError, match="3 may at a time"):
        pair.scu.send_find(FIND, b"abcd", pair.now)
    for message_id in reversed(ids):
        pair.feed_scu(message(FIND, find_response(0xFF00, message_id), bytes([message_id, 0])))
    responses = pair.take(pair.scu_events, ResponseReceived)
    assert [(each.command.message_id_being_responded_to, each.data_set) for each in responses] == [
        (message_id, bytes([message_id, 0])) for message_id in reversed(ids)
    ]


@pytest.mark.requirement("UL-099")
@pytest.mark.parametrize(
    "stray",
    [
        find_response(0x0000, message_id=2),
        find_response(0xFF00, message_id=2),
        CEchoRSP(message_id_being_responded_to=1, status=0x0000),
    ],
)
def test_response_to_nothing_is_ignored(stray: Command | bytes) -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(
        message(FIND, stray, b"ab" if stray == find_response(0xFF00, message_id=2) else None)
    )
    (ignored,) = pair.take(pair.scu_events, MessageIgnored)
    assert ignored.reason == "it responds to no outstanding request"
    assert pair.scu.outstanding == (1,)
    assert pair.scu.is_established


@pytest.mark.requirement("UL-099")
def test_too_many_unasked_responses_end_association() -> None:
    """Too many responses to nothing end the association."""
    pair = Pair.established()
    for _ in range(IGNORED_RESPONSES):
        pair.feed_scu(message(FIND, find_response(0x0000)))
    assert pair.scu.is_established
    pair.feed_scu(message(FIND, find_response(0x0000)))
    aborted = pair.scu_events[-1]
    assert isinstance(aborted, Aborted)
    assert aborted.message == "17 responses to requests that are not outstanding"
    assert aborts_in(pair.scu) == [AAbort(0, 0)]


@pytest.mark.requirement("UL-104")
def test_early_failure_is_taken_while_sending() -> None:
    """An early failure is taken while the request is still being sent."""
    pair = Pair.established()
    message_id = pair.scu.send_find(FIND, bytes(100_000), pair.now)
    response = CFindRSP(message_id_being_responded_to=message_id, status=0xA700)
    pair.feed_scu(message(FIND, response))
    assert pair.take(pair.scu_events, ResponseReceived) == [
        ResponseReceived(pair.scu.contexts[FIND], response, None)
    ]
    assert messages_from(pair.scu)[0].data_set == bytes(100_000)
    assert pair.scu.send_echo(ECHO, pair.now) == 2


@pytest.mark.requirement("UL-105")
@given(FINAL_STATUSES, st.booleans(), st.binary(max_size=20))
def test_data_set_of_final_response_is_thrown_away(
    status: int, is_announced: bool, data_set: bytes
) -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(message(FIND, find_response(status, has_data_set=is_announced), data_set))
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert (response.command.status, response.data_set) == (status, None)
    pair.scu.send_echo(ECHO, pair.now)
    pair.feed_scu(message(ECHO, CEchoRSP(message_id_being_responded_to=2, status=0)))
    assert len(pair.take(pair.scu_events, ResponseReceived)) == 1


def test_pending_response_without_identifier_is_told() -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(message(FIND, find_response(0xFF00, has_data_set=False)))
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert (response.command.status, response.data_set) == (0xFF00, None)
    assert pair.scu.outstanding == (1,)


@pytest.mark.requirement("UL-106")
def test_identifier_beyond_limit_is_told_as_such() -> None:
    pair = Pair.established(options=SessionOptions(limits=Limits(data_set=10)))
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(message(FIND, find_response(0xFF00), bytes(12)))
    pair.feed_scu(message(FIND, find_response(0xFF00), bytes(10)))
    responses = pair.take(pair.scu_events, ResponseReceived)
    assert [(each.data_set, each.is_oversized) for each in responses] == [
        (None, True),
        (bytes(10), False),
    ]


@pytest.mark.parametrize("status", [0xFF02, 0xFFFF])
def test_unknown_pending_status_ends_association(status: int) -> None:
    """An unknown status of the pending kind ends the association."""
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    pair.feed_scu(message(FIND, find_response(status)))
    (aborted,) = pair.take(pair.scu_events, Aborted)
    assert (aborted.by_peer, aborted.outstanding) == (False, (1,))
    assert f"{status:04X}" in aborted.message
    assert aborts_in(pair.scu) == [AAbort(0, 0)]


@pytest.mark.requirement("UL-102")
@pytest.mark.parametrize("command_field", [0x8130, 0x8100, 0x8FFF, 0xFFFF])
def test_response_of_unknown_service_ends_association(command_field: int) -> None:
    """A response of an unknown service ends the association."""
    pair = Pair.established()
    response = UnknownCommand(
        command_field=command_field, message_id_being_responded_to=1, status=0
    )
    pair.feed_scu(message(MOVE, response))
    (aborted,) = pair.take(pair.scu_events, Aborted)
    assert aborted.message == f"command {command_field:04X}H, which cannot be answered"
    assert aborts_in(pair.scu) == [AAbort(0, 0)]


@pytest.mark.parametrize(
    ("context_id", "words"),
    [(REFUSED, r"context 9: accepted are \[1, 3, 5, 7\]"), (2, "context 2: accepted are")],
)
def test_context_must_be_accepted(context_id: int, words: str) -> None:
    pair = Pair.established()
    with pytest.raises(LocalProtocolError, match=words):
        pair.scu.send_find(context_id, b"abcd", pair.now)


def test_acceptor_needs_role_to_send_requests() -> None:
    """The acceptor may send requests only with the role for it."""
    pair = Pair.established(request(scp_role_for=[VERIFICATION]))
    with pytest.raises(
        LocalProtocolError, match="C-FIND-RQ without the SCU role on presentation context 1"
    ):
        pair.scp.send_find(FIND, b"abcd", pair.now)
    message_id = pair.scp.send_echo(ECHO, pair.now)
    assert pair.scp.outstanding == (message_id,)


@pytest.mark.parametrize("identifier", [b"", b"abc"])
def test_unsendable_request_leaves_nothing_behind(identifier: bytes) -> None:
    """A request that cannot be sent leaves nothing behind."""
    pair = Pair.established()
    with pytest.raises(LocalProtocolError, match=f"data set of {len(identifier)} bytes"):
        pair.scu.send_find(FIND, identifier, pair.now)
    assert pair.scu.data_to_send() == b""
    assert pair.scu.outstanding == ()
    assert pair.scu.is_established


def test_data_set_goes_with_requests_that_have_one() -> None:
    pair = Pair.established()
    with pytest.raises(LocalProtocolError, match="C-ECHO-RQ with a data set"):
        pair.scu.send_request(
            ECHO, CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), b"ab", pair.now
        )
    with pytest.raises(LocalProtocolError, match="C-FIND-RQ without its data set"):
        pair.scu.send_request(
            FIND, CFindRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_FIND), None, pair.now
        )


TIMEOUTS = Timeouts(first_response=300.0, dimse=60.0, idle=None)


@pytest.mark.requirement("UL-061")
def test_overdue_query_is_cancelled_then_aborted() -> None:
    pair = Pair.established(timeouts=TIMEOUTS)
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.data_to_send()
    assert pair.deadline_in(pair.scu) == 300
    pair.pass_time(299)
    assert pair.scu.data_to_send() == b""
    pair.pass_time(1)
    assert messages_from(pair.scu) == [Message(FIND, CCancelRQ(message_id_being_responded_to=1))]
    assert pair.deadline_in(pair.scu) == 10
    pair.feed_scu(message(FIND, find_response(0xFF00), b"ab"))
    assert pair.deadline_in(pair.scu) == 10
    pair.scu_events.clear()
    pair.pass_time(10)
    (aborted,) = pair.take(pair.scu_events, Aborted)
    assert aborted == Aborted(
        0, 0, False, "no response to C-FIND-RQ (Message ID 1) within 300 s", (1,)
    )
    assert aborts_in(pair.scu) == [AAbort(0, 0)]


@pytest.mark.requirement("UL-061")
def test_each_pending_response_gives_new_time() -> None:
    pair = Pair.established(timeouts=TIMEOUTS)
    pair.scu.send_find(FIND, b"abcd", pair.now)
    for _ in range(3):
        pair.pass_time(59)
        pair.feed_scu(message(FIND, find_response(0xFF00), b"ab"))
        assert pair.deadline_in(pair.scu) == 60
    pair.feed_scu(message(FIND, find_response(0x0000)))
    assert pair.scu.next_deadline() is None


@pytest.mark.requirement("UL-061")
def test_overdue_cancelled_query_is_aborted() -> None:
    """A query that its user cancelled is aborted when overdue."""
    pair = Pair.established(timeouts=TIMEOUTS)
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.scu.send_cancel(1, pair.now)
    assert pair.deadline_in(pair.scu) == 60
    pair.pass_time(60)
    (aborted,) = pair.take(pair.scu_events, Aborted)
    assert aborted.message == "no response to C-FIND-RQ (Message ID 1) within 60 s"


@pytest.mark.requirement("UL-061")
def test_query_ended_by_time_out_cancel_is_over() -> None:
    """A query that ends after the C-CANCEL of a time-out is over, and nothing fails."""
    pair = Pair.established(timeouts=TIMEOUTS)
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.pass_time(300)
    pair.feed_scu(message(FIND, find_response(0xFE00)))
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert response.command.status == 0xFE00
    assert pair.scu.next_deadline() is None
    assert pair.scu.is_established


@pytest.mark.requirement("UL-061")
def test_overdue_c_echo_is_aborted() -> None:
    pair = Pair.established(timeouts=TIMEOUTS)
    pair.scu.send_echo(ECHO, pair.now)
    assert pair.deadline_in(pair.scu) == 60
    pair.pass_time(60)
    (aborted,) = pair.take(pair.scu_events, Aborted)
    assert aborted.message == "no response to C-ECHO-RQ (Message ID 1) within 60 s"


@pytest.mark.requirement("UL-061")
def test_without_time_outs_waiting_never_ends() -> None:
    """Without time-outs the wait for a response never ends."""
    pair = Pair.established(timeouts=Timeouts(first_response=None, dimse=None, idle=None))
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pair.feed_scu(message(FIND, find_response(0xFF00), b"ab"))
    pair.scu.send_cancel(1, pair.now)
    assert pair.scu.next_deadline() is None


@pytest.mark.requirement("UL-075")
def test_responses_whose_pdvs_are_packed_in_one_pdu() -> None:
    pair = Pair.established()
    pair.scu.send_find(FIND, b"abcd", pair.now)
    pending = (COMMAND | LAST, find_response(0xFF00))
    packed = [
        pending,
        (0, b"a"),
        (LAST, b"b"),
        pending,
        (LAST, b"cd"),
        (COMMAND | LAST, find_response(0x0000)),
    ]
    pair.feed_scu(p_data(FIND, *packed))
    responses = pair.take(pair.scu_events, ResponseReceived)
    assert [each.data_set for each in responses] == [b"ab", b"cd", None]

"""The requests that the peer sends, and this side's responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dimse.command_sets import encode_command, encode_elements
from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CStoreRQ,
    CStoreRSP,
    NCreateRQ,
    NCreateRSP,
    NSetRQ,
    NSetRSP,
    Request,
    UnknownCommand,
    response_to,
)
from dicomquest.dimse.events import (
    Aborted,
    CancelReceived,
    DataSetFragmentReceived,
    MessageIgnored,
    RequestReceived,
    RequestRefused,
    ResponseReceived,
)
from dicomquest.dimse.fragments import Limits, Message
from dicomquest.dimse.link import SessionOptions
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import COMMAND, LAST, AAbort, PDataTF
from dicomquest.pdu.user_information import AsyncOperationsWindow
from fixtures.session_pairs import (
    CT_STORAGE,
    DEFLATED,
    ECHO,
    EXPLICIT,
    FIND,
    IMPLICIT,
    MOVE,
    STORE,
    STUDY_ROOT_FIND,
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
from strategies.dimse import data_sets

IS_FIND = CFindRQ(message_id=7, affected_sop_class_uid=STUDY_ROOT_FIND)
IS_ECHO = CEchoRQ(message_id=8, affected_sop_class_uid=VERIFICATION)
IS_STORE = CStoreRQ(
    message_id=9, affected_sop_class_uid=CT_STORAGE, affected_sop_instance_uid="1.2.3"
)


def find_request(message_id: int = 7) -> bytes:
    return message(
        FIND, CFindRQ(message_id=message_id, affected_sop_class_uid=STUDY_ROOT_FIND), b"abcd"
    )


def find_answer(
    status: int, comment: str = "", message_id: int = 7, sop_class: str = STUDY_ROOT_FIND
) -> CFindRSP:
    return CFindRSP(
        message_id_being_responded_to=message_id,
        status=status,
        affected_sop_class_uid=sop_class,
        error_comment=comment,
    )


@pytest.mark.requirement("UL-094", "UL-095")
def test_query_is_told_and_answered() -> None:
    pair = Pair.established()
    pair.feed_scp(find_request())
    context = pair.scp.contexts[FIND]
    assert pair.take(pair.scp_events, RequestReceived) == [
        RequestReceived(context, IS_FIND, b"abcd")
    ]
    pair.scp.send_pending(FIND, 7, 0xFF00, [b"abcd", b"efghij"], pair.now)
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)
    pending = CFindRSP(
        message_id_being_responded_to=7,
        status=0xFF00,
        affected_sop_class_uid=STUDY_ROOT_FIND,
        has_data_set=True,
    )
    assert messages_from(pair.scp) == [
        Message(FIND, pending, b"abcd"),
        Message(FIND, pending, b"efghij"),
        Message(FIND, find_answer(0x0000)),
    ]


@pytest.mark.requirement("UL-090")
@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, DEFLATED])
def test_command_set_ignores_transfer_syntax(transfer_syntax: str) -> None:
    """Command sets are the same in every transfer syntax."""
    pair = Pair.established(
        request(transfer_syntax=transfer_syntax), policy(transfer_syntax=transfer_syntax)
    )
    pair.feed_scp(find_request())
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.command == IS_FIND
    assert received.context.transfer_syntax == transfer_syntax
    pair.scp.send_response(IS_FIND, find_answer(0x0000), None, pair.now)
    assert pair.scp.data_to_send() == message(FIND, encode_command(find_answer(0x0000)))


@pytest.mark.requirement("UL-100")
def test_c_echo_is_answered() -> None:
    pair = Pair.established()
    message_id = pair.scu.send_echo(ECHO, pair.now)
    pair.run()
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert isinstance(received.command, CEchoRQ)
    pair.scp.send_response(received.command, response_to(received.command, 0x0000), None, pair.now)
    pair.run()
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert response.command == CEchoRSP(
        message_id_being_responded_to=message_id, status=0x0000, affected_sop_class_uid=VERIFICATION
    )


@pytest.mark.requirement("UL-101")
@pytest.mark.parametrize(
    ("context_id", "command", "data_set", "expected"),
    [
        pytest.param(
            FIND,
            CFindRQ(message_id=7, affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.1.1"),
            b"abcd",
            find_answer(
                0x0122,
                "SOP class is not the abstract syntax of the context",
                sop_class="1.2.840.10008.5.1.4.1.2.1.1",
            ),
            id="Patient Root on the context of Study Root",
        ),
        pytest.param(
            FIND,
            IS_ECHO,
            None,
            CEchoRSP(
                message_id_being_responded_to=8,
                status=0x0122,
                affected_sop_class_uid=VERIFICATION,
                error_comment="SOP class is not the abstract syntax of the context",
            ),
            id="C-ECHO on a context for queries",
        ),
        pytest.param(
            FIND,
            CEchoRQ(message_id=8, affected_sop_class_uid=STUDY_ROOT_FIND),
            None,
            CEchoRSP(
                message_id_being_responded_to=8,
                status=0x0211,
                affected_sop_class_uid=STUDY_ROOT_FIND,
            ),
            id="C-ECHO for a SOP class that has no C-ECHO",
        ),
        pytest.param(
            ECHO,
            CFindRQ(message_id=7, affected_sop_class_uid=VERIFICATION),
            b"abcd",
            find_answer(0x0211, sop_class=VERIFICATION),
            id="C-FIND for Verification",
        ),
    ],
)
def test_request_that_the_context_is_not_for(
    context_id: int, command: Request, data_set: bytes | None, expected: CFindRSP | CEchoRSP
) -> None:
    pair = Pair.established()
    pair.feed_scp(message(context_id, command, data_set))
    refused = RequestRefused(command, expected)
    assert pair.take(pair.scp_events, RequestRefused) == [refused]
    assert messages_from(pair.scp) == [Message(context_id, expected)]
    pair.feed_scp(find_request())
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1


@pytest.mark.requirement("UL-101")
def test_missing_sop_class_is_that_of_context() -> None:
    pair = Pair.established()
    command_set = encode_elements({0x0100: us(0x0020), 0x0110: us(7), 0x0800: us(1)})
    pair.feed_scp(message(FIND, command_set, b"abcd"))
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.command == IS_FIND
    assert not received.is_class_told


@pytest.mark.requirement("UL-040", "UL-101")
def test_requestor_that_is_no_scp_refuses_requests() -> None:
    pair = Pair.established()
    pair.feed_scu(message(STORE, IS_STORE, b"pixels"))
    refusal = CStoreRSP(
        message_id_being_responded_to=9,
        status=0x0122,
        affected_sop_class_uid=CT_STORAGE,
        affected_sop_instance_uid="1.2.3",
        error_comment="no SCP role on this presentation context",
    )
    assert pair.take(pair.scu_events, RequestRefused) == [RequestRefused(IS_STORE, refusal)]
    assert messages_from(pair.scu) == [Message(STORE, refusal)]


def test_requestor_with_scp_role_takes_requests() -> None:
    pair = Pair.established(request(scp_role_for=[CT_STORAGE]))
    pair.feed_scu(message(STORE, IS_STORE, b"pixels"))
    assert pair.take(pair.scu_events, RequestReceived) == [
        RequestReceived(pair.scu.contexts[STORE], IS_STORE, b"pixels")
    ]


@pytest.mark.requirement("UL-102")
@pytest.mark.parametrize("command_field", [0x0100, 0x0110, 0x0130, 0x0150, 0x7ABC])
@pytest.mark.parametrize("data_set", [None, b"abcd"])
def test_unknown_request_is_answered(command_field: int, data_set: bytes | None) -> None:
    pair = Pair.established()
    command = UnknownCommand(
        command_field=command_field,
        message_id=4,
        affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.2.2",
        has_data_set=data_set is not None,
    )
    pair.feed_scp(message(MOVE, command, data_set))
    assert pair.take(pair.scp_events, MessageIgnored) == [
        MessageIgnored(command, "there is no such service here")
    ]
    response = UnknownCommand(
        command_field=command_field | 0x8000,
        message_id_being_responded_to=4,
        affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.2.2",
        status=0x0211,
    )
    assert messages_from(pair.scp) == [Message(MOVE, response)]
    assert pair.scp.is_established


@pytest.mark.requirement("UL-102")
@pytest.mark.requirement("DN-003")
@pytest.mark.parametrize(
    "command",
    [
        NCreateRQ(message_id=9, affected_sop_class_uid=STUDY_ROOT_FIND),
        NSetRQ(
            message_id=9,
            requested_sop_class_uid=STUDY_ROOT_FIND,
            requested_sop_instance_uid="1.2.3",
        ),
    ],
)
def test_dimse_n_on_a_find_context_is_refused(command: Request) -> None:
    pair = Pair.established()
    pair.feed_scp(message(FIND, command, b"abcd"))
    response = response_to(command, 0x0211)
    assert messages_from(pair.scp) == [Message(FIND, response)]
    assert pair.take(pair.scp_events, RequestRefused) == [RequestRefused(command, response)]


@pytest.mark.requirement("DN-003")
def test_n_set_without_class_is_of_its_context() -> None:
    pair = Pair.established()
    elements = {0x0100: us(0x0120), 0x0110: us(9), 0x0800: us(1), 0x1001: b"1.2.3\0"}
    pair.feed_scp(message(FIND, encode_elements(elements), b"abcd"))
    (refused,) = messages_from(pair.scp)
    assert refused.command == NSetRSP(
        message_id_being_responded_to=9,
        status=0x0211,
        affected_sop_class_uid=STUDY_ROOT_FIND,
        affected_sop_instance_uid="1.2.3",
    )


@pytest.mark.requirement("DN-003")
def test_oversized_attributes_are_refused() -> None:
    pair = Pair.established(options=SessionOptions(limits=Limits(attributes=10)))
    command = NCreateRQ(message_id=9, affected_sop_class_uid=CT_STORAGE)
    pair.feed_scp(message(STORE, command, bytes(12)))
    (refused,) = messages_from(pair.scp)
    assert isinstance(refused.command, NCreateRSP)
    assert refused.command.status == 0x0213


def test_unanswerable_unknown_request_ends_all() -> None:
    """An unknown request that cannot be answered ends the association."""
    pair = Pair.established()
    pair.feed_scp(message(MOVE, UnknownCommand(command_field=0x0130)))
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert aborted.message == "command 0130H, which cannot be answered"
    assert aborts_in(pair.scp) == [AAbort(0, 0)]


def test_message_id_that_is_outstanding_is_refused() -> None:
    pair = Pair.established()
    pair.feed_scp(find_request())
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1
    pair.feed_scp(find_request())
    assert pair.take(pair.scp_events, RequestRefused) == [
        RequestRefused(IS_FIND, find_answer(0x0210))
    ]
    assert messages_from(pair.scp) == [Message(FIND, find_answer(0x0210))]
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)
    pair.feed_scp(find_request())
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1


@pytest.mark.requirement("UL-106")
def test_identifier_beyond_limit_is_refused() -> None:
    pair = Pair.established(options=SessionOptions(limits=Limits(data_set=10)))
    pair.feed_scp(message(FIND, IS_FIND, bytes(12)))
    assert len(pair.take(pair.scp_events, RequestRefused)) == 1
    assert messages_from(pair.scp) == [
        Message(FIND, find_answer(0xC001, "identifier is longer than the limit (max-identifier)"))
    ]
    pair.feed_scp(message(FIND, IS_FIND, bytes(10)))
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1


@pytest.mark.parametrize("data_set", [None, b""])
def test_missing_and_empty_identifiers_differ(data_set: bytes | None) -> None:
    pair = Pair.established()
    command_set = encode_elements(
        {0x0100: us(0x0020), 0x0110: us(7), 0x0800: us(0x0101 if data_set is None else 0x0001)}
    )
    pair.feed_scp(message(FIND, command_set, data_set))
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.data_set == data_set


@pytest.mark.requirement("UL-093")
@pytest.mark.parametrize("is_announced", [True, False])
def test_data_set_of_c_echo_is_thrown_away(is_announced: bool) -> None:
    pair = Pair.established()
    command_set = encode_elements(
        {
            0x0002: VERIFICATION.encode() + b"\0",
            0x0100: us(0x0030),
            0x0110: us(8),
            0x0800: us(0x0001 if is_announced else 0x0101),
        }
    )
    pair.feed_scp(message(ECHO, command_set, b"abcd"))
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.data_set is None
    assert received.command.message_id == 8


@pytest.mark.requirement("UL-080")
def test_c_cancel_is_told_while_responses_are_sent() -> None:
    pair = Pair.established()
    pair.feed_scp(find_request())
    pair.scp_events.clear()
    pair.scp.send_pending(FIND, 7, 0xFF00, [b"ab"] * 100, pair.now)
    # The peer has read nothing of it.
    pair.feed_scp(message(FIND, CCancelRQ(message_id_being_responded_to=7)))
    assert pair.take(pair.scp_events, CancelReceived) == [CancelReceived(7)]
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0xFE00), None, pair.now)
    sent = messages_from(pair.scp)
    assert len(sent) == 101
    assert sent[-1] == Message(FIND, find_answer(0xFE00))


def test_c_cancel_is_taken_on_any_context() -> None:
    pair = Pair.established()
    pair.feed_scp(find_request())
    pair.scp_events.clear()
    pair.feed_scp(message(ECHO, CCancelRQ(message_id_being_responded_to=7)))
    assert pair.take(pair.scp_events, CancelReceived) == [CancelReceived(7)]


@pytest.mark.parametrize("case", ["unknown", "finished", "repeated", "of a C-ECHO"])
def test_c_cancel_of_nothing_is_ignored(case: str) -> None:
    pair = Pair.established()
    if case != "unknown":
        pair.feed_scp(message(ECHO, IS_ECHO) if case == "of a C-ECHO" else find_request())
    if case == "finished":
        pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)
    cancel = CCancelRQ(message_id_being_responded_to=8 if case == "of a C-ECHO" else 7)
    if case == "repeated":
        pair.feed_scp(message(FIND, cancel))
    pair.scp_events.clear()
    pair.scp.data_to_send()
    pair.feed_scp(message(FIND, cancel))
    (ignored,) = pair.take(pair.scp_events, MessageIgnored)
    assert ignored.command == cancel
    assert pair.scp.data_to_send() == b""


@pytest.mark.requirement("UL-038")
def test_request_beyond_window_waits_for_its_turn() -> None:
    pair = Pair.established()
    for message_id in (7, 8, 9):
        pair.feed_scp(find_request(message_id))
    turns = []
    for _ in range(3):
        (received,) = pair.take(pair.scp_events, RequestReceived)
        turns.append(received.command.message_id)
        pair.scp.send_response(
            received.command, response_to(received.command, 0x0000), None, pair.now
        )
        pair.scp_events += pair.scp.events()
    assert turns == [7, 8, 9]
    assert pair.scp_events == []


def test_cancel_of_waiting_request_is_answered_now() -> None:
    """The C-CANCEL of a waiting request is answered at once."""
    pair = Pair.established()
    pair.feed_scp(find_request(7) + find_request(8))
    pair.scp_events.clear()
    pair.feed_scp(message(FIND, CCancelRQ(message_id_being_responded_to=8)))
    assert pair.scp_events == []
    assert messages_from(pair.scp) == [Message(FIND, find_answer(0xFE00, message_id=8))]
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)
    assert pair.scp.events() == []


def test_waiting_requests_have_message_ids_too() -> None:
    pair = Pair.established()
    pair.feed_scp(find_request(7) + find_request(8) + find_request(8))
    assert messages_from(pair.scp) == [Message(FIND, find_answer(0x0210, message_id=8))]


def test_too_many_waiting_requests_end_association() -> None:
    pair = Pair.established()
    for message_id in range(SessionOptions().most_waiting + 1):
        pair.feed_scp(find_request(message_id))
    assert pair.scp.is_established
    pair.scp_events.clear()
    pair.feed_scp(find_request(100))
    (aborted,) = pair.take(pair.scp_events, Aborted)
    assert aborted.message == "C-FIND-RQ while 1 requests are answered and 8 wait"
    assert aborts_in(pair.scp) == [AAbort(0, 0)]


@pytest.mark.requirement("UL-038", "UL-074")
def test_requests_run_side_by_side_in_window() -> None:
    """Requests run side by side where the window allows."""
    window = AsyncOperationsWindow(invoked=2, performed=1)
    pair = Pair.established(request(window=window), policy(window=window))
    pair.feed_scp(find_request(7) + find_request(8) + find_request(9))
    first, second = pair.take(pair.scp_events, RequestReceived)
    for received in (first, second, first):
        pair.scp.send_pending(FIND, received.command.message_id, 0xFF00, [bytes(40_000)], pair.now)
    sent = messages_from(pair.scp)
    assert [
        each.command.message_id_being_responded_to
        for each in sent
        if isinstance(each.command, CFindRSP)
    ] == [
        7,
        8,
        7,
    ]
    pair.scp.send_response(second.command, response_to(second.command, 0x0000), None, pair.now)
    assert [
        each.command.message_id for each in pair.scp.events() if isinstance(each, RequestReceived)
    ] == [9]


@pytest.mark.requirement("UL-070", "UL-072", "UL-095")
@given(
    st.sampled_from([8, 10, 100, 4096, 16384, 0]),
    st.lists(data_sets(max_size=400), min_size=1, max_size=8),
    st.sampled_from([0xFF00, 0xFF01]),
    st.booleans(),
    st.booleans(),
)
def test_pending_responses_fit_the_peer(
    maximum_length: int,
    identifiers: list[bytes],
    status: int,
    shares_pdu: bool,
    counts_pdu_header: bool,
) -> None:
    counts_pdu_header &= maximum_length not in (8, 10)
    options = SessionOptions(shares_pdu=shares_pdu, counts_pdu_header=counts_pdu_header)
    pair = Pair.established(request(maximum_length=maximum_length), options=options)
    pair.feed_scp(find_request())
    pair.scp.send_pending(FIND, 7, status, identifiers, pair.now)
    data = pair.scp.data_to_send()
    limit = (maximum_length or 131072) - (6 if counts_pdu_header else 0)
    for pdu in pdus_of(data):
        assert isinstance(pdu, PDataTF)
        assert sum(6 + len(pdv.fragment) for pdv in pdu.pdvs) <= limit
        assert all(pdv.fragment and len(pdv.fragment) % 2 == 0 for pdv in pdu.pdvs)


@pytest.mark.requirement("UL-070")
def test_unlimited_peer_gets_at_most_128_kib() -> None:
    pair = Pair.established(request(maximum_length=0))
    pair.feed_scp(find_request())
    pair.scp.send_pending(FIND, 7, 0xFF00, [bytes(400_000)], pair.now)
    pdus = pdus_of(pair.scp.data_to_send())
    lengths = [
        sum(6 + len(pdv.fragment) for pdv in pdu.pdvs) for pdu in pdus if isinstance(pdu, PDataTF)
    ]
    assert max(lengths) == 131072


@pytest.mark.parametrize(
    ("context_id", "message_id", "status", "words"),
    [
        (FIND, 8, 0xFF00, "response to Message ID 8 on context 1: no such request runs"),
        (ECHO, 7, 0xFF00, "response to Message ID 7 on context 3: no such request runs"),
        (FIND, 7, 0x0000, "response 0000 to C-FIND-RQ: Pending are FF00 and FF01"),
    ],
)
def test_pending_response_must_answer_query(
    context_id: int, message_id: int, status: int, words: str
) -> None:
    pair = Pair.established()
    pair.feed_scp(find_request())
    with pytest.raises(LocalProtocolError, match=words):
        pair.scp.send_pending(context_id, message_id, status, [b"ab"], pair.now)
    assert pair.scp.data_to_send() == b""


def test_only_queries_have_pending_responses() -> None:
    pair = Pair.established()
    pair.feed_scp(message(ECHO, IS_ECHO))
    with pytest.raises(LocalProtocolError, match="response FF00 to C-ECHO-RQ"):
        pair.scp.send_pending(ECHO, 8, 0xFF00, [b"ab"], pair.now)


@pytest.mark.requirement("UL-095")
def test_only_final_response_ends_operation() -> None:
    """The final response ends the operation, and a pending one does not."""
    pair = Pair.established()
    pair.feed_scp(find_request())
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0xFF01), b"ab", pair.now)
    with pytest.raises(LocalProtocolError, match="C-FIND-RSP without its data set"):
        pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0xFF01), None, pair.now)
    with pytest.raises(LocalProtocolError, match="C-FIND-RSP with a data set"):
        pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), b"ab", pair.now)
    pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)
    with pytest.raises(LocalProtocolError, match="no such request runs"):
        pair.scp.send_response(IS_FIND, response_to(IS_FIND, 0x0000), None, pair.now)


STREAMED = SessionOptions(limits=Limits(data_set=4), streams_stores=True)


def test_streamed_store_is_told_before_its_data_set() -> None:
    pair = Pair.established(options=STREAMED)
    whole = message(STORE, IS_STORE, b"pixels")
    pair.feed_scp(whole)
    assert pair.scp_events == [
        RequestReceived(pair.scp.contexts[STORE], IS_STORE, None, is_streamed=True),
        DataSetFragmentReceived(9, b"pixels", is_last=True),
    ]
    pair.scp.send_response(IS_STORE, response_to(IS_STORE, 0x0000), None, pair.now)
    (sent,) = messages_from(pair.scp)
    assert sent.command == CStoreRSP(
        message_id_being_responded_to=9,
        status=0x0000,
        affected_sop_class_uid=CT_STORAGE,
        affected_sop_instance_uid="1.2.3",
    )


@pytest.mark.requirement("UL-104")
def test_refused_streamed_store_is_answered_early() -> None:
    """A streamed store that is refused is answered before its data set."""
    pair = Pair.established(options=STREAMED)
    other = CStoreRQ(message_id=9, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.2.3")
    pair.feed_scp(p_data(STORE, (COMMAND | LAST, encode_command(other))))
    (sent,) = messages_from(pair.scp)
    assert isinstance(sent.command, CStoreRSP)
    assert sent.command.status == 0x0122
    assert pair.take(pair.scp_events, RequestRefused) == [RequestRefused(other, sent.command)]
    pair.feed_scp(p_data(STORE, (0, b"ab")) + p_data(STORE, (LAST, b"cd")))
    assert pair.scp_events == []
    pair.feed_scp(find_request())
    assert len(pair.take(pair.scp_events, RequestReceived)) == 1


def test_streamed_store_out_of_turn_ends_association() -> None:
    """A streamed store out of turn ends the association."""
    pair = Pair.established(options=STREAMED)
    pair.feed_scp(find_request())
    pair.scp_events.clear()
    pair.feed_scp(message(STORE, IS_STORE, b"pixels"))
    assert len(pair.take(pair.scp_events, Aborted)) == 1

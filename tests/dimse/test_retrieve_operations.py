"""C-GET and C-MOVE between two sessions, with the C-STORE sub-operations of C-GET."""

from __future__ import annotations

import pytest

from dicomquest.dimse.commands import (
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
    SubOperations,
    response_to,
    retrieve_response,
)
from dicomquest.dimse.events import CancelReceived, RequestReceived, ResponseReceived
from dicomquest.dimse.link import LONGEST_JOINED, MOST_HELD, HopelessError
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import RoleSelection, UserInformation
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, propose_contexts
from fixtures.session_pairs import CT_STORAGE, EXPLICIT, MOVE, TIMEOUTS, Pair

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET, STORE = 1, 3
FAILED_UIDS = b"\x08\x00\x58\x00UI\x06\x001.2.3\0"


def getting() -> Pair:
    """An association for C-GET, whose requestor takes instances of CT."""
    syntax = SupportedSyntax((EXPLICIT,), scu_role=True, scp_role=True)
    roles = (RoleSelection(CT_STORAGE, scu_role=True, scp_role=True),)
    contexts = propose_contexts((uid, [EXPLICIT]) for uid in (STUDY_ROOT_GET, CT_STORAGE))
    return Pair.established(
        AAssociateRQ("SCP", "SCU", contexts, UserInformation(roles=roles)),
        AcceptorPolicy(dict.fromkeys((STUDY_ROOT_GET, CT_STORAGE), syntax)),
    )


def get(pair: Pair) -> CGetRQ:
    """Send C-GET, and return the request as the acceptor has it."""
    request = CGetRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_GET)
    pair.scu.send_request(GET, request, b"\0\0", pair.now)
    pair.run()
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.command == request
    return request


@pytest.mark.requirement("RT-065")
def test_pending_waits_for_the_end_of_a_data_set() -> None:
    pair = getting()
    request = get(pair)
    pair.scp.send_store(STORE, "1.2.3", pair.now)
    pair.scp.send_data(b"\1\2", pair.now, is_last=False)
    pending = retrieve_response(request, 0xFF00, SubOperations(1, 0, 0, 0))
    pair.scp.send_response(request, pending, None, pair.now)
    pair.run()
    assert not [each for each in pair.scu_events if isinstance(each, ResponseReceived)]
    pair.scp.send_data(b"\3\4", pair.now, is_last=True)
    pair.run()
    store, response = pair.scu_events
    assert isinstance(store, RequestReceived)
    assert store.data_set == b"\1\2\3\4"
    assert isinstance(response, ResponseReceived)
    assert response.command == pending


@pytest.mark.parametrize("size", [LONGEST_JOINED - 2, LONGEST_JOINED, 5 * LONGEST_JOINED + 2])
def test_large_part_is_sent_from_where_it_is(size: int) -> None:
    """Fragments of a large part are not copied, and arrive like those of a small one."""
    pair = getting()
    get(pair)
    data = bytes(range(256)) * (size // 256 + 1)
    pair.scp.send_store(STORE, "1.2.3", pair.now)
    pair.scp.send_data(data[:size], pair.now, is_last=False)
    parts = pair.scp.parts_to_send()
    assert any(isinstance(part, memoryview) for part in parts) == (size >= LONGEST_JOINED)
    pair.feed_scu(b"".join(parts))
    pair.scp.send_data(b"\3\4", pair.now, is_last=True)
    pair.run()
    (store,) = pair.scu_events
    assert isinstance(store, RequestReceived)
    assert store.data_set == data[:size] + b"\3\4"


def test_answers_do_not_wait_without_bound() -> None:
    """A peer that is sent an instance cannot have answers pile up behind it."""
    pair = getting()
    request = get(pair)
    pair.scp.send_store(STORE, "1.2.3", pair.now)
    pending = retrieve_response(request, 0xFF00, SubOperations(1, 0, 0, 0))
    for _ in range(MOST_HELD):
        pair.scp.send_response(request, pending, None, pair.now)
    with pytest.raises(HopelessError):
        pair.scp.send_response(request, pending, None, pair.now)


@pytest.mark.requirement("RT-020", "RT-027")
def test_move_tells_counts_and_failed_uids() -> None:
    pair = Pair.established()
    request = CMoveRQ(
        message_id=1, affected_sop_class_uid=STUDY_ROOT_MOVE, move_destination="STORE"
    )
    pair.scu.send_request(MOVE, request, b"\0\0", pair.now)
    pair.run()
    (received,) = pair.take(pair.scp_events, RequestReceived)
    assert received.command == request
    pending = retrieve_response(request, 0xFF00, SubOperations(1, 2))
    pair.scp.send_response(request, pending, None, pair.now)
    pair.run()
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert isinstance(response.command, CMoveRSP)
    assert response.command.number_of_remaining_suboperations == 1
    assert pair.scu.outstanding == (1,)
    final = retrieve_response(request, 0xB000, SubOperations(), has_data_set=True)
    pair.scp.send_response(request, final, FAILED_UIDS, pair.now)
    pair.run()
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert (response.command.status, response.data_set) == (0xB000, FAILED_UIDS)
    assert len(pair.scu.outstanding) == 0


@pytest.mark.requirement("RT-063")
def test_equal_message_ids_of_both_sides() -> None:
    pair = getting()
    request = get(pair)
    assert pair.scp.send_store(STORE, "1.2.3", pair.now, message_id=1) == 1
    pair.scp.send_data(b"\0\0", pair.now, is_last=True)
    pair.run()
    (stored,) = pair.take(pair.scu_events, RequestReceived)
    assert isinstance(stored.command, CStoreRQ)
    pair.scu.send_response(stored.command, response_to(stored.command, 0), None, pair.now)
    pair.scp.send_response(request, response_to(request, 0), None, pair.now)
    pair.run()
    (at_scp,) = pair.take(pair.scp_events, ResponseReceived)
    (at_scu,) = pair.take(pair.scu_events, ResponseReceived)
    assert type(at_scp.command) is CStoreRSP
    assert type(at_scu.command) is CGetRSP


@pytest.mark.requirement("RT-070")
def test_cancel_of_get_is_told_once() -> None:
    pair = getting()
    request = get(pair)
    pair.scu.send_cancel(1, pair.now)
    pair.scu.send_cancel(1, pair.now)
    pair.run()
    assert pair.take(pair.scp_events, CancelReceived) == [CancelReceived(1)]
    pair.scp.send_response(request, response_to(request, 0xFE00), None, pair.now)
    pair.run()
    (response,) = pair.take(pair.scu_events, ResponseReceived)
    assert response.command.status == 0xFE00


def test_pending_response_has_no_identifier() -> None:
    pair = getting()
    request = get(pair)
    pending = retrieve_response(request, 0xFF00, SubOperations(), has_data_set=True)
    with pytest.raises(LocalProtocolError, match="C-GET-RSP with status FF00H has no data set"):
        pair.scp.send_response(request, pending, FAILED_UIDS, pair.now)


def test_sub_operation_prolongs_get() -> None:
    pair = getting()
    get(pair)
    assert TIMEOUTS.retrieve is not None
    pair.pass_time(TIMEOUTS.retrieve - 1)
    pair.scp.send_store(STORE, "1.2.3", pair.now)
    pair.scp.send_data(b"\0\0", pair.now, is_last=True)
    pair.run()
    pair.take(pair.scu_events, RequestReceived)
    pair.scu.expire(pair.now + TIMEOUTS.retrieve - 1)
    assert pair.scu.data_to_send() == b""
    pair.scu.expire(pair.now + TIMEOUTS.retrieve)
    pair.run()
    assert pair.take(pair.scp_events, CancelReceived) == [CancelReceived(1)]

"""Associations between two upper layers, and between one and a peer that breaks the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.items import PresentationContextAC
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateRJ,
    AReleaseRP,
    AReleaseRQ,
    PresentationDataValue,
    encode,
    encode_p_data,
)
from dicomquest.pdu.reader import RepeatedPDVs
from dicomquest.pdu.user_information import UserInformation
from dicomquest.ul.connection import SEND_LIMIT_IF_UNLIMITED, UpperLayer
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
from dicomquest.ul.states import Event, Role, State
from dicomquest.ul.timers import Timeouts
from fixtures.associations import (
    AC,
    DATA,
    NEVER,
    NOW,
    PDV,
    RJ,
    RQ,
    WAYS,
    carry,
    established,
    happen,
    layer_in,
    pdus_of,
    sent_by,
    state_of,
)
from strategies.pdu import pdus
from vectors.pdus import EXPLICIT, IMPLICIT

REQUESTOR, ACCEPTOR = Role.REQUESTOR, Role.ACCEPTOR


def with_limit(maximum_length: int) -> tuple[UpperLayer, UpperLayer]:
    """The two ends of an association in which each side announced this maximum length."""
    information = UserInformation(maximum_length=maximum_length)
    requestor, acceptor = (
        UpperLayer(REQUESTOR, timeouts=NEVER),
        UpperLayer(ACCEPTOR, timeouts=NEVER),
    )
    requestor.send_associate_rq(replace(RQ, user_information=information), NOW)
    acceptor.transport_connected(NOW)
    requestor.transport_connected(NOW)
    carry(requestor, acceptor)
    acceptor.send_associate_ac(replace(AC, user_information=information), NOW)
    carry(acceptor, requestor)
    requestor.events()
    acceptor.events()
    return requestor, acceptor


def pair() -> tuple[UpperLayer, UpperLayer]:
    """The two ends of an established association."""
    return with_limit(1000)


@pytest.mark.requirement("UL-001")
def test_association_from_its_beginning_to_its_end() -> None:
    requestor, acceptor = (
        UpperLayer(REQUESTOR, timeouts=NEVER),
        UpperLayer(ACCEPTOR, timeouts=NEVER),
    )
    requestor.send_associate_rq(RQ, NOW)
    assert requestor.data_to_send() == b""
    requestor.transport_connected(NOW)
    acceptor.transport_connected(NOW)
    carry(requestor, acceptor)
    assert acceptor.events() == [AssociateRequested(RQ)]
    assert acceptor.rq is not None
    assert acceptor.rq.echo == RQ.echo
    acceptor.send_associate_ac(AC, NOW)
    carry(acceptor, requestor)
    assert requestor.events() == [AssociateAccepted(AC)]
    assert requestor.contexts == acceptor.contexts
    assert requestor.ac == acceptor.ac == AC
    assert (requestor.role, acceptor.role) == (REQUESTOR, ACCEPTOR)
    assert {number: context.transfer_syntax for number, context in acceptor.contexts.items()} == {
        1: IMPLICIT,
        3: EXPLICIT,
    }
    requestor.send_p_data([PDV], NOW)
    carry(requestor, acceptor)
    assert acceptor.events() == [DataReceived((PDV,))]
    acceptor.send_encoded_p_data(encode(DATA) * 3, NOW)
    carry(acceptor, requestor)
    assert requestor.events() == [DataReceived((PDV,) * 3)]
    requestor.send_release_rq(NOW)
    carry(requestor, acceptor)
    assert acceptor.events() == [ReleaseRequested()]
    acceptor.send_release_rp(NOW)
    carry(acceptor, requestor)
    assert requestor.events() == [ReleaseConfirmed(), TransportClosed("A-RELEASE-RP")]
    assert (requestor.should_close, acceptor.should_close) == (True, False)
    acceptor.receive_eof(NOW)
    assert acceptor.events() == [TransportClosed("the peer closed the connection")]
    assert acceptor.should_close


@pytest.mark.requirement("UL-001")
def test_rejection_ends_the_connection() -> None:
    layer = layer_in(State.STA5, REQUESTOR)
    layer.receive_data(encode(RJ), NOW)
    assert layer.events() == [AssociateRejected(RJ), TransportClosed("A-ASSOCIATE-RJ")]
    assert layer.should_close


@pytest.mark.requirement("UL-006")
def test_answer_repeats_what_the_peer_wrote() -> None:
    layer = layer_in(State.STA2, ACCEPTOR)
    data = bytearray(encode(RQ))
    data[10:74] = bytes(range(64))
    layer.receive_data(bytes(data), NOW)
    assert layer.rq is not None
    layer.send_associate_ac(replace(AC, echo=layer.rq.echo), NOW)
    assert layer.data_to_send()[10:74] == bytes(range(64))


@pytest.mark.requirement("UL-003", "UL-032")
@pytest.mark.parametrize("version", [0x0000, 0x0002, 0xFFFE])
def test_another_protocol_version_is_rejected(version: int) -> None:
    layer = layer_in(State.STA2, ACCEPTOR)
    data = encode(RQ)
    layer.receive_data(data[:6] + version.to_bytes(2, "big") + data[8:], NOW)
    assert sent_by(layer) == [AAssociateRJ(1, 2, 2)]
    assert layer.events() == []
    assert layer.state is State.STA13


@pytest.mark.requirement("UL-003")
@pytest.mark.parametrize("version", [0x0001, 0x0003, 0xFFFF])
def test_only_bit_0_of_the_version_counts(version: int) -> None:
    layer = layer_in(State.STA2, ACCEPTOR)
    data = encode(RQ)
    layer.receive_data(data[:6] + version.to_bytes(2, "big") + data[8:], NOW)
    assert [type(indication) for indication in layer.events()] == [AssociateRequested]


def one_by_one(events: Iterable[Indication]) -> Iterator[Indication]:
    """The events with each PDV in one of its own: those that arrive together are handed on so."""
    for event in events:
        match event:
            case DataReceived():
                for pdvs in event.pdvs:
                    for pdv in pdvs.apart() if isinstance(pdvs, RepeatedPDVs) else [pdvs]:
                        yield DataReceived((pdv,))
            case _:
                yield event


@pytest.mark.requirement("UL-014")
@given(
    st.lists(st.one_of(pdus(), st.just(DATA), st.just(AReleaseRQ())), max_size=6),
    st.sampled_from(
        [(state, role) for state, ways in WAYS.items() for role in ways if state not in (1, 4)]
    ),
    st.data(),
)
def test_pieces_of_any_size_have_same_effect(
    received: list[PDU], where: tuple[State, Role], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, received))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    whole, cut = layer_in(*where), layer_in(*where)
    whole.receive_data(stream, NOW)
    for piece in pieces:
        cut.receive_data(piece, NOW)
    assert cut.state is whole.state
    assert list(one_by_one(cut.events())) == list(one_by_one(whole.events()))
    assert cut.data_to_send() == whole.data_to_send()


@pytest.mark.requirement("UL-014")
def test_association_byte_by_byte() -> None:
    layer = UpperLayer(ACCEPTOR)
    layer.transport_connected(NOW)
    for byte in encode(RQ):
        layer.receive_data(bytes([byte]), NOW)
    assert layer.events() == [AssociateRequested(RQ)]
    layer.send_associate_ac(AC, NOW)
    for byte in encode(DATA) + encode(AReleaseRQ()):
        layer.receive_data(bytes([byte]), NOW)
    assert layer.events() == [DataReceived((PDV,)), ReleaseRequested()]


def test_data_right_behind_acceptance_is_taken() -> None:
    layer = layer_in(State.STA5, REQUESTOR)
    layer.receive_data(encode(AC) + encode(DATA) + encode(AReleaseRQ()), NOW)
    assert layer.events() == [AssociateAccepted(AC), DataReceived((PDV,)), ReleaseRequested()]


@pytest.mark.requirement("UL-060")
def test_nothing_is_read_after_the_end() -> None:
    layer = established(REQUESTOR)
    layer.receive_data(encode(AAbort(0, 0)) + encode(DATA), NOW)
    assert layer.events() == [Aborted(0, 0), TransportClosed("aborted by the service user")]


@pytest.mark.requirement("UL-010", "UL-011", "UL-012")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\3\1\2\0\1", 1),  # a TLS ClientHello
        (b"GET / HTTP/1.1\r\n", 1),
        (b"\0" * 6, 1),
        (b"\4\0\0\0\0\3abc", 6),
        (b"\4\0\0\0\0\0", 6),
        (b"\4\0\0\0\0\6\0\0\0\3\1\2", 6),
        (b"\7\0\0\0\0\5\0\0\0\0\0", 6),
        (b"\1\0\0\0\0\2\0\1", 6),
    ],
)
@pytest.mark.parametrize("role", list(Role))
def test_non_pdu_aborts_association(data: bytes, reason: int, role: Role) -> None:
    layer = established(role)
    layer.receive_data(data, NOW)
    assert layer.data_to_send() == bytes([7, 0, 0, 0, 0, 4, 0, 0, 2, reason])
    (lost,) = layer.events()
    assert isinstance(lost, ProviderAborted)
    assert lost.reason == reason
    assert layer.state is State.STA13


@pytest.mark.requirement("UL-011")
@pytest.mark.parametrize("data", [b"\x16\3\1\2\0\1", b"GET / HTTP/1.1\r\n"])
def test_early_garbage_aborts_as_service_user(data: bytes) -> None:
    """Bytes that are no PDU, before any association, get the service user's abort."""
    layer = layer_in(State.STA2, ACCEPTOR)
    layer.receive_data(data, NOW)
    assert sent_by(layer) == [AAbort(0, 0)]
    assert layer.events() == []


@pytest.mark.requirement("UL-015")
def test_oversized_associate_is_refused_by_header() -> None:
    """An associate PDU over the cap is refused by its header."""
    for limit, is_refused in ((len(encode(RQ)) - 6, False), (len(encode(RQ)) - 7, True)):
        layer = UpperLayer(ACCEPTOR, timeouts=NEVER, association_pdu_limit=limit)
        layer.transport_connected(NOW)
        layer.receive_data(encode(RQ)[:6], NOW)
        assert (layer.state is State.STA13) == is_refused
        layer.receive_data(encode(RQ)[6:], NOW)
        assert (layer.events() == []) == is_refused


@pytest.mark.requirement("UL-045")
@pytest.mark.parametrize("context_id", [5, 7, 0, 2])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", [State.STA6, State.STA7])
def test_data_on_unaccepted_context_aborts(context_id: int, role: Role, state: State) -> None:
    """Data on a context that was not accepted aborts."""
    layer = layer_in(state, role)
    layer.receive_data(encode_p_data([PDV, PresentationDataValue(context_id, 2, b"ab")]), NOW)
    assert sent_by(layer) == [AAbort(2, 6)]
    (lost,) = layer.events()
    assert lost == ProviderAborted(
        6, f"P-DATA-TF on presentation context {context_id}, which was not accepted"
    )


@pytest.mark.requirement("UL-060")
def test_data_on_any_context_is_ignored_after_abort() -> None:
    layer = layer_in(State.STA13, ACCEPTOR)
    layer.receive_data(encode_p_data([PresentationDataValue(99, 2, b"ab")]), NOW)
    assert (layer.data_to_send(), layer.events()) == (b"", [])


@pytest.mark.requirement("UL-028", "UL-045")
def test_association_without_context_carries_nothing() -> None:
    layer = layer_in(State.STA3, ACCEPTOR)
    layer.send_associate_ac(
        replace(
            AC,
            presentation_contexts=tuple(
                PresentationContextAC(number, 3, IMPLICIT) for number in (1, 3, 5)
            ),
        ),
        NOW,
    )
    layer.data_to_send()
    with pytest.raises(LocalProtocolError, match="presentation context 1 was not accepted"):
        layer.send_p_data([PDV], NOW)
    layer.receive_data(encode(DATA), NOW)
    assert sent_by(layer) == [AAbort(2, 6)]


@pytest.mark.requirement("UL-054")
def test_release_collision_ends_well_on_both_sides() -> None:
    requestor, acceptor = pair()
    requestor.send_release_rq(NOW)
    acceptor.send_release_rq(NOW)
    to_acceptor, to_requestor = requestor.data_to_send(), acceptor.data_to_send()
    requestor.receive_data(to_requestor, NOW)
    acceptor.receive_data(to_acceptor, NOW)
    assert (state_of(requestor), state_of(acceptor)) == (9, 10)
    assert requestor.events() == acceptor.events() == [ReleaseRequested()]
    with pytest.raises(LocalProtocolError, match=r"A-RELEASE response is not possible in state 10"):
        acceptor.send_release_rp(NOW)
    requestor.send_release_rp(NOW)
    carry(requestor, acceptor)
    assert acceptor.events() == [ReleaseConfirmed()]
    assert (state_of(requestor), state_of(acceptor)) == (11, 12)
    acceptor.send_release_rp(NOW)
    carry(acceptor, requestor)
    assert requestor.events() == [ReleaseConfirmed(), TransportClosed("A-RELEASE-RP")]
    acceptor.receive_eof(NOW)
    assert acceptor.events() == [TransportClosed("the peer closed the connection")]
    assert (state_of(requestor), state_of(acceptor)) == (1, 1)


@pytest.mark.requirement("UL-055")
@pytest.mark.parametrize("role", list(Role))
def test_data_after_release_request_is_delivered(role: Role) -> None:
    layer = layer_in(State.STA7, role)
    layer.receive_data(encode(DATA) + encode(AReleaseRP()), NOW)
    assert layer.events() == [
        DataReceived((PDV,)),
        ReleaseConfirmed(),
        TransportClosed("A-RELEASE-RP"),
    ]


@pytest.mark.requirement("UL-056")
def test_data_may_be_sent_before_release_response() -> None:
    layer = layer_in(State.STA8, ACCEPTOR)
    layer.send_p_data([PDV], NOW)
    layer.send_encoded_p_data(encode(DATA), NOW)
    layer.send_release_rp(NOW)
    assert sent_by(layer) == [DATA, DATA, AReleaseRP()]
    with pytest.raises(LocalProtocolError, match="P-DATA request is not possible in state 13"):
        layer.send_encoded_p_data(encode(DATA), NOW)


@pytest.mark.requirement("UL-058")
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "ends",
    [
        (Event.ABORT_RECEIVED,),
        (Event.TRANSPORT_CLOSED,),
        (Event.INVALID_PDU, Event.TRANSPORT_CLOSED),
    ],
)
def test_end_is_told_once(role: Role, ends: tuple[Event, ...]) -> None:
    layer = established(role)
    for event in (*ends, Event.TRANSPORT_CLOSED, Event.ARTIM_EXPIRED, Event.ABORT_RECEIVED):
        happen(layer, event)
    told = layer.events()
    assert [type(each) for each in told if isinstance(each, (Aborted, ProviderAborted))] == [
        type(told[0])
    ]
    assert told[1:] == [each for each in told if isinstance(each, TransportClosed)]
    assert len(told) == 2


@pytest.mark.requirement("UL-058")
def test_lost_connection_says_why_and_sends_nothing() -> None:
    """The loss of the connection says why and leaves nothing to send."""
    layer = established(ACCEPTOR)
    layer.send_p_data([PDV], NOW)
    layer.receive_eof(NOW, "connection reset by peer")
    message = "connection reset by peer"
    assert layer.events() == [ProviderAborted(0, message), TransportClosed(message)]
    assert layer.data_to_send() == b""


def test_connection_that_cannot_be_made_says_why() -> None:
    layer = layer_in(State.STA4, REQUESTOR)
    layer.receive_eof(NOW, "connection refused")
    assert [getattr(each, "message", "") for each in layer.events()] == ["connection refused"] * 2
    assert layer.should_close


def test_abort_of_our_own_is_not_told_to_ourselves() -> None:
    layer = established(REQUESTOR)
    layer.send_abort(NOW)
    assert sent_by(layer) == [AAbort(0, 0)]
    assert layer.events() == []


@pytest.mark.parametrize("state", [State.STA6, State.STA7, State.STA8])
def test_layer_above_can_find_the_peer_wrong(state: State) -> None:
    layer = layer_in(state, REQUESTOR)
    layer.send_provider_abort(5, "a command in the middle of a data set", NOW)
    assert sent_by(layer) == [AAbort(2, 5)]
    assert layer.events() == [ProviderAborted(5, "a command in the middle of a data set")]
    layer.send_provider_abort(5, "again", NOW)
    assert (layer.data_to_send(), layer.events()) == (b"", [])


@pytest.mark.requirement("UL-070")
def test_no_data_longer_than_peer_receives_is_sent() -> None:
    requestor, acceptor = with_limit(20)
    for layer in (requestor, acceptor):
        assert (layer.peer_maximum_length, layer.send_limit) == (20, 20)
        layer.send_p_data([PresentationDataValue(1, 2, bytes(14))], NOW)
        with pytest.raises(
            LocalProtocolError, match="P-DATA of 22 bytes: the peer receives at most 20"
        ):
            layer.send_p_data([PresentationDataValue(1, 2, bytes(16))], NOW)
        with pytest.raises(LocalProtocolError, match="P-DATA of 28 bytes"):
            layer.send_p_data([PresentationDataValue(1, 3, bytes(8))] * 2, NOW)
        assert len(layer.data_to_send()) == 26


@pytest.mark.requirement("UL-070")
def test_peer_without_limit_receives_anything() -> None:
    requestor, acceptor = with_limit(0)
    for sender, receiver in ((requestor, acceptor), (acceptor, requestor)):
        assert (sender.peer_maximum_length, sender.send_limit) == (0, SEND_LIMIT_IF_UNLIMITED)
        sender.send_p_data([PresentationDataValue(1, 2, bytes(1 << 20))], NOW)
        carry(sender, receiver)
        assert receiver.events() == [DataReceived((PresentationDataValue(1, 2, bytes(1 << 20)),))]


@pytest.mark.requirement("UL-071")
@pytest.mark.parametrize("is_acceptor", [False, True])
def test_data_longer_than_announced_aborts(is_acceptor: bool) -> None:
    layer = with_limit(20)[is_acceptor]
    fitting = PresentationDataValue(1, 2, bytes(14))
    layer.receive_data(encode_p_data([fitting]), NOW)
    assert layer.events() == [DataReceived((fitting,))]
    layer.receive_data(encode_p_data([PresentationDataValue(1, 2, bytes(15))])[:6], NOW)
    assert sent_by(layer) == [AAbort(2, 6)]
    assert layer.events() == [ProviderAborted(6, "P-DATA-TF of 21 bytes: at most 20 are received")]


@pytest.mark.requirement("UL-072", "UL-077")
@pytest.mark.parametrize(
    ("pdvs", "message"),
    [
        ([], "without a PDV"),
        ([PresentationDataValue(1, 2, b"")], "a fragment of 0 bytes"),
        ([PDV, PresentationDataValue(1, 2, b"abc")], "a fragment of 3 bytes"),
        ([PresentationDataValue(1, 4, b"ab")], "message control header 04H"),
        ([PresentationDataValue(1, 0x83, b"ab")], "message control header 83H"),
        ([PresentationDataValue(5, 2, b"ab")], "presentation context 5 was not accepted"),
    ],
)
def test_pdvs_against_the_rules_are_not_sent(
    pdvs: list[PresentationDataValue], message: str
) -> None:
    layer = established(REQUESTOR)
    with pytest.raises(LocalProtocolError, match=message):
        layer.send_p_data(pdvs, NOW)
    assert layer.data_to_send() == b""
    assert layer.state is State.STA6


@pytest.mark.requirement("UL-073", "UL-075", "UL-077")
@given(
    st.lists(
        st.builds(
            PresentationDataValue,
            st.sampled_from((1, 3)),
            st.integers(0, 255),
            st.binary(max_size=20),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(list(Role)),
)
def test_pdvs_of_any_kind_are_delivered(pdvs: list[PresentationDataValue], role: Role) -> None:
    """PDVs that are odd, empty, with unknown bits, or mixed: reassembly decides, not this layer."""
    layer = established(role)
    layer.receive_data(encode_p_data(pdvs), NOW)
    assert layer.events() == [DataReceived(tuple(pdvs))]


@pytest.mark.requirement("UL-123")
@given(
    st.sampled_from(
        [(state, role) for state, ways in WAYS.items() for role in ways if state not in (1, 4)]
    ),
    st.lists(st.one_of(st.binary(max_size=80), pdus().map(encode)), max_size=8),
)
def test_any_bytes_of_a_peer_raise_nothing(where: tuple[State, Role], pieces: list[bytes]) -> None:
    layer = layer_in(*where, Timeouts())
    for piece in pieces:
        layer.receive_data(piece, NOW)
    told = layer.events()
    assert all(isinstance(pdu, AAbort | AAssociateRJ) for pdu in pdus_of(layer.data_to_send()))
    assert layer.should_close == any(isinstance(each, TransportClosed) for each in told)
    layer.expire(NOW + 1e9)
    layer.expire(NOW + 2e9)
    told += layer.events()
    layer.receive_eof(NOW + 3e9)
    told += layer.events()
    assert [type(each) for each in told].count(TransportClosed) == 1
    assert layer.state is State.STA1


@pytest.mark.requirement("UL-054", "UL-055", "UL-056")
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["data", "release", "answer", "deliver", "byte"])),
        max_size=40,
    )
)
def test_two_sides_that_keep_rules_never_abort(steps: list[tuple[bool, str]]) -> None:
    """All data arrive in order and both ends are released, however slow the network is."""
    ends = pair()
    wires: list[bytearray] = [bytearray(), bytearray()]
    sent: list[list[PresentationDataValue]] = [[], []]
    received: list[list[PresentationDataValue]] = [[], []]
    serial = 0

    def deliver(to: int, count: int) -> None:
        wires[to] += ends[1 - to].data_to_send()
        if ends[to].should_close:
            return
        ends[to].receive_data(bytes(wires[to][:count]), NOW)
        del wires[to][:count]
        for indication in ends[to].events():
            assert not isinstance(indication, (ProviderAborted, Aborted))
            if isinstance(indication, DataReceived):
                received[to] += [
                    each for each in indication.pdvs if isinstance(each, PresentationDataValue)
                ]

    for is_acceptor, step in steps:
        end = ends[is_acceptor]
        if step == "data" and end.allows(Event.P_DATA_REQUEST):
            serial += 1
            pdv = PresentationDataValue(3, 2, serial.to_bytes(2, "big"))
            sent[is_acceptor].append(pdv)
            end.send_p_data([pdv], NOW)
        elif step == "release" and end.allows(Event.RELEASE_REQUEST):
            end.send_release_rq(NOW)
        elif step == "answer" and end.allows(Event.RELEASE_RESPONSE):
            end.send_release_rp(NOW)
        else:
            deliver(is_acceptor, 1 if step == "byte" else 1 << 20)

    if ends[0].allows(Event.RELEASE_REQUEST):
        ends[0].send_release_rq(NOW)
    for _ in range(6):
        for to in (1, 0):
            deliver(to, 1 << 20)
            if ends[to].allows(Event.RELEASE_RESPONSE):
                ends[to].send_release_rp(NOW)
    assert {state_of(end) for end in ends} <= {1, 13}
    assert received == sent[::-1]

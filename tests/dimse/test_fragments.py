"""Messages cut into PDVs and put together again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import (
    CCancelRQ,
    CFindRQ,
    CFindRSP,
    Command,
    CStoreRQ,
)
from dicomquest.dimse.fragments import (
    HEADER_CACHE,
    DataSetFragment,
    Limits,
    Message,
    PendingFramer,
    Reassembler,
    encode_message,
    longest_fragment,
)
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue, decode
from strategies.dimse import MAXIMUM_LENGTHS, commands, cuts, data_sets

FIND = CFindRQ(message_id=7, affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.2.1")
FIND_BYTES = encode_command(FIND)
CANCEL = CCancelRQ(message_id_being_responded_to=7)
CANCEL_BYTES = encode_command(CANCEL)
STORE = CStoreRQ(
    message_id=8,
    affected_sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    affected_sop_instance_uid="1.2.3",
)
STORE_BYTES = encode_command(STORE)
PENDING_BYTES = encode_command(
    CFindRSP(message_id_being_responded_to=7, status=0xFF00, has_data_set=True)
)


def pdv(control: int, fragment: bytes, context_id: int = 1) -> PresentationDataValue:
    return PresentationDataValue(context_id, control, fragment)


def pdus_of(data: bytes) -> list[PDataTF]:
    """Decode a stream of P-DATA-TF PDUs."""
    pdus = []
    while data:
        end = 6 + int.from_bytes(data[2:6], "big")
        pdu = decode(data[0], data[6:end])
        assert isinstance(pdu, PDataTF)
        pdus.append(pdu)
        data = data[end:]
    return pdus


def pdvs_of(data: bytes) -> list[PresentationDataValue]:
    return [each for pdu in pdus_of(data) for each in pdu.pdvs]


def lengths_of(data: bytes) -> list[int]:
    """The PDU-length field of each PDU."""
    return [sum(6 + len(each.fragment) for each in pdu.pdvs) for pdu in pdus_of(data)]


def received(
    reassembler: Reassembler, pdvs: Iterable[PresentationDataValue]
) -> list[Message | DataSetFragment]:
    return [each for each in map(reassembler.receive, pdvs) if each is not None]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of the stream, whose sizes are used in turn until it ends."""
    pieces: list[bytes] = []
    for size in chain.from_iterable(repeat(sizes)):
        if not data:
            return pieces
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def pdvs_for(
    context_id: int, stream: int, fragments: list[bytes], noise: int = 0
) -> list[PresentationDataValue]:
    """PDVs of one command set or data set in fragments; ``noise`` is in bits 2 to 7."""
    last = len(fragments) - 1
    return [
        PresentationDataValue(
            context_id, stream | (LAST if number == last else 0) | noise, fragment
        )
        for number, fragment in enumerate(fragments)
    ]


@pytest.mark.requirement("UL-070", "UL-072", "UL-074", "UL-077")
@given(commands(), data_sets(), MAXIMUM_LENGTHS, st.booleans())
def test_message_is_sent_in_fragments_that_fit(
    command: Command, data_set: bytes, maximum_length: int, counts_pdu_header: bool
) -> None:
    """A message is sent in fragments that the peer takes."""
    limit = maximum_length or 131072
    longest = longest_fragment(limit, counts_pdu_header=counts_pdu_header)
    if longest == 0:
        assert limit < 14
        return
    command_set = encode_command(command)
    data = encode_message(5, command_set, data_set if command.has_data_set else None, longest)
    assert max(lengths_of(data)) + (6 if counts_pdu_header else 0) <= limit
    pdvs = pdvs_of(data)
    assert all(len(each.fragment) > 0 and len(each.fragment) % 2 == 0 for each in pdvs)
    controls = [each.control for each in pdvs]
    of_command = [control for control in controls if control & COMMAND]
    of_data = [control for control in controls if not control & COMMAND]
    assert controls == of_command + of_data
    assert of_command == [COMMAND] * (len(of_command) - 1) + [COMMAND | LAST]
    assert of_data == ([0] * (len(of_data) - 1) + [LAST] if command.has_data_set else [])
    assert received(Reassembler(), pdvs) == [
        Message(5, command, data_set if command.has_data_set else None)
    ]


@pytest.mark.parametrize(
    ("limit", "longest"), [(7, 0), (8, 2), (9, 2), (10, 4), (16384, 16378), (131072, 131066)]
)
@pytest.mark.requirement("UL-070", "UL-072")
def test_longest_fragment_is_even(limit: int, longest: int) -> None:
    assert longest_fragment(limit) == longest


@pytest.mark.parametrize(("limit", "longest"), [(13, 0), (14, 2), (16384, 16372)])
def test_longest_fragment_where_peer_counts_header(limit: int, longest: int) -> None:
    """Fragments are shorter for a peer that counts the PDU header."""
    assert longest_fragment(limit, counts_pdu_header=True) == longest


@pytest.mark.requirement("UL-072")
@pytest.mark.parametrize("length", [0, 1, 7])
def test_data_set_of_no_or_odd_length_is_not_sent(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"a data set of {length} bytes"):
        encode_message(1, FIND_BYTES, bytes(length), 100)
    with pytest.raises(LocalProtocolError, match=f"a data set of {length} bytes"):
        PendingFramer(1, PENDING_BYTES, 100).frame([bytes(length)])


@pytest.mark.requirement("UL-073", "UL-075", "UL-076", "UL-077", "UL-079")
@given(
    commands(),
    data_sets(min_size=0),
    cuts(),
    cuts(),
    st.integers(0, 63).map(lambda bits: bits << 2),
)
def test_message_is_same_however_it_is_cut(
    command: Command, data_set: bytes, command_cuts: list[int], data_cuts: list[int], noise: int
) -> None:
    pdvs = pdvs_for(9, COMMAND, cut(encode_command(command), command_cuts), noise)
    if command.has_data_set:
        pdvs += pdvs_for(9, 0, cut(data_set, data_cuts) or [b""], noise)
    expected = Message(9, command, data_set if command.has_data_set else None)
    reassembler = Reassembler()
    assert received(reassembler, pdvs) == [expected]
    assert reassembler.is_idle
    assert received(reassembler, pdvs) == [expected]


@pytest.mark.requirement("UL-079")
@pytest.mark.parametrize("position", range(len(FIND_BYTES) + 1))
def test_command_set_cut_at_every_position(position: int) -> None:
    pdvs = [
        pdv(COMMAND, FIND_BYTES[:position]),
        pdv(COMMAND | LAST, FIND_BYTES[position:]),
        pdv(0, b"ab"[: position % 3]),
        pdv(LAST, b"ab"[position % 3 :]),
    ]
    assert received(Reassembler(), pdvs) == [Message(1, FIND, b"ab")]


@pytest.mark.requirement("UL-073")
def test_empty_fragments_are_taken_even_as_last() -> None:
    pdvs = [
        pdv(COMMAND, b""),
        pdv(COMMAND, FIND_BYTES),
        pdv(COMMAND | LAST, b""),
        pdv(0, b""),
        pdv(0, b"abc"),
        pdv(LAST, b""),
    ]
    assert received(Reassembler(), pdvs) == [Message(1, FIND, b"abc")]


@pytest.mark.requirement("UL-093")
def test_announced_data_set_may_be_empty() -> None:
    assert received(Reassembler(), [pdv(COMMAND | LAST, FIND_BYTES), pdv(LAST, b"")]) == [
        Message(1, FIND, b"")
    ]


@pytest.mark.requirement("UL-078")
@pytest.mark.parametrize("pdvs", [[pdv(COMMAND, FIND_BYTES)], [pdv(COMMAND | LAST, FIND_BYTES)]])
@pytest.mark.parametrize("control", [0, COMMAND])
def test_context_may_not_change_within_message(
    pdvs: list[PresentationDataValue], control: int
) -> None:
    reassembler = Reassembler()
    assert received(reassembler, pdvs) == []
    assert not reassembler.is_idle
    with pytest.raises(RemoteProtocolError, match="context 3 within a message on 1") as caught:
        reassembler.receive(pdv(control, b"", 3))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-075")
@pytest.mark.parametrize(
    ("pdvs", "words"),
    [
        (
            [pdv(COMMAND | LAST, FIND_BYTES), pdv(COMMAND, b"")],
            "before the end of the data set of C-FIND-RQ",
        ),
        (
            [pdv(COMMAND | LAST, FIND_BYTES), pdv(0, b"a"), pdv(COMMAND, b"")],
            "before the end of the data set",
        ),
        ([pdv(COMMAND, FIND_BYTES), pdv(0, b"")], "before the end of the command set"),
        ([pdv(0, b"")], "context 1 without a command"),
        ([pdv(COMMAND | LAST, CANCEL_BYTES), pdv(0, b"", 3)], "context 3 without a command"),
        (
            [pdv(COMMAND | LAST, CANCEL_BYTES), pdv(LAST, b""), pdv(LAST, b"")],
            "context 1 without a command",
        ),
    ],
)
def test_fragment_of_wrong_kind_is_refused(pdvs: list[PresentationDataValue], words: str) -> None:
    reassembler = Reassembler()
    received(reassembler, pdvs[:-1])
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        reassembler.receive(pdvs[-1])
    assert caught.value.reason == 5


@pytest.mark.requirement("UL-093", "UL-105")
def test_unannounced_data_set_is_thrown_away() -> None:
    """A data set that was not announced is thrown away."""
    pdvs = [
        pdv(COMMAND | LAST, CANCEL_BYTES),
        pdv(0, bytes(10)),
        pdv(LAST, bytes(10)),
        pdv(COMMAND | LAST, CANCEL_BYTES, 3),
        pdv(LAST, bytes(10), 3),
        pdv(COMMAND | LAST, FIND_BYTES),
        pdv(LAST, b"ab"),
    ]
    expected = [Message(1, CANCEL), Message(3, CANCEL), Message(1, FIND, b"ab")]
    assert received(Reassembler(), pdvs) == expected


@pytest.mark.requirement("UL-106")
def test_command_set_beyond_limit_is_refused() -> None:
    reassembler = Reassembler(Limits(command_set=len(FIND_BYTES)))
    pdvs = [pdv(COMMAND | LAST, FIND_BYTES), pdv(LAST, b"ab")]
    assert received(reassembler, pdvs) == [Message(1, FIND, b"ab")]
    reassembler.receive(pdv(COMMAND, FIND_BYTES))
    with pytest.raises(
        RemoteProtocolError, match=f"{len(FIND_BYTES) + 1} bytes or more: {len(FIND_BYTES)} are"
    ) as caught:
        reassembler.receive(pdv(COMMAND, b"x"))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-106")
@given(st.integers(1, 50), st.integers(0, 100), cuts(20))
def test_data_set_beyond_limit_is_thrown_away(limit: int, length: int, sizes: list[int]) -> None:
    reassembler = Reassembler(Limits(data_set=limit))
    pdvs = [pdv(COMMAND | LAST, FIND_BYTES), *pdvs_for(1, 0, cut(bytes(length), sizes) or [b""])]
    expected = (
        Message(1, FIND, bytes(length)) if length <= limit else Message(1, FIND, is_oversized=True)
    )
    assert received(reassembler, pdvs) == [expected]
    assert received(reassembler, [pdv(COMMAND | LAST, FIND_BYTES), pdv(LAST, b"ab"[:limit])]) == [
        Message(1, FIND, b"ab"[:limit])
    ]


@given(data_sets(min_size=0), cuts())
def test_streamed_data_set_comes_out_as_it_comes_in(data_set: bytes, sizes: list[int]) -> None:
    reassembler = Reassembler(
        Limits(data_set=10), streamed=lambda command: isinstance(command, CStoreRQ)
    )
    fragments = cut(data_set, sizes) or [b""]
    command = [pdv(COMMAND | LAST, STORE_BYTES)]
    expected: list[Message | DataSetFragment] = [Message(1, STORE, is_streamed=True)]
    for number, fragment in enumerate(fragments):
        expected.append(DataSetFragment(1, STORE, fragment, number == len(fragments) - 1))
    assert received(reassembler, command + pdvs_for(1, 0, fragments)) == expected
    assert received(reassembler, [pdv(COMMAND | LAST, FIND_BYTES), pdv(LAST, b"ab")]) == [
        Message(1, FIND, b"ab")
    ]


@given(
    st.lists(commands(), max_size=4).map(lambda drawn: [each for each in drawn for _ in range(2)])
)
def test_equal_command_sets_decode_to_equal_commands(drawn: list[Command]) -> None:
    """Equal command sets in a row are equal commands."""
    reassembler = Reassembler()
    decoded = []
    for command in drawn:
        pdvs = [pdv(COMMAND | LAST, encode_command(command)), pdv(LAST, b"")]
        decoded += received(reassembler, pdvs if command.has_data_set else pdvs[:1])
    assert [each.command for each in decoded] == drawn


FRAGMENTS = st.binary(max_size=40) | st.sampled_from([FIND_BYTES, CANCEL_BYTES, STORE_BYTES])


@pytest.mark.requirement("UL-123")
@given(
    st.lists(
        st.builds(PresentationDataValue, st.sampled_from([1, 3]), st.integers(0, 255), FRAGMENTS),
        max_size=8,
    )
)
def test_any_fragments_are_messages_or_error(pdvs: list[PresentationDataValue]) -> None:
    reassembler = Reassembler()
    for each in pdvs:
        try:
            outcome = reassembler.receive(each)
        except RemoteProtocolError as error:
            assert error.reason in (5, 6)  # noqa: PT017
            return
        assert outcome is None or each.is_last


@pytest.mark.requirement("UL-070", "UL-072", "UL-077")
@given(
    st.lists(data_sets(max_size=300), max_size=12),
    MAXIMUM_LENGTHS.map(lambda maximum_length: longest_fragment(maximum_length or 131072)),
    st.booleans(),
)
def test_framer_frames_as_the_plain_way_does(
    identifiers: list[bytes], longest: int, shares_pdu: bool
) -> None:
    framer = PendingFramer(5, PENDING_BYTES, longest, shares_pdu=shares_pdu)
    data = framer.frame(identifiers)
    plain = b"".join(
        encode_message(5, PENDING_BYTES, identifier, longest) for identifier in identifiers
    )
    if shares_pdu:
        assert pdvs_of(data) == pdvs_of(plain)
        assert max(lengths_of(data), default=0) <= longest + 6
    else:
        assert data == plain


@pytest.mark.requirement("UL-075")
@pytest.mark.parametrize(("spare", "pdus"), [(0, 1), (-2, 2)])
def test_framer_shares_a_pdu_where_both_fit(spare: int, pdus: int) -> None:
    both = len(PENDING_BYTES) + 6 + 100
    framer = PendingFramer(5, PENDING_BYTES, both + spare, shares_pdu=True)
    assert len(pdus_of(framer.frame([bytes(100)]))) == pdus


def test_framer_forgets_headers_of_too_many_lengths() -> None:
    framer = PendingFramer(1, PENDING_BYTES, 100_000)
    for length in range(2, 3 * HEADER_CACHE, 2):
        data = framer.frame([bytes(length)])
        assert data == encode_message(1, PENDING_BYTES, bytes(length), 100_000)
    assert len(framer._prefixes) <= HEADER_CACHE

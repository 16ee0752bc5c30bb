"""The fast way to read Pending responses equals the plain one, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CFindRSP
from dicomquest.dimse.events import ResponseReceived, SessionEvent
from dicomquest.dimse.fragments import Limits, Reassembler
from dicomquest.dimse.link import SessionOptions
from dicomquest.pdu.pdus import COMMAND, LAST, AAbort, AReleaseRP, encode
from dicomquest.pdu.reader import PduReader, PDVs
from fixtures.session_pairs import ECHO, FIND, REFUSED, Pair, message, p_data

LONGEST = 40
OPTIONS = SessionOptions(limits=Limits(data_set=LONGEST))


class PlainReader(PduReader):
    """Takes the bytes PDU by PDU."""

    __slots__ = ()

    def next_p_data(self, accepted: object) -> PDVs:
        del accepted
        return []


class PlainReassembler(Reassembler):
    """Takes the PDUs PDV by PDV."""

    def receive_repeated(
        self, context_id: int, pdvs: object, position: int
    ) -> tuple[list[bytes], int]:
        del context_id, pdvs
        return [], position


def asking(*, is_plain: bool) -> Pair:
    """A pair whose SCU has sent a C-FIND request with the Message ID 1."""
    pair = Pair.established(options=OPTIONS)
    pair.scu.send_find(FIND, b"identifier", pair.now, message_id=1)
    pair.scu.data_to_send()
    if is_plain:
        pair.scu._upper_layer._reader.__class__ = PlainReader
        pair.scu._reassembler.__class__ = PlainReassembler
    return pair


def pending(message_id: int = 1, status: int = 0xFF00) -> bytes:
    return encode_command(
        CFindRSP(message_id_being_responded_to=message_id, status=status, has_data_set=True),
    )


def final(message_id: int = 1) -> bytes:
    return encode_command(CFindRSP(message_id_being_responded_to=message_id, status=0x0000))


PENDING = pending()
data_sets = st.integers(0, LONGEST // 2 + 2).map(lambda size: bytes(range(size * 2)))
two_pdus = data_sets.map(
    lambda data: p_data(FIND, (COMMAND | LAST, PENDING)) + p_data(FIND, (LAST, data))
)
one_pdu = data_sets.map(lambda data: message(FIND, PENDING, data))
fragments = st.tuples(data_sets, data_sets).map(
    lambda two: (
        p_data(FIND, (COMMAND, PENDING[:20]))
        + p_data(FIND, (COMMAND | LAST, PENDING[20:]))
        + p_data(FIND, (0, two[0]), (LAST, two[1]))
    )
)
odd = st.sampled_from(
    [
        message(FIND, pending(status=0xFF01), b"ab"),
        message(FIND, pending(2), b"ab"),
        message(ECHO, PENDING, b"ab"),
        message(REFUSED, PENDING, b"ab"),
        message(FIND, final()),
        message(FIND, final(2)),
        message(FIND, PENDING),
        p_data(FIND, (LAST, b"ab")),
        # A data set that looks like the next command.
        p_data(FIND, (COMMAND | LAST, PENDING))
        + p_data(FIND, (LAST, p_data(FIND, (COMMAND | LAST, PENDING)))),
        p_data(FIND, (COMMAND | LAST | 0x80, PENDING), (LAST | 0x40, b"ab")),
        p_data(FIND, (COMMAND | LAST, PENDING)) + p_data(ECHO, (LAST, b"ab")),
        message(FIND, PENDING.replace(b"\x00\xff", b"\xfe\xff"), b"ab"),
        message(FIND, b"nonsense"),
        b"\x04\0\0\0\0\x08\0\0\0\x03\x01\x02ab",  # a PDV, then two stray bytes
        b"\x04\0\0\0\0\x05\0\0\0\x01\x01\x02",
        b"\x04\0\0\0\0\x00",
        p_data(FIND, (COMMAND | LAST, PENDING)) * 2 + bytes(12),
        b"\x04\0\0\x01\0\x00",
        b"\x09\0\0\0\0\x04abcd",
        encode(AReleaseRP()),
        encode(AAbort(0, 0)),
    ]
)
streams = st.lists(st.one_of(two_pdus, two_pdus, one_pdu, fragments, odd), max_size=12).map(
    b"".join
)


def told(pair: Pair, pieces: list[bytes]) -> list[object]:
    """Everything that shows of the SCU after each piece."""
    seen: list[object] = []
    for piece in pieces:
        pair.now += 1
        pair.scu.receive_data(piece, pair.now)
        events: list[SessionEvent] = pair.scu.events()
        seen.append((events, pair.scu.data_to_send(), pair.scu.state, pair.deadline_in(pair.scu)))
    return seen


@given(stream=streams, sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8))
@example(stream=message(FIND, PENDING, b"ab") * 3 + message(FIND, final()), sizes=[1])
@example(stream=message(FIND, PENDING, b"ab") * 3 + message(FIND, final()), sizes=[10_000])
@pytest.mark.requirement("UL-014")
def test_fast_way_tells_what_plain_way_tells(stream: bytes, sizes: list[int]) -> None:
    pieces: list[bytes] = []
    while stream:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[:size])
        stream = stream[size:]
    assert told(asking(is_plain=False), pieces) == told(asking(is_plain=True), pieces)


def test_repeated_commands_are_not_decoded_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated commands are not looked at one by one."""
    pair = asking(is_plain=False)
    pair.feed_scu(message(FIND, PENDING, b"ab"))
    monkeypatch.setattr(Reassembler, "receive", None)
    monkeypatch.setattr(PduReader, "_fault", None)
    pair.feed_scu(b"".join(message(FIND, PENDING, bytes([number, 0])) for number in range(100)))
    responses = [event for event in pair.scu_events if isinstance(event, ResponseReceived)]
    assert [event.data_set for event in responses] == [
        b"ab",
        *(bytes([number, 0]) for number in range(100)),
    ]

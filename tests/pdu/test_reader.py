"""A byte stream becomes PDUs: whole, byte by byte, coalesced, or refused."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import RemoteProtocolError
from dicomquest.pdu.pdus import PDU, AAbort, AReleaseRQ, PDataTF, PresentationDataValue, encode
from dicomquest.pdu.reader import PduReader
from strategies.pdu import pdus
from vectors.pdus import VECTORS, Vector

LIMIT = 1 << 20
ABORT = encode(AAbort(2, 0))


def read(reader: PduReader, *pieces: bytes) -> list[PDU]:
    """All PDUs that the pieces complete."""
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (pdu := reader.next_pdu()) is not None:
            found.append(pdu)
    return found


def in_bytes(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.requirement("UL-014")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_pdu_is_read_whole_bytewise_or_with_rest(vector: Vector) -> None:
    """A PDU is read whole, byte by byte, and with trailing bytes."""
    assert read(PduReader(LIMIT, LIMIT), vector.data) == [vector.pdu]
    assert read(PduReader(LIMIT, LIMIT), *in_bytes(vector.data)) == [vector.pdu]
    reader = PduReader(LIMIT, LIMIT)
    assert read(reader, vector.data + ABORT[:9]) == [vector.pdu]
    assert read(reader, ABORT[9:]) == [AAbort(2, 0)]


@pytest.mark.requirement("UL-014")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_no_part_of_a_pdu_is_one(vector: Vector) -> None:
    for length in range(len(vector.data)):
        reader = PduReader(LIMIT, LIMIT)
        assert read(reader, vector.data[:length]) == []
        assert reader.is_inside_pdu == (length > 0)


@pytest.mark.requirement("UL-014")
@given(st.lists(pdus(), min_size=1, max_size=6), st.data())
def test_pieces_of_any_size_give_same_pdus(sent: list[PDU], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    reader = PduReader(LIMIT, LIMIT)
    assert read(reader, *pieces) == sent
    assert not reader.is_inside_pdu


@pytest.mark.requirement("UL-015")
@pytest.mark.parametrize("pdu_type", [1, 2, 4])
def test_oversized_pdu_is_refused_and_skipped(pdu_type: int) -> None:
    """A PDU over the limit is refused by its header and skipped."""
    reader = PduReader(100, 100)
    reader.feed(bytes([pdu_type, 0]) + (101).to_bytes(4, "big"))
    with pytest.raises(RemoteProtocolError, match="101 bytes") as caught:
        reader.next_pdu()
    assert caught.value.reason == 6
    was_inside = reader.is_inside_pdu
    assert read(reader, *in_bytes(bytes(101))) == []
    assert (was_inside, reader.is_inside_pdu) == (True, False)
    assert read(reader, ABORT) == [AAbort(2, 0)]


@pytest.mark.requirement("UL-015", "UL-071")
def test_limits_are_of_their_own_pdus() -> None:
    data = PDataTF((PresentationDataValue(1, 2, bytes(94)),))
    assert read(PduReader(10, 100), encode(data)) == [data]
    with pytest.raises(RemoteProtocolError, match="P-DATA-TF of 100 bytes: at most 99"):
        read(PduReader(1000, 99), encode(data))


@pytest.mark.requirement("UL-015")
@pytest.mark.parametrize("header", [b"\1\0\xff\xff\xff\xff", b"\4\0\xff\xff\xff\xff", b"GET / "])
def test_refused_pdu_is_not_stored(header: bytes) -> None:
    reader = PduReader(LIMIT, LIMIT)
    reader.feed(header)
    with pytest.raises(RemoteProtocolError):
        reader.next_pdu()
    piece = bytes(1 << 16)
    tracemalloc.start()
    try:
        for _ in range(100):
            reader.feed(piece)
            assert reader.next_pdu() is None
        assert tracemalloc.get_traced_memory()[1] < 2 * len(piece)
    finally:
        tracemalloc.stop()


@pytest.mark.requirement("UL-015")
def test_memory_grows_with_bytes_received() -> None:
    """Memory is taken for received bytes, not for announced ones."""
    tracemalloc.start()
    try:
        reader = PduReader(1 << 30, 1 << 30)
        reader.feed(b"\4\0\x3f\xff\xff\xff" + bytes(100))
        assert reader.next_pdu() is None
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


@pytest.mark.requirement("UL-011")
def test_unknown_type_is_refused_before_its_body() -> None:
    """An unknown type is refused before its body comes."""
    reader = PduReader(LIMIT, LIMIT)
    reader.feed(b"\x16\3\0\0\0\4")
    with pytest.raises(RemoteProtocolError, match="PDU type 16H") as caught:
        reader.next_pdu()
    assert caught.value.reason == 1
    assert read(reader, b"abcd" + ABORT) == [AAbort(2, 0)]


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
def test_wrong_length_is_refused_by_header(pdu_type: int) -> None:
    reader = PduReader(LIMIT, LIMIT)
    reader.feed(bytes([pdu_type, 0, 0, 0, 0, 5]))
    with pytest.raises(RemoteProtocolError, match="length 5: expected 4") as caught:
        reader.next_pdu()
    assert caught.value.reason == 6
    assert read(reader, bytes(5) + ABORT) == [AAbort(2, 0)]


@pytest.mark.requirement("UL-010")
def test_pdu_after_undecodable_one_is_read() -> None:
    """After a PDU that does not decode the next one is read."""
    reader = PduReader(LIMIT, LIMIT)
    reader.feed(b"\4\0\0\0\0\3abc" + encode(AReleaseRQ()))
    with pytest.raises(RemoteProtocolError):
        reader.next_pdu()
    assert reader.next_pdu() == AReleaseRQ()
    assert reader.next_pdu() is None


def test_fragments_outlive_the_buffer() -> None:
    """The reader reuses its buffer, and PDUs read from it do not change."""
    first, second = (
        PDataTF((PresentationDataValue(1, 2, bytes([number]) * 50),)) for number in (1, 2)
    )
    reader = PduReader(LIMIT, LIMIT)
    stream = encode(first) + encode(second)
    assert read(reader, stream[:10], stream[10:70], stream[70:]) == [first, second]


@pytest.mark.requirement("UL-123")
@given(st.lists(st.binary(max_size=60), max_size=12))
def test_any_stream_is_read_to_its_end(pieces: list[bytes]) -> None:
    """Every byte is in a PDU, skipped or waiting, and a PDU is refused only once."""
    reader = PduReader(64, 64)
    refusals = 0
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                if reader.next_pdu() is None:
                    break
            except RemoteProtocolError:
                refusals += 1
    assert refusals * 6 <= sum(map(len, pieces))


@given(st.lists(pdus(), min_size=1, max_size=6), st.data())
def test_position_behind_pdus_is_where_they_end(sent: list[PDU], data: st.DataObject) -> None:
    """Wherever the stream is cut, the position is the end of so many PDUs, or of the bytes."""
    stream = b"".join(map(encode, sent))
    cut = data.draw(st.integers(0, len(stream)))
    count = data.draw(st.integers(1, 7))
    reader = PduReader(LIMIT, LIMIT)
    read(reader, stream[:cut])
    ends = [len(b"".join(map(encode, sent[: each + 1]))) for each in range(len(sent))]
    left = [end - cut for end in ends if end > cut]
    expected = left[count - 1] if count <= len(left) else len(stream) - cut
    assert reader.position_behind(b"x" * 3 + stream[cut:], 3, count) == 3 + expected


def test_position_is_behind_what_is_skipped() -> None:
    reader = PduReader(LIMIT, 1000)
    reader.feed(b"\x04\0" + (2000).to_bytes(4, "big") + bytes(100))
    with pytest.raises(RemoteProtocolError):
        reader.next_pdu()
    assert reader.position_behind(bytes(1900) + ABORT + ABORT, 0, 2) == 1900 + len(ABORT)

"""UIDs, item headers and presentation contexts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import (
    PresentationContextAC,
    PresentationContextRQ,
    decode_context_ac,
    decode_context_rq,
    decode_uid,
    encode_context_ac,
    encode_context_rq,
    encode_item,
    encode_uid,
    iterate_items,
)
from strategies.pdu import contexts_ac, contexts_rq, uids
from vectors.pdus import EXPLICIT, IMPLICIT, VERIFICATION


@pytest.mark.requirement("UL-008")
@given(uids())
def test_uids_are_sent_without_padding(uid: str) -> None:
    assert encode_uid(uid) == uid.encode("ascii")


@pytest.mark.requirement("UL-008")
@pytest.mark.parametrize(
    "uid", ["", "1.2.", ".1", "1..2", "1.02", "1.2\0", "1.2 ", "a.b", "1.²", "1." + "2" * 63]
)
def test_malformed_uid_is_not_sent(uid: str) -> None:
    with pytest.raises(LocalProtocolError, match="is no UID"):
        encode_uid(uid)


@given(uids(), st.text("\0 ", max_size=4))
def test_uids_are_received_with_any_padding(uid: str, padding: str) -> None:
    assert decode_uid((uid + padding).encode()) == uid


def test_long_uids_are_received_up_to_limit() -> None:
    assert decode_uid(b"1" * 256) == "1" * 256
    with pytest.raises(RemoteProtocolError, match="a UID of 257 bytes") as caught:
        decode_uid(b"1" * 257)
    assert caught.value.reason == 6


def test_uids_in_other_bytes_can_still_be_named() -> None:
    assert decode_uid(b"1.\xff") == "1.\\xff"


@pytest.mark.requirement("UL-002", "UL-009")
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_items_are_found_by_their_lengths(items: list[tuple[int, bytes]]) -> None:
    data = b"".join(encode_item(item_type, content) for item_type, content in items)
    assert list(iterate_items(data, "test")) == items


@pytest.mark.requirement("UL-007")
def test_reserved_byte_of_item_is_not_tested() -> None:
    assert list(iterate_items(b"\x10\xff\0\1a", "test")) == [(0x10, b"a")]


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x10", "1 bytes at the end of the test"),
        (b"\x10\0\0\1a\x10\0\0", "3 bytes at the end of the test"),
        (b"\x10\0\0\3ab", "item 10H of 3 bytes overruns the test, which has 2 left"),
        (b"\x10\0\xff\xff", "item 10H of 65535 bytes overruns the test, which has 0 left"),
    ],
)
def test_items_that_overrun_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        list(iterate_items(data, "test"))
    assert caught.value.reason == 6


def test_item_too_long_for_its_length_is_not_sent() -> None:
    """An item longer than its length field can say is not sent."""
    with pytest.raises(LocalProtocolError, match="65536 bytes"):
        encode_item(0x50, bytes(65536))


@given(contexts_rq())
def test_proposed_contexts_decode_to_themselves(
    contexts: tuple[PresentationContextRQ, ...],
) -> None:
    for context in contexts:
        assert decode_context_rq(encode_context_rq(context)[4:]) == context


@given(contexts_ac())
def test_answered_contexts_decode_to_themselves(
    contexts: tuple[PresentationContextAC, ...],
) -> None:
    for context in contexts:
        assert decode_context_ac(encode_context_ac(context)[4:]) == context


def test_context_without_transfer_syntax_not_proposed() -> None:
    """A context without transfer syntax is not proposed."""
    with pytest.raises(
        LocalProtocolError, match="presentation context 1 offers no transfer syntax"
    ):
        encode_context_rq(PresentationContextRQ(1, VERIFICATION, ()))


@pytest.mark.parametrize("count", [0, 2])
def test_proposed_context_has_one_abstract_syntax(count: int) -> None:
    content = (
        b"\1\0\0\0"
        + encode_item(0x30, VERIFICATION.encode()) * count
        + encode_item(0x40, IMPLICIT.encode())
    )
    with pytest.raises(RemoteProtocolError, match=f"{count} abstract syntaxes") as caught:
        decode_context_rq(content)
    assert caught.value.reason == 6


@pytest.mark.parametrize("syntaxes", [[], [IMPLICIT, EXPLICIT]])
def test_accepted_context_has_one_transfer_syntax(syntaxes: list[str]) -> None:
    items = b"".join(encode_item(0x40, uid.encode()) for uid in syntaxes)
    with pytest.raises(RemoteProtocolError, match=f"{len(syntaxes)} transfer syntaxes") as caught:
        decode_context_ac(b"\1\0\0\0" + items)
    assert caught.value.reason == 6
    assert decode_context_ac(b"\1\0\3\0" + items).result == 3


@pytest.mark.requirement("UL-010")
def test_context_item_without_its_header_is_refused() -> None:
    for length in range(4):
        with pytest.raises(RemoteProtocolError, match=f"item of {length} bytes"):
            decode_context_rq(bytes(length))

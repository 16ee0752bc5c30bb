"""The sub-items of the user information item."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
    decode_user_information,
    encode_user_information,
)
from strategies.pdu import USER_INFORMATION_AC, USER_INFORMATION_RQ

RQ, AC = "A-ASSOCIATE-RQ", "A-ASSOCIATE-AC"
PLAIN = UserInformation(16384, "1.2.3", None)


def item(item_type: int, content: bytes) -> bytes:
    return bytes([item_type, 0]) + len(content).to_bytes(2, "big") + content


def types(content: bytes) -> list[int]:
    """The types of the sub-items, in their order."""
    found = []
    while content:
        found.append(content[0])
        content = content[4 + int.from_bytes(content[2:4], "big") :]
    return found


@given(USER_INFORMATION_RQ)
def test_requests_decode_to_themselves(information: UserInformation) -> None:
    assert decode_user_information(encode_user_information(information, RQ)) == information


@given(USER_INFORMATION_AC)
def test_acceptances_decode_to_themselves(information: UserInformation) -> None:
    assert decode_user_information(encode_user_information(information, AC)) == information


@pytest.mark.requirement("UL-034")
@given(USER_INFORMATION_RQ)
def test_sub_items_ascend_mandatory_ones_first(information: UserInformation) -> None:
    """Sub-items are sent in ascending order, the two mandatory ones first."""
    sent = types(encode_user_information(information, RQ))
    assert sent == sorted(sent)
    assert sent[:2] == [0x51, 0x52]


@given(USER_INFORMATION_RQ, st.randoms(use_true_random=False))
def test_sub_items_are_received_in_any_order(information: UserInformation, random: object) -> None:
    """Sub-items of one type keep their order; the order of types does not matter."""
    content = encode_user_information(information, RQ)
    parts: dict[int, bytes] = {}
    while content:
        end = 4 + int.from_bytes(content[2:4], "big")
        parts[content[0]] = parts.get(content[0], b"") + content[:end]
        content = content[end:]
    shuffled = list(parts.values())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decode_user_information(b"".join(shuffled)) == information


@pytest.mark.requirement("UL-009")
def test_unknown_sub_items_are_skipped_anywhere() -> None:
    known = [item(0x51, b"\0\0\x40\0"), item(0x52, b"1.2.3")]
    for parts in permutations([*known, item(0x5A, b"?"), item(0x00, b"")]):
        assert decode_user_information(b"".join(parts)) == PLAIN


def test_nothing_at_all_is_the_smallest_peer() -> None:
    assert decode_user_information(b"") == UserInformation(16384, "", None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (item(0x51, b"\0\0\x40\0"), item(0x51, b"\0\0\x80\0")),
        (item(0x52, b"1.2.3"), item(0x52, b"1.2.4")),
        (item(0x53, b"\0\1\0\1"), item(0x53, b"\0\2\0\2")),
        (item(0x54, b"\0\0051.2.3\1\0"), item(0x54, b"\0\0051.2.3\0\1")),
        (item(0x55, b"ONE"), item(0x55, b"TWO")),
        (item(0x56, b"\0\0051.2.3one"), item(0x56, b"\0\0051.2.3two")),
        (item(0x57, b"\0\0031.2\0\0031.3\0\0"), item(0x57, b"\0\0031.2\0\0031.4\0\0")),
        (item(0x58, b"\1\0\0\1a\0\0"), item(0x58, b"\1\0\0\1b\0\0")),
        (item(0x59, b"\0\1a"), item(0x59, b"\0\1b")),
    ],
)
def test_first_of_duplicates_counts(first: bytes, second: bytes) -> None:
    assert decode_user_information(first + second) == decode_user_information(first)


@pytest.mark.requirement("UL-035")
@pytest.mark.parametrize("name", ["", "A" * 17, "ÄBC", "A\n"])
def test_version_names_have_1_to_16_characters(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="implementation version name"):
        encode_user_information(replace(PLAIN, implementation_version_name=name), RQ)


@pytest.mark.requirement("UL-035")
def test_our_own_names_are_valid() -> None:
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16
    assert len(IMPLEMENTATION_CLASS_UID) <= 64
    assert encode_user_information(UserInformation(), RQ)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"NAME", "NAME"),
        (b" NAME\0\0", "NAME"),
        (b"A NAME OF MORE THAN SIXTEEN", "A NAME OF MORE T"),
        (b"", None),
        (b"\0 \0", None),
    ],
)
def test_received_version_names_are_trimmed(sent: bytes, name: str | None) -> None:
    assert decode_user_information(item(0x55, sent)).implementation_version_name == name


@pytest.mark.parametrize("uid", [b"1.2.3\0", b"1.2.3 ", b"1.2.3\0 \0"])
def test_received_uids_lose_their_padding(uid: bytes) -> None:
    assert decode_user_information(item(0x52, uid)).implementation_class_uid == "1.2.3"


@pytest.mark.requirement("UL-037")
@pytest.mark.parametrize(
    ("information", "pdu", "number"),
    [
        (
            replace(PLAIN, common_extended_negotiations=(CommonExtendedNegotiation("1.2", "1.3"),)),
            AC,
            "57H",
        ),
        (replace(PLAIN, user_identity_rq=UserIdentityRQ(1, b"a")), AC, "58H"),
        (replace(PLAIN, user_identity_ac=UserIdentityAC()), RQ, "59H"),
    ],
)
def test_sub_item_of_other_pdu_is_not_sent(
    information: UserInformation, pdu: str, number: str
) -> None:
    with pytest.raises(LocalProtocolError, match=number):
        encode_user_information(information, pdu)


@pytest.mark.requirement("UL-043")
def test_credentials_are_not_shown() -> None:
    identity = UserIdentityRQ(2, b"alice", b"sesame", True)
    shown = repr(
        UserInformation(user_identity_rq=identity, user_identity_ac=UserIdentityAC(b"ticket"))
    )
    assert "UserIdentityRQ(identity_type=2, positive_response_requested=True)" in shown
    for secret in ("alice", "sesame", "ticket"):
        assert secret not in shown


@pytest.mark.requirement("UL-043")
@pytest.mark.parametrize(
    "identity", [UserIdentityRQ(0, b"alice"), UserIdentityRQ(1, b"alice", b"sesame")]
)
def test_errors_about_identities_do_not_show_them(identity: UserIdentityRQ) -> None:
    with pytest.raises(LocalProtocolError, match="user identity type") as caught:
        encode_user_information(replace(PLAIN, user_identity_rq=identity), RQ)
    assert "alice" not in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("length", [-1, 1, 7, 1 << 32])
def test_no_maximum_length_that_leaves_no_room_is_sent(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"maximum length {length}"):
        encode_user_information(replace(PLAIN, maximum_length=length), RQ)


@pytest.mark.requirement("UL-070")
@pytest.mark.parametrize("length", [1, 7])
def test_maximum_length_without_room_is_refused(length: int) -> None:
    """A received maximum length that leaves no room is refused."""
    with pytest.raises(RemoteProtocolError, match=f"at most {length} bytes") as caught:
        decode_user_information(item(0x51, length.to_bytes(4, "big")))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-070")
def test_least_and_unlimited_lengths_are_received() -> None:
    """The least maximum length and the unlimited one are received."""
    assert decode_user_information(item(0x51, bytes([0, 0, 0, 8]))).maximum_length == 8
    assert decode_user_information(item(0x51, bytes(4))).maximum_length == 0


@pytest.mark.parametrize(
    "window", [AsyncOperationsWindow(-1, 1), AsyncOperationsWindow(1, 0x10000)]
)
def test_windows_fit_two_bytes(window: AsyncOperationsWindow) -> None:
    with pytest.raises(LocalProtocolError, match="65535"):
        encode_user_information(replace(PLAIN, async_operations_window=window), RQ)


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize(
    "content",
    [
        item(0x51, b"\0\0\0"),
        item(0x53, b"\0\1\0"),
        item(0x54, b"\0"),
        item(0x54, b"\0\0051.2"),
        item(0x54, b"\0\0031.2\1"),
        item(0x56, b"\0\0041.2"),
        item(0x57, b"\0\0031.2\0\0031.3\0\5\0\0041.2"),
        item(0x58, b"\1\0\0\5name"),
        item(0x58, b"\1\0\0\4name"),
        item(0x59, b""),
        b"\x51\0\0",
        b"\x51\0\0\4\0\0\0",
    ],
)
def test_sub_item_that_overruns_is_refused(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_user_information(content)
    assert caught.value.reason == 6


def test_extended_negotiation_keeps_unknown_bytes() -> None:
    """Extended negotiation keeps bytes that nobody knows yet."""
    information = decode_user_information(item(0x56, b"\0\0051.2.3" + bytes(range(20))))
    assert information.extended_negotiations == (ExtendedNegotiation("1.2.3", bytes(range(20))),)


def test_reserved_rest_of_common_one_is_ignored() -> None:
    """The reserved rest of common extended negotiation is ignored."""
    information = decode_user_information(item(0x57, b"\0\0031.2\0\0031.3\0\0\1\2\3"))
    assert information.common_extended_negotiations == (CommonExtendedNegotiation("1.2", "1.3"),)


def test_role_is_1_and_nothing_else() -> None:
    information = decode_user_information(item(0x54, b"\0\0031.2\2\1"))
    assert information.roles == (RoleSelection("1.2", False, True),)


def test_field_too_long_for_its_length_is_not_sent() -> None:
    """A field longer than its length field can say is not sent."""
    with pytest.raises(LocalProtocolError, match="65536 bytes"):
        encode_user_information(
            replace(PLAIN, user_identity_rq=UserIdentityRQ(4, bytes(65536))), RQ
        )
    with pytest.raises(LocalProtocolError, match="58H has 65541 bytes"):
        encode_user_information(
            replace(PLAIN, user_identity_rq=UserIdentityRQ(4, bytes(65535))), RQ
        )


@pytest.mark.requirement("UL-123")
@given(st.lists(st.tuples(st.integers(0x50, 0x5A), st.binary(max_size=40)), max_size=6))
def test_any_sub_items_decode_or_are_remote_error(items: list[tuple[int, bytes]]) -> None:
    """Any sub-items give information or a remote error."""
    data = b"".join(item(item_type, content) for item_type, content in items)
    reason = 6
    try:
        decode_user_information(data)
    except RemoteProtocolError as error:
        reason = error.reason
    assert reason == 6

"""The seven PDUs: bytes and values, both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu import pdus
from dicomquest.pdu.items import APPLICATION_CONTEXT, PresentationContextAC, PresentationContextRQ
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    PDataTF,
    PresentationDataValue,
    decode,
    encode,
    encode_p_data,
)
from dicomquest.pdu.reasons import REJECT_WORDS
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    UserIdentityRQ,
    UserInformation,
)
from strategies.pdu import ASSOCIATE_AC, ASSOCIATE_RQ
from strategies.pdu import pdus as any_pdus
from vectors.pdus import EXPLICIT, IMPLICIT, VECTORS, VERIFICATION, Vector

RQ = AAssociateRQ(
    "CALLED", "CALLING", (PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),), UserInformation()
)
AC = AAssociateAC((PresentationContextAC(1, 0, IMPLICIT),), UserInformation(), bytes(range(64)))


def named(vector: Vector) -> str:
    return vector.name


def decode_whole(data: bytes) -> PDU:
    return decode(data[0], data[6:])


def pdu_or_reason(pdu_type: int, body: bytes | memoryview) -> PDU | int:
    """The PDU, or the reason of the error; another error fails the test."""
    try:
        return decode(pdu_type, body)
    except RemoteProtocolError as error:
        return error.reason


def with_items(header: bytes, *items: bytes) -> bytes:
    """The body of an A-ASSOCIATE PDU: the 68 bytes of ``header`` and items."""
    return header[6:74] + b"".join(items)


@pytest.mark.requirement("UL-002", "UL-012")
@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_bytes_mean_their_value(vector: Vector) -> None:
    assert int.from_bytes(vector.data[2:6], "big") == len(vector.data) - 6
    assert decode_whole(vector.data) == vector.pdu


@pytest.mark.requirement("UL-002", "UL-007", "UL-012")
@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector.is_sent], ids=named)
def test_values_are_sent_as_their_bytes(vector: Vector) -> None:
    assert encode(vector.pdu) == vector.data


def test_data_is_encoded_alone_and_as_pdu_alike() -> None:
    pdvs = (PresentationDataValue(1, 3, b"ab"), PresentationDataValue(1, 2, b""))
    assert encode(PDataTF(pdvs)) == encode_p_data(pdvs) == encode_p_data(iter(pdvs))


@pytest.mark.requirement("UL-002")
@given(any_pdus())
def test_encoded_pdu_decodes_to_itself(pdu: PDU) -> None:
    data = encode(pdu)
    assert int.from_bytes(data[2:6], "big") == len(data) - 6
    assert decode_whole(data) == pdu
    assert decode(data[0], memoryview(data)[6:]) == pdu


@pytest.mark.requirement("UL-007")
@given(ASSOCIATE_RQ | ASSOCIATE_AC)
def test_reserved_bytes_are_zero_but_for_echo(pdu: AAssociateRQ | AAssociateAC) -> None:
    """Reserved bytes of associate PDUs are zero but for the echo."""
    data = encode(pdu)
    assert data[1] == 0
    assert data[8:10] == bytes(2)
    if isinstance(pdu, AAssociateRQ):
        assert data[42:74] == bytes(32)


@pytest.mark.requirement("UL-003", "UL-020")
@given(ASSOCIATE_RQ)
def test_request_has_version_1_and_one_context_name(pdu: AAssociateRQ) -> None:
    """A request has version 1 and one application context."""
    data = encode(pdu)
    name = APPLICATION_CONTEXT.encode()
    assert data[6:8] == b"\0\1"
    assert data[74:].startswith(b"\x10\0" + len(name).to_bytes(2, "big") + name)
    assert data.count(b"\x10\0\0\x15" + name) == 1


@pytest.mark.requirement("UL-003")
@pytest.mark.parametrize("pdu", [RQ, AC])
def test_no_other_version_is_sent(pdu: AAssociateRQ | AAssociateAC) -> None:
    with pytest.raises(LocalProtocolError, match="protocol version 3"):
        encode(replace(pdu, protocol_version=3))


@pytest.mark.requirement("UL-004")
@pytest.mark.parametrize("title", ["", " ", " " * 16, "A" * 17, "A\\B", "ÄE", "A\nB", "A\0"])
def test_title_that_is_none_is_not_sent(title: str) -> None:
    with pytest.raises(LocalProtocolError, match="AE title"):
        encode(replace(RQ, called_ae_title=title))
    with pytest.raises(LocalProtocolError, match="AE title"):
        encode(replace(RQ, calling_ae_title=title))


@pytest.mark.requirement("UL-004")
@pytest.mark.parametrize("title", ["A", "STORE SCP", "A" * 16, " OUTER "])
def test_titles_are_padded_to_16_bytes(title: str) -> None:
    data = encode(replace(RQ, called_ae_title=title, calling_ae_title="ME"))
    assert data[10:26] == title.strip().encode().ljust(16)
    assert data[26:42] == b"ME" + b" " * 14


@pytest.mark.requirement("UL-005")
@pytest.mark.parametrize(
    "sent", [b"TITLE".ljust(16), b"  TITLE ".ljust(16), b"TITLE".ljust(16, b"\0"), b"TITLE \0 "]
)
def test_titles_are_received_without_their_padding(sent: bytes) -> None:
    data = bytearray(encode(RQ))
    data[10:26] = sent.ljust(16)
    data[26:42] = sent.rjust(16)
    pdu = decode_whole(bytes(data))
    assert isinstance(pdu, AAssociateRQ)
    assert (pdu.called_ae_title, pdu.calling_ae_title) == ("TITLE", "TITLE")


def test_titles_of_other_repertoires_have_names() -> None:
    """AE titles of other repertoires can still be named."""
    data = bytearray(encode(RQ))
    data[10:12] = b"\xc4E"
    pdu = decode_whole(bytes(data))
    assert isinstance(pdu, AAssociateRQ)
    assert pdu.called_ae_title == "\\xc4ELLED"


@pytest.mark.requirement("UL-006")
@given(st.binary(min_size=64, max_size=64))
def test_acceptance_repeats_bytes_10_to_73(titles: bytes) -> None:
    received = encode(RQ)
    received = received[:10] + titles + received[74:]
    rq = decode_whole(received)
    assert isinstance(rq, AAssociateRQ)
    assert encode(replace(AC, echo=rq.echo))[10:74] == received[10:74]


@pytest.mark.requirement("UL-006")
def test_acceptance_needs_the_whole_echo() -> None:
    with pytest.raises(LocalProtocolError, match="echo of 63 bytes"):
        encode(replace(AC, echo=bytes(63)))


@pytest.mark.requirement("UL-009")
def test_unknown_items_are_skipped_between_all_others() -> None:
    unknown = b"\xee\0\0\x05abcde"
    data = encode(RQ)
    application, context, information = data[74:99], data[99:149], data[149:]
    assert (
        decode(
            1,
            with_items(data, unknown, application, unknown, context, unknown, information, unknown),
        )
        == RQ
    )


@pytest.mark.requirement("UL-009")
def test_unknown_sub_items_of_context_are_skipped() -> None:
    body = b"\x01\0\0\0" + b"\x77\0\0\1x" + encode(RQ)[107:149]
    data = encode(RQ)
    context = b"\x20\0" + len(body).to_bytes(2, "big") + body
    assert decode(1, with_items(data, data[74:99], context, data[149:])) == RQ


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize("pdu", [RQ, AC])
def test_associate_pdu_cut_anywhere_is_refused(pdu: AAssociateRQ | AAssociateAC) -> None:
    """A body ends only where an item ends: the request is shorter and valid, or lacks one."""
    data = encode(pdu)
    ends = {len(data) - 6}
    offset = 74
    while offset < len(data):
        ends.add(offset - 6)
        offset += 4 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    for length in set(range(len(data) - 6)) - ends:
        with pytest.raises(RemoteProtocolError) as caught:
            decode(data[0], data[6 : 6 + length])
        assert caught.value.reason == 6


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "0 bytes at 0"),
        (b"\0\0\0\2\1", "5 bytes at 0"),
        (b"\0\0\0\1\1\1", "a PDV item of 1 bytes"),
        (b"\0\0\0\0\1\1", "a PDV item of 0 bytes"),
        (b"\0\0\0\5\1\1ab", "a PDV item of 5 bytes where 2 to 4 fit"),
        (b"\xff\xff\xff\xff\1\1ab", "4294967295"),
        (b"\0\0\0\4\1\1ab\0\0", "2 bytes at 8"),
    ],
)
def test_pdvs_that_overrun_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        decode(4, body)
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-011")
@pytest.mark.parametrize("pdu_type", [0, 8, 0x16, 0x47, 0xFF])
def test_unknown_type_is_refused_with_reason_1(pdu_type: int) -> None:
    with pytest.raises(RemoteProtocolError, match="PDU type") as caught:
        decode(pdu_type, bytes(4))
    assert caught.value.reason == 1


@pytest.mark.requirement("UL-010")
@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
@pytest.mark.parametrize("length", [0, 3, 5])
def test_pdus_of_four_bytes_have_four(pdu_type: int, length: int) -> None:
    with pytest.raises(RemoteProtocolError, match="expected 4") as caught:
        decode(pdu_type, bytes(length))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-013")
def test_only_rejections_of_standard_are_sent() -> None:
    for result in range(4):
        for source in range(5):
            for reason in range(12):
                numbers = result, source, reason
                if numbers in REJECT_WORDS:
                    assert encode(AAssociateRJ(*numbers)) == b"\3\0\0\0\0\4\0" + bytes(numbers)
                else:
                    with pytest.raises(LocalProtocolError, match=r"none of PS3\.8"):
                        encode(AAssociateRJ(*numbers))


def test_received_rejection_keeps_its_numbers() -> None:
    rejection = decode(3, b"\0\x09\x08\x07")
    assert rejection == AAssociateRJ(9, 8, 7)
    assert str(rejection) == "rejected: result 9, source 8, reason 7"


@pytest.mark.parametrize(
    ("pdu", "words"),
    [
        (AAssociateRJ(1, 1, 7), "rejected permanently: called AE title not recognized"),
        (AAssociateRJ(2, 3, 2), "rejected for now: local limit exceeded"),
        (AAbort(0, 5), "aborted by the service user"),
        (AAbort(2, 1), "aborted by the service provider: unrecognized PDU"),
        (AAbort(2, 9), "aborted by the service provider: reason 9"),
        (AAbort(1, 0), "aborted: source 1, reason not specified"),
    ],
)
def test_refusals_say_why(pdu: AAssociateRJ | AAbort, words: str) -> None:
    assert str(pdu) == words


@pytest.mark.requirement("UL-021", "UL-023")
@pytest.mark.parametrize(
    "ids", [[0], [2], [257], [-1], [1, 1], [1, 3, 1], [*range(1, 256, 2), 1], []]
)
def test_context_ids_that_are_none_are_not_sent(ids: list[int]) -> None:
    contexts = tuple(PresentationContextRQ(number, VERIFICATION, (IMPLICIT,)) for number in ids)
    with pytest.raises(LocalProtocolError, match="presentation context"):
        encode(replace(RQ, presentation_contexts=contexts))


@pytest.mark.requirement("UL-021", "UL-023")
def test_128_contexts_are_sent() -> None:
    contexts = tuple(
        PresentationContextRQ(number, VERIFICATION, (IMPLICIT, EXPLICIT))
        for number in range(1, 256, 2)
    )
    pdu = replace(RQ, presentation_contexts=contexts)
    assert decode_whole(encode(pdu)) == pdu


@pytest.mark.requirement("UL-021")
@pytest.mark.parametrize("ids", [b"", b"\0", b"\2", b"\1\1"])
def test_received_context_ids_are_odd_and_distinct(ids: bytes) -> None:
    data = encode(RQ)
    contexts = [data[99:103] + bytes([number]) + data[104:149] for number in ids]
    with pytest.raises(RemoteProtocolError, match="presentation context") as caught:
        decode(1, with_items(data, data[74:99], *contexts, data[149:]))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-034")
@pytest.mark.parametrize("pdu", [RQ, AC])
def test_maximum_length_and_class_uid_are_always_sent(pdu: AAssociateRQ | AAssociateAC) -> None:
    class_uid = IMPLEMENTATION_CLASS_UID.encode()
    assert b"\x51\0\0\4\0\1\0\0\x52\0" + len(class_uid).to_bytes(2, "big") + class_uid in encode(
        pdu
    )
    with pytest.raises(LocalProtocolError, match="no UID"):
        encode(replace(pdu, user_information=UserInformation(implementation_class_uid="")))


def test_missing_application_context_is_unknown() -> None:
    """A missing application context is an unknown one."""
    data = encode(RQ)
    pdu = decode(1, with_items(data, data[99:149], data[149:]))
    assert isinstance(pdu, AAssociateRQ)
    assert pdu.application_context == ""


@pytest.mark.requirement("UL-073", "UL-075", "UL-077")
def test_fragments_are_received_as_they_come() -> None:
    pdvs = (
        PresentationDataValue(1, 0x01, b"abc"),
        PresentationDataValue(1, 0xFF, b""),
        PresentationDataValue(1, 0xFC, b"d"),
        PresentationDataValue(1, 0x02, b""),
    )
    pdu = decode_whole(encode(PDataTF(pdvs)))
    assert pdu == PDataTF(pdvs)
    assert isinstance(pdu, PDataTF)
    assert [(pdv.is_command, pdv.is_last) for pdv in pdu.pdvs] == [
        (True, False),
        (True, True),
        (False, False),
        (False, True),
    ]


@pytest.mark.requirement("UL-123")
@given(st.integers(0, 255), st.binary(max_size=400))
def test_any_bytes_give_pdu_or_remote_error(pdu_type: int, body: bytes) -> None:
    result = pdu_or_reason(pdu_type, body)
    assert result in (1, 6) or result == pdu_or_reason(pdu_type, memoryview(body))


@pytest.mark.requirement("UL-123")
@given(any_pdus(), st.data())
def test_damaged_pdu_gives_pdu_or_remote_error(pdu: PDU, data: st.DataObject) -> None:
    body = bytearray(encode(pdu)[6:])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    result = pdu_or_reason(encode(pdu)[0], bytes(body))
    assert result == 6 or isinstance(result, type(pdu))


def test_request_that_comes_again_is_same_value() -> None:
    assert decode_whole(encode(RQ)) is decode_whole(encode(RQ))


def test_each_request_has_its_own_reserved_echo() -> None:
    """Requests that differ in reserved bytes alone have each their echo."""
    sent = encode(RQ)
    echoes = [bytes([number]) * 32 for number in (0, 1, 0)]
    requests = [decode_whole(sent[:42] + reserved + sent[74:]) for reserved in echoes]
    assert [
        request.echo[32:] for request in requests if isinstance(request, AAssociateRQ)
    ] == echoes


def test_request_with_a_password_is_not_kept() -> None:
    identity = UserIdentityRQ(2, b"user", b"password")
    sent = encode(replace(RQ, user_information=UserInformation(user_identity_rq=identity)))
    assert decode_whole(sent) == decode_whole(sent)
    assert decode_whole(sent) is not decode_whole(sent)


def test_only_so_many_requests_are_kept() -> None:
    first = decode_whole(encode(RQ))
    for number in range(pdus._MOST_KNOWN):
        decode_whole(encode(replace(RQ, calling_ae_title=f"SCU{number}")))
    assert decode_whole(encode(RQ)) == first
    assert len(pdus._known_requests) <= pdus._MOST_KNOWN

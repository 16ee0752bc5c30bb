"""Command sets: by vectors, by Hypothesis, and against pynetdicom."""

from __future__ import annotations

from dataclasses import fields, replace
from io import BytesIO
from struct import pack, unpack_from
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_keyword, dictionary_VR
from pydicom.dataset import Dataset
from pynetdicom import dimse_messages
from pynetdicom.dsutils import decode as decode_with_pynetdicom

from dicomquest.dimse.command_sets import ELEMENTS, decode_command, encode_command, encode_elements
from dicomquest.dimse.commands import (
    MESSAGES,
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    Command,
    CStoreRQ,
    CStoreRSP,
    NCreateRQ,
    NCreateRSP,
    NSetRQ,
    NSetRSP,
    Request,
    Response,
    UnknownCommand,
    name_of,
    response_to,
)
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from strategies.dimse import commands, requests
from vectors.command_sets import STUDY_ROOT_FIND, VECTORS, VERIFICATION, Vector

MPPS = "1.2.840.10008.3.1.2.3.3"

NUMBER = {name: element for element, _, name in ELEMENTS}


def elements_of(data: bytes) -> list[tuple[int, int, bytes]]:
    """Group, element and value of each element, read by PS3.5 7.1.3 alone."""
    found = []
    while data:
        group, element, length = unpack_from("<HHI", data)
        found.append((group, element, data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def us(value: int) -> bytes:
    return pack("<H", value)


def command_set(**values: bytes) -> bytes:
    """A command set of any elements, by keyword."""
    return encode_elements({NUMBER[keyword]: value for keyword, value in values.items()})


def decode_or_reason(data: bytes) -> Command | int:
    """The command, or the A-ABORT reason if it cannot be decoded."""
    try:
        return decode_command(data)
    except RemoteProtocolError as error:
        return error.reason


@pytest.mark.requirement("UL-090", "UL-094", "UL-095", "UL-096", "UL-103")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_decodes_vector(vector: Vector) -> None:
    assert decode_command(vector.data) == vector.command


@pytest.mark.requirement("UL-090", "UL-094", "UL-095", "UL-096")
@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.is_sent], ids=lambda vector: vector.name
)
def test_encodes_vector(vector: Vector) -> None:
    assert encode_command(vector.command).hex(" ") == vector.data.hex(" ")


@given(commands())
def test_decoding_gives_back_what_was_encoded(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


@pytest.mark.requirement("UL-091", "UL-092")
@given(commands())
def test_elements_ascend_group_length_is_first(command: Command) -> None:
    """Elements ascend, each once, and the group length is first and right."""
    data = encode_command(command)
    (group, element, length), *others = elements_of(data)
    assert (group, element) == (0, 0)
    assert unpack_from("<I", length) == (len(data) - 12,)
    numbers = [element for _, element, _ in others]
    assert numbers == sorted(set(numbers))
    assert all(group == 0 and len(value) % 2 == 0 for group, _, value in others)


@pytest.mark.requirement("UL-091")
@pytest.mark.parametrize("kind", [CStoreRQ, CStoreRSP])
@given(
    position=st.integers(0, 200),
    value=st.integers(0, 255),
    uid=st.sampled_from(["1.2.3", "1.2.34"]),
)
def test_changed_store_command_by_tables(
    kind: type[CStoreRQ | CStoreRSP], position: int, value: int, uid: str
) -> None:
    """A request or response that is read at once is the one that the tables read."""
    sop_class = "1.2.840.10008.5.1.4.1.1.2"
    command = (
        CStoreRQ(message_id=7, affected_sop_class_uid=sop_class, affected_sop_instance_uid=uid)
        if kind is CStoreRQ
        else CStoreRSP(
            message_id_being_responded_to=7,
            status=0xB000,
            affected_sop_class_uid=sop_class,
            affected_sop_instance_uid=uid,
        )
    )
    data = bytearray(encode_command(command))
    data[position % len(data)] = value
    # An element of no message in front leaves it to the tables.
    unusual = data[:6] == b"\0\0\0\0UL"
    by_tables = data if unusual else pack("<HHI", 0, 0x5110, 0) + data
    try:
        expected: Command | None = decode_command(bytes(by_tables))
    except RemoteProtocolError:
        expected = None
    try:
        assert decode_command(bytes(data)) == expected
    except RemoteProtocolError:
        assert expected is None


@given(
    uid=st.from_regex(r"[0-9.]{0,66}", fullmatch=True),
    sop_class=st.sampled_from(["", "1.2.3", "1.2.34"]),
    status=st.sampled_from([0, 0xB000, 0xA700]),
    comment=st.sampled_from(["", "no room"]),
)
def test_encoded_store_response_is_read_as_itself(
    uid: str, sop_class: str, status: int, comment: str
) -> None:
    response = CStoreRSP(
        message_id_being_responded_to=513,
        status=status,
        affected_sop_class_uid=sop_class,
        affected_sop_instance_uid=uid,
        error_comment=comment,
    )
    data = encode_command(response)
    assert decode_command(pack("<HHI", 0, 0x5110, 0) + data) == response
    assert unpack_from("<I", data, 8) == (len(data) - 12,)


@given(commands(), st.integers(0, 0xFFFFFFFF))
def test_group_length_received_is_ignored(command: Command, length: int) -> None:
    data = encode_command(command)
    assert decode_command(data[:8] + pack("<I", length) + data[12:]) == command
    assert decode_command(data[12:]) == command


@pytest.mark.requirement("UL-093")
@given(st.integers(0, 0xFFFF))
def test_every_data_set_type_but_0101_means_data_set(data_set_type: int) -> None:
    data = command_set(
        CommandField=us(0x8020),
        MessageIDBeingRespondedTo=us(1),
        CommandDataSetType=us(data_set_type),
        Status=us(0),
    )
    assert decode_command(data).has_data_set is (data_set_type != 0x0101)


@pytest.mark.requirement("UL-093")
@pytest.mark.parametrize("data_set_type", [0x0000, 0x0001, 0x0102, 0xFEFE])
def test_data_set_types_of_the_field(data_set_type: int) -> None:
    data = command_set(
        CommandField=us(0x0020), MessageID=us(1), CommandDataSetType=us(data_set_type)
    )
    assert decode_command(data) == CFindRQ(message_id=1)


@pytest.mark.requirement("UL-107")
@given(st.integers(0, 0xFFFF))
def test_priority_is_medium_unless_valid(priority: int) -> None:
    """Priority is MEDIUM unless it is one of the three."""
    data = command_set(
        CommandField=us(0x0020), MessageID=us(1), Priority=us(priority), CommandDataSetType=us(1)
    )
    assert decode_command(data) == CFindRQ(
        message_id=1, priority=priority if priority in (0, 1, 2) else 0
    )


@pytest.mark.requirement("UL-107")
@pytest.mark.parametrize("priority", [b"", b"\1"])
def test_priority_without_a_number_is_medium(priority: bytes) -> None:
    data = command_set(
        CommandField=us(0x0020), MessageID=us(1), Priority=priority, CommandDataSetType=us(1)
    )
    assert decode_command(data) == CFindRQ(message_id=1, priority=0)


@pytest.mark.requirement("UL-103")
@given(
    commands(),
    st.dictionaries(
        st.integers(1, 0xFFFF).filter(lambda element: element not in NUMBER.values()),
        st.binary(max_size=20),
        max_size=4,
    ),
)
def test_unknown_elements_are_ignored(command: Command, unknown: dict[int, bytes]) -> None:
    known = {
        element: value for _, element, value in elements_of(encode_command(command)) if element
    }
    assert decode_command(encode_elements(known | unknown)) == command


@pytest.mark.requirement("UL-103")
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_error_comment_of_other_charset_is_readable(charset: str) -> None:
    """An Error Comment of another character set is readable."""
    data = command_set(
        CommandField=us(0x8020),
        MessageIDBeingRespondedTo=us(1),
        CommandDataSetType=us(0x0101),
        Status=us(0xC001),
        ErrorComment="Größe".encode(charset),
    )
    expected = CFindRSP(message_id_being_responded_to=1, status=0xC001, error_comment="Größe")
    assert decode_command(data) == expected


def test_error_comment_is_cut_to_a_plain_lo() -> None:
    """Error Comment is cut to an LO of the default repertoire, and dots say so."""
    response = CFindRSP(
        message_id_being_responded_to=1, status=0xC001, error_comment="ä\\b\n" + "x" * 70
    )
    decoded = decode_command(encode_command(response))
    assert isinstance(decoded, CFindRSP)
    assert decoded.error_comment == "?/b " + "x" * 57 + "..."


@pytest.mark.parametrize(("comment", "sent"), [("\x01?", b"? "), ("\n \x01", None)])
def test_text_is_sent_without_outer_spaces(comment: str, sent: bytes | None) -> None:
    """A control character becomes a space; outer spaces of an LO mean nothing (PS3.5 6.2)."""
    encoded = encode_command(
        CFindRSP(message_id_being_responded_to=1, status=0xC001, error_comment=comment)
    )
    element = b"\0\0\x02\x09"
    assert encoded.partition(element)[2][4:] == (sent or b"")
    assert (element in encoded) is (sent is not None)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("CommandField", "Command Field"),
        ("CommandDataSetType", "Command Data Set Type"),
        ("MessageID", "C-FIND-RQ without message_id"),
    ],
)
def test_request_needs_its_elements(missing: str, words: str) -> None:
    values = {"CommandField": us(0x0020), "MessageID": us(1), "CommandDataSetType": us(1)}
    del values[missing]
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        decode_command(command_set(**values))
    assert caught.value.reason == 6


@pytest.mark.parametrize("missing", ["MessageIDBeingRespondedTo", "Status"])
@pytest.mark.parametrize("command_field", [0x8001, 0x8020, 0x8030])
def test_response_needs_its_elements(command_field: int, missing: str) -> None:
    values = {
        "CommandField": us(command_field),
        "MessageIDBeingRespondedTo": us(1),
        "CommandDataSetType": us(0x0101),
        "Status": us(0),
    }
    values[missing] = b""
    with pytest.raises(RemoteProtocolError, match="without") as caught:
        decode_command(command_set(**values))
    assert caught.value.reason == 6


@pytest.mark.requirement("UL-123")
@given(commands(), st.data())
def test_cut_command_set_is_refused_or_has_less(command: Command, data: st.DataObject) -> None:
    whole = encode_command(command)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    decoded = decode_or_reason(cut)
    assert decoded == 6 or type(decoded) is type(command)


@pytest.mark.requirement("UL-123")
@given(
    st.binary(max_size=200)
    | st.binary(max_size=80).map(lambda data: b"\0\0\0\0UL\4\0\1\0\0\0" + data)
)
def test_any_bytes_are_a_command_or_an_error(data: bytes) -> None:
    outcome = decode_or_reason(data)
    assert outcome == 6 or not isinstance(outcome, int)


@pytest.mark.requirement("UL-094")
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (CFindRQ(message_id=1), "C-FIND-RQ without affected_sop_class_uid"),
        (
            CFindRQ(message_id=1, affected_sop_class_uid="1.2", priority=3),
            "priority 3: expected 0, 1 or 2",
        ),
        (
            CFindRQ(message_id=1, affected_sop_class_uid="1.2", has_data_set=False),
            "C-FIND-RQ has a data set",
        ),
        (CFindRQ(message_id=0x10000, affected_sop_class_uid="1.2"), "65536 .* expected 0 to 65535"),
        (CStoreRQ(message_id=1, affected_sop_class_uid="1.2"), "without affected_sop_instance_uid"),
        (
            CEchoRQ(message_id=1, affected_sop_class_uid="1.2", has_data_set=True),
            "C-ECHO-RQ has no data set",
        ),
    ],
)
def test_requests_that_are_not_sent(command: Command, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        encode_command(command)


@pytest.mark.requirement("UL-095")
@given(st.integers(0, 0xFFFF))
def test_response_to_c_find_has_data_set_iff_pending(status: int) -> None:
    response = response_to(CFindRQ(message_id=3, affected_sop_class_uid=STUDY_ROOT_FIND), status)
    assert response.has_data_set is (status in (0xFF00, 0xFF01))
    assert decode_command(encode_command(response)) == response
    with pytest.raises(LocalProtocolError, match=f"C-FIND-RSP with status {status:04X}H has"):
        encode_command(replace(response, has_data_set=not response.has_data_set))


@pytest.mark.requirement("UL-099", "UL-100")
@given(requests())
def test_response_names_request_and_sop_class(request: Request) -> None:
    response = response_to(request, 0x0000)
    assert response.message_id_being_responded_to == request.message_id
    assert response.affected_sop_class_uid == request.affected_sop_class_uid
    expected: dict[type[Request], type[Response]] = {
        CEchoRQ: CEchoRSP,
        CFindRQ: CFindRSP,
        CStoreRQ: CStoreRSP,
        CGetRQ: CGetRSP,
        CMoveRQ: CMoveRSP,
        NCreateRQ: NCreateRSP,
        NSetRQ: NSetRSP,
    }
    assert type(response) is expected[type(request)]
    if isinstance(request, CStoreRQ | NCreateRQ | NSetRQ):
        assert isinstance(response, CStoreRSP | NCreateRSP | NSetRSP)
        assert response.affected_sop_instance_uid == request.affected_sop_instance_uid


@pytest.mark.requirement("DN-002")
def test_failure_of_n_create_lists_attributes() -> None:
    """The offending elements of a DIMSE-N request are its Attribute Identifier List."""
    create = NCreateRQ(message_id=3, affected_sop_class_uid=MPPS, affected_sop_instance_uid="1.2")
    response = response_to(create, 0x0120, offending_element=(0x00400253,), error_id=0xA710)
    assert response == NCreateRSP(
        message_id_being_responded_to=3,
        status=0x0120,
        affected_sop_class_uid=MPPS,
        affected_sop_instance_uid="1.2",
        attribute_identifier_list=(0x00400253,),
        error_id=0xA710,
    )


@pytest.mark.requirement("DN-001")
def test_n_set_needs_class_instance_and_data_set() -> None:
    with pytest.raises(LocalProtocolError, match="N-SET-RQ without requested_sop_instance_uid"):
        encode_command(NSetRQ(message_id=1, requested_sop_class_uid=MPPS))
    whole = NSetRQ(message_id=1, requested_sop_class_uid=MPPS, requested_sop_instance_uid="1.2")
    with pytest.raises(LocalProtocolError, match="N-SET-RQ has a data set"):
        encode_command(replace(whole, has_data_set=False))


@pytest.mark.requirement("UL-096")
@given(st.integers(0, 0xFFFF))
def test_c_cancel_has_three_elements_and_nothing_else(message_id: int) -> None:
    data = encode_command(CCancelRQ(message_id_being_responded_to=message_id))
    assert elements_of(data)[1:] == [
        (0, 0x0100, us(0x0FFF)),
        (0, 0x0120, us(message_id)),
        (0, 0x0800, us(0x0101)),
    ]


def test_elements_are_those_of_dictionary() -> None:
    for element, vr, keyword in ELEMENTS:
        assert (dictionary_keyword(element), dictionary_VR(element)) == (keyword, vr)
    assert [element for element, _, _ in ELEMENTS] == sorted(NUMBER.values())


def test_response_field_is_request_field_with_bit() -> None:
    """The command field of a response is the request's with the response bit."""
    by_name = {message.name: message.command_field for message in MESSAGES}
    for service in ("C-STORE", "C-FIND", "C-ECHO", "N-SET", "N-CREATE"):
        assert by_name[f"{service}-RSP"] == by_name[f"{service}-RQ"] | 0x8000


def test_names() -> None:
    assert name_of(CFindRQ(message_id=1)) == "C-FIND-RQ"
    assert name_of(UnknownCommand(command_field=0x0130)) == "command 0130H"


PYNETDICOM_MESSAGES: dict[type[Command], Any] = {
    CEchoRQ: dimse_messages.C_ECHO_RQ,
    CEchoRSP: dimse_messages.C_ECHO_RSP,
    CFindRQ: dimse_messages.C_FIND_RQ,
    CFindRSP: dimse_messages.C_FIND_RSP,
    CCancelRQ: dimse_messages.C_CANCEL_RQ,
    CStoreRQ: dimse_messages.C_STORE_RQ,
    CStoreRSP: dimse_messages.C_STORE_RSP,
    CGetRQ: dimse_messages.C_GET_RQ,
    CGetRSP: dimse_messages.C_GET_RSP,
    CMoveRQ: dimse_messages.C_MOVE_RQ,
    CMoveRSP: dimse_messages.C_MOVE_RSP,
    NCreateRQ: dimse_messages.N_CREATE_RQ,
    NCreateRSP: dimse_messages.N_CREATE_RSP,
    NSetRQ: dimse_messages.N_SET_RQ,
    NSetRSP: dimse_messages.N_SET_RSP,
}


def by_pynetdicom(data: bytes) -> Dataset:
    return decode_with_pynetdicom(BytesIO(data), is_implicit_vr=True, is_little_endian=True)


@pytest.mark.requirement("UL-090", "UL-094", "UL-095", "UL-096")
@given(commands().filter(lambda command: not isinstance(command, UnknownCommand)))
def test_pynetdicom_reads_what_we_encode(command: Command) -> None:
    elements = by_pynetdicom(encode_command(command))
    known = {element.keyword for element in PYNETDICOM_MESSAGES[type(command)]().command_set}
    # pynetdicom does not know all elements that explain a failure (PS3.7 C).
    explaining = {"ErrorID", "ErrorComment", "OffendingElement", "AttributeIdentifierList"}
    assert {element.keyword for element in elements} <= known | explaining
    own = {field.name for field in fields(command)}
    for keyword, name in FIELDS.items():
        value = getattr(command, name) if name in own else None
        if value is None or value in ("", ()):
            assert keyword not in elements
        elif isinstance(value, tuple):
            assert (
                tuple(elements[keyword].value if len(value) > 1 else [elements[keyword].value])
                == value
            )
        else:
            assert elements[keyword].value == value


FIELDS = {
    "AffectedSOPClassUID": "affected_sop_class_uid",
    "MessageID": "message_id",
    "MessageIDBeingRespondedTo": "message_id_being_responded_to",
    "Priority": "priority",
    "Status": "status",
    "OffendingElement": "offending_element",
    "ErrorComment": "error_comment",
    "ErrorID": "error_id",
    "AffectedSOPInstanceUID": "affected_sop_instance_uid",
    "MoveOriginatorApplicationEntityTitle": "move_originator_application_entity_title",
    "MoveDestination": "move_destination",
    "NumberOfRemainingSuboperations": "number_of_remaining_suboperations",
    "NumberOfCompletedSuboperations": "number_of_completed_suboperations",
    "NumberOfFailedSuboperations": "number_of_failed_suboperations",
    "NumberOfWarningSuboperations": "number_of_warning_suboperations",
    "MoveOriginatorMessageID": "move_originator_message_id",
    "RequestedSOPClassUID": "requested_sop_class_uid",
    "RequestedSOPInstanceUID": "requested_sop_instance_uid",
    "AttributeIdentifierList": "attribute_identifier_list",
}


@pytest.mark.requirement("UL-090")
@pytest.mark.parametrize(
    ("primitive", "message", "command"),
    [
        pytest.param(
            "C_ECHO",
            "C_ECHO_RQ",
            CEchoRQ(message_id=5, affected_sop_class_uid=VERIFICATION),
            id="echo",
        ),
        pytest.param(
            "C_FIND",
            "C_FIND_RQ",
            CFindRQ(message_id=5, affected_sop_class_uid=STUDY_ROOT_FIND, priority=2),
            id="find",
        ),
        pytest.param(
            "N_CREATE",
            "N_CREATE_RQ",
            NCreateRQ(message_id=5, affected_sop_class_uid=MPPS, affected_sop_instance_uid="1.2.3"),
            id="create",
            marks=pytest.mark.requirement("DN-001"),
        ),
        pytest.param(
            "N_SET",
            "N_SET_RQ",
            NSetRQ(message_id=5, requested_sop_class_uid=MPPS, requested_sop_instance_uid="1.2.3"),
            id="set",
            marks=pytest.mark.requirement("DN-001"),
        ),
    ],
)
def test_we_read_what_pynetdicom_encodes(primitive: str, message: str, command: Request) -> None:
    from pynetdicom import dimse_primitives
    from pynetdicom.dsutils import encode as encode_with_pynetdicom

    request = getattr(dimse_primitives, primitive)()
    request.MessageID = command.message_id
    attributes = BytesIO(b"\x10\0\x10\0\0\0\0\0")
    if isinstance(command, NSetRQ):
        request.RequestedSOPClassUID = command.requested_sop_class_uid
        request.RequestedSOPInstanceUID = command.requested_sop_instance_uid
        request.ModificationList = attributes
    else:
        request.AffectedSOPClassUID = command.affected_sop_class_uid
    if isinstance(command, NCreateRQ):
        request.AffectedSOPInstanceUID = command.affected_sop_instance_uid
        request.AttributeList = attributes
    if isinstance(command, CFindRQ):
        request.Priority = command.priority
        request.Identifier = attributes
    theirs = getattr(dimse_messages, message)()
    theirs.primitive_to_message(request)
    data = encode_with_pynetdicom(theirs.command_set, is_implicit_vr=True, is_little_endian=True)
    assert data is not None
    assert decode_command(data) == command
    assert encode_command(command) == data

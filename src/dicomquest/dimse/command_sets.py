"""Command sets as bytes: encoder and decoder over two tables (PS3.7 6.3, E).

``MESSAGES`` says what a message must have, ``ELEMENTS`` the tag and VR of each element. A command
set is Implicit VR Little Endian on every presentation context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from dicomquest.dimse.commands import (
    DATA_SET,
    MESSAGES,
    NO_DATA_SET,
    PENDING,
    UNKNOWN,
    CCancelRQ,
    Command,
    CStoreRQ,
    CStoreRSP,
    DataSetRule,
    Message,
    Priority,
    Request,
    Response,
    UnknownCommand,
)
from dicomquest.errors import LocalProtocolError, RemoteProtocolError, error_comment
from dicomquest.pdu.reasons import AbortReason
from dicomquest.standard.keys import snake_case
from dicomquest.standard.statuses import SUCCESS
from dicomquest.standard.vr import VALUE_REPRESENTATIONS

# fmt: off
# PS3.7 E.1; all of group 0000.
ELEMENTS: tuple[tuple[int, str, str], ...] = (
    (0x0000, "UL", "CommandGroupLength"),
    (0x0002, "UI", "AffectedSOPClassUID"),
    (0x0003, "UI", "RequestedSOPClassUID"),
    (0x0100, "US", "CommandField"),
    (0x0110, "US", "MessageID"),
    (0x0120, "US", "MessageIDBeingRespondedTo"),
    (0x0600, "AE", "MoveDestination"),
    (0x0700, "US", "Priority"),
    (0x0800, "US", "CommandDataSetType"),
    (0x0900, "US", "Status"),
    (0x0901, "AT", "OffendingElement"),
    (0x0902, "LO", "ErrorComment"),
    (0x0903, "US", "ErrorID"),
    (0x1000, "UI", "AffectedSOPInstanceUID"),
    (0x1001, "UI", "RequestedSOPInstanceUID"),
    (0x1002, "US", "EventTypeID"),
    (0x1005, "AT", "AttributeIdentifierList"),
    (0x1008, "US", "ActionTypeID"),
    (0x1020, "US", "NumberOfRemainingSuboperations"),
    (0x1021, "US", "NumberOfCompletedSuboperations"),
    (0x1022, "US", "NumberOfFailedSuboperations"),
    (0x1023, "US", "NumberOfWarningSuboperations"),
    (0x1030, "AE", "MoveOriginatorApplicationEntityTitle"),
    (0x1031, "US", "MoveOriginatorMessageID"),
)
# fmt: on

_GROUP_LENGTH, _COMMAND_FIELD, _DATA_SET_TYPE = 0x0000, 0x0100, 0x0800
_MESSAGE_ID, _MESSAGE_ID_RESPONDED_TO = 0x0110, 0x0120

_IMPLICIT = Struct("<HHI")
_EXPLICIT = Struct("<HH2sH")
_UL = Struct("<I")
_US = Struct("<H")
_AT = Struct("<HH")
_LONG_VRS = frozenset(row.vr.encode("ascii") for row in VALUE_REPRESENTATIONS if row.long_form)


class _Codec(NamedTuple):
    """The two ways between values of a VR and bytes; an undecodable value is None, absent."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _encode_uid(uid: str) -> bytes:
    data = uid.encode("ascii")
    return data + bytes(len(data) % 2)


def _decode_uid(data: bytes) -> str:
    return data.rstrip(b"\0 ").decode("ascii", "backslashreplace")


def _encode_text(text: str) -> bytes:
    data = error_comment(text).strip(" ").encode("ascii")
    return data + b" " * (len(data) % 2)


def _decode_text(data: bytes) -> str:
    # Only the default repertoire is allowed. Peers write more, and people want to read it.
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.strip(" \0")


def _encode_number(value: int) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise LocalProtocolError(f"{value} in a command set: expected 0 to 65535")
    return _US.pack(value)


def _decode_number(data: bytes) -> int | None:
    return _US.unpack_from(data)[0] if len(data) >= _US.size else None


def _encode_tags(tags: tuple[int, ...]) -> bytes:
    return b"".join(_AT.pack(tag >> 16, tag & 0xFFFF) for tag in tags)


def _decode_tags(data: bytes) -> tuple[int, ...]:
    whole = len(data) // _AT.size * _AT.size
    return tuple(group << 16 | element for group, element in _AT.iter_unpack(data[:whole]))


_CODECS = {
    "UI": _Codec(_encode_uid, _decode_uid),
    "US": _Codec(_encode_number, _decode_number),
    "AE": _Codec(_encode_text, _decode_text),
    "LO": _Codec(_encode_text, _decode_text),
    "AT": _Codec(_encode_tags, _decode_tags),
}

_FIELDS = {
    snake_case(keyword): (element, _CODECS[vr])
    for element, vr, keyword in ELEMENTS
    if vr in _CODECS
}


class _Layout(NamedTuple):
    """One message as encoder and decoder want it: its row, and its elements in ascending order."""

    message: Message
    elements: tuple[tuple[int, str, _Codec], ...]


def _lay_out(message: Message) -> _Layout:
    names = [each.name for each in fields(message.command) if each.name in _FIELDS]
    return _Layout(
        message, tuple(sorted((_FIELDS[name][0], name, _FIELDS[name][1]) for name in names))
    )


_LAYOUTS = {message.command_field: _lay_out(message) for message in MESSAGES}
_LAYOUT_UNKNOWN = _lay_out(UNKNOWN)
_LAYOUT_OF = {layout.message.command: layout for layout in _LAYOUTS.values()}


# Each instance that is stored or retrieved has a request and a response; the tables take ten times
# as long. The groups are length and value of the class, the Message ID, the Priority, the Command
# Data Set Type, length and value of the instance.
_USUAL_STORE_REQUEST = re.compile(
    rb"\0\0\0\0\x04\0\0\0...."
    rb"\0\0\x02\0(.)\0\0\0([0-9.]{1,64}\0?)"
    rb"\0\0\0\x01\x02\0\0\0\x01\0"
    rb"\0\0\x10\x01\x02\0\0\0(..)"
    rb"\0\0\0\x07\x02\0\0\0([\0\x01\x02])\0"
    rb"\0\0\0\x08\x02\0\0\0(..)"
    rb"\0\0\0\x10(.)\0\0\0([0-9.]{1,64}\0?)",
    re.DOTALL,
)
# Here they are those of the class, the Message ID, the Status, and those of the instance.
_USUAL_STORE_RESPONSE = re.compile(
    rb"\0\0\0\0\x04\0\0\0...."
    rb"\0\0\x02\0(.)\0\0\0([0-9.]{1,64}\0?)"
    rb"\0\0\0\x01\x02\0\0\0\x01\x80"
    rb"\0\0\x20\x01\x02\0\0\0(..)"
    rb"\0\0\0\x08\x02\0\0\0\x01\x01"
    rb"\0\0\0\x09\x02\0\0\0(..)"
    rb"\0\0\0\x10(.)\0\0\0([0-9.]{1,64}\0?)",
    re.DOTALL,
)
_LONGEST_UID = 64


def encode_command(command: Command) -> bytes:
    """Return the bytes of a command; LocalProtocolError for one that its row does not allow."""
    if isinstance(command, CStoreRQ) and (
        0 < command.message_id <= 0xFFFF
        and command.has_data_set
        and 0 < len(command.affected_sop_instance_uid) <= _LONGEST_UID
        and len(command.affected_sop_class_uid) <= _LONGEST_UID
    ):
        uid = _encode_uid(command.affected_sop_instance_uid)
        before, between, after = _around_message_id_and_instance(
            command.affected_sop_class_uid,
            command.priority,
            command.move_originator_application_entity_title,
            command.move_originator_message_id,
            len(uid),
        )
        return before + _US.pack(command.message_id) + between + uid + after
    if isinstance(command, CStoreRSP) and (
        command.status == SUCCESS
        and 0 <= command.message_id_being_responded_to <= 0xFFFF
        and 0 < len(command.affected_sop_instance_uid) <= _LONGEST_UID
        and 0 < len(command.affected_sop_class_uid) <= _LONGEST_UID
        and not (command.offending_element or command.error_comment or command.error_id)
        and not command.has_data_set
    ):
        uid = _encode_uid(command.affected_sop_instance_uid)
        before, between = _around_message_id_responded_to(command.affected_sop_class_uid, len(uid))
        return before + _US.pack(command.message_id_being_responded_to) + between + uid
    return _encode(command)


@lru_cache(maxsize=256)
def _around_message_id_responded_to(sop_class: str, length: int) -> tuple[bytes, bytes]:
    """Return what responses to stored instances have around the Message ID, up to the UID."""
    whole = _encode(
        CStoreRSP(
            message_id_being_responded_to=0,
            status=SUCCESS,
            affected_sop_class_uid=sop_class,
            affected_sop_instance_uid="1" * length,
        )
    )
    # Behind the group length, the class, the Command Field, and a header.
    at = 12 + 8 + len(_encode_uid(sop_class)) + 10 + 8
    return whole[:at], whole[at + 2 : -length]


@lru_cache(maxsize=256)
def _around_message_id_and_instance(
    sop_class: str, priority: int, title: str, originator: int | None, length: int
) -> tuple[bytes, bytes, bytes]:
    """Return what C-STORE requests have around their Message ID and an instance's UID."""
    whole = _encode(
        CStoreRQ(
            message_id=1,
            affected_sop_class_uid=sop_class,
            affected_sop_instance_uid="1" * length,
            priority=priority,
            move_originator_application_entity_title=title,
            move_originator_message_id=originator,
        )
    )
    # Behind the group length, the class, the Command Field, and a header.
    at = 12 + 8 + len(_encode_uid(sop_class)) + 10 + 8
    # Behind the Message ID, the Priority, the Command Data Set Type, and a header.
    instance = at + 2 + 10 + 10 + 8
    return whole[:at], whole[at + 2 : instance], whole[instance + length :]


def _encode(command: Command) -> bytes:
    if isinstance(command, UnknownCommand):
        layout, command_field = _LAYOUT_UNKNOWN, command.command_field
    else:
        layout = _LAYOUT_OF[type(command)]
        command_field = layout.message.command_field
        _check(command, layout.message)
    values = {
        _COMMAND_FIELD: _US.pack(command_field),
        _DATA_SET_TYPE: _US.pack(DATA_SET if command.has_data_set else NO_DATA_SET),
    }
    for element, name, codec in layout.elements:
        value = getattr(command, name)
        if element == _COMMAND_FIELD or value is None or value in ("", ()):
            continue
        # Text of spaces alone is no value.
        if encoded := codec.encode(value):
            values[element] = encoded
    return encode_elements(values)


def encode_elements(values: Mapping[int, bytes]) -> bytes:
    """Return a command set of ``values`` by their number in group 0000, the group length first."""
    body = b"".join(
        _IMPLICIT.pack(0, element, len(value)) + value for element, value in sorted(values.items())
    )
    return _IMPLICIT.pack(0, _GROUP_LENGTH, _UL.size) + _UL.pack(len(body)) + body


def decode_command(data: bytes) -> Command:
    """Return the command of a command set; RemoteProtocolError if it cannot be understood.

    Unknown and retired elements are passed over. A missing AffectedSOPClassUID stays empty: who
    knows the presentation context fills it in.
    """
    if (usual := _USUAL_STORE_REQUEST.fullmatch(data)) is not None:
        length, sop_class, message_id, priority, follows, instance_length, instance = usual.groups()
        has_data_set = _US.unpack(follows)[0] != NO_DATA_SET
        if length[0] == len(sop_class) and instance_length[0] == len(instance) and has_data_set:
            return CStoreRQ(
                message_id=_US.unpack(message_id)[0],
                affected_sop_class_uid=_decode_uid(sop_class),
                affected_sop_instance_uid=_decode_uid(instance),
                priority=priority[0],
            )
    if (usual := _USUAL_STORE_RESPONSE.fullmatch(data)) is not None:
        class_length, sop_class, message_id, status, instance_length, instance = usual.groups()
        if class_length[0] == len(sop_class) and instance_length[0] == len(instance):
            return CStoreRSP(
                message_id_being_responded_to=_US.unpack(message_id)[0],
                status=_US.unpack(status)[0],
                affected_sop_class_uid=_decode_uid(sop_class),
                affected_sop_instance_uid=_decode_uid(instance),
            )
    elements: dict[int, bytes] = {}
    # Of an element that comes twice the first counts, as in a data set.
    for element, value in _iterate(data):
        elements.setdefault(element, value)
    command_field = _decode_number(elements.get(_COMMAND_FIELD, b""))
    data_set_type = _decode_number(elements.get(_DATA_SET_TYPE, b""))
    if command_field is None or data_set_type is None:
        missing = (
            "Command Field (0000,0100)"
            if command_field is None
            else "Command Data Set Type (0000,0800)"
        )
        raise RemoteProtocolError(
            f"a command set without {missing}", reason=AbortReason.INVALID_VALUE
        )
    layout = _LAYOUTS.get(command_field, _LAYOUT_UNKNOWN)
    if (
        layout.message.command is CCancelRQ
        and _MESSAGE_ID_RESPONDED_TO not in elements
        and _MESSAGE_ID in elements
    ):
        # Some peers name the query to cancel in Message ID.
        elements[_MESSAGE_ID_RESPONDED_TO] = elements[_MESSAGE_ID]
    found: dict[str, Any] = {"has_data_set": data_set_type != NO_DATA_SET}
    for element, name, codec in layout.elements:
        if element in elements and (decoded := codec.decode(elements[element])) is not None:
            found[name] = decoded
    if missing_names := [name for name in layout.message.required if name not in found]:
        raise RemoteProtocolError(
            f"{layout.message.name} without {missing_names[0]}", reason=AbortReason.INVALID_VALUE
        )
    # A request with an undefined priority is answered like one without: none is considered.
    if found.get("priority", Priority.MEDIUM) not in Priority.__members__.values():
        found["priority"] = Priority.MEDIUM
    return layout.message.command(**found)


def _check(command: Request | Response | CCancelRQ, message: Message) -> None:
    """Raise LocalProtocolError for a command to send that its row does not allow."""
    for name in message.sent:
        if not getattr(command, name):
            raise LocalProtocolError(f"{message.name} without {name}")
    priority = getattr(command, "priority", Priority.MEDIUM)
    if priority not in Priority.__members__.values():
        raise LocalProtocolError(f"{message.name} with priority {priority}: expected 0, 1 or 2")
    status = getattr(command, "status", None)
    if message.data_set is DataSetRule.OPTIONAL:
        return
    if message.data_set is DataSetRule.AT_THE_END and status not in PENDING:
        return
    expected = message.data_set is DataSetRule.ALWAYS or (
        message.data_set is DataSetRule.IF_PENDING and status in PENDING
    )
    if command.has_data_set is not expected:
        told = "" if status is None else f" with status {status:04X}H"
        raise LocalProtocolError(f"{message.name}{told} has {'a' if expected else 'no'} data set")


def _iterate(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of group 0000 in any order; the group length means nothing."""
    # A few broken peers encode command sets in Explicit VR. The letters "UL" give them away: there
    # Implicit VR has the length of the group length, which is 4.
    explicit = data[:6] == b"\0\0\0\0UL"
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _IMPLICIT.size:
            raise RemoteProtocolError(
                f"{end - offset} bytes at {offset} of a command set: an element has 8 or more",
                reason=AbortReason.INVALID_VALUE,
            )
        if explicit:
            group, element, vr, length = _EXPLICIT.unpack_from(data, offset)
            start = offset + _EXPLICIT.size
            if vr in _LONG_VRS:
                if end - start < _UL.size:
                    raise RemoteProtocolError(
                        f"{end - start} bytes at {start} of a command set: expected a length of 4",
                        reason=AbortReason.INVALID_VALUE,
                    )
                (length,) = _UL.unpack_from(data, start)
                start += _UL.size
        else:
            group, element, length = _IMPLICIT.unpack_from(data, offset)
            start = offset + _IMPLICIT.size
        offset = start + length
        if offset > end:
            raise RemoteProtocolError(
                f"command element ({group:04X},{element:04X}) of {length} bytes:"
                f" {end - start} are left",
                reason=AbortReason.INVALID_VALUE,
            )
        if group == 0:
            yield element, data[start:offset]

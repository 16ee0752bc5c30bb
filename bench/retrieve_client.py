"""The raw-socket clients of C-GET and C-MOVE: they take each instance, and keep nothing of it."""

from __future__ import annotations

import selectors
import socket
import struct
from typing import NamedTuple

from client import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    RELEASE_RQ,
    association_item,
    read_pdu,
)

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

LARGEST_PDU = 131072
"""DCMTK's largest."""

_COMMAND_FIELD, _MESSAGE_ID, _STATUS = 0x0100, 0x0110, 0x0900
_SOP_CLASS, _SOP_INSTANCE, _COMPLETED = 0x0002, 0x1000, 0x1021
_STORE_RQ = 0x0001
_TIMEOUT = 120


class Retrieved(NamedTuple):
    """The instances and bytes that came, and what the last response says."""

    instances: int
    received: int
    status: int
    completed: int


class Link:
    """One association after its negotiation: it answers C-STORE requests, and counts."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.instances = self.received = self.completed = 0
        self.status = -1
        self.is_released = False
        self._buffer = bytearray()
        self._command = b""
        self._request: dict[int, bytes] = {}

    def receive(self) -> None:
        """Take what has arrived, and answer it."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self.socket.recv(1 << 18)
        if not data:
            if self.is_released:
                return
            raise ConnectionError("the peer closed the connection")
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 6:
            kind, length = struct.unpack_from(">BxI", buffer, at)
            if len(buffer) - at - 6 < length:
                break
            self._take(kind, at + 6, at + 6 + length)
            at += 6 + length
        del buffer[:at]

    def _take(self, kind: int, at: int, end: int) -> None:
        if kind == 5:
            self.socket.sendall(struct.pack(">BxI4x", 6, 4))
            self.is_released = True
            return
        if kind != 4:
            raise ConnectionError(f"PDU of type {kind}: {self._buffer[at:end].hex()}")
        while at < end:
            length, context, control = struct.unpack_from(">IBB", self._buffer, at)
            if control & 1:
                self._command += self._buffer[at + 6 : at + 4 + length]
                if control & 2:
                    self._take_command()
            else:
                self.received += length - 2
                if control & 2:
                    self._take_data_set(context)
            at += 4 + length

    def _take_command(self) -> None:
        elements = elements_of(self._command)
        self._command = b""
        if number(elements, _COMMAND_FIELD) == _STORE_RQ:
            self._request = elements
            return
        self.completed = number(elements, _COMPLETED)
        status = number(elements, _STATUS)
        if status not in {0xFF00, 0xFF01}:
            self.status = status

    def _take_data_set(self, context: int) -> None:
        request = self._request
        if not request:
            return  # the list of failed UIDs of a final response
        self._request = {}
        self.instances += 1
        self.socket.sendall(
            message(
                context,
                {
                    _SOP_CLASS: request[_SOP_CLASS],
                    _COMMAND_FIELD: struct.pack("<H", 0x8001),
                    0x0120: request[_MESSAGE_ID],
                    0x0800: struct.pack("<H", 0x0101),
                    _STATUS: bytes(2),
                    _SOP_INSTANCE: request[_SOP_INSTANCE],
                },
            )
        )


def elements_of(command: bytes) -> dict[int, bytes]:
    """The elements of a command set by their numbers."""
    found, at = {}, 0
    while at < len(command):
        _, element, length = struct.unpack_from("<HHI", command, at)
        found[element] = bytes(command[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def number(elements: dict[int, bytes], element: int) -> int:
    return int.from_bytes(elements.get(element, b""), "little")


def message(context: int, elements: dict[int, bytes], data_set: bytes = b"") -> bytes:
    """The PDUs of a message."""
    command = b"".join(
        struct.pack("<HHI", 0, element, len(value)) + value
        for element, value in sorted(elements.items())
    )
    command = struct.pack("<HHII", 0, 0, 4, len(command)) + command
    fragments = [(3, command), *([(2, data_set)] if data_set else [])]
    return b"".join(
        struct.pack(">BxIIBB", 4, len(part) + 6, len(part) + 2, context, control) + part
        for control, part in fragments
    )


def uid_bytes(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) & 1)


def request(abstract_syntax: str, study: str, destination: str = "") -> bytes:
    """A C-GET or, with a destination, a C-MOVE request for a study."""
    elements = {
        _SOP_CLASS: uid_bytes(abstract_syntax),
        _COMMAND_FIELD: struct.pack("<H", 0x0021 if destination else 0x0010),
        _MESSAGE_ID: struct.pack("<H", 1),
        0x0700: bytes(2),
        0x0800: struct.pack("<H", 1),
    }
    if destination:
        elements[0x0600] = destination.encode() + b" " * (len(destination) & 1)
    keys = ((0x0008, 0x0052, b"STUDY "), (0x0020, 0x000D, uid_bytes(study)))
    data_set = b"".join(struct.pack("<HHI", g, e, len(value)) + value for g, e, value in keys)
    return message(1, elements, data_set)


def associated(port: int, called: str, abstract_syntax: str) -> Link:
    """Associate for C-GET, as SCP of CT images too, or for C-MOVE."""
    offered = [(1, abstract_syntax, IMPLICIT_VR_LITTLE_ENDIAN)]
    user = association_item(0x51, struct.pack(">I", LARGEST_PDU))
    user += association_item(0x52, b"1.2.826.0.1.3680043.9.9999")
    if abstract_syntax == STUDY_ROOT_GET:
        offered.append((3, CT_IMAGE, EXPLICIT_VR_LITTLE_ENDIAN))
        user += association_item(
            0x54, struct.pack(">H", len(CT_IMAGE)) + CT_IMAGE.encode() + b"\0\1"
        )
    contexts = b"".join(
        association_item(
            0x20,
            struct.pack(">B3x", context)
            + association_item(0x30, abstract.encode())
            + association_item(0x40, transfer.encode()),
        )
        for context, abstract, transfer in offered
    )
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + b"BENCH".ljust(16) + bytes(32)
    body += association_item(0x10, APPLICATION_CONTEXT.encode())
    body += contexts + association_item(0x50, user)
    connection = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
    connection.sendall(struct.pack(">BxI", 1, len(body)) + body)
    kind, answer = read_pdu(connection)
    if kind != 2:
        raise ConnectionError(f"{called} answered PDU type {kind}: {answer.hex()}")
    return Link(connection)


def released(link: Link) -> None:
    link.socket.sendall(RELEASE_RQ)
    read_pdu(link.socket)
    link.socket.close()


def get(port: int, called: str, study: str) -> Retrieved:
    """Get a study over one association."""
    link = associated(port, called, STUDY_ROOT_GET)
    link.socket.sendall(request(STUDY_ROOT_GET, study))
    while link.status < 0:
        link.receive()
    released(link)
    return Retrieved(link.instances, link.received, link.status, link.completed)


class Destination:
    """A storage SCP that listens for as long as a benchmark runs."""

    TITLE = "BENCH"

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]

    def move(self, port: int, called: str, study: str) -> Retrieved:
        """Have a study moved here, in as many associations as the peer likes."""
        link = associated(port, called, STUDY_ROOT_MOVE)
        selector = selectors.DefaultSelector()
        selector.register(link.socket, selectors.EVENT_READ, link)
        selector.register(self.listener, selectors.EVENT_READ, None)
        arriving: list[Link] = []
        link.socket.sendall(request(STUDY_ROOT_MOVE, study, self.TITLE))
        while link.status < 0:
            for key, _ in selector.select(_TIMEOUT):
                if key.data is None:
                    arriving.append(_accepted(self.listener.accept()[0]))
                    selector.register(arriving[-1].socket, selectors.EVENT_READ, arriving[-1])
                    continue
                key.data.receive()
                if key.data.is_released:
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
        released(link)
        selector.close()
        for each in arriving:
            each.socket.close()
        return Retrieved(
            sum(each.instances for each in arriving),
            sum(each.received for each in arriving),
            link.status,
            link.completed,
        )

    def close(self) -> None:
        self.listener.close()


def _accepted(connection: socket.socket) -> Link:
    """Accept an association, each context in the first of its transfer syntaxes."""
    _, body = read_pdu(connection)
    items, at = b"", 68
    while at < len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        if kind == 0x20:
            items += _accepted_context(body[at + 4 : at + 4 + length])
        at += 4 + length
    user = association_item(0x51, struct.pack(">I", LARGEST_PDU))
    user += association_item(0x52, b"1.2.826.0.1.3680043.9.9999")
    answer = body[:68] + association_item(0x10, APPLICATION_CONTEXT.encode()) + items
    answer += association_item(0x50, user)
    connection.sendall(struct.pack(">BxI", 2, len(answer)) + answer)
    return Link(connection)


def _accepted_context(context: bytes) -> bytes:
    at = 4
    while at < len(context):
        kind, length = struct.unpack_from(">BxH", context, at)
        if kind == 0x40:
            first = association_item(0x40, context[at + 4 : at + 4 + length])
            return association_item(0x21, struct.pack(">B3x", context[0]) + first)
        at += 4 + length
    raise ConnectionError("a presentation context without a transfer syntax")

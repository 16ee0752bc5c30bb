"""The raw-socket C-FIND client that drives every peer alike.

No DICOM library takes part, so that only the peer is measured. The client knows enough of PS3.8 and
PS3.7 to associate, send one query, count Pending responses and see the final status. TCP_QUICKACK
is re-armed before each read: a peer without TCP_NODELAY then does not wait 40 ms for our delayed
acknowledgement. ``quickack=False`` shows what such a peer costs an ordinary client.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
VERIFICATION = "1.2.840.10008.1.1"

# Status FF00 or FF01 as an implicit VR element of a command set: (0000,0900), length 2, value.
STATUS = b"\x00\x00\x00\x09\x02\x00\x00\x00"
_PENDING = STATUS + b"\x00\xff"
_PENDING_WARNING = STATUS + b"\x01\xff"

LONG_VRS = frozenset({b"SQ", b"UN", b"UT", b"UC", b"UR", b"OB", b"OW"})

#: The 11 return keys of a usual study list, with their VR.
USUAL_KEYS: dict[int, bytes] = {
    0x00080020: b"DA",  # Study Date
    0x00080030: b"TM",  # Study Time
    0x00080050: b"SH",  # Accession Number
    0x00080061: b"CS",  # Modalities in Study
    0x00081030: b"LO",  # Study Description
    0x00100010: b"PN",  # Patient's Name
    0x00100020: b"LO",  # Patient ID
    0x00100030: b"DA",  # Patient's Birth Date
    0x0020000D: b"UI",  # Study Instance UID
    0x00201206: b"IS",  # Number of Study Related Series
    0x00201208: b"IS",  # Number of Study Related Instances
}


def association_item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def associate_rq(
    called: str,
    calling: str = "BENCH",
    abstract_syntax: str = STUDY_ROOT_FIND,
    transfer_syntax: str = EXPLICIT_VR_LITTLE_ENDIAN,
    maximum_length: int = 131072,
) -> bytes:
    context = (
        struct.pack(">B3x", 1)
        + association_item(0x30, abstract_syntax.encode())
        + association_item(0x40, transfer_syntax.encode())
    )
    user = association_item(0x51, struct.pack(">I", maximum_length)) + association_item(
        0x52, b"1.2.826.0.1.3680043.9.9999"
    )
    body = (
        struct.pack(">HH", 1, 0)
        + called.ljust(16).encode()
        + calling.ljust(16).encode()
        + bytes(32)
    )
    body += (
        association_item(0x10, b"1.2.840.10008.3.1.1.1")
        + association_item(0x20, context)
        + association_item(0x50, user)
    )
    return struct.pack(">BxI", 1, len(body)) + body


def identifier(
    keys: dict[int, str], returns: dict[int, bytes] = USUAL_KEYS, level: str = "STUDY"
) -> bytes:
    """Encode an Explicit VR Little Endian identifier: ``returns`` by VR, the values of ``keys``."""
    elements = dict.fromkeys(returns, "") | keys
    vrs = dict(returns)
    elements[0x00080052] = level
    vrs[0x00080052] = b"CS"
    if any(not value.isascii() for value in elements.values()):
        elements[0x00080005] = "ISO_IR 192"
        vrs[0x00080005] = b"CS"
    data = b""
    for tag in sorted(elements):
        vr = vrs.get(tag, b"LO")
        value = elements[tag].encode()
        value += (b"\0" if vr == b"UI" else b" ") * (len(value) & 1)
        header = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
        data += (
            header
            + (struct.pack("<2xI", len(value)) if vr in LONG_VRS else struct.pack("<H", len(value)))
            + value
        )
    return data


def find_rq(data: bytes, message_id: int = 1, abstract_syntax: str = STUDY_ROOT_FIND) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(value)) + value

    uid = abstract_syntax.encode()
    command = (
        element(0x0002, uid + b"\0" * (len(uid) & 1))
        + element(0x0100, struct.pack("<H", 0x0020))
        + element(0x0110, struct.pack("<H", message_id))
        + element(0x0700, struct.pack("<H", 0))
        + element(0x0800, struct.pack("<H", 1))
    )
    command = element(0x0000, struct.pack("<I", len(command))) + command
    pdus = b""
    for control, fragment in ((3, command), (2, data)):
        pdus += (
            struct.pack(">BxIIBB", 4, len(fragment) + 6, len(fragment) + 2, 1, control) + fragment
        )
    return pdus


RELEASE_RQ = struct.pack(">BxI4x", 5, 4)


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """The type and body of the next PDU."""
    kind, length = struct.unpack(">BxI", _read(connection, 6))
    return kind, _read(connection, length)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        received = connection.recv(size - len(data))
        if not received:
            raise ConnectionError("the peer closed the connection")
        data += received
    return data


def read_pdvs(buffer: bytearray, at: int, end: int, answer: Answer, *, keep: bool = False) -> bool:
    """Count the responses of one P-DATA-TF; True after the final one."""
    while at < end:
        size = int.from_bytes(buffer[at : at + 4], "big")
        control = buffer[at + 5]
        if control & 1:
            position = buffer.rfind(STATUS, at, at + 4 + size)
            status = int.from_bytes(buffer[position + 8 : position + 10], "little")
            if status not in (0xFF00, 0xFF01):
                answer.status = status
                return True
            answer.matches += 1
        elif keep:
            answer.data_sets.append(bytes(buffer[at + 6 : at + 4 + size]))
        at += 4 + size
    return False


@dataclass(slots=True)
class Answer:
    """The outcome of one query: counts, final status, seconds to the first match and to the end."""

    matches: int = 0
    status: int = -1
    first: float = 0.0
    total: float = 0.0
    received: int = 0
    data_sets: list[bytes] = field(default_factory=list)


class Client:
    """One association held open."""

    def __init__(
        self,
        port: int,
        called: str,
        *,
        quickack: bool = True,
        receive_buffer: int = 0,
        transfer_syntax: str = EXPLICIT_VR_LITTLE_ENDIAN,
        abstract_syntax: str = STUDY_ROOT_FIND,
    ) -> None:
        self.quickack = quickack
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(600)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            associate_rq(called, abstract_syntax=abstract_syntax, transfer_syntax=transfer_syntax)
        )
        kind, body = self._read_pdu()
        if kind != 2:
            raise ConnectionError(f"{called} answered PDU type {kind}: {body.hex()}")
        accepted = body.index(struct.pack(">BxH", 0x21, 0)[:1], 68)
        if body[accepted + 6] != 0:
            raise ConnectionError(
                f"{called} did not accept the presentation context: result {body[accepted + 6]}"
            )

    def _receive(self, size: int) -> bytes:
        if self.quickack:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self.socket.recv(size)
        if not data:
            raise ConnectionError("the peer closed the connection")
        return data

    def _read_pdu(self) -> tuple[int, bytes]:
        data = b""
        while len(data) < 6:
            data += self._receive(6 - len(data))
        kind, length = struct.unpack(">BxI", data)
        body = b""
        while len(body) < length:
            body += self._receive(length - len(body))
        return kind, body

    def find(self, query: bytes, *, keep: bool = False) -> Answer:
        """Send a ready C-FIND-RQ and count responses up to the one whose status is not Pending."""
        answer = Answer()
        started = time.perf_counter()
        self.socket.sendall(query)
        buffer = bytearray()
        offset = 0
        while True:
            buffer += self._receive(1 << 20)
            if not answer.first and (_PENDING in buffer or _PENDING_WARNING in buffer):
                answer.first = time.perf_counter() - started
            while len(buffer) - offset >= 12:
                length = int.from_bytes(buffer[offset + 2 : offset + 6], "big") + 6
                if len(buffer) - offset < length:
                    break
                if buffer[offset] != 4:
                    raise ConnectionError(f"PDU type {buffer[offset]} instead of P-DATA-TF")
                if read_pdvs(buffer, offset + 6, offset + length, answer, keep=keep):
                    answer.total = time.perf_counter() - started
                    return answer
                offset += length
            answer.received += offset
            del buffer[:offset]
            offset = 0

    def drain(self, query: bytes) -> Answer:
        """Count the status elements that arrive, and no more: the least that a client can do."""
        answer = Answer()
        started = time.perf_counter()
        self.socket.sendall(query)
        tail = b""
        while True:
            data = tail + self._receive(1 << 20)
            answer.received += len(data) - len(tail)
            last = data.rfind(STATUS)
            # The tail may hold the beginning of a status element, never one counted already.
            cut = (
                last
                if 0 <= last > len(data) - 10
                else max(len(data) - len(STATUS) + 1, last + 10, 0)
            )
            seen = data[:cut]
            tail = data[cut:]
            pending = seen.count(_PENDING) + seen.count(_PENDING_WARNING)
            answer.matches += pending
            if pending and not answer.first:
                answer.first = time.perf_counter() - started
            if seen.count(STATUS) > pending:
                position = seen.rfind(STATUS) + 8
                answer.status = int.from_bytes(seen[position : position + 2], "little")
                answer.total = time.perf_counter() - started
                return answer

    def swallow(self, query: bytes, expected: Answer) -> float:
        """Send a query whose answer is known, and only take it off the socket; seconds to its end.

        The cheapest client there can be: it looks at the last bytes only, the final response.
        """
        buffer = bytearray(1 << 20)
        left = expected.received
        started = time.perf_counter()
        self.socket.sendall(query)
        while left > 0:
            if self.quickack:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            received = self.socket.recv_into(buffer)
            if not received:
                raise ConnectionError("the peer closed the connection")
            left -= received
        seconds = time.perf_counter() - started
        if (
            left
            or STATUS + expected.status.to_bytes(2, "little")
            not in buffer[max(0, received - 100) : received]
        ):
            raise AssertionError(f"another answer than the {expected.received} bytes expected")
        return seconds

    def release(self) -> None:
        self.socket.sendall(RELEASE_RQ)
        try:
            self._read_pdu()
        finally:
            self.socket.close()

    def close(self) -> None:
        self.socket.close()

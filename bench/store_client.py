"""The raw-socket C-STORE client: one thread drives several associations, an instance each."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from client import EXPLICIT_VR_LITTLE_ENDIAN, RELEASE_RQ, STATUS, association_item, read_pdu
from population import STUDIES, instances

from dicomquest.dataset.elements import Element
from dicomquest.dataset.encoder import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PIXELS = 64
"""Rows and columns of the image of a small instance: 8 KiB of pixel data."""

FRAGMENT = 16378
"""Bytes of a fragment: every peer takes P-DATA-TF PDUs of 16 KiB."""

SOP_CLASSES = sorted({sop_class for _, _, sop_class, _ in STUDIES})


class Instance(NamedTuple):
    """An instance and the messages that store it, ready but for the Message ID."""

    study: str
    uid: str
    message: bytes


def small_instances(count: int, *, seed: int = 1) -> list[Instance]:
    """So many small instances, study by study."""
    pixels = {
        0x00280002: Element("US", (1,)),
        0x00280010: Element("US", (PIXELS,)),
        0x00280011: Element("US", (PIXELS,)),
        0x00280100: Element("US", (16,)),
        0x00280101: Element("US", (12,)),
        0x00280102: Element("US", (11,)),
        0x00280103: Element("US", (0,)),
        0x7FE00010: Element("OW", (bytes(range(256)) * (PIXELS * PIXELS * 2 // 256),)),
    }
    made: list[Instance] = []
    for header in instances(count, seed=seed, most_series=3, most_instances=60):
        uid, sop_class = header[0x00080018].values[0], header[0x00080016].values[0]
        # A patient is of one age throughout a study.
        image = {
            0x00101010: Element("AS", ("050Y",)),
            0x00280004: Element("CS", ("MONOCHROME2",)),
            **pixels,
        }
        data_set = dict(sorted({**header, **image}.items()))
        message = store_rq(
            sop_class, uid, encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
        )
        made.append(Instance(data_set[0x0020000D].values[0], uid, message))
        if len(made) == count:
            break
    return made


def store_rq(sop_class: str, uid: str, data_set: bytes) -> bytes:
    """The PDUs of a C-STORE request."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(value)) + value

    def padded(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) & 1)

    command = (
        element(0x0002, padded(sop_class))
        + element(0x0100, struct.pack("<H", 0x0001))
        + element(0x0110, struct.pack("<H", 1))
        + element(0x0700, struct.pack("<H", 0))
        + element(0x0800, struct.pack("<H", 1))
        + element(0x1000, padded(uid))
    )
    command = element(0x0000, struct.pack("<I", len(command))) + command
    context = 2 * SOP_CLASSES.index(sop_class) + 1
    pdus = [(3, command)]
    pdus += [
        (2 if at + FRAGMENT >= len(data_set) else 0, data_set[at : at + FRAGMENT])
        for at in range(0, len(data_set), FRAGMENT)
    ]
    return b"".join(
        struct.pack(">BxIIBB", 4, len(fragment) + 6, len(fragment) + 2, context, control) + fragment
        for control, fragment in pdus
    )


class Storer:
    """One association, with the instances that it has still to send."""

    def __init__(self, port: int, called: str, share: Iterable[Instance]) -> None:
        self.share = deque(share)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(_associate_rq(called))
        kind, body = read_pdu(self.socket)
        if kind != 2:
            raise ConnectionError(f"{called} answered PDU type {kind}: {body.hex()}")
        self._received = b""
        self.refused = 0  # dcmqrscp refuses some of what several associations send at once

    def send(self) -> bool:
        """Send the next instance; False if there is none."""
        if not self.share:
            return False
        self.socket.sendall(self.share.popleft().message)
        return True

    def receive(self) -> bool:
        """Take what has arrived: True when it is the response."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the peer closed the connection")
        self._received += data
        if (
            len(self._received) < 6
            or len(self._received) < int.from_bytes(self._received[2:6], "big") + 6
        ):
            return False
        at = self._received.index(STATUS) + len(STATUS)
        status = int.from_bytes(self._received[at : at + 2], "little")
        self._received = b""
        self.refused += status != 0
        return True

    def release(self) -> None:
        self.socket.sendall(RELEASE_RQ)
        read_pdu(self.socket)
        self.socket.close()


def _associate_rq(called: str) -> bytes:
    contexts = b"".join(
        association_item(
            0x20,
            struct.pack(">B3x", 2 * number + 1)
            + association_item(0x30, sop_class.encode())
            + association_item(0x40, EXPLICIT_VR_LITTLE_ENDIAN.encode()),
        )
        for number, sop_class in enumerate(SOP_CLASSES)
    )
    user = association_item(0x51, struct.pack(">I", 16384)) + association_item(
        0x52, b"1.2.826.0.1.3680043.9.9999"
    )
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + b"BENCH".ljust(16) + bytes(32)
    body += (
        association_item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + association_item(0x50, user)
    )
    return struct.pack(">BxI", 1, len(body)) + body


def store_all(port: int, called: str, made: Sequence[Instance], associations: int) -> float:
    """Store instances over so many associations, each with its own studies; return the rate."""
    return store_over([port], called, made, associations)


def store_over(
    ports: Sequence[int], called: str, made: Sequence[Instance], associations: int
) -> float:
    """Do so with several processes, which get the associations in turn."""
    shares: list[list[Instance]] = [[] for _ in range(associations)]
    studies: dict[str, int] = {}
    for instance in made:
        shares[studies.setdefault(instance.study, len(studies) % associations)].append(instance)
    storers = [
        Storer(ports[number % len(ports)], called, share) for number, share in enumerate(shares)
    ]
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    running = 0
    for storer in storers:
        if storer.send():
            selector.register(storer.socket, selectors.EVENT_READ, storer)
            running += 1
    while running:
        for key, _ in selector.select(120):
            storer = key.data
            if storer.receive() and not storer.send():
                selector.unregister(storer.socket)
                running -= 1
    seconds = time.perf_counter() - started
    for storer in storers:
        storer.release()
    return (len(made) - sum(storer.refused for storer in storers)) / seconds

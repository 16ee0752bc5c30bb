"""P7: the server's memory while a large result streams to a client that reads slowly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, number
from servers import ours, resident_bytes

if TYPE_CHECKING:
    from sizes import Size

MIB = 1 << 20


def run(size: Size) -> Claim:
    claim = Claim(
        "P7",
        f"memory above idle while {size.memory:,} matches stream to a slow client, in MiB",
        "at most 30, flat",
    )
    with ours(size.memory) as served:
        warm = Client(served.port, served.aet)
        warm.find(find_rq(identifier({0x00100020: "none"})))
        idle = resident_bytes(served.pid)
        client = Client(served.port, served.aet, receive_buffer=65536)
        client.socket.sendall(find_rq(identifier({})))
        samples = []
        received = 0
        while chunk := client.socket.recv(1 << 16):
            received += len(chunk)
            if received // (4 * MIB) > len(samples):
                # The client pauses: what the server would buffer for it shows now.
                time.sleep(0.02)
                samples.append((resident_bytes(served.pid) - idle) / MIB)
            if b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in chunk[-200:]:
                break
        samples = samples or [(resident_bytes(served.pid) - idle) / MIB]
    half = len(samples) // 2
    claim.is_met = max(samples) <= 30 and max(samples[half:]) <= max(samples[: half + 1]) + 2
    claim.figures = [
        Figure("largest", number(max(samples))),
        Figure("first half, largest", number(max(samples[: half + 1]))),
        Figure("second half, largest", number(max(samples[half:]))),
        Figure("read by the client, MiB", number(received / MIB)),
    ]
    return claim

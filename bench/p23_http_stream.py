"""P23: the memory of a search by HTTP for everything, and DIMSE's small queries beside it."""

from __future__ import annotations

import multiprocessing
import socket
import time
from typing import TYPE_CHECKING

from measure import Claim, Figure, median, number, percentile
from p03_lookup import latencies
from servers import ours, resident_bytes

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from servers import Served
    from sizes import Size

MIB = 1 << 20
REQUEST = (
    b"GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n"
    b"Accept: application/dicom+json\r\nConnection: close\r\n\r\n"
)
MOST_ABOVE_IDLE, MOST_GROWTH, FACTOR = 30, 2, 10


def searched(port: int) -> socket.socket:
    """A connection on which a search for everything begins."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.connect(("127.0.0.1", port))
    connection.sendall(REQUEST)
    return connection


def stream(port: int, is_streaming: Event) -> None:
    """Search for everything, again and again, in a process of its own."""
    while True:
        connection = searched(port)
        while connection.recv(MIB):
            is_streaming.set()
        connection.close()


def memory(served: Served) -> tuple[list[float], float]:
    """MiB above idle while a client reads slowly, after each 4 MiB; and the MiB that it read."""
    latencies(served, 20)
    idle = resident_bytes(served.pid)
    connection = searched(served.http_port)
    samples: list[float] = []
    received = 0
    while piece := connection.recv(1 << 16):
        received += len(piece)
        if received // (4 * MIB) > len(samples):
            # The client pauses: what the server would buffer for it shows now.
            time.sleep(0.02)
            samples.append((resident_bytes(served.pid) - idle) / MIB)
    connection.close()
    return samples or [(resident_bytes(served.pid) - idle) / MIB], received / MIB


def run(size: Size) -> Claim:
    claim = Claim(
        "P23",
        f"a search by HTTP for all of {size.memory:,} studies: the server's memory in MiB above "
        "idle with a slow client, and DIMSE's query for one patient beside it in ms",
        f"memory at most {MOST_ABOVE_IDLE} and flat, p99 at most {FACTOR}x the p99 alone",
    )
    with ours(size.memory, web=True) as served:
        samples, read = memory(served)
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(size.runs):
            alone += latencies(served, size.queries)
            context = multiprocessing.get_context("spawn")
            is_streaming = context.Event()
            other = context.Process(
                target=stream, args=(served.http_port, is_streaming), daemon=True
            )
            other.start()
            if not is_streaming.wait(60):
                raise AssertionError("the other client does not stream")
            beside += latencies(served, size.queries)
            other.kill()
            other.join()
    half = len(samples) // 2
    first, second = max(samples[: half + 1]), max(samples[half:])
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    is_flat = max(samples) <= MOST_ABOVE_IDLE and second <= first + MOST_GROWTH
    claim.is_met = is_flat and ratio <= FACTOR
    claim.figures = [
        Figure("memory, first half, largest", number(first)),
        Figure("memory, second half, largest", number(second)),
        Figure("read by the client, MiB", number(read)),
        Figure("alone, p50 / p99", f"{number(median(alone))} / {number(percentile(alone, 0.99))}"),
        Figure(
            "beside, p50 / p99",
            f"{number(median(beside))} / {number(percentile(beside, 0.99))}",
            f"{number(ratio)}x",
        ),
    ]
    return claim

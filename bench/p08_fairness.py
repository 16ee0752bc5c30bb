"""P8: small queries while another association streams everything from the same worker."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, median, number, percentile
from p03_lookup import latencies
from servers import ours

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from sizes import Size


def stream(port: int, aet: str, is_streaming: Event) -> None:
    """Ask for everything, again and again, in a process that does not slow the measuring client."""
    client = Client(port, aet)
    client.find(find_rq(identifier({0x00100020: "P0100000001"})))
    is_streaming.set()
    while True:
        client.drain(find_rq(identifier({})))


def run(size: Size) -> Claim:
    claim = Claim(
        "P8",
        "p99 of the one-patient query while another association streams, in ms",
        "at most 10x the p99 alone",
    )
    with ours(size.memory) as served:
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(size.runs):
            alone += latencies(served, size.queries)
            context = multiprocessing.get_context("spawn")
            is_streaming = context.Event()
            other = context.Process(
                target=stream, args=(served.port, served.aet, is_streaming), daemon=True
            )
            other.start()
            if not is_streaming.wait(60):
                raise AssertionError("the other client does not stream")
            beside += latencies(served, size.queries)
            other.kill()
            other.join()
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    claim.is_met = ratio <= 10
    claim.figures = [
        Figure("alone, p50 / p99", f"{number(median(alone))} / {number(percentile(alone, 0.99))}"),
        Figure(
            "beside, p50 / p99",
            f"{number(median(beside))} / {number(percentile(beside, 0.99))}",
            f"{number(ratio)}x",
        ),
    ]
    return claim

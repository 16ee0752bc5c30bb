"""P2: the same with two workers and two clients: how much of a second core is won."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import ours

if TYPE_CHECKING:
    from sizes import Size


def drain(port: int, start: float) -> tuple[int, float]:
    """Wait for the common start, drain one big query; matches, and the moment of the end."""
    client = Client(port, "DICOMQUEST")
    time.sleep(max(0.0, start - time.time()))
    answer = client.drain(find_rq(identifier({})))
    client.release()
    return answer.matches, time.time()


def run(size: Size) -> Claim:
    claim = Claim("P2", "two workers and two clients, in matches a second", "at least 1.7x one worker with one client")
    with ours(size.stream) as one, ours(size.stream, workers=2) as two, ProcessPoolExecutor(2) as pool:

        def rate(port: int, clients: int) -> float:
            start = time.time() + 0.3
            ended = [future.result() for future in [pool.submit(drain, port, start) for _ in range(clients)]]
            return sum(matches for matches, _ in ended) / (max(end for _, end in ended) - start)

        figures = alternate({"one": lambda: rate(one.port, 1), "two": lambda: rate(two.port, 2)}, size.runs)
    ratio = median(figures["two"]) / median(figures["one"])
    claim.is_met = ratio >= 1.7
    claim.remark = (
        "Four processes share the machine's cores here, two servers and two clients; "
        "the kernel places both connections on one worker in half of the runs."
    )
    claim.figures = [
        Figure("one worker, one client", spread(figures["one"])),
        Figure("two workers, two clients", spread(figures["two"]), f"{number(ratio)}x"),
    ]
    return claim

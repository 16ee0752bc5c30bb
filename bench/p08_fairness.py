"""P8: small queries while another association streams everything from the same worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, median, number, percentile
from p03_lookup import latencies
from servers import ours

if TYPE_CHECKING:
    from servers import Served
    from sizes import Size


class Stream(threading.Thread):
    """Asks for everything, again and again, until it is stopped."""

    def __init__(self, served: Served) -> None:
        super().__init__(daemon=True)
        self._client = Client(served.port, served.aet)
        self.is_stopped = False
        self.matches = 0

    def run(self) -> None:
        try:
            while not self.is_stopped:
                self.matches += self._client.drain(find_rq(identifier({}))).matches
        except OSError:
            return

    def stop(self) -> None:
        self.is_stopped = True
        self._client.close()


def run(size: Size) -> Claim:
    claim = Claim(
        "P8", "p99 of the one-patient query while another association streams, in ms", "at most 10x the p99 alone"
    )
    with ours(size.memory) as served:
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(size.runs):
            alone += latencies(served, size.queries)
            stream = Stream(served)
            stream.start()
            beside += latencies(served, size.queries)
            stream.stop()
            stream.join()
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    claim.is_met = ratio <= 10
    claim.figures = [
        Figure("alone, p50 / p99", f"{number(median(alone))} / {number(percentile(alone, 0.99))}"),
        Figure(
            "beside, p50 / p99", f"{number(median(beside))} / {number(percentile(beside, 0.99))}", f"{number(ratio)}x"
        ),
    ]
    return claim

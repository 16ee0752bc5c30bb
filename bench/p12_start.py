"""P12: how soon the commands are there: wall-clock milliseconds of whole processes."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, spread
from servers import ours

if TYPE_CHECKING:
    from sizes import Size


def run(size: Size) -> Claim:
    claim = Claim("P12", "start of the commands, in ms", "at most 250 ms")
    with ours(size.growth[0]) as served:

        def milliseconds(*arguments: str) -> float:
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "dicomquest", *arguments], check=True, capture_output=True
            )
            return (time.perf_counter() - started) * 1000

        figures = alternate(
            {
                "python -c pass": bare,
                "dicomquest find --help": lambda: milliseconds("find", "--help"),
                "dicomquest echo": lambda: milliseconds("echo", "127.0.0.1", str(served.port)),
            },
            2 * size.runs if size.runs > 1 else 1,
        )
    claim.is_met = all(median(mine) <= 250 for mine in figures.values())
    claim.figures = [Figure(name, spread(mine)) for name, mine in figures.items()]
    return claim


def bare() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - started) * 1000

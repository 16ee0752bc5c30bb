"""P2: the same with two workers and two clients: how much of a second core is won."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import ours

if TYPE_CHECKING:
    from servers import Served
    from sizes import Size


def worker_of(client: Client, workers: list[int]) -> int | None:
    """The process that has the other end of a client's connection."""
    end = f"0100007F:{client.socket.getsockname()[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[2] == end}
    for pid in workers:
        with suppress(OSError):
            if any(str(fd.readlink()) in sockets for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    return None


def connect(port: int, workers: list[int], wanted: int) -> Client:
    """Connect to the worker ``wanted``: the kernel chooses a worker by the client's port."""
    for _ in range(200):
        client = Client(port, "DICOMQUEST")
        if worker_of(client, workers) == wanted:
            return client
        client.release()
    raise ConnectionError(f"no connection to worker {wanted} in 200 tries")


class Drained(NamedTuple):
    """One big answer: its matches, the moment of its end, the processor time of the client."""

    matches: int
    end: float
    client: float


def drain(port: int, workers: list[int], wanted: int, start: float) -> Drained:
    """Ask once to learn the answer; then wait for the common start, and drain the same again."""
    client = connect(port, workers, wanted)
    query = find_rq(identifier({}))
    expected = client.drain(query)
    time.sleep(max(0.0, start - time.time()))
    used = time.process_time()
    client.swallow(query, expected)
    drained = Drained(expected.matches, time.time(), time.process_time() - used)
    client.release()
    return drained


def count(seconds: float) -> int:
    """Plain computation for some time, which shares nothing with any other process."""
    rounds = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        rounds += sum(range(1000)) > 0
    return rounds


def processes_of(served: Served) -> list[int]:
    """The workers of a server, or the server itself if it has none."""
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(served.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listing.stdout.split()] or [served.pid]


def run(size: Size) -> Claim:
    claim = Claim(
        "P2",
        "two workers and two clients, in matches a second",
        "at least 1.7x one worker with one client",
    )
    shares: list[float] = []
    with (
        ours(size.stream) as one,
        ours(size.stream, workers=2) as two,
        ProcessPoolExecutor(2) as pool,
    ):

        def rate(served: Served) -> float:
            workers = processes_of(served)
            # Time enough for the first answers, which are not measured.
            start = time.time() + 1 + size.stream / 50_000
            drains = [pool.submit(drain, served.port, workers, worker, start) for worker in workers]
            ended = [future.result() for future in drains]
            seconds = max(each.end for each in ended) - start
            shares.append(sum(each.client for each in ended) / seconds)
            return sum(each.matches for each in ended) / seconds

        def counted(processes: int) -> float:
            return float(
                sum(
                    future.result()
                    for future in [pool.submit(count, 0.5) for _ in range(processes)]
                )
            )

        figures = alternate(
            {
                "one": lambda: rate(one),
                "two": lambda: rate(two),
                "counting one": lambda: counted(1),
                "counting two": lambda: counted(2),
            },
            size.runs,
        )
    ratio = median(figures["two"]) / median(figures["one"])
    possible = median(figures["counting two"]) / median(figures["counting one"])
    claim.is_met = ratio >= 1.7
    claim.remark = (
        "Four processes share the machine's cores here, two servers and two clients, "
        "each client on a worker of its own; a client looks at nothing of what it reads. "
        "The last line is what a second process of plain computation "
        "wins on the same cores, without any client."
    )
    claim.figures = [
        Figure("one worker, one client", spread(figures["one"])),
        Figure("two workers, two clients", spread(figures["two"]), f"{number(ratio)}x"),
        Figure("clients, at most, in cores", number(max(shares))),
        Figure("two processes that only count, beside one", "", f"{number(possible)}x"),
    ]
    return claim

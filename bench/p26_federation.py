"""P26: a query through a node with upstreams, beside the same asked of an upstream directly."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from client import Client, find_rq, identifier
from measure import Claim, Figure, alternate, median, number, spread
from servers import ours, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servers import Served
    from sizes import Size

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """The processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def rate(client: Client, served: Served, studies: int) -> Callable[[], float]:
    """A measure: matches a second of the processor time of one server."""
    query = find_rq(identifier({}))

    def measure() -> float:
        started = processor_seconds(served.pid)
        answer = client.drain(query)
        if (answer.matches, answer.status) != (studies, 0):
            raise AssertionError(f"{answer.matches} matches, status {answer.status:04X}")
        return studies / max(processor_seconds(served.pid) - started, 1 / TICKS)

    return measure


def options(upstreams: Sequence[Served]) -> list[str]:
    """The options of a node before these."""
    return [
        "--upstreams-only",
        *(f"--upstream=up{n}={each.aet}@127.0.0.1:{each.port}" for n, each in enumerate(upstreams)),
    ]


def run(size: Size) -> Claim:
    claim = Claim(
        "P26",
        "all studies through a node with upstreams, in matches a second of its processor time",
        "at least 0.5x the upstream itself; memory flat",
    )
    with ExitStack() as stack:
        start = stack.enter_context
        upstream = start(ours(size.stream))
        other = start(ours(min(size.stream, 300)))
        empty = str(scratch() / "empty.sqlite")
        before = {"directly": upstream}
        for name, behind in (("one", [upstream]), ("two", [upstream, other])):
            before[name] = start(ours(0, index=f"{empty}-{name}", options=options(behind)))
        studies = {"directly": size.stream, "one": size.stream, "two": size.stream}
        clients = {name: Client(each.port, each.aet) for name, each in before.items()}
        figures = alternate(
            {name: rate(clients[name], each, studies[name]) for name, each in before.items()},
            size.runs,
        )
        first = peak_megabytes(before["two"].pid)
        rate(clients["two"], before["two"], studies["two"])()
        grown = peak_megabytes(before["two"].pid) - first
        for client in clients.values():
            client.release()
    directly = median(figures["directly"])
    ratios = {name: median(figures[name]) / directly for name in ("one", "two")}
    claim.is_met = min(ratios.values()) >= 0.5
    claim.remark = (
        "The processor time is that of the server that the client asks. "
        "The second upstream has 300 of the same studies, so that all answers are compared, and "
        "the holders are asked for the series and instances of these."
    )
    claim.figures = [
        Figure("the upstream itself", spread(figures["directly"])),
        Figure("a node before it", spread(figures["one"]), f"{number(ratios['one'])}x"),
        Figure("a node before it and another", spread(figures["two"]), f"{number(ratios['two'])}x"),
        Figure("memory of the latter at most, in MB", number(first)),
        Figure("growth in one more query, in MB", number(max(grown, 0.0))),
    ]
    return claim

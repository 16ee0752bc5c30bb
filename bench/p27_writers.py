"""P27: instances stored by several processes in one PostgreSQL, by one in SQLite beside them."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from measure import Claim, Figure, alternate, median, number, spread
from p13_store import durable_cluster, ours
from servers import scratch
from store_client import small_instances, store_over

from fixtures.postgresql_cluster import children  # isort: skip - servers makes this importable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sizes import Size
    from store_client import Instance

ASSOCIATIONS = 8
WRITERS = (1, 2, 4)

_TICKS = os.sysconf("SC_CLK_TCK")


class Stores(NamedTuple):
    """Processes that store in one index: their ports, their ids, and those of the database."""

    ports: list[int]
    pids: list[int]
    database: list[int]


@contextlib.contextmanager
def on_sqlite() -> Iterator[Stores]:
    with ours(scratch()) as (port, _, pid):
        yield Stores([port], [pid], [])


@contextlib.contextmanager
def on_postgresql(writers: int) -> Iterator[Stores]:
    """So many nodes, which share the folder of instances, too."""
    with durable_cluster() as cluster, contextlib.ExitStack() as nodes:
        index, folder = cluster.create_database("stored"), scratch()
        ports, pids = [], []
        for _ in range(writers):
            port, _, pid = nodes.enter_context(ours(scratch(), index=index, store=folder))
            ports.append(port)
            pids.append(pid)
        yield Stores(ports, pids, [cluster.pid])


def run(size: Size) -> Claim:
    claim = Claim(
        "P27",
        f"{size.stored:,} instances of 9 KB over eight associations to several writers, a second",
        "with two nodes on one PostgreSQL at least 0.8x SQLite's rate",
    )
    made = small_instances(size.stored)
    settings = {"SQLite, 1 process": on_sqlite} | {
        f"PostgreSQL, {writers} process{'es' * (writers > 1)}": partial(on_postgresql, writers)
        for writers in WRITERS
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
    figures = alternate(
        {name: partial(_rate, stores, made, spent[name]) for name, stores in settings.items()},
        size.runs,
    )
    base = median(figures["SQLite, 1 process"])
    claim.is_met = median(figures["PostgreSQL, 2 processes"]) >= 0.8 * base
    for name, rates in figures.items():
        mine, its = (median(list(each)) for each in zip(*spent[name], strict=True))
        claim.figures += [
            Figure(name, spread(rates), f"{number(median(rates) / base)}x"),
            Figure(f"{name}: ms of processor time, ours + PostgreSQL's", f"{mine:.2f} + {its:.2f}"),
        ]
    return claim


def _rate(
    stores: Callable[[], contextlib.AbstractContextManager[Stores]],
    made: Sequence[Instance],
    spent: list[tuple[float, float]],
) -> float:
    """Store into an empty archive; ``spent`` gets the processor time of both sides, ms each."""
    with stores() as running:
        before = _seconds(running.pids), _seconds(running.database)
        rate = store_over(running.ports, "DICOMQUEST", made, ASSOCIATIONS)
        after = _seconds(running.pids), _seconds(running.database)
    spent.append(
        (
            1000 * (after[0] - before[0]) / len(made),
            1000 * (after[1] - before[1]) / len(made),
        )
    )
    return rate


def _seconds(pids: Sequence[int]) -> float:
    """The processor time that processes and their children have taken."""
    return sum(map(_own_seconds, {*pids, *(child for pid in pids for child in children(pid))}))


def _own_seconds(pid: int) -> float:
    """That of a process, and of children that it has waited for."""
    with contextlib.suppress(FileNotFoundError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0

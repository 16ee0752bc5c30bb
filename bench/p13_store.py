"""P13: small instances received by C-STORE, over one and eight associations, a second."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, spread
from servers import resident_bytes, scratch
from store_client import small_instances, store_all

from peers.dcmtk import dcmqrscp  # isort: skip - servers makes this importable
from peers.orthanc import orthanc  # isort: skip
from peers.processes import free_port, server  # isort: skip
from fixtures.postgresql_cluster import Cluster  # isort: skip


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sizes import Size
    from store_client import Instance

ASSOCIATIONS = (1, 8)


@contextlib.contextmanager
def ours(
    folder: Path,
    *,
    workers: int = 1,
    port: int = 0,
    index: str = "",
    store: Path | None = None,
) -> Iterator[tuple[int, str, int]]:
    port = port or free_port()
    command = [
        sys.executable,
        "-m",
        "dicomquest",
        "serve",
        "--index",
        index or str(folder / "index.sqlite"),
    ]
    command += ["--store", str(store or folder / "store"), "--port", str(port)]
    command += ["--workers", str(workers)]
    with server(command, port, folder / "log") as process:
        yield port, "DICOMQUEST", process.pid


@contextlib.contextmanager
def durable_cluster() -> Iterator[Cluster]:
    """A server that has each commit on disk before it answers, as one outside of tests does."""
    cluster = Cluster(
        dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit", "autovacuum"), "on")
    )
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@contextlib.contextmanager
def on_postgresql(folder: Path) -> Iterator[tuple[int, str, int]]:
    with (
        durable_cluster() as cluster,
        ours(folder, index=cluster.create_database("stored")) as running,
    ):
        yield running


@contextlib.contextmanager
def dcmtk(folder: Path) -> Iterator[tuple[int, str, int]]:
    with dcmqrscp(folder, []) as peer:
        yield peer.port, peer.aet, 0


@contextlib.contextmanager
def orthanc_peer(folder: Path) -> Iterator[tuple[int, str, int]]:
    """Orthanc with a thread for each association: with its own four, eight store 14 a second."""
    with orthanc(folder, [], DicomThreadsCount=16) as peer:
        yield peer.port, peer.aet, 0


@contextlib.contextmanager
def pynetdicom(folder: Path) -> Iterator[tuple[int, str, int]]:
    """pynetdicom's qrscp, which keeps an index too."""
    port = free_port()
    command = [sys.executable, "-m", "pynetdicom", "qrscp", "-ll", "critical", "--port", str(port)]
    command += [
        "--database-location",
        str(folder / "qrscp.sqlite"),
        "--instance-location",
        str(folder / "instances"),
    ]
    with server(command, port, folder / "log") as process:
        yield port, "QRSCP", process.pid


PEERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[tuple[int, str, int]]]] = {
    "dicomquest": ours,
    "dicomquest, 2 workers": lambda folder: ours(folder, workers=2),
    "dicomquest, PostgreSQL": on_postgresql,
    "Orthanc": orthanc_peer,
    "dcmqrscp": dcmtk,
    "pynetdicom qrscp": pynetdicom,
}


FEWER = {"dcmqrscp": 4, "pynetdicom qrscp": 40}
"""The slow ones get one instance in so many."""


def rate(name: str, made: list[Instance], associations: int, resident: list[int]) -> float:
    """Store into an empty peer; its memory afterwards goes to ``resident``, where it is known."""
    with PEERS[name](scratch()) as (port, called, pid):
        stored = store_all(port, called, made, associations)
        if pid:
            resident.append(resident_bytes(pid))
        return stored


def run(size: Size) -> Claim:
    claim = Claim(
        "P13",
        f"{size.stored:,} instances of 9 KB received by C-STORE, a second",
        "at least 5x Orthanc's rate, in less than 150 MB of memory",
    )
    made = small_instances(size.stored)
    claim.is_met = True
    for associations in ASSOCIATIONS:
        resident: dict[str, list[int]] = {name: [] for name in PEERS}
        figures = alternate(
            {
                name: partial(
                    rate,
                    name,
                    made[: max(10, len(made) // FEWER.get(name, 1))],
                    associations,
                    resident[name],
                )
                for name in PEERS
            },
            min(size.runs, 2),
        )
        base = median(figures["dicomquest"])
        most = max(resident["dicomquest"])
        claim.is_met &= base >= 5 * median(figures["Orthanc"]) and most < 150_000_000
        for name in PEERS:
            ratio = "" if name == "dicomquest" else f"{number(base / median(figures[name]))}x"
            claim.figures.append(
                Figure(f"{name}, {associations} associations", spread(figures[name]), ratio)
            )
        claim.figures.append(
            Figure(f"memory of dicomquest, {associations} associations", f"{most / 1e6:.0f} MB")
        )
    return claim

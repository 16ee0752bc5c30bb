"""The SCPs under test as processes, each with the same kind of population and its own port."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from population import instances, with_acquisition, write_files

from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.file_batch import Summary, write
from dicomquest.index.ingest.files import BATCH
from dicomquest.index.ingest.instance import receive
from dicomquest.index.ingest.reader_process import COLLECTED_AFTER
from fixtures.postgresql_cluster import Cluster
from fixtures.programs import find_program
from peers.dcmtk import dcmqrscp
from peers.orthanc import dicomweb, orthanc
from peers.processes import free_port, server, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from dicomquest.dataset.elements import DataSet

P = ParamSpec("P")

CACHE = Path(
    os.environ.get("DICOMQUEST_BENCH_CACHE", Path(tempfile.gettempdir()) / "dicomquest-bench")
)
"""The folder that keeps built indexes between runs: 10^6 studies take minutes to build."""

SCRATCH = CACHE / f"scratch-{os.getpid()}"
"""The folder of the servers of this run, until it ends."""

WORTH_KEEPING = 100_000
"""Studies from which on PostgreSQL's data are kept too."""

PYNETDICOM_SCP = Path(__file__).parent / "pynetdicom_scp.py"


@dataclass(frozen=True, slots=True)
class Served:
    """A running SCP, the number of its studies, and its process (the parent of its workers)."""

    name: str
    port: int
    aet: str
    studies: int
    pid: int = 0
    http_port: int = 0


class Shared:
    """The servers of a run that all claims share, so that each starts once."""

    def __init__(self) -> None:
        self._running: dict[tuple[object, ...], Served] = {}
        self._stack: contextlib.ExitStack | None = None

    @contextlib.contextmanager
    def all(self) -> Iterator[None]:
        """Share servers until the end of the block."""
        with contextlib.ExitStack() as stack:
            self._stack = stack
            try:
                yield
            finally:
                self._stack = None
                self._running.clear()

    def __call__(
        self, start: Callable[P, AbstractContextManager[Served]]
    ) -> Callable[P, AbstractContextManager[Served]]:
        """Let calls with the same arguments share a server, while servers are shared."""

        @functools.wraps(start)
        def shared(*args: P.args, **kwargs: P.kwargs) -> AbstractContextManager[Served]:
            # An index of the claim's own ends with the claim.
            if self._stack is None or "index" in kwargs:
                return start(*args, **kwargs)
            key = start, args, tuple(sorted((name, repr(each)) for name, each in kwargs.items()))
            if key not in self._running:
                self._running[key] = self._stack.enter_context(start(*args, **kwargs))
            return contextlib.nullcontext(self._running[key])

        return shared


SHARED = Shared()


def scratch() -> Path:
    """Make a folder that stays until the program ends.

    For minutes after a file went, ext4 does not use its inode again, but looks at it whenever it
    makes a file nearby: behind the deletion of some ten thousand files each new one took 0.7 ms
    instead of 0.02, whoever made it.
    """
    if not SCRATCH.exists():
        SCRATCH.mkdir(parents=True)
        atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=SCRATCH))


def path_of(studies: int) -> Path:
    """Return the path of a population's index, once it is built."""
    return CACHE / f"studies-{studies}.sqlite"


def index_of(studies: int) -> Path:
    """Return the index of a population; the first call builds it through the ingest code.

    Another process makes and prepares the instances, as readers of ``dicomquest index`` do. From
    ten million studies on, each has one series: only the studies count there, and building them
    takes half an hour as it is.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    path = path_of(studies)
    if not path.exists():
        building = path.with_suffix(".building")
        building.unlink(missing_ok=True)
        _build(Database(building), studies)
        # A closed index has no write-ahead log beside it.
        building.rename(path)
    return path


def _build(database: Database, studies: int) -> None:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    maker = context.Process(target=_make_instances, args=(sending, studies), daemon=True)
    maker.start()
    sending.close()
    gc.set_threshold(COLLECTED_AFTER)
    while chunk := receiving.recv():
        write(database, [(received, None) for received in chunk], 0, Summary())
    database.close()
    maker.join()


@contextlib.contextmanager
def postgresql_of(studies: int) -> Iterator[str]:
    """Yield the URL of the population in its own PostgreSQL; large data stay for later runs."""
    cluster = Cluster()
    built = None
    if studies >= WORTH_KEEPING:
        folder = CACHE / f"postgresql-{studies}"
        folder.mkdir(parents=True, exist_ok=True)
        # The server runs as another user.
        os.chown(folder, cluster.folder.stat().st_uid, cluster.folder.stat().st_gid)
        cluster.data, built = folder / "data", folder / "built"
        if not built.exists():
            shutil.rmtree(cluster.data, ignore_errors=True)
    cluster.start()
    try:
        if built is None or not built.exists():
            url = cluster.create_database("bench")
            cluster.query("CREATE EXTENSION IF NOT EXISTS pg_trgm", database="bench")
            _build(Database(url), studies)
            cluster.query("VACUUM (FREEZE, ANALYZE)", database="bench")
            cluster.query("CHECKPOINT")
            if built is not None:
                built.touch()
        yield cluster.url("bench")
    finally:
        cluster.stop()


def _make_instances(pipe: Connection, studies: int) -> None:
    gc.set_threshold(COLLECTED_AFTER)
    found = instances(studies, most_series=2 if studies < 10_000_000 else 1)
    while chunk := [receive(data_set, 0) for data_set in islice(found, BATCH)]:
        pipe.send(chunk)
    pipe.send([])


def scans_of(studies: int) -> list[Path]:
    """Part 10 files with headers as large as a scanner's, up to 40 instances a series."""
    return _files(f"scans-{studies}", with_acquisition(instances(studies, most_instances=40)))


def files_of(studies: int) -> list[Path]:
    """The same population as Part 10 files."""
    return _files(f"files-{studies}", instances(studies))


def _files(name: str, data_sets: Iterator[DataSet]) -> list[Path]:
    folder = CACHE / name
    if not folder.exists():
        building = CACHE / f"{name}.building"
        building.mkdir(parents=True, exist_ok=True)
        write_files(building, data_sets)
        building.rename(folder)
    return sorted(folder.iterdir())


@SHARED
@contextlib.contextmanager
def ours(
    studies: int,
    *,
    workers: int = 1,
    index: str | None = None,
    options: Sequence[str] = (),
    web: bool = False,
) -> Iterator[Served]:
    """``dicomquest serve`` over a population; ``index`` is where it is if not in its own file."""
    index = index or str(index_of(studies))
    port = free_port()
    command = [sys.executable, "-m", "dicomquest", "serve", "--index", index, "--port", str(port)]
    command += ["--workers", str(workers), "--max-associations", "4000", *options]
    http_port = free_port() if web else 0
    command += ["--http", str(http_port)] if web else []
    log = scratch() / "log"
    with server(command, port, log) as process:
        if web:
            wait_until_listening(process, http_port, log)
        yield Served("dicomquest", port, "DICOMQUEST", studies, process.pid, http_port)


@SHARED
@contextlib.contextmanager
def dcmtk(studies: int = 500) -> Iterator[Served]:
    """dcmqrscp, whose hard limit is 500 studies."""
    with dcmqrscp(scratch(), files_of(studies)) as peer:
        yield Served("dcmqrscp", peer.port, peer.aet, studies)


@SHARED
@contextlib.contextmanager
def orthanc_peer(studies: int) -> Iterator[Served]:
    """Orthanc with its SQLite index."""
    with orthanc(scratch(), files_of(studies)) as peer:
        yield Served("Orthanc", peer.port, peer.aet, studies)


@SHARED
@contextlib.contextmanager
def orthanc_web(studies: int) -> Iterator[Served]:
    """Orthanc with its DICOMweb plugin."""
    with dicomweb(scratch(), files_of(studies)) as peer:
        yield Served("Orthanc", peer.port, peer.aet, studies, peer.pid, peer.http_port)


@SHARED
@contextlib.contextmanager
def pynetdicom(studies: int) -> Iterator[Served]:
    """An SCP of pynetdicom whose handler yields ready data sets from memory: the most it can do."""
    port = free_port()
    command = [sys.executable, str(PYNETDICOM_SCP), str(port), str(studies)]
    with server(command, port, scratch() / "log") as process:
        yield Served("pynetdicom", port, "PYNETDICOM", studies, process.pid)


def missing_programs() -> list[str]:
    """The peers' programs that are not installed."""
    programs = (
        "dcmqrscp",
        "dcmqridx",
        "Orthanc",
        "OrthancDicomWeb",
        "findscu",
        "wlmscpfs",
        "storescu",
        "postgres",
    )
    return [name for name in programs if find_program(name) is None]


def sample_patient_ids(studies: int, count: int = 200) -> list[str]:
    """Patient IDs of the population, spread over all of it, for queries that find one patient."""
    if studies > 100_000:
        # Patients are numbered, and 7 have 15 studies: a whole large population takes minutes.
        last = studies * 45 // 100
        return [f"P01{number:08d}" for number in range(1, last, last // count)][:count]
    step = max(1, studies // count)
    ids = {data_set[0x00100020].values[0] for data_set in islice(instances(studies), 0, None, step)}
    return sorted(ids)[:count]


def resident_bytes(pid: int) -> int:
    """The resident memory of a process and its children."""
    listing = subprocess.run(
        ["ps", "-o", "rss=", "--pid", str(pid), "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    return sum(int(kib) for kib in listing.stdout.split()) * 1024

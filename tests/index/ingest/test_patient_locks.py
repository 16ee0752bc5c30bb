"""Writers of different patients never wait for each other, and what they compute is exact."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index import Index
from dicomquest.index.ingest import patient_locks
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Prepared, Received, receive
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from fixtures.building import instance, query
from fixtures.postgresql_cluster import Cluster, wait_for
from fixtures.receiving import store_received

if TYPE_CHECKING:
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.ingest.receiving import ReceivedBatch

pytestmark = pytest.mark.peer("postgres")

RELATIONAL = QueryOptions(relational=True)
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def backend() -> str:
    return "postgresql"


def received(number: int, patient: str, study: int = 0, **attributes: Any) -> Received:
    found = receive(instance(number, study=study or 1, PatientID=patient, **attributes), 0)
    assert isinstance(found, Received)
    return found


def file_of(each: Received, path: str = "") -> FileState:
    return FileState(path or f"/store/{each.sop_uid}", 1, 1)


def begun(index: Index, each: Received, path: str = "") -> AbstractContextManager[ReceivedBatch]:
    return index.receiving([each.sop_uid], [(each, file_of(each, path))])


def store(index: Index, each: Received, path: str = "") -> None:
    with begun(index, each, path) as batch:
        batch.add(each, file_of(each, path))


def waits(cluster: Cluster, index: Index, storing: Future[None]) -> None:
    name = index._database.name.split("'")[1]
    wait_for(lambda: bool(cluster.query(WAITING, database=name)), "a writer waits")
    with pytest.raises(WaitedTooLong):
        storing.result(0)


def test_other_patients_are_stored_meanwhile(index: Index) -> None:
    one = received(1, "A")
    with begun(index, one) as batch:
        batch.add(one, FileState("/store/1", 1, 1))
        batch.write()
        store(index, received(2, "B", study=2))
        assert index.counts()[Level.IMAGE] == 1
    assert index.counts()[Level.PATIENT] == 2
    assert index.check().examples == []


@pytest.mark.parametrize(
    ("patient", "study"), [("A", 2), ("B", 1)], ids=["same patient", "study that moves"]
)
def test_the_same_patient_or_study_waits(
    postgresql: Cluster, index: Index, patient: str, study: int
) -> None:
    one = received(1, "A")
    with ThreadPoolExecutor(1) as pool:
        with begun(index, one) as batch:
            batch.add(one, FileState("/store/1", 1, 1))
            batch.write()
            storing = pool.submit(store, index, received(2, patient, study=study))
            waits(postgresql, index, storing)
        storing.result(30)
    assert index.counts()[Level.IMAGE] == 2
    assert index.check().examples == []


def test_patient_that_loses_a_study_is_locked(postgresql: Cluster, index: Index) -> None:
    """A store that takes a study from a patient waits for whoever writes that patient."""
    store(index, received(1, "A", study=1))
    other = received(3, "A", study=2)
    with ThreadPoolExecutor(1) as pool:
        with begun(index, other) as batch:
            batch.add(other, FileState("/store/3", 1, 1))
            batch.write()
            storing = pool.submit(store, index, received(2, "B", study=1))
            waits(postgresql, index, storing)
        storing.result(30)
    assert index.check().examples == []
    assert index.counts()[Level.PATIENT] == 2


def test_writer_alone_waits_for_all_others(postgresql: Cluster, index: Index) -> None:
    store(index, received(1, "A"))
    one = received(2, "B", study=2)
    with ThreadPoolExecutor(1) as pool:
        with begun(index, one) as batch:
            batch.add(one, FileState("/store/2", 1, 1))
            removing = pool.submit(index.remove, query("STUDY", PatientID="A"))
            waits(postgresql, index, removing)  # type: ignore[arg-type]
        removing.result(30)
    assert index.check().examples == []


def test_more_locks_than_a_server_has(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_locks, "MOST_LOCKS", 1)
    store(index, received(1, "A"))
    assert index.counts()[Level.IMAGE] == 1


def _received(data_set: DataSet) -> Received:
    found = receive(data_set, 0)
    assert isinstance(found, Received)
    return found


STORER = """
import sys
from random import Random
from index.ingest.test_patient_locks import stores
seed, url = int(sys.argv[1]), sys.argv[2]
stores(Random(seed), url)
"""


def stores(chance: random.Random, url: str) -> None:
    """Store instances of few patients and studies, singly and in batches, and remove some."""
    with Index(url) as index:
        for _ in range(30):
            some = [
                instance(
                    SOPInstanceUID=f"1.3.{chance.randint(1, 40)}",
                    study=chance.randint(1, 4),
                    PatientID=chance.choice(("A", "A", "B", "C", "")),
                    PatientName=chance.choice(("One", "One", "Two")),
                    Modality=chance.choice(("CT", "MR")),
                    SOPClassUID=chance.choice(("1.5.1", "1.5.2")),
                    SeriesInstanceUID=f"1.9.{chance.randint(1, 3)}",
                )
                for _ in range(chance.randint(1, 4))
            ]
            if chance.random() < 0.05:
                uid = some[0][0x00080018].values[0]
                index.remove(query("IMAGE", "study", RELATIONAL, SOPInstanceUID=uid))
            elif chance.random() < 0.5:
                index.ingest_data_sets(some)
            else:
                path = f"/{chance.randint(1, 30)}"
                found = {each.sop_uid: each for each in map(_received, some)}
                store_received(
                    index,
                    [
                        (each, FileState(f"{path}/{number}", 1, 1))
                        for number, each in enumerate(found.values())
                    ],
                )


def test_a_part_has_few_enough_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many patients are cut into parts in their order; instances of one study stay together."""
    monkeypatch.setattr(patient_locks, "MOST_LOCKS", 8)
    apart: list[tuple[Prepared, FileState | None]] = [
        (received(each, f"P{each}", study=each), None) for each in range(1, 10)
    ]
    parts = [list(part) for part in patient_locks.pieces(apart, of_rows=False)]
    assert [len(part) for part in parts] == [3, 3, 3]
    assert [each for part in parts for each in part] == apart
    of_one: list[tuple[Prepared, FileState | None]] = [
        (received(each, "P", study=1), None) for each in range(9)
    ]
    assert [len(part) for part in patient_locks.pieces(of_one, of_rows=False)] == [9]
    assert [len(part) for part in patient_locks.pieces(of_one, of_rows=True)] == [3, 3, 3]


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
def test_counts_are_exact_with_several_writers(own_location: str) -> None:
    """Several processes store, move and remove what few patients have; all is right in the end."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", STORER, str(seed), own_location],
            env={"PYTHONPATH": "tests"},
            stderr=subprocess.PIPE,
        )
        for seed in range(4)
    ]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    with Index(own_location) as index:
        assert index.check().examples == []

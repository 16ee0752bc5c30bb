"""The partitioned layout: the key of each row, and what holds UIDs and paths unique."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.tables.partitioned import TABLES, key_of_text, patient_key, statements
from dicomquest.index.upkeep.copying import copy_index
from dicomquest.standard.levels import Level
from fixtures.building import instance
from fixtures.postgresql_cluster import wait_for
from fixtures.timing import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dicomquest.index.ingest.file_batch import Summary
    from fixtures.postgresql_cluster import Cluster

PARTITIONS = 3
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'relation' AND NOT granted"
ROWS_ELSEWHERE = "SELECT count(*) FROM {table} WHERE patient_key <> ALL(%s)"


@pytest.fixture(scope="module")
def partitioned(postgresql: Cluster) -> Iterator[Index]:
    """An index with partitions, which the tests of this module share."""
    with (
        postgresql.database("template0") as url,
        Index(url, partitions=PARTITIONS) as opened,
    ):
        yield opened


@given(patient_id=st.text(max_size=80), issuer=st.text(max_size=4))
def test_key_follows_from_the_patient_id(patient_id: str, issuer: str) -> None:
    identity = json.dumps([patient_id, issuer] if patient_id else ["", "", "1.2.3"])
    assert patient_key(identity) == key_of_text(patient_id or "1.2.3")
    assert -(2**31) <= patient_key(identity) < 2**31


def test_each_table_has_partitions_and_the_key() -> None:
    found = list(statements(PARTITIONS))
    for table in TABLES:
        parts = [each for each in found if f" PARTITION OF {table.name} " in each]
        assert len(parts) == PARTITIONS
        (made,) = [
            each for each in found if each.lstrip().startswith(f"CREATE TABLE {table.name} ")
        ]
        assert "patient_key INTEGER NOT NULL" in made
        assert made.count("FOREIGN KEY") == len(table.foreign_keys)
    for unique in (each for each in found if each.startswith("CREATE UNIQUE")):
        assert unique.endswith(", patient_key)")


def test_only_an_empty_postgresql_index_is_cut(tmp_path: Path, postgresql: Cluster) -> None:
    with pytest.raises(IndexDatabaseError, match="only an index in PostgreSQL"):
        Database(tmp_path / "index.sqlite", partitions=2)
    with postgresql.database("template0") as url:
        with Index(url) as index:
            index.ingest_data_sets([instance(1)])
        with pytest.raises(IndexDatabaseError, match="has an index already"):
            Database(url, partitions=2)


def test_rows_that_come_meanwhile_are_not_dropped(
    postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that stores while the tables are cut is told that it failed."""
    with (
        postgresql.database("template0") as url,
        Index(url) as index,
        ThreadPoolExecutor(1) as pool,
    ):
        storing: list[Future[Summary]] = []

        def late(partitions: int) -> Iterator[str]:
            storing.append(pool.submit(index.ingest_data_sets, [instance(1)]))
            wait_for(lambda: postgresql.query(WAITING) != [], "the writer waits")
            yield from statements(partitions)

        monkeypatch.setattr("dicomquest.index.tables.partitioned.statements", late)
        Database(url, partitions=2).close()
        with pytest.raises(IndexDatabaseError):
            storing[0].result(LONG)


def test_another_number_of_partitions_is_refused(partitioned: Index) -> None:
    with pytest.raises(IndexDatabaseError, match="has 3 partitions, not 4"):
        Database(partitioned.database._location, partitions=4)
    Database(partitioned.database._location, partitions=PARTITIONS).close()
    with Index(partitioned.database._location) as again:
        assert again.database.is_partitioned


def test_a_study_that_moves_takes_its_rows_along(partitioned: Index) -> None:
    """All rows below a study get the key of the patient that it moves to."""
    of_study = [instance(1000 + each, study=100, PatientID="FROM") for each in range(3)]
    partitioned.ingest_data_sets(of_study)
    with partitioned.receiving(["1"]) as batch:
        found = receive(instance(1003, study=100, PatientID="FROM"), 0)
        assert isinstance(found, Received)
        batch.add(found, FileState("/store/moving", 1, 1))
    partitioned.ingest_data_sets([instance(1004, study=100, PatientID="TO")])
    assert partitioned.check().examples == []
    with partitioned.database.connect() as connection:
        run = connection.exec_driver_sql
        keys = f"SELECT DISTINCT study.patient_key, patient.patient_id FROM study {ABOVE}"
        assert run(keys).all() == [(key_of_text("TO"), "TO")]
        for table in ("instance", "instance_value", "file"):
            moved = f"SELECT count(*) FROM {table} WHERE patient_key = {key_of_text('FROM')}"
            assert run(moved).scalar_one() == 0
        assert run("SELECT count(*) FROM file WHERE path = '/store/moving'::bytea").scalar() == 1


ABOVE = "JOIN patient ON patient.id = study.parent WHERE study_instance_uid LIKE '%.100'"


def test_one_uid_is_stored_once_by_two_writers(partitioned: Index) -> None:
    """Two patients' writers of one SOP Instance UID at a time leave one instance."""

    def store(patient: str) -> None:
        found = receive(instance(2000, study=ord(patient), PatientID=patient), 0)
        assert isinstance(found, Received)
        file = FileState("/store/2000", 1, 1)
        with partitioned.receiving([found.sop_uid], [(found, file)]) as batch:
            batch.add(found, file)

    before = partitioned.counts()[Level.IMAGE]
    with ThreadPoolExecutor(2) as pool:
        for storing in [pool.submit(store, patient) for patient in "ABABABAB"]:
            storing.result(LONG)
    assert partitioned.counts()[Level.IMAGE] == before + 1
    with partitioned.database.connect() as connection:
        paths = "SELECT count(*) FROM file WHERE path = '/store/2000'::bytea"
        assert connection.exec_driver_sql(paths).scalar() == 1
    assert partitioned.check().examples == []


def test_an_index_is_copied_into_partitions(tmp_path: Path, postgresql: Cluster) -> None:
    data_sets = [
        instance(each, study=each // 2, PatientID=f"P{each // 4}", OtherPatientNames="Doe")
        for each in range(12)
    ]
    with Index(tmp_path / "source.sqlite") as source:
        source.ingest_data_sets(data_sets)
        with postgresql.database("template0") as url:
            target = Database(url, partitions=PARTITIONS, may_be_unfinished=True)
            assert copy_index(source.database, target).is_equal
            target.close()
            with Index(url) as copied:
                assert copied.check().examples == []
                copied.ingest_data_sets(data_sets)
                assert copied.counts() == source.counts()

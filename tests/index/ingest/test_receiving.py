"""One transaction of received instances: all of it is in the index at its end, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index import Index
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.standard.levels import Level
from fixtures.building import instance

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/store/one.dcm"
NOBODY = "1.2.3"


def received(number: int) -> Received:
    found = receive(instance(number), 0)
    assert isinstance(found, Received)
    return found


def known(index: Index, *uids: str) -> dict[str, list[str]]:
    with index.receiving(uids) as batch:
        return {uid: list(paths) for uid, paths in batch.known.items()}


@pytest.mark.parametrize("writes", [True, False], ids=["write", "block's end"])
def test_added_instances_are_indexed(index: Index, writes: bool) -> None:
    one = received(1)
    with index.receiving([one.sop_uid, NOBODY]) as batch:
        assert batch.known == {}
        batch.add(one, FileState(PATH, 1, 1))
        if writes:
            batch.write()
    assert index.counts()[Level.IMAGE] == 1
    assert known(index, one.sop_uid, NOBODY) == {one.sop_uid: [PATH]}


def test_an_exception_undoes_what_was_written(index: Index) -> None:
    one = received(1)

    def write_and_fail() -> None:
        with index.receiving([one.sop_uid]) as batch:
            batch.add(one, FileState(PATH, 1, 1))
            batch.write()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_and_fail()
    assert index.counts()[Level.IMAGE] == 0


def test_an_instance_whose_file_is_forgotten_stays(index: Index) -> None:
    one = received(1)
    with index.receiving([one.sop_uid]) as batch:
        batch.add(one, FileState(PATH, 1, 1))
    with index.receiving(()) as batch:
        batch.forget(PATH)
    assert known(index, one.sop_uid) == {one.sop_uid: []}


def statements_of(index: Index, *instances: Received) -> list[str]:
    """The statements of one transaction of these instances on SQLite."""
    found: list[str] = []
    with index.receiving([each.sop_uid for each in instances]) as batch:
        driver: Any = batch._connection.connection.driver_connection
        driver.set_trace_callback(found.append)
        for each in instances:
            batch.add(each, FileState(f"/store/{each.sop_uid}", 1, 1))
        batch.write()
        driver.set_trace_callback(None)
    return found


def test_new_study_leaves_sqlite_its_statements(tmp_path: Path) -> None:
    """Deferred constraints, after which all is compiled anew, are for what moves."""
    with Index(tmp_path / "index.sqlite") as index:
        new = statements_of(index, received(1), received(2))
        assert not any("defer_foreign_keys" in each for each in new)
        assert not any(each.startswith("UPDATE") for each in new)
        assert index.check().examples == []
        moved = receive(instance(1, PatientID="OTHER", StudyInstanceUID="1.2.9"), 0)
        assert isinstance(moved, Received)
        assert any("defer_foreign_keys" in each for each in statements_of(index, moved))
        assert index.check().examples == []

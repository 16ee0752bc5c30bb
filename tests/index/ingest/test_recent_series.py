"""One more instance of a recent series is written without loading, and with the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.index import Index
from dicomquest.index.ingest import recent_series
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.standard.levels import Level
from fixtures.building import instance, query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened


def store(index: Index, number: int, **attributes: Any) -> list[str]:
    """Store an instance of one series, and return the statements that read or write rows."""
    received = receive(instance(number, **attributes), 0)
    assert isinstance(received, Received)
    statements: list[str] = []
    with index.receiving([received.sop_uid]) as batch:
        driver: Any = batch._connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        batch.add(received, FileState(f"/store/{number}", 1, 1))
        batch.write()
        driver.set_trace_callback(None)
    return statements


def loads(statements: list[str]) -> bool:
    """Tell whether any of these statements reads a study."""
    return any("FROM study" in statement for statement in statements)


def names(index: Index) -> list[str]:
    with index._database.connect() as connection:
        return list(connection.exec_driver_sql("SELECT patient_name FROM patient").scalars())


def test_known_series_needs_nothing_loaded(index: Index) -> None:
    assert loads(store(index, 1))
    assert not loads(store(index, 2))
    assert index.counts() == {
        Level.PATIENT: 1,
        Level.STUDY: 1,
        Level.SERIES: 1,
        Level.IMAGE: 2,
    }
    assert index.check().examples == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientName": "Other^Name"},
        {"StudyDescription": "other"},
        {"SeriesDescription": "other"},
        {"SOPClassUID": "1.2.9"},
        {"PatientID": "other"},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_instance_that_says_more_is_merged(index: Index, attributes: dict[str, str]) -> None:
    store(index, 1)
    assert loads(store(index, 2, **attributes))
    assert not loads(store(index, 3, **attributes))
    assert index.check().examples == []


def test_other_connection_makes_it_forget(index: Index, tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as other:
        store(index, 1, PatientName="First")
        store(other, 2, PatientName="Second")
        assert loads(store(index, 3, PatientName="First"))
    assert names(index) == ["First"]
    assert index.check().examples == []


def test_own_writes_elsewhere_make_it_forget(index: Index) -> None:
    store(index, 1)
    index.ingest_data_sets([instance(2, PatientName="Second")])
    assert loads(store(index, 3))
    assert index.check().examples == []


def test_undone_transaction_makes_it_forget(index: Index) -> None:
    store(index, 1)
    received = receive(instance(2), 0)
    assert isinstance(received, Received)

    def fail() -> None:
        with index.receiving([received.sop_uid]) as batch:
            batch.add(received, FileState("/store/2", 1, 1))
            batch.write()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert loads(store(index, 3))
    assert index.counts()[Level.IMAGE] == 2
    assert index.check().examples == []


def test_path_of_another_instance_is_displaced(index: Index) -> None:
    store(index, 1)
    received = receive(instance(2), 0)
    assert isinstance(received, Received)
    with index.receiving([received.sop_uid]) as batch:
        batch.add(received, FileState("/store/1", 1, 1))
    assert index.counts()[Level.IMAGE] == 1
    assert index.check().examples == []


def test_cache_is_bounded(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_series, "MOST_STUDIES", 1)
    store(index, 1)
    store(index, 2, StudyInstanceUID="1.9", PatientID="other")
    assert loads(store(index, 3))


def test_long_records_are_not_kept(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_series, "LONGEST_RECORD", 0)
    store(index, 1)
    assert loads(store(index, 2))


TOO_LONG = "x" * (recent_series.LONGEST_RECORD + 1)


def alternating(index: Index, other: Index) -> None:
    """Two writers store until both have company, and know what to compare."""
    for number in (1, 3, 5):
        store(index, number)
        store(other, number + 1)


def test_series_of_two_writers_needs_nothing_loaded(index: Index, tmp_path: Path) -> None:
    """Each compares the rows with what they were before the other has written."""
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        assert not loads(store(index, 7))
        assert not loads(store(other, 8))
        assert not loads(store(other, 9))
        assert not loads(store(index, 10))
        assert index.counts()[Level.IMAGE] == 10
        assert index.check().examples == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientName": "Other^Name"},
        {"StudyDescription": "other"},
        {"SeriesDescription": "other"},
        {"SOPClassUID": "1.2.9"},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_change_of_another_writer_is_seen(
    index: Index, tmp_path: Path, attributes: dict[str, str]
) -> None:
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        assert not loads(store(index, 7))
        store(other, 8, **attributes)
        assert loads(store(index, 9))
        assert index.check().examples == []


def test_study_moved_by_another_writer_is_seen(index: Index, tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        assert not loads(store(index, 7))
        store(other, 8, PatientID="other")
        assert loads(store(index, 9))
        assert index.check().examples == []


def test_study_moved_and_moved_back_is_counted(index: Index, tmp_path: Path) -> None:
    """The row of the first patient is gone when this writer moves the study back."""
    with Index(tmp_path / "index.sqlite") as other:
        store(index, 1, PatientID="A", PatientName="A")
        store(other, 1, PatientID="B", PatientName="B")
        store(index, 2, PatientID="A", PatientName="A")
        assert not loads(store(index, 3, PatientID="A", PatientName="A"))
        assert index.check().examples == []


def test_promotion_by_another_writer_is_seen(index: Index, tmp_path: Path) -> None:
    """A new row has the value rows of an attribute that another process has promoted."""
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        other.promote(attribute_named("SliceLocation"))
        statements = store(index, 7, SliceLocation="1.5")
        assert any("INSERT INTO instance_value" in each for each in statements)
        assert index.check().examples == []


def test_removed_series_is_not_known(index: Index, tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        other.remove(query("SERIES", SeriesInstanceUID="1.2.1.1", StudyInstanceUID="1.2.1"))
        assert loads(store(index, 7))
        assert index.counts()[Level.IMAGE] == 1
        assert index.check().examples == []


def test_witnesses_are_bounded(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_series, "MOST_WITNESSES", 0)
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        assert loads(store(index, 7))


def test_rows_of_long_records_are_not_kept(index: Index, tmp_path: Path) -> None:
    """A peer that sends series of megabytes does not fill the memory."""
    with Index(tmp_path / "index.sqlite") as other:
        alternating(index, other)
        store(index, 7, SeriesInstanceUID="1.9", SeriesDescription=TOO_LONG)
        with index.receiving([]) as batch:
            assert batch._recent is not None
            kept = repr(batch._recent._witnesses)
        assert "1.2.1.1" in kept
        assert "1.9" not in kept

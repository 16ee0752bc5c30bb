"""One more instance of a recent series on a server is one statement, whoever writes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from dicomquest.index import Index
from dicomquest.index.ingest import receiving, server_series
from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.tables.schema import ID_BLOCK
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.standard.levels import Level
from fixtures.building import instance
from fixtures.postgresql_cluster import usual_layout
from fixtures.receiving import store_received

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.peer("postgres"), usual_layout]


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def other(location: str, index: Index) -> Iterator[Index]:
    assert index.counts()[Level.IMAGE] == 0
    with Index(location) as opened:
        yield opened


def loads(index: Index, number: int, path: str = "", **attributes: Any) -> bool:
    """Store an instance, and tell whether the rows above it had to be loaded."""
    received = receive(instance(number, **attributes), 0)
    assert isinstance(received, Received)
    with mock.patch.object(receiving, "Batch", wraps=Batch) as batch:
        store_received(index, [(received, FileState(path or f"/store/{number}", 1, 1))])
    return batch.called


def test_known_series_needs_nothing_loaded(index: Index) -> None:
    assert loads(index, 1)
    assert not loads(index, 2)
    assert not loads(index, 3)
    assert index.counts()[Level.IMAGE] == 3
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
    loads(index, 1)
    assert loads(index, 2, **attributes)
    assert not loads(index, 3, **attributes)
    assert index.check().examples == []


def test_other_writer_makes_it_forget(index: Index, other: Index) -> None:
    loads(index, 1)
    loads(other, 2, PatientName="Second")
    assert loads(index, 3)
    assert index.check().examples == []


def test_other_writer_of_the_series_does_not(index: Index, other: Index) -> None:
    """A series is still known whose counts another writer has added to."""
    loads(index, 1)
    loads(other, 2)
    assert not loads(index, 3)
    assert not loads(other, 4)
    assert not loads(index, 5)
    assert index.counts()[Level.IMAGE] == 5
    assert index.check().examples == []


def test_known_series_is_written_with_its_locks(index: Index) -> None:
    """An instance of a known series takes two round trips: one with the locks, one to commit."""
    loads(index, 1)
    received = receive(instance(2), 0)
    assert isinstance(received, Received)
    file = FileState("/store/2", 1, 1)
    with (
        mock.patch.object(server_series, "execute", side_effect=AssertionError),
        index.receiving([received.sop_uid], [(received, file)]) as batch,
    ):
        assert batch.known == {}
        batch.add(received, file)
    assert index.counts()[Level.IMAGE] == 2


def test_arrivals_are_not_left_out(index: Index) -> None:
    """A server may have written all arrivals when their transaction begins."""
    loads(index, 1)
    received = receive(instance(2), 0)
    assert isinstance(received, Received)
    with (
        pytest.raises(ValueError, match="1 new arrivals were not added"),
        index.receiving([received.sop_uid], [(received, FileState("/store/2", 1, 1))]),
    ):
        pass
    assert index.counts()[Level.IMAGE] == 1


def test_instance_received_again_is_found(index: Index) -> None:
    loads(index, 1)
    loads(index, 2)
    assert loads(index, 2, path="/store/again")
    assert index.counts()[Level.IMAGE] == 2
    assert index.check().examples == []


def test_ids_of_many_appended_instances(index: Index) -> None:
    """A connection gets its next ids with its statements, before it has used the last ones."""
    loads(index, 1)
    assert not any(loads(index, number) for number in range(2, 2 * ID_BLOCK + 3))
    assert index.counts()[Level.IMAGE] == 2 * ID_BLOCK + 2


def test_writer_of_another_patient_does_not(index: Index, other: Index) -> None:
    loads(index, 1)
    loads(other, 2, study=2, PatientID="other")
    assert not loads(index, 3)
    assert index.check().examples == []


def test_a_promoted_attribute_makes_it_forget(index: Index, other: Index) -> None:
    loads(index, 1)
    other.promote(attribute_named("FilterType"))
    assert loads(index, 2)
    assert not loads(index, 3, FilterType="COPPER")
    [listed] = index.promoted()
    assert listed.rows == 1


def test_path_of_another_instance_is_displaced(index: Index) -> None:
    loads(index, 1)
    assert loads(index, 2, path="/store/1")
    assert index.counts()[Level.IMAGE] == 1
    assert index.check().examples == []


def test_long_and_quoted_texts_are_kept(index: Index) -> None:
    loads(index, 1)
    text = 'é"' + "x" * 3000
    assert not loads(index, 2, ContainerIdentifier=text, ImageComments=text)
    assert index.check().examples == []

"""One more instance of a recent series on a server is one statement, whoever writes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from dicomquest.index import Index
from dicomquest.index.ingest import receiving
from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.standard.levels import Level
from fixtures.building import instance
from fixtures.receiving import store_received

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.peer("postgres")


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
